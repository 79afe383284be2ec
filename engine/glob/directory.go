package glob

import (
	"os"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/weftrun/weft/internal/statefile"
)

// slot is the place of one directory; its lock makes sure that the directory
// is read once.
type slot struct {
	mu    sync.Mutex // guards the fields below
	d     *directory
	stale bool // d is out of date
}

// directory is a directory as it was at some age of its Tree.
type directory struct {
	prefix  string // absolute path and a slash
	byName  bool   // not a listing: its files were named, by paths that begin with prefix
	age     uint64
	self    Stat
	young   bool // self proves nothing; see Stat.Recent
	entries []entry
	err     error

	keeps    bool // a later run may use the names, see [Tree.Listings]
	recalled bool // the names are those of an earlier run

	mu sync.Mutex // guards the properties of entries
}

// relist lists a directory, or copies the names of an earlier listing if nothing has
// been made or removed there since, in this process or an earlier one. It returns an open descriptor
// for look, which closes it, or -1.
func (t *Tree) relist(prefix string, old *directory, age uint64, hidden string) (*directory, int) {
	d := &directory{prefix: prefix, age: age}
	now := time.Now()
	fd, err := openDir(prefix)
	if err != nil {
		d.err = err
		return d, -1
	}
	if d.self, d.err = statDir(fd, prefix); d.err != nil {
		return d, fd
	}
	d.young = d.self.Recent(now)
	if old != nil && old.err == nil && !old.young && old.self == d.self {
		d.copyNames(old)
		return d, fd
	}
	if l, ok := t.recalled(prefix); ok && !d.young && l.self == d.self && d.fill(l) {
		d.keeps, d.recalled = true, true
		d.copyContents(old)
		return d, fd
	}
	names, err := readDir(fd, prefix)
	if err != nil {
		d.err = err
		return d, fd
	}
	d.keeps = !d.young && setsTimes(fd)
	if listsByPath {
		// A link in the path may have been replaced in between.
		again, err := statDir(fd, prefix)
		d.young = d.young || err != nil || again != d.self
	}
	ours := "" // the hidden name, if it is in this directory
	if strings.HasPrefix(hidden, prefix) {
		ours = hidden[len(prefix) : len(hidden)-1]
	}
	// Sorted as the paths below them are: a directory counts with its slash.
	sort.Sort(byName(names))
	d.entries = make([]entry, 0, len(names))
	for _, n := range names {
		if n.name != statefile.DirName && n.name != ours && !strings.HasSuffix(n.name, statefile.BesideSuffix) {
			d.entries = append(d.entries, entry{name: n.name, kind: n.kind})
		}
	}
	d.copyContents(old)
	return d, fd
}

// copyNames copies the entries of an earlier listing, without their properties.
func (d *directory) copyNames(old *directory) {
	old.mu.Lock()
	defer old.mu.Unlock()
	d.keeps, d.recalled = old.keeps, old.recalled
	d.entries = make([]entry, len(old.entries))
	for i := range old.entries {
		o, n := &old.entries[i], &d.entries[i]
		n.name, n.kind, n.content = o.name, o.listedKind(), o.content
	}
}

// copyContents copies the known contents from an earlier listing, if there is one. It is valid as
// long as the file's Stat is the same.
func (d *directory) copyContents(old *directory) {
	if old == nil || old.err != nil {
		return
	}
	old.mu.Lock()
	defer old.mu.Unlock()
	i := 0
	for n := range d.entries {
		e := listed{d.entries[n].name, d.entries[n].kind}
		for i < len(old.entries) && compareNames(listed{old.entries[i].name, old.entries[i].kind}, e) < 0 {
			i++
		}
		if i < len(old.entries) && old.entries[i].name == e.name {
			d.entries[n].content = old.entries[i].content
		}
	}
}

