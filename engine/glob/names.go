package glob

import (
	"io/fs"
	"path"
	"slices"
	"sort"
	"strings"

	"github.com/weftrun/weft/internal/statefile"
)

// NewNameTree returns a Tree of files of which only the paths are known, absolute and clean: they
// may have been removed. Patterns match in it as if exactly these files existed; only .gitignore
// files are read from the file system. An alternative in braces that names none of the files does
// not make its pattern match nothing, as it does elsewhere: that file may exist, too. The content
// of the files must not be requested.
func NewNameTree(paths []string, environ []string) *Tree {
	t := NewTree(environ)
	t.names = map[string]*directory{}
	for _, p := range paths {
		if !slices.Contains(strings.Split(p, "/"), statefile.DirName) {
			t.addName(p, isFile)
		}
	}
	for _, d := range t.names {
		sort.Slice(d.entries, func(i, j int) bool {
			a, b := &d.entries[i], &d.entries[j]
			return compareNames(listed{a.name, a.kind}, listed{b.name, b.kind}) < 0
		})
		kept := d.entries[:0]
		for _, e := range d.entries {
			if n := len(kept); n == 0 || kept[n-1].name != e.name || kept[n-1].kind != e.kind {
				kept = append(kept, e)
			}
		}
		d.entries = kept
	}
	return t
}

// addName adds a path to the names, after the directories that it is in.
func (t *Tree) addName(p string, k kind) {
	dir, name := path.Split(p)
	d := t.names[dir]
	if d == nil {
		d = &directory{prefix: dir}
		t.names[dir] = d
		if dir != "/" {
			t.addName(dir[:len(dir)-1], isDir)
		}
	}
	st := Stat{Mode: typeReg}
	if k == isDir {
		st.Mode = typeDir
	}
	d.entries = append(d.entries, entry{name: name, kind: k, looked: true, st: st})
}

// listNames is list for a Tree of names.
func (t *Tree) listNames(prefix string) *directory {
	if d := t.names[prefix]; d != nil {
		return d
	}
	return &directory{prefix: prefix, err: fs.ErrNotExist}
}

// stat stats a path; links are not followed.
func (t *Tree) stat(p string) (Stat, error) {
	switch {
	case t.names == nil:
		return statPath(p, false)
	case t.names[strings.TrimSuffix(p, "/")+"/"] != nil:
		return Stat{Mode: typeDir}, nil
	case t.hasName(p):
		return Stat{Mode: typeReg}, nil
	}
	return Stat{}, fs.ErrNotExist
}

// hasName reports whether p is the path of a file among the names.
func (t *Tree) hasName(p string) bool {
	dir, name := path.Split(p)
	d := t.names[dir]
	return d != nil && slices.ContainsFunc(d.entries, func(e entry) bool { return e.name == name && e.kind == isFile })
}
