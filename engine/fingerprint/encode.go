package fingerprint

import (
	"crypto/sha256"
	"encoding/binary"
	"path"
	"runtime"
	"strings"
	"sync"

	"github.com/weftrun/weft/internal/xxh3"
)

// formatVersion is part of every fingerprint: a changed encoding must never
// read as a hit.
const formatVersion = "weft fingerprint 4"

// scratch are buffers for encodings.
var scratch = sync.Pool{New: func() any { b := make([]byte, 0, 4<<10); return &b }}

// framed appends a text with its length before it, so that no two different
// sequences have one encoding.
func framed(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// relative returns prefix, an absolute directory with a slash, as seen from
// dir: "" is dir itself.
func relative(dir, prefix string) string {
	if prefix == "" {
		return ""
	}
	if rest, ok := strings.CutPrefix(prefix, dir); ok && rest != "" && (rest[0] == '/' || dir == "/") {
		return strings.TrimPrefix(rest, "/")
	}
	up := ""
	for dir != "/" && !strings.HasPrefix(prefix, dir+"/") {
		dir, up = path.Dir(dir), up+"../"
	}
	return up + strings.TrimPrefix(prefix[len(dir):], "/")
}

// place returns an item's directory relative to root, and its name.
func (it item) place(root string) (prefix, name string) {
	if it.d != nowhere {
		return relative(root, it.d.prefix), it.e.name
	}
	i := strings.LastIndexByte(it.e.name, '/') + 1
	return relative(root, it.e.name[:i]), it.e.name[i:]
}

// appendItems encodes where files are and what their stat is: what has to stay
// the same for them to be the same unread. The directory is written when it
// changes only.
func appendItems(b []byte, root string, items []item) []byte {
	var d *directory
	prefix, name, last := "", "", "\x00"
	for _, it := range items {
		e := it.e
		if it.d == nowhere || it.d != d {
			prefix, name = it.place(root)
			d = it.d
		} else {
			name = e.name
		}
		var flags byte
		if prefix != last {
			flags |= 1
		}
		link := e.kind == isLink || e.kind == isDangling
		if link {
			flags |= 2
		}
		b = append(b, flags)
		if prefix != last {
			b = framed(b, prefix)
			last = prefix
		}
		b = framed(b, name)
		if link {
			b = framed(b, e.target())
		}
		b = binary.LittleEndian.AppendUint64(b, uint64(e.st.size))
		b = binary.LittleEndian.AppendUint64(b, uint64(e.st.mtime))
		b = binary.LittleEndian.AppendUint64(b, uint64(e.st.ctime))
		b = binary.LittleEndian.AppendUint64(b, e.st.ino)
		b = binary.LittleEndian.AppendUint32(b, e.st.mode)
	}
	return b
}

// statSum is a short digest of appendItems. It says only whether to look
// closer; it is no part of the fingerprint.
type statSum [16]byte

func statsOf(root string, items []item) statSum {
	p := scratch.Get().(*[]byte)
	b := appendItems((*p)[:0], root, items)
	sum := xxh3.Hash128(b).Bytes()
	*p = b
	scratch.Put(p)
	return sum
}

// salt is the version of the encoding and the key of a state in a few bytes.
type salt [16]byte

func saltOf(key [keySize]byte) *salt {
	d := sha256.Sum256(append([]byte(formatVersion), key[:]...))
	return (*salt)(d[:])
}

// digest covers everything of in that is not a file, and the key of the state it is kept
// in: without that, nobody can try what a secret may be.
func (in *Inputs) digest(salt *salt) Digest {
	p := scratch.Get().(*[]byte)
	b := append((*p)[:0], salt[:]...)
	b = framed(b, runtime.GOOS)                    // tools differ
	b = framed(b, runtime.GOARCH)                  //
	b = framed(b, relative(in.Root, in.Dir+"/"))   // commands run elsewhere do something else
	b = append(b, byte(in.Method), flag(in.Loose)) // they decide what is recorded of files
	b = binary.AppendUvarint(b, uint64(len(in.Fields)))
	for i := range in.Fields {
		b = framed(b, in.Fields[i].Name) // a value that moves to another variable
		b = framed(b, in.Fields[i].Value)
	}
	b = binary.AppendUvarint(b, uint64(len(in.Generates)))
	for i := range in.Generates { // another promise
		exclude := byte(0)
		if in.Generates[i].Exclude {
			exclude = 1
		}
		b = framed(append(b, exclude), in.Generates[i].Glob)
	}
	d := sha256.Sum256(b)
	*p = b
	scratch.Put(p)
	return d
}

// filesDigest covers the sources. hashes is nil where content does not count.
func filesDigest(root string, items []item, hashes []hashed) Digest {
	p := scratch.Get().(*[]byte)
	b := framed((*p)[:0], formatVersion)
	b = binary.AppendUvarint(b, uint64(len(items)))
	for i, it := range items {
		prefix, name := it.place(root)
		b = framed(b, prefix) // moving a file, or renaming it, is a change
		b = framed(b, name)
		b = binary.LittleEndian.AppendUint32(b, it.e.st.mode&typeMask) // a file that becomes a pipe
		b = append(b, executable(it.e.st.mode))                        // a script that cannot be run any more
		b = framed(b, it.e.target())                                   // a link that leads elsewhere
		if hashes != nil {
			b = append(b, hashes[i].digest[:]...)
		}
	}
	d := sha256.Sum256(b)
	*p = b
	scratch.Put(p)
	return d
}

func executable(mode uint32) byte {
	if mode&0o111 != 0 {
		return 1
	}
	return 0
}

// whole is the fingerprint.
func whole(texts, files Digest) Digest {
	b := append(make([]byte, 0, 64), texts[:]...)
	return sha256.Sum256(append(b, files[:]...))
}

func flag(b bool) byte {
	if b {
		return 1
	}
	return 0
}