// look determines the properties of the entries whose name want selects; with read, also the
// content of small files. It closes fd.
func (d *directory) look(fd int, want func(string) bool, read bool) {
	defer func() { closeDir(fd) }()
	if d.err != nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	var small *smallFiles
	if read {
		small = readSmall()
		defer small.done()
	}
	for i := range d.entries {
		e := &d.entries[i]
		if e.looked || e.kind == isDir || e.kind <= isFile && want != nil && !want(e.name) {
			continue
		}
		if fd < 0 {
			var err error
			if fd, err = openDir(d.prefix); err != nil {
				e.looked, e.extra().err = true, err
				continue
			}
		}
		if small == nil || !small.read(e, fd) {
			e.resolve(fd, d.prefix)
		}
	}
}

// listed is one name in a directory listing.
type listed struct {
	name string
	kind kind
}

// byName sorts names, see [compareNames].
type byName []listed

func (n byName) Len() int           { return len(n) }
func (n byName) Less(i, j int) bool { return compareNames(n[i], n[j]) < 0 }
func (n byName) Swap(i, j int)      { n[i], n[j] = n[j], n[i] }

// compareNames orders names as the paths of the files below them.
func compareNames(a, b listed) int {
	n := min(len(a.name), len(b.name))
	if c := strings.Compare(a.name[:n], b.name[:n]); c != 0 {
		return c
	}
	return int(a.after(n)) - int(b.after(n))
}

func (l listed) after(i int) byte {
	switch {
	case i < len(l.name):
		return l.name[i]
	case l.kind == isDir:
		return '/'
	}
	return 0
}

// kind is the kind of an entry in a directory.
type kind uint8

const (
	unknown kind = iota
	isOther      // a pipe, socket or device; isFile once its properties are known
	isFile
	isDir
	isLink     // to a file, once its properties are known
	isLinkDir  // a link to a directory
	isDangling // a link without an accessible target: its text counts
	isLoop     // a link to a directory that contains it
)

// entry is one name in a directory. Its properties are determined on demand, under the directory's
// lock, and do not change afterwards.
type entry struct {
	name    string
	kind    kind
	looked  bool
	st      Stat     // of the target of a link; if there is none, of the link
	content *Content // under the directory's lock, even afterwards
	more    *more    // nil for most: a hundred thousand entries are alive at once
}

// listedKind returns the kind that a listing has of e, whose properties may be known.
func (e *entry) listedKind() kind {
	switch {
	case e.kind > isDir:
		return isLink
	case e.kind == isFile && e.looked && !e.st.Regular():
		return isOther
	}
	return e.kind
}

// more holds what only few entries have.
type more struct {
	err    error  // of the look
	target string // of a link
}

func (e *entry) err() error {
	if e.more == nil {
		return nil
	}
	return e.more.err
}

func (e *entry) target() string {
	if e.more == nil {
		return ""
	}
	return e.more.target
}

func (e *entry) extra() *more {
	if e.more == nil {
		e.more = &more{}
	}
	return e.more
}

// resolve determines the properties of one entry, through links.
func (e *entry) resolve(fd int, prefix string) {
	e.looked = true
	st, err := statAt(fd, prefix, e.name, false)
	switch {
	case err != nil:
		e.extra().err, e.kind = err, isFile
		return
	case st.isDir():
		e.kind = isDir // perhaps in place of a file
		return
	case !st.IsLink():
		e.kind, e.st = isFile, st
		return
	}
	e.extra().target, _ = os.Readlink(prefix + e.name)
	if e.st, err = statAt(fd, prefix, e.name, true); err != nil {
		e.kind, e.st = isDangling, st
		return
	}
	e.kind = isLink
	if e.st.isDir() {
		e.kind = isLinkDir
		if standsIn(prefix, prefix+e.name) {
			e.kind = isLoop
		}
	}
}

// standsIn reports whether the directory that link leads to is one of those of
// prefix: a walk through it would not end.
func standsIn(prefix, link string) bool {
	to, err := os.Stat(link)
	if err != nil {
		return false
	}
	for i := len(prefix); i > 0; i = strings.LastIndexByte(prefix[:i], '/') {
		if at, err := os.Stat(prefix[:i]); err == nil && os.SameFile(at, to) {
			return true
		}
	}
	return false
}
