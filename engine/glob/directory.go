package glob

import (
	"errors"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/weftrun/weft/internal/statefile"
)

// slot is the place of one directory; its lock makes sure that the directory
// is read once.
type slot struct {
	mu sync.Mutex // guards d
	d  *directory
}

// directory is the content of a directory as it was at an age.
type directory struct {
	prefix string // absolute path and a slash
	age    uint64
	self   Stat
	young  bool // changed so lately that its time proves nothing
	ents   []entry
	err    error

	mu sync.Mutex // guards the looks at ents
}

// kind is what a name in a directory stands for.
type kind uint8

const (
	unknown kind = iota
	isFile       // or anything else that is neither directory nor link
	isDir
	isLink     // to a file, once looked at
	isLinkDir  // a link to a directory
	isDangling // a link to nothing, or to what cannot be looked at: it counts by its text
	isLoop     // a link to a directory that it stands in
)

// entry is one name. What is known of the file behind it is filled in when
// somebody asks for it, under the directory's lock, and then stays.
type entry struct {
	name    string
	kind    kind
	looked  bool
	st      Stat     // of the file a link leads to; if it leads nowhere, of the link
	content *Content // under the directory's lock, even afterwards
	more    *more    // nil for most: a hundred thousand entries are alive at once
}

// more is what few entries have.
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

// refresh lists a directory, or takes over the names of an earlier listing
// when nothing was made or removed there since. The descriptor it returns is
// for look, which closes it.
func refresh(prefix string, old *directory, age uint64, hidden string) (*directory, int) {
	d := &directory{prefix: prefix, age: age}
	now := time.Now()
	fd, err := openDir(prefix)
	if err != nil {
		d.err = err
		return d, -1
	}
	if d.self, d.err = statPath(prefix, true); d.err != nil {
		return d, fd
	}
	d.young = d.self.Young(now)
	if old != nil && old.err == nil && !old.young && old.self == d.self {
		old.mu.Lock()
		defer old.mu.Unlock()
		d.ents = make([]entry, len(old.ents))
		for i := range old.ents {
			o, n := &old.ents[i], &d.ents[i]
			n.name, n.kind = o.name, o.kind
			if o.kind > isDir {
				n.kind = isLink
			}
			n.content = o.content
		}
		return d, fd
	}
	names, err := readDir(fd, prefix)
	if err != nil {
		d.err = err
		return d, fd
	}
	skip := ""
	if strings.HasPrefix(hidden, prefix) {
		skip = hidden[len(prefix) : len(hidden)-1]
	}
	// Sorted as the paths below them are: a directory counts with its slash.
	slices.SortFunc(names, func(a, b listed) int { return compareNames(a, b) })
	d.ents = make([]entry, 0, len(names))
	for _, n := range names {
		if n.name == statefile.DirName || n.name == skip || strings.HasSuffix(n.name, statefile.BesideSuffix) {
			continue
		}
		d.ents = append(d.ents, entry{name: n.name, kind: n.kind})
	}
	d.inherit(old)
	return d, fd
}

// inherit takes over what is known of contents from an earlier listing; it counts as
// long as the file's Stat is the same.
func (d *directory) inherit(old *directory) {
	if old == nil || old.err != nil {
		return
	}
	old.mu.Lock()
	defer old.mu.Unlock()
	i := 0
	for n := range d.ents {
		e := listed{d.ents[n].name, d.ents[n].kind}
		for i < len(old.ents) && compareNames(listed{old.ents[i].name, old.ents[i].kind}, e) < 0 {
			i++
		}
		if i < len(old.ents) && old.ents[i].name == e.name {
			d.ents[n].content = old.ents[i].content
		}
	}
}

// look fills in what the entries that want names are. It closes fd.
func (d *directory) look(fd int, want func(string) bool) {
	if d.err != nil {
		if fd >= 0 {
			closeDir(fd)
		}
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := range d.ents {
		e := &d.ents[i]
		if e.looked || e.kind == isDir || e.kind == isFile && want != nil && !want(e.name) {
			continue
		}
		if fd < 0 {
			var err error
			if fd, err = openDir(d.prefix); err != nil {
				e.looked, e.extra().err = true, err
				continue
			}
		}
		e.resolve(fd, d.prefix)
	}
	if fd >= 0 {
		closeDir(fd)
	}
}

// resolve looks at one entry, through links.
func (e *entry) resolve(fd int, prefix string) {
	e.looked = true
	if e.kind == isFile {
		var err error
		if e.st, err = statAt(fd, prefix, e.name, false); err != nil {
			e.extra().err = err
		} else if e.st.isDir() {
			e.kind = isDir // replaced meanwhile
		}
		return
	}
	st, err := statAt(fd, prefix, e.name, false)
	switch {
	case err != nil:
		e.extra().err, e.kind = err, isFile
		return
	case st.isDir():
		e.kind = isDir
		return
	case !st.IsLink():
		e.kind, e.st = isFile, st
		return
	}
	e.extra().target, _ = readlink(prefix + e.name)
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
	to, err := identify(link)
	if err != nil {
		return false
	}
	for i := len(prefix); i > 0; i = strings.LastIndexByte(prefix[:i], '/') {
		if at, err := identify(prefix[:i]); err == nil && at == to {
			return true
		}
	}
	return false
}

// file looks at one path. The result is nil when there is no file: nothing, or
// a directory. Another trouble is an error.
func (t *Tree) file(path string) (*entry, error) {
	st, err := statPath(path, false)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) || isNotDir(err) {
			return nil, nil
		}
		return nil, err
	}
	e := &entry{name: path, kind: isFile, looked: true, st: st}
	if st.IsLink() {
		e.kind = isLink
		e.extra().target, _ = readlink(path)
		if e.st, err = statPath(path, true); err != nil {
			e.kind, e.st = isDangling, st
		}
	}
	if e.st.isDir() {
		return nil, nil
	}
	if t.anySameTimes.Load() {
		t.mu.Lock()
		if same, ok := t.sameTimes[path]; ok && same.as == e.st {
			e.st.Ctime = same.ctime
		}
		t.mu.Unlock()
	}
	return e, nil
}

// listed is one name as it stands in a directory.
type listed struct {
	name string
	kind kind
}

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
