package report

import (
	"bytes"
	"unicode/utf8"
)

// sequence processes a control sequence of p and returns its length; 0 if p ends within.
func (f *filter) sequence(p []byte) int {
	if len(p) < 2 {
		return 0
	}
	kind := p[1]
	if p[0] != 0x1b {
		kind -= 0x40 // the 8-bit form, in UTF-8
	}
	switch {
	case kind == '[':
		return f.csi(p)
	case kind == ']' || kind == 'P' || kind == 'X' || kind == '^' || kind == '_':
		return f.text(p, kind)
	case kind < ' ' || kind >= 0x7f:
		return 1 // not a sequence
	case kind > '/':
		return 2
	}
	for i := 2; i < len(p); i++ {
		switch c := p[i]; {
		case c < ' ' || c >= 0x7f:
			return i
		case c > '/':
			return i + 1
		}
	}
	return f.incomplete(p, longestString)
}

// unless returns 0 to wait for the rest of p, or the length of p if it exceeds longest.
func (f *filter) incomplete(p []byte, longest int) int {
	if len(p) > longest {
		return len(p)
	}
	return 0
}

// text processes a control string. Only links are kept. A string ends with the line at the latest.
func (f *filter) text(p []byte, kind byte) int {
	for i := 2; i < len(p); i++ {
		end := 0
		switch {
		case p[i] == '\a' && kind == ']':
			end = 1
		case p[i] == 0x1b && i+1 < len(p) && p[i+1] == '\\', p[i] == 0xc2 && i+1 < len(p) && p[i+1] == 0x9c:
			end = 2
		case p[i] == 0x1b && i+1 == len(p), p[i] == 0xc2 && i+1 == len(p):
			return f.incomplete(p, longestString)
		case p[i] == '\n' || p[i] == 0x1b || p[i] == 0x18 || p[i] == 0x1a:
			return i
		}
		if end > 0 {
			if kind == ']' {
				f.link(p[2:i])
			}
			return i + end
		}
	}
	if len(p) > longestString {
		f.skips = true
		return len(p)
	}
	return 0
}

// skip drops p up to the end of an overlong control string, and returns the rest.
func (f *filter) skip(p []byte) []byte {
	i := bytes.IndexAny(p, "\n\a\x1b\u009c")
	if i < 0 {
		return nil
	}
	f.skips = false
	if p[i] == '\n' || p[i] == 0x1b {
		return p[i:]
	}
	_, size := utf8.DecodeRune(p[i:])
	return p[i+size:]
}

// link sets the hyperlink of the following text, or ends it, as the operating system command (OSC
// 8) says.
func (f *filter) link(text []byte) {
	rest, ok := bytes.CutPrefix(text, []byte("8;"))
	if !ok {
		return
	}
	for _, c := range rest {
		if c < ' ' || c >= 0x7f {
			return
		}
	}
	_, uri, ok := bytes.Cut(rest, []byte{';'})
	switch {
	case !ok:
	case len(uri) == 0:
		f.style.link = nil
	default:
		to := string(rest)
		f.style.link = &to
	}
}

// csi processes a control sequence introduced by CSI.
func (f *filter) csi(p []byte) int {
	for i := 2; i < len(p); i++ {
		switch c := p[i]; {
		case c >= '@' && c < 0x7f:
			f.do(c, p[2:i])
			return i + 1
		case c < ' ' || c >= 0x7f:
			return i // incomplete
		}
	}
	return f.incomplete(p, longestString)
}

// do executes a control sequence with its final character and parameters.
func (f *filter) do(what byte, text []byte) {
	if len(text) > 0 && (text[0] >= '<' || text[len(text)-1] < '0') {
		return // private, or of another kind
	}
	if what == 'm' {
		f.style.set(text)
		return
	}
	all, _, _ := numbers(text)
	n := max(all[0], 1)
	switch what {
	case 'A', 'F':
		f.up(n)
	case 'B', 'E':
		f.row = min(f.row+n, len(f.lines)-1)
	case 'C':
		f.column = min(f.column+n, longestLine)
	case 'D':
		f.redrawn = true
		f.column = max(f.column-n, 0)
	case 'G', '`':
		f.redrawn = f.redrawn || n <= f.column
		f.column = min(n-1, longestLine)
	case 'K':
		f.erase(max(all[0], 0))
	case 'J':
		if all[0] <= 0 {
			f.erase(0)
			f.lines = f.lines[:f.row+1]
		}
	}
	if what == 'E' || what == 'F' {
		f.column = 0
	}
}

// erase erases the cursor's line from the cursor on (0), up to it (1), or all of it (2).
func (f *filter) erase(how int) {
	l := f.line()
	from, to := f.column, len(l)
	switch how {
	case 1:
		from, to = 0, min(f.column+1, len(l))
	case 2:
		from = 0
	}
	if how > 2 || from >= to {
		return
	}
	f.redrawn = true
	f.touch(from)
	f.split(l, from)
	f.split(l, to)
	if to < len(l) {
		for i := range l[:to] {
			l[i] = blank
		}
		return
	}
	f.lines[f.row] = l[:from]
}
