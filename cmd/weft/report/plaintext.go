package report

import (
	"bytes"

	"github.com/weftrun/weft/schema/diag"
)

// appendShown appends command output as quoted by reports: the final state of each line, without
// control characters, and with misleading characters escaped. Colours are kept if colored is set,
// and end with each line. A final newline is kept.
func appendShown(b, text []byte, colored bool) []byte {
	for len(text) > 0 {
		line, rest, more := bytes.Cut(text, []byte{'\n'})
		b = appendShownLine(b, lastState(line), colored)
		if more {
			b = append(b, '\n')
		}
		text = rest
	}
	return b
}

// lastState returns the final state of a line in which carriage returns move back to its start.
func lastState(line []byte) []byte {
	line = bytes.TrimRight(line, "\r")
	return line[bytes.LastIndexByte(line, '\r')+1:]
}

func appendShownLine(b, line []byte, colored bool) []byte {
	open := false // a colour is open
	for len(line) > 0 {
		if n := bytes.IndexFunc(line, isControl); n != 0 {
			if n < 0 {
				n = len(line)
			}
			b = diag.AppendPrintable(b, string(line[:n]))
			line = line[n:]
			continue
		}
		n := 1
		if line[0] == 0x1b {
			n = escapeLength(line)
			if colored && line[n-1] == 'm' && isColor(line[:n]) {
				b = append(b, line[:n]...)
				open = true
			}
		}
		line = line[n:]
	}
	if open {
		b = append(b, "\x1b[0m"...)
	}
	return b
}

// isControl reports whether r is a control character, other than a tab.
func isControl(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }

// escapeLength returns the length of the control sequence at the start of p, which may be cut off.
// See ECMA-48, and xterm for strings ended by BEL.
func escapeLength(p []byte) int {
	if len(p) < 2 {
		return len(p)
	}
	switch p[1] {
	case '[':
		for i := 2; i < len(p); i++ {
			if c := p[i]; c >= 0x40 && c <= 0x7e {
				return i + 1
			} else if c < 0x20 || c > 0x7e {
				return i
			}
		}
		return len(p)
	case ']', 'P', '^', '_', 'X':
		for i := 2; i < len(p); i++ {
			if p[i] == 0x07 {
				return i + 1
			}
			if p[i] == 0x1b {
				return min(i+2, len(p))
			}
		}
		return len(p)
	}
	i := 1
	for i < len(p)-1 && p[i] >= 0x20 && p[i] <= 0x2f {
		i++
	}
	if p[i] < 0x20 || p[i] > 0x7e {
		return i
	}
	return i + 1
}

// isColor reports whether p, which begins with ESC and ends with "m", sets colours and other
// attributes of text.
func isColor(p []byte) bool {
	return len(p) >= 3 && p[1] == '[' && bytes.Trim(p[2:len(p)-1], "0123456789;:") == nil
}

// PlainText returns command output as quoted by reports, without colours.
func PlainText(s string) string { return string(appendShown(nil, []byte(s), false)) }
