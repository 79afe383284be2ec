package glob

import (
	"path"
	"slices"
	"strings"
)

// View stats files that are named by their paths below one directory, which it keeps open: so a
// stat costs one system call, and no allocation. It caches nothing. It is for one goroutine, and
// for a short time: if the directory is renamed, the View follows it. Close must be called.
type View struct {
	t       *Tree
	d       *directory // that is open; nil for none
	fd      int
	files   []File
	entries []entry
}

// View returns a View of the files of t.
func (t *Tree) View() *View { return &View{t: t, fd: -1} }

// Close closes the directory.
func (v *View) Close() {
	closeDir(v.fd)
	v.d, v.fd = nil, -1
}

// Reset invalidates the results of Named, whose memory is reused.
func (v *View) Reset() { v.files, v.entries = v.files[:0], v.entries[:0] }

// Named returns the files that patterns relative to dir match, as [Tree.Find] does, if each of them
// names one regular file below dir, and nothing else must be determined. Otherwise ok is false,
// whatever files exist. The files are valid until Reset or Close is called.
func (v *View) Named(dir string, ps []Pattern) (files []File, ok bool) {
	if v.t.names != nil || !v.open(dir) || v.t.anySameTimes.Load() {
		return nil, false
	}
	first := len(v.files)
	for i := range ps {
		name := path.Clean(ps[i].Glob)
		if ps[i].Exclude || !Literal(name) {
			return nil, false
		}
		st, err := statBelow(v.fd, v.d.prefix, name, false)
		if err != nil || !st.Regular() {
			return nil, false
		}
		v.entries = append(v.entries, entry{name: name, kind: isFile, looked: true, st: st})
		v.files = append(v.files, File{v.d, &v.entries[len(v.entries)-1]})
	}
	if files = v.files[first:]; len(files) > 1 {
		files = sorted(files)
	}
	return slices.Clip(files), true
}

// Literal reports whether a pattern is the path of one file below the directory that it is
// relative to.
func Literal(glob string) bool {
	return glob != "" && glob[0] != '/' && !strings.HasPrefix(glob, "..") && plain(glob, "")
}

// open opens dir, if it is not open.
func (v *View) open(dir string) bool {
	if v.d != nil && v.d.prefix[:len(v.d.prefix)-1] == dir {
		return true
	}
	v.Close()
	if !strings.HasPrefix(dir, "/") || len(dir) == 1 {
		return false
	}
	fd, err := openDir(dir)
	if err != nil {
		return false
	}
	v.d, v.fd = &directory{prefix: dir + "/", byName: true}, fd
	return true
}
