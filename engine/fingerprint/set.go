package fingerprint

import (
	"slices"
	"strings"
)

// item is one file of a set: an entry and where it stands. A file that was
// named, not found in a listing, has its whole path as name.
type item struct {
	d *directory
	e *dent
}

// nowhere is the directory of named files.
var nowhere = &directory{}

func (a item) path() string { return a.d.prefix + a.e.name }

// compare orders items by their paths, without building them.
func (a item) compare(b item) int {
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

// set is the result of patterns: files sorted by path, each once.
type set struct {
	items     []item
	unmatched []Pattern // those that take nothing away and match nothing
}

func sorted(items []item) []item {
	if !slices.IsSortedFunc(items, item.compare) {
		slices.SortFunc(items, item.compare)
	}
	return slices.CompactFunc(items, func(a, b item) bool { return a.compare(b) == 0 })
}

// union merges two sorted lists.
func union(a, b []item) []item {
	switch {
	case len(a) == 0:
		return b
	case len(b) == 0:
		return a
	case a[len(a)-1].compare(b[0]) < 0:
		return append(a, b...)
	}
	out := make([]item, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		c := a[0].compare(b[0])
		if c <= 0 {
			out = append(out, a[0])
			a = a[1:]
		} else {
			out = append(out, b[0])
		}
		if c >= 0 {
			b = b[1:]
		}
	}
	return append(append(out, a...), b...)
}

// without removes the sorted b from the sorted a, in place.
func without(a, b []item) []item {
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
