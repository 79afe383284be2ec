package report

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"unicode/utf8"
)

// mostHeld is the maximum number of bytes of the beginning of a line that are kept as they are, to be
// looked at again with what follows.
const mostHeld = 1 << 10

// simpleLines shows the lines at the beginning of p that need no line being built, and returns the
// rest of p. It keeps the beginning of a line that may become one. The filter must be at the beginning
// of a line, in a plain style.
func (f *filter) simpleLines(p []byte) (rest []byte) {
	for {
		n, plain := plainLines(p)
		f.out = append(f.out, p[:n]...)
		p = p[n:]
		if plain -= n; len(p) <= mostHeld && (plain == len(p) || !utf8.FullRune(p[plain:])) {
			f.begun = append(f.begun, p...)
			return nil
		}
		if n = f.coloredLine(p); n == 0 {
			return p
		}
		p = p[n:]
	}
}

// plainLines returns the length of the prefix of p that consists of whole lines without control
// characters, and of the text without those at its beginning.
func plainLines(p []byte) (whole, plain int) {
	for i := 0; i < len(p); {
		if i+8 <= len(p) {
			n := textBytes(binary.LittleEndian.Uint64(p[i:]))
			if i += n; n == 8 {
				continue
			}
		}
		switch c := p[i]; {
		case c == '\n':
			i++
			whole = i
		case c < ' ' && c != '\t' || c == 0x7f:
			return whole, i
		case c < utf8.RuneSelf:
			i++
		default:
			n := textRune(p[i:])
			if n == 0 {
				return whole, i
			}
			i += n
		}
	}
	return whole, len(p)
}

// everyByte times a byte is a word of eight such bytes.
const everyByte = 0x0101010101010101

// textBytes returns how many of the eight bytes of word, from the lowest on, are ASCII without control
// characters. A byte that is less than the one it is compared with borrows from its highest bit; a
// borrow changes only the bytes after such a one.
func textBytes(word uint64) int {
	const high = utf8.RuneSelf * everyByte
	others := (word | (word - ' '*everyByte) | ((word ^ 0x7f*everyByte) - everyByte)) & high
	return bits.TrailingZeros64(others) / 8
}

// textRune returns the length of the character at the beginning of p, which is not ASCII; 0 if it is a
// control character, invalid or incomplete.
func textRune(p []byte) int {
	c := p[0]
	switch {
	case c >= 0xc3 && c < 0xe0 && len(p) >= 2 && follows(p[1]):
		return 2
	case c > 0xe0 && c < 0xf0 && c != 0xed && len(p) >= 3 && follows(p[1]) && follows(p[2]):
		return 3
	}
	if r, size := utf8.DecodeRune(p); size > 1 && r >= 0xa0 {
		return size
	}
	return 0
}

// follows reports whether c is a byte of a character other than the first.
func follows(c byte) bool { return c&0xc0 == 0x80 }

// plainUTF8 reports whether p is text without non-ASCII control characters.
func plainUTF8(p []byte) bool {
	if !utf8.Valid(p) {
		return false
	}
	for {
		i := bytes.IndexByte(p, 0xc2)
		if i < 0 {
			return true
		}
		if p[i+1] < 0xa0 {
			return false
		}
		p = p[i+2:]
	}
}

// coloredLine shows the first line of p if that has nothing but text and colours, which end with
// it, and returns its length; else it shows nothing and returns 0.
func (f *filter) coloredLine(p []byte) int {
	end := bytes.IndexByte(p, '\n')
	if end < 0 || !plainUTF8(p[:end]) {
		return 0
	}
	out := f.out
	var now, shown style
	show := func(text []byte) {
		if len(text) > 0 && now != shown {
			out = now.append(out, &shown)
			shown = now
		}
		out = append(out, text...)
	}
	text := 0 // where it begins that is not shown yet
	for i := 0; i < end; i++ {
		switch c := p[i]; {
		case c == 0x1b:
			what, n := colorSequence(p[i:end])
			if n == 0 {
				return 0
			}
			show(p[text:i])
			if what == 'm' { // else it erases the rest of the line, of which there is nothing yet
				now.set(p[i+2 : i+n-1])
			}
			text = i + n
			i = text - 1
		case c < ' ' && (c != '\t' || now != style{}) || c == 0x7f:
			return 0
		}
	}
	if now != (style{}) {
		return 0
	}
	show(p[text : end+1])
	f.out = out
	return end + 1
}

// colorSequence returns the last character and the length of the control sequence at the beginning
// of p, which must be one of colours (m), or the one that erases the rest of a line (K); else 0.
func colorSequence(p []byte) (what byte, n int) {
	if len(p) < 3 || p[1] != '[' {
		return 0, 0
	}
	for i, c := range p[2:] {
		switch {
		case c == 'm', c == 'K' && (i == 0 || i == 1 && p[2] == '0'):
			return c, i + 3
		case c < '0' || c > ';':
			return 0, 0
		}
	}
	return 0, 0
}
