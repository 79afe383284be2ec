package affected

import (
	"sort"
	"strings"
)

// outputs are the patterns of the files that tasks generate. Each also includes everything below
// it: a task may name a directory.
type outputs struct {
	list []output // sorted by fixed
}

type output struct {
	fixed    string // see there
	segments []string
	maker    *node
}

func (o *outputs) add(pattern string, maker *node) {
	o.list = append(o.list, output{fixed(pattern), append(segments(pattern), "**"), maker})
}

func (o *outputs) sort() {
	sort.SliceStable(o.list, func(i, j int) bool { return o.list[i].fixed < o.list[j].fixed })
}

// connect makes reader a caller of all tasks that generate files that a pattern may match, through
// a node for the pattern, which it returns; known is that node, or nil if it has not been made.
func (o *outputs) connect(pattern string, known, reader *node) *node {
	if known == nil {
		known = new(node)
		o.each(pattern, func(maker *node) { maker.callers = append(maker.callers, known) })
	}
	known.callers = append(known.callers, reader)
	return known
}

// each calls f with the tasks that generate files that a pattern may match.
func (o *outputs) each(pattern string, f func(*node)) {
	at, segs := fixed(pattern), segments(pattern)
	from := func(prefix string) []output {
		return o.list[sort.Search(len(o.list), func(i int) bool { return o.list[i].fixed >= prefix }):]
	}
	note := func(out *output) {
		if overlap(segs, out.segments) {
			f(out.maker)
		}
	}
	rest := from(at)
	for i := 0; i < len(rest) && strings.HasPrefix(rest[i].fixed, at); i++ {
		note(&rest[i])
	}
	for at != "" && at != "/" { // the directories above
		at = at[:strings.LastIndexByte(at[:len(at)-1], '/')+1]
		rest := from(at)
		for i := 0; i < len(rest) && rest[i].fixed == at; i++ {
			note(&rest[i])
		}
	}
}

// special are the characters with a special meaning in a pattern.
const special = "*?[{$~\\'\"`"

// fixed returns the directory, with a slash at its end, that everything is in which an absolute
// pattern matches: as far as no segment has anything special.
func fixed(pattern string) string {
	if i := strings.IndexAny(pattern, special); i >= 0 {
		pattern = pattern[:i]
	}
	return pattern[:strings.LastIndexByte(pattern, '/')+1]
}

// segments returns the parts of an absolute pattern. One that is more than `*` and `?` stands for
// any, and if it may hold slashes, for any number with all that follow.
func segments(pattern string) []string {
	segs := strings.Split(strings.TrimPrefix(pattern, "/"), "/")
	for i, s := range segs {
		switch {
		case s == "**":
		case strings.ContainsAny(s, "{$~'\"`"):
			return append(segs[:i:i], "**")
		case strings.ContainsAny(s, "[\\"):
			if strings.Count(s, "[") > strings.Count(s, "]") {
				return append(segs[:i:i], "**")
			}
			segs[i] = "*"
		}
	}
	return segs
}

// overlap reports whether some path matches both of two lists of segments, in which `**` stands
// for any number of them.
func overlap(a, b []string) bool {
	return both(len(a), len(b), func(i int) bool { return a[i] == "**" }, func(j int) bool { return b[j] == "**" },
		func(i, j int) bool { return sameSegment(a[i], b[j]) })
}

// sameSegment reports whether some name matches both of two patterns of `*` and `?`.
func sameSegment(a, b string) bool {
	return both(len(a), len(b), func(i int) bool { return a[i] == '*' }, func(j int) bool { return b[j] == '*' },
		func(i, j int) bool { return a[i] == b[j] || a[i] == '?' || b[j] == '?' })
}

// both reports whether two patterns of n and m elements match a common text. Some elements of
// each match any number of others; of the rest one matches what one of the other pattern does, if
// same says so. It takes time of the order of n·m.
func both(n, m int, anyOfA, anyOfB func(int) bool, same func(i, j int) bool) bool {
	next := make([]bool, m+1) // whether the ends from i+1 and j on have a common text
	for i := n; i >= 0; i-- {
		here := make([]bool, m+1)
		for j := m; j >= 0; j-- {
			switch {
			case i == n && j == m:
				here[j] = true
			case i < n && anyOfA(i):
				here[j] = next[j] || j < m && here[j+1]
			case j < m && anyOfB(j):
				here[j] = here[j+1] || i < n && next[j]
			default:
				here[j] = i < n && j < m && same(i, j) && next[j+1]
			}
		}
		next = here
	}
	return next[0]
}

// contains reports whether p is dir or below it.
//
//go:noinline
func contains(dir, p string) bool {
	return p == dir || strings.HasPrefix(p, strings.TrimSuffix(dir, "/")+"/")
}

// meets reports whether one of two directories is the other, or below it. The first may have a
// slash at its end.
func meets(a, b string) bool {
	a = strings.TrimSuffix(a, "/")
	return contains(a, b) || contains(b, a)
}
