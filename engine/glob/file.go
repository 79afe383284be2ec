package glob

import (
	"path"
	"slices"
	"sort"
	"strings"
)

// File is a file, or a dangling link, in the state in which it was found.
type File struct {
	d *directory // that contains it
	e *entry     // if d is not a listing, its name is the rest of the path
}

// Path returns the absolute path.
func (a File) Path() string { return a.d.prefix + a.e.name }

// Place returns the directory relative to dir, "" or with a slash at its end, and
// the name in it.
func (a File) Place(dir string) (prefix, name string) {
	if !a.d.byName {
		return Relative(dir, a.d.prefix), a.e.name
	}
	i := strings.LastIndexByte(a.e.name, '/') + 1
	if base := a.d.prefix; base != "" && base[:len(base)-1] == dir {
		return a.e.name[:i], a.e.name[i:]
	}
	return Relative(dir, a.d.prefix+a.e.name[:i]), a.e.name[i:]
}

// SameDir reports whether a and b are known to be in the same directory.
func (a File) SameDir(b File) bool { return a.d == b.d && !a.d.byName }

// Name returns the name of a file in its directory.
func (a File) Name() string {
	if !a.d.byName {
		return a.e.name
	}
	return path.Base(a.e.name)
}

// Stat returns the Stat of the file; of a link that of its target, or, if it is dangling, its own.
// It must not be changed.
func (a File) Stat() *Stat { return &a.e.st }

// Linked reports whether the name is that of a link.
func (a File) Linked() bool { return a.e.kind == isLink || a.e.kind == isDangling }

// Dangling reports whether the name is that of a link without a target.
func (a File) Dangling() bool { return a.e.kind == isDangling }

// Target returns the target of a link; "" if it is not a link.
func (a File) Target() string { return a.e.target() }

// Relative returns prefix, an absolute directory with a slash, as seen from dir: ""
// is dir itself.
func Relative(dir, prefix string) string {
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

// compare orders files by their paths, without building them.
func (a File) compare(b File) int {
	if a.d == b.d {
		return strings.Compare(a.e.name, b.e.name)
	}
	pa, pb := a.d.prefix, b.d.prefix
	n := min(len(pa), len(pb))
	if c := strings.Compare(pa[:n], pb[:n]); c != 0 {
		return c
	}
	if len(pa) > len(pb) {
		return -compareAfter(b.e.name, pa[n:], a.e.name)
	}
	return compareAfter(a.e.name, pb[n:], b.e.name)
}

// compareAfter compares name with rest+other.
func compareAfter(name, rest, other string) int {
	n := min(len(name), len(rest))
	if c := strings.Compare(name[:n], rest[:n]); c != 0 {
		return c
	}
	if n < len(rest) {
		return -1
	}
	return strings.Compare(name[n:], other)
}

// byPath sorts files. As [byName] it is sorted by package sort, which is compiled once
// for all types.
type byPath []File

func (f byPath) Len() int           { return len(f) }
func (f byPath) Less(i, j int) bool { return f[i].compare(f[j]) < 0 }
func (f byPath) Swap(i, j int)      { f[i], f[j] = f[j], f[i] }

func sorted(files []File) []File {
	if !sort.IsSorted(byPath(files)) {
		sort.Sort(byPath(files))
	}
	return slices.CompactFunc(files, func(a, b File) bool { return a.compare(b) == 0 })
}

// union merges two sorted lists.
func union(a, b []File) []File {
	switch {
	case len(a) == 0:
		return b
	case len(b) == 0:
		return a
	case a[len(a)-1].compare(b[0]) < 0:
		return append(a, b...)
	}
	return merge(a, b, nil)
}

// without removes the sorted b from the sorted a, in place.
func without(a, b []File) []File {
	if len(b) == 0 {
		return a
	}
	out := a[:0]
	for _, it := range a {
		for len(b) > 0 && b[0].compare(it) < 0 {
			b = b[1:]
		}
		if len(b) == 0 || b[0].compare(it) != 0 {
			out = append(out, it)
		}
	}
	return out
}
