// Package width computes the number of columns that text takes on a terminal.
//
// It counts characters, as terminals of the kind of xterm do, and not clusters of characters:
// a family that a terminal may show in two columns is counted as its members. So no text takes more
// columns than computed.
package width

import "unicode/utf8"

// Rune returns how many columns r takes: 0, 1 or 2. Control characters take none.
func Rune(r rune) int {
	switch {
	case r < ' ' || r == 0x7f:
		return 0
	case r < ranges[0].first:
		return 1
	}
	lo, hi := 0, len(ranges)
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		switch e := &ranges[mid]; {
		case r < e.first:
			hi = mid
		case r > e.last:
			lo = mid + 1
		default:
			return int(e.width)
		}
	}
	return 1
}

// emoji is the selector that has the character before it shown as a picture, of two columns.
const emoji = '\uFE0F'

// String returns how many columns s takes, at most.
func String(s string) int {
	n, last := 0, 0
	for _, r := range s {
		n, last = add(n, last, r)
	}
	return n
}

// add adds r to text of n columns, whose last character that is not of width 0 takes last columns.
func add(n, last int, r rune) (int, int) {
	w := Rune(r)
	switch {
	case r == emoji && last == 1:
		return n + 1, 2
	case w == 0:
		return n, last
	}
	return n + w, w
}

// Cut returns the longest beginning of s that takes at most columns, and its width.
func Cut(s string, columns int) (beginning string, taken int) {
	last := 0
	for i, r := range s {
		n, l := add(taken, last, r)
		if n > columns {
			return s[:i], taken
		}
		taken, last = n, l
	}
	return s, taken
}

// CutFront returns the longest end of s that takes at most columns.
func CutFront(s string, columns int) string {
	i := len(s)
	for i > 0 {
		_, size := utf8.DecodeLastRuneInString(s[:i])
		if String(s[i-size:]) > columns {
			break
		}
		i -= size
	}
	// A character of width 0 belongs to the one before it, which was cut off.
	for i < len(s) {
		r, size := utf8.DecodeRuneInString(s[i:])
		if Rune(r) > 0 {
			break
		}
		i += size
	}
	return s[i:]
}

// Middle returns s in at most columns, with an ellipsis for the omitted middle.
func Middle(s string, columns int) string {
	if String(s) <= columns {
		return s
	}
	if columns < 1 {
		return ""
	}
	front, taken := Cut(s, columns/2)
	return front + "…" + CutFront(s, columns-1-taken)
}
