package cache

import (
	"io/fs"
	"os"
	"path"
	"strings"
	"unicode/utf8"
)

// Some file systems ignore case, or the form in which an accent is written: there two outputs may be
// one file, so that the second would replace the first. Which names these are only the file system
// knows. So where it is possible, a restore looks whether a file in its way is one that it has made.

// taken are the files that have become outputs, by times of modification; nil where no names fold.
type taken map[int64][]fs.FileInfo

// errFolded is the error of outputs with names that are one for the file system.
var errFolded = &Unusable{Why: "two outputs have names that are the same for this file system"}

// fold determines whether two of the paths of outputs and existing files may be those of one file.
// Then no output counts as right if some of those files are removed: it may be one of these.
func (r *restore) fold() {
	by := make(map[string]string, len(r.outs)+len(r.Stale))
	removes := false
	for i := range len(r.outs) + len(r.Stale) {
		var p string
		if i < len(r.outs) {
			p = r.outs[i].path
		} else {
			p = r.Stale[i-len(r.outs)]
			removes = removes || !r.isOutput(p)
		}
		folded := strings.ToLower(p)
		if other := by[folded]; other != "" && other != p || utf8.RuneCountInString(p) < len(p) {
			r.taken = taken{}
		}
		by[folded] = p
	}
	r.rewrite = removes && r.taken != nil
}

// has reports whether a file is an output already.
func (t taken) has(st fs.FileInfo) bool {
	for _, other := range t[st.ModTime().UnixNano()] {
		if os.SameFile(other, st) {
			return true
		}
	}
	return false
}

// take makes the file at a path one of the taken ones. It is an error if it is one already.
func (r *restore) take(p string) error {
	dir, err := r.w.to(path.Dir(p))
	if err != nil || r.taken == nil {
		return err
	}
	st, err := dir.root.Lstat(path.Base(p))
	if err != nil {
		return err
	}
	if r.taken.has(st) {
		return errFolded
	}
	at := st.ModTime().UnixNano()
	r.taken[at] = append(r.taken[at], st)
	return nil
}
