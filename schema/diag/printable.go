package diag

import "unicode/utf8"

// Printable returns s with everything escaped that a terminal would interpret or that would
// disguise a line: for text from outside (names, paths, values, errors of the system) that is shown
// on one line.
//
// Escaped are control characters but the tab (C0, DEL and C1, newline and carriage
// return among them), the marks that change the direction of text, the separators of
// lines and paragraphs (U+2028, U+2029), and bytes that are not UTF-8. They become \n,
// \r, \x1b, \u202e and so on, as in Go. Everything else stays, backslashes too, so the result shows
// a reader the content but cannot be reversed. Printable of its own result changes nothing; a text
// of JSON stays one, with equal values. Printable does not allocate for a string that needs no
// escape.
func Printable(s string) string { return printable(s, false) }

// PrintableText is [Printable] for text that may have several lines, such as a script
// or a description: newlines stay. The carriage return of a line that ends with "\r\n" is dropped.
func PrintableText(s string) string { return printable(s, true) }

// AppendPrintable appends [Printable] of s to b.
func AppendPrintable(b []byte, s string) []byte { return appendPrintable(b, s, false) }

// AppendPrintableText appends [PrintableText] of s to b.
func AppendPrintableText(b []byte, s string) []byte { return appendPrintable(b, s, true) }

// printable is called in more than a hundred places, each of which would have a copy.
//
//go:noinline
func printable(s string, lines bool) string {
	if n := plainPrefix(s, lines); n == len(s) {
		return s
	}
	return string(appendPrintable(make([]byte, 0, len(s)+16), s, lines))
}

func appendPrintable(b []byte, s string, lines bool) []byte {
	for {
		n := plainPrefix(s, lines)
		b = append(b, s[:n]...)
		if n == len(s) {
			return b
		}
		s = s[n:]
		r, size := utf8.DecodeRuneInString(s)
		switch {
		case r == '\r' && lines && len(s) > 1 && s[1] == '\n':
		case r == '\n':
			b = append(b, `\n`...)
		case r == '\r':
			b = append(b, `\r`...)
		case r == utf8.RuneError && size == 1 || r < ' ':
			b = append(b, '\\', 'x', hex[s[0]>>4], hex[s[0]&15])
		default: // mustEscape knows none beyond U+FFFF; DEL, too, which JSON does not escape
			b = append(b, '\\', 'u', hex[r>>12&15], hex[r>>8&15], hex[r>>4&15], hex[r&15])
		}
		s = s[size:]
	}
}

const (
	hex = "0123456789abcdef"
	del = 0x7f
)

// plainPrefix is the length of the part at the beginning of s that needs no escape.
func plainPrefix(s string, lines bool) int {
	for i := 0; i < len(s); {
		for i+8 <= len(s) && ordinary(s[i:i+8]) {
			i += 8
		}
		if i == len(s) {
			break
		}
		c := s[i]
		switch {
		case c >= utf8.RuneSelf:
			r, size := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && size == 1 || mustEscape(r) {
				return i
			}
			i += size
			continue
		case c >= ' ' && c != del, c == '\t', c == '\n' && lines:
		default:
			return i
		}
		i++
	}
	return len(s)
}

// ordinary reports whether s, of eight bytes, is ASCII without control characters. It may return
// false for an ordinary one.
func ordinary(s string) bool {
	const ones, high = 0x0101010101010101, 0x8080808080808080
	x := uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
	// A byte below n borrows from its high bit when n is subtracted.
	return (x|(x-' '*ones)|((x^del*ones)-ones))&high == 0
}

// mustEscape reports whether r, which is beyond ASCII, is a control character, changes the
// direction of text, or separates lines.
func mustEscape(r rune) bool {
	switch {
	case r <= 0x9f: // C1
		return true
	case r < 0x61c:
		return false
	}
	switch r {
	case 0x61c, 0x200e, 0x200f, // marks of direction
		0x2028, 0x2029, // separators of lines and paragraphs
		0x202a, 0x202b, 0x202c, 0x202d, 0x202e, // embeddings and overrides
		0x2066, 0x2067, 0x2068, 0x2069: // isolates
		return true
	}
	return false
}
