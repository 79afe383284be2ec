package glob

import (
	"encoding/binary"
	"strings"
	"sync"

	"github.com/weftrun/weft/internal/xxh3"
)

// Directory listings are kept from run to run. The names in a directory are the same as long as its
// Stat is the same, so a run in which nothing has changed costs a stat for each directory and each
// file: reading a directory of an ext4 file system takes as long as half the stats of its files. A
// listing is kept only if the directory's times proved something when it was listed, and on file
// systems that are known to set them with each change.

// listing is the names in a directory as an earlier run has found them.
type listing struct {
	self  Stat
	n     int
	names string // of each entry in order: its kind, its name, a zero byte
}

// recall is the listings of earlier runs.
type recall struct {
	read func() []byte // nil if there are none; see Tree.Recall
	once sync.Once
	kept map[string]listing // by prefix
	text string             // all of them
}

// Recall makes the Tree use listings of an earlier run, which read returns: it is called at most
// once, when the first directory is searched, from any goroutine. What is not an unchanged result of
// [Tree.Listings] is ignored. Recall must be called before the Tree is used.
func (t *Tree) Recall(read func() []byte) { t.recall.read = read }

const (
	listingsMagic = "weft listings 1\n"
	listingsHead  = len(listingsMagic) + 16 // and a digest of the rest
	// maxForgotten is the size up to which listings are kept that a run has not used, in bytes.
	maxForgotten = 16 << 20
)

// load decodes the listings.
func (r *recall) load() {
	if r.read == nil {
		return
	}
	b := r.read()
	if len(b) < listingsHead || string(b[:len(listingsMagic)]) != listingsMagic {
		return
	}
	head, b := b[len(listingsMagic):listingsHead], b[listingsHead:]
	if sum := xxh3.Hash128(b).Bytes(); string(sum[:]) != string(head) {
		return
	}
	r.text = string(b)
	r.kept = map[string]listing{}
	for at := 0; at < len(b); {
		var w [listingWords]uint64
		for i := range w {
			n := 0
			if w[i], n = binary.Uvarint(b[at:]); n <= 0 {
				return
			}
			at += n
		}
		names := uint64(at) + w[0]
		end := names + w[1]
		if max(w[0], w[1]) > uint64(len(b)) || end > uint64(len(b)) || w[2] > w[1] {
			return
		}
		r.kept[r.text[at:names]] = listing{n: int(w[2]), names: r.text[names:end], self: Stat{
			Size: int64(w[3]), Mtime: int64(w[4]), Ctime: int64(w[5]), Inode: w[6], Mode: uint32(w[7])}}
		at = int(end)
	}
}

// listingWords is the number of integers in front of a listing: the sizes of prefix and names, the
// number of these, and the Stat.
const listingWords = 8

// appendListing appends a listing, without its names, which have that size.
func appendListing(b []byte, prefix string, l listing, names int) []byte {
	for _, w := range [listingWords]uint64{uint64(len(prefix)), uint64(names), uint64(l.n),
		uint64(l.self.Size), uint64(l.self.Mtime), uint64(l.self.Ctime), l.self.Inode, uint64(l.self.Mode)} {
		b = binary.AppendUvarint(b, w)
	}
	return append(b, prefix...)
}

// recalled returns the listing of an earlier run, if there is one.
func (t *Tree) recalled(prefix string) (listing, bool) {
	t.recall.once.Do(t.recall.load)
	l, ok := t.recall.kept[prefix]
	return l, ok
}

// fill sets the entries of d to those of a listing. It returns false if that is not valid.
func (d *directory) fill(l listing) bool {
	d.entries = make([]entry, 0, l.n)
	for names := l.names; names != ""; {
		end := strings.IndexByte(names, 0)
		if end < 2 || kind(names[0]) == unknown || kind(names[0]) > isLink || !isName(names[1:end]) {
			d.entries = nil
			return false
		}
		d.entries = append(d.entries, entry{name: names[1:end], kind: kind(names[0])})
		names = names[end+1:]
	}
	return true
}

// isName reports whether a name stays in its directory.
func isName(name string) bool {
	return name != "." && name != ".." && strings.IndexByte(name, '/') < 0
}

// Listings returns the listings for a later run, or nil if it can use those of [Tree.Recall] as they
// are: they are replaced when a quarter of the directories had to be listed again. Directories with
// names that reveal a secret are left out. Nothing may use the Tree at the same time.
func (t *Tree) Listings(reveals func(text string) bool) []byte {
	kept, fresh := 0, 0
	for _, s := range t.slots {
		if s.d != nil && s.d.err == nil && s.d.keeps {
			kept++
			if !s.d.recalled {
				fresh++
			}
		}
	}
	if 4*fresh <= kept {
		return nil
	}
	b := make([]byte, listingsHead, listingsHead+len(t.recall.text)+1<<12)
	copy(b, listingsMagic)
	end := len(b)
	harmless := func() {
		if reveals(string(b[end:])) {
			b = b[:end]
		}
		end = len(b)
	}
	for prefix, s := range t.slots {
		if s.d != nil && s.d.err == nil && s.d.keeps {
			b = s.d.appendListing(b, prefix)
			harmless()
		}
	}
	for prefix, l := range t.recall.kept {
		if t.slots[prefix] == nil && len(b) < maxForgotten {
			b = append(appendListing(b, prefix, l, len(l.names)), l.names...)
			harmless()
		}
	}
	sum := xxh3.Hash128(b[listingsHead:]).Bytes()
	copy(b[len(listingsMagic):], sum[:])
	return b
}

// appendListing appends the listing of d.
func (d *directory) appendListing(b []byte, prefix string) []byte {
	size := 0
	for i := range d.entries {
		size += len(d.entries[i].name) + 2
	}
	b = appendListing(b, prefix, listing{self: d.self, n: len(d.entries)}, size)
	for i := range d.entries {
		e := &d.entries[i]
		b = append(b, byte(e.listedKind()))
		b = append(b, e.name...)
		b = append(b, 0)
	}
	return b
}
