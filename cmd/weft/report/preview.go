package report

import (
	"bytes"
	"slices"
	"strings"
)

// last returns the line being built, or the last non-empty one before it.
func (f *filter) last() string {
	f.build()
	var b []byte
	for i := len(f.lines) - 1; i >= 0 && len(bytes.TrimSpace(b)) == 0; i-- {
		b = appendCells(nil, f.lines[i])
	}
	if len(bytes.TrimSpace(b)) == 0 {
		all := bytes.TrimRight(f.tail.Bytes(), " \r\n")
		b = all[bytes.LastIndexByte(all, '\n')+1:]
	}
	g := newFilter()
	g.write(b)
	g.build()
	var text []rune
	for _, c := range g.lines[0] {
		if c.r == '\t' {
			c.r = ' '
		}
		if c.r != 0 {
			text = append(text, c.r)
			text = append(text, []rune(c.marks)...)
		}
	}
	return shownName(strings.TrimSpace(string(text)))
}

// small returns the last lines of the block, at most most, each cut to columns.
func (f *filter) lastRows(columns, most int) (rows []row) {
	lines := f.lines
	for len(lines) > 0 && len(lines[len(lines)-1]) == 0 {
		lines = lines[:len(lines)-1]
	}
	for _, l := range lines[max(len(lines)-most, 0):] {
		l = slices.Clone(l[:min(len(l), columns)])
		for i := range l {
			switch r := l[i].r; {
			case r == '\t':
				l[i].r = ' '
			case r == 0 && i > 0 && l[i-1].r == ' ':
				l[i].r = ' ' // column of a tab
			case r != 0:
				l[i].r = []rune(shownName(string(r)))[0]
			}
		}
		text := appendCells([]byte("   "), l)
		rows = append(rows, row{string(text), 3 + len(l)})
	}
	return rows
}
