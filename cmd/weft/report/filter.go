package report

import (
	"bytes"
	"unicode/utf8"

	"github.com/weftrun/weft/internal/tail"
	"github.com/weftrun/weft/internal/width"
)

const (
	// longestLine is the maximum number of columns of a line held back until it ends.
	longestLine = 16 << 10
	// longestString is the maximum number of bytes of a control string held back until it ends.
	longestString = 4 << 10
	// longestBlock is the maximum number of lines a program may repaint.
	longestBlock = 100
	// remembered is the number of bytes of shown output kept for a program that moves the cursor up.
	remembered = 16 << 10
)

// filter converts the output of a program on a terminal of its own into whole lines that can be
// shown on another one between those of other programs. Colours, links and bells are kept. Cursor
// movements act within the line being built, so that only the final state of a progress bar
// remains. A program that moves the cursor up opens a block: the last lines form its own small
// screen until it ends. All other control sequences are dropped.
//
// Lines that have only text and colours, the majority, are copied: see simpleLines.
type filter struct {
	height int // lines of the program's terminal; 0: unknown

	out     []byte      // output to be shown, see take
	tail    tail.Buffer // end of the shown output
	joined  []byte      // memory for write
	begun   []byte      // beginning of a line of plain text, which is not in lines; see build
	partial []byte      // incomplete character or control sequence
	skips   bool        // the rest of a control string is dropped
	bell    bool        // ring with the next line

	lines    [][]cell // the line being built; or all lines of the block
	row      int      // row of the cursor
	column   int
	style    style
	block    bool
	recalled int  // number of shown lines that are part of the block again
	gaveUp   bool // the block became too long: no other is opened
	redrawn  bool // the line overwrites itself, so it is no question

	shown   int  // columns of the line being built that were shown before its end
	changed bool // some of the shown columns have changed
	broken  bool // another writer has ended the shown line
}

func newFilter() *filter {
	return &filter{lines: make([][]cell, 1), tail: tail.Buffer{Max: remembered}}
}

// write processes output of the program. Lines to be shown are then returned by take.
func (f *filter) write(p []byte) {
	if len(f.begun) > 0 {
		f.joined = append(append(f.joined[:0], f.begun...), p...)
		p, f.begun = f.joined, f.begun[:0]
	}
	if len(f.partial) > 0 {
		p = append(f.partial, p...)
		f.partial = nil
	}
	for len(p) > 0 {
		if f.skips {
			p = f.skip(p)
			continue
		}
		if !f.block && len(f.lines[0]) == 0 && f.column == 0 && f.style == (style{}) && !f.bell && f.shown == 0 {
			if p = f.simpleLines(p); len(p) == 0 {
				break
			}
		}
		n := f.next(p)
		if n == 0 {
			f.partial = bytes.Clone(p)
			return
		}
		p = p[n:]
	}
}

// build puts the beginning of a line of plain text into the line being built.
func (f *filter) build() {
	p := f.begun
	f.begun = nil
	for len(p) > 0 {
		n := f.next(p)
		if n == 0 {
			f.partial = p
			return
		}
		p = p[n:]
	}
}

// take returns the complete lines, and if partial is set the beginning of one that may be a
// question. They are valid until the next call of a method.
func (f *filter) take(partial bool) []byte {
	if partial && !f.block && !f.redrawn {
		f.build()
		f.begin()
	}
	out := f.out
	f.tail.Write(out)
	f.out = f.out[:0]
	if cap(out) > 2*batchSize {
		f.out = nil
	}
	return out
}

// end ends the line being built, or the block: there is no more output.
func (f *filter) end() {
	f.build()
	if len(f.partial) > 0 && f.partial[0] >= utf8.RuneSelf {
		f.put(utf8.RuneError)
	}
	f.partial = nil
	f.close()
}

// interrupted records that another writer has ended the line of which the beginning was shown.
func (f *filter) interrupted() { f.broken = f.shown > 0 }

// next processes one character or control sequence, or several characters, of p and returns their
// length; 0 if p ends within.
func (f *filter) next(p []byte) int {
	c := p[0]
	switch {
	case c == 0x1b:
		return f.sequence(p)
	case c < ' ' || c == 0x7f:
		f.control(c)
		return 1
	case c < utf8.RuneSelf:
		n := 0
		for n < len(p) && p[n] >= ' ' && p[n] < 0x7f {
			f.put(rune(p[n]))
			n++
		}
		return n
	case c == 0xc2 && len(p) > 1 && p[1] >= 0x80 && p[1] < 0xa0:
		return f.sequence(p) // same as ESC and another character
	case !utf8.FullRune(p):
		return 0
	}
	r, size := utf8.DecodeRune(p)
	f.put(r)
	return size
}

// control executes a control character.
func (f *filter) control(c byte) {
	switch c {
	case '\n':
		f.newLine()
	case '\r':
		f.redrawn = true // unless the line ends here
		f.column = 0
	case '\b':
		f.redrawn = true
		f.column = max(f.column-1, 0)
	case '\t':
		f.tab()
	case '\a':
		f.bell = true
	}
}

// line returns the line of the cursor.
func (f *filter) line() []cell { return f.lines[f.row] }

// at extends the cursor's line to column+n columns, and returns it.
func (f *filter) at(column, n int) []cell {
	l := f.line()
	for len(l) < column+n {
		l = append(l, blank)
	}
	f.lines[f.row] = l
	f.touch(column)
	return l
}

// touch records a change of the cursor's line at a column.
func (f *filter) touch(column int) {
	if column < f.shown {
		f.changed = true
	}
}

// put writes a character at the cursor.
func (f *filter) put(r rune) {
	w := width.Rune(r)
	if w == 0 {
		f.mark(r)
		return
	}
	if f.column+w > longestLine {
		f.long()
	}
	l := f.at(f.column, w)
	f.split(l, f.column)
	f.split(l, f.column+w)
	l[f.column] = cell{r: r, style: f.style}
	if w == 2 {
		l[f.column+1] = cell{style: f.style}
	}
	f.column += w
}

// split replaces a wide character by blanks if column i is not its first.
//
//go:noinline
func (f *filter) split(l []cell, i int) {
	if i <= 0 || i >= len(l) || l[i].r != 0 {
		return
	}
	for l[i].r == 0 {
		i--
	}
	f.touch(i)
	for l[i] = blank; i+1 < len(l) && l[i+1].r == 0; i++ {
		l[i+1] = blank
	}
}

// tab writes a tab at the end of the line, or moves the cursor to the next tab stop.
func (f *filter) tab() {
	to := min((f.column/8+1)*8, longestLine)
	if f.column >= len(f.line()) && to > f.column {
		l := f.at(f.column, to-f.column)
		clear(l[f.column:to])
		l[f.column] = cell{r: '\t'}
	}
	f.column = to
}

// mark adds a combining character to the character before the cursor.
func (f *filter) mark(r rune) {
	l, i := f.line(), f.column-1
	for i > 0 && i < len(l) && l[i].r == 0 {
		i--
	}
	if i < 0 || i >= len(l) || len(l[i].marks) > 32 {
		return
	}
	l[i].marks += string(r)
	f.touch(i)
}

// newLine ends the cursor's line.
func (f *filter) newLine() {
	f.column = 0
	if !f.block {
		f.finish()
		f.redrawn = false
		return
	}
	if f.row++; f.row == len(f.lines) {
		f.lines = append(f.lines, nil)
	}
	f.fit()
}

// fit shows the lines above the top of the block, or the whole block if it has become too long.
func (f *filter) fit() {
	switch {
	case len(f.lines) > longestBlock:
		f.gaveUp = true
		f.giveUp()
	case f.height > 0:
		for len(f.lines) > f.height && f.row > 0 {
			f.out = append(appendCells(f.out, f.lines[0]), '\n')
			f.lines, f.recalled = f.lines[1:], 0
			f.row--
		}
	}
}

// giveUp shows the block except its last line, which becomes the line being built.
func (f *filter) giveUp() {
	last := len(f.lines) - 1
	for _, l := range f.lines[:last] {
		f.out = append(appendCells(f.out, l), '\n')
	}
	if f.row < last {
		f.column = 0
	}
	f.lines, f.row, f.block, f.recalled = [][]cell{f.lines[last]}, 0, false, 0
}

// finish shows the end of the line being built.
func (f *filter) finish() {
	f.begin()
	if !f.broken {
		f.out = append(f.out, '\n')
	}
	f.lines[0], f.shown, f.broken = f.lines[0][:0], 0, false
}

// begin shows the available part of the line being built.
func (f *filter) begin() {
	if f.bell {
		f.out, f.bell = append(f.out, '\a'), false
	}
	l := f.lines[0]
	if f.changed && f.shown > 0 {
		if !f.broken {
			f.out = append(f.out, "\r\x1b[K"...)
		}
		f.shown = 0
	}
	f.changed = false
	if f.shown < len(l) {
		f.out = appendCells(f.out, l[f.shown:])
		f.shown, f.broken = len(l), false
	}
}

// long shows the beginning of a line too long to be held back, and continues after it.
func (f *filter) long() {
	if f.block {
		f.column = 0 // lines of the block end there
		return
	}
	f.begin()
	f.lines[0], f.shown, f.broken, f.column = f.lines[0][:0], 0, false, 0
}

// close ends the line or block being built.
func (f *filter) close() {
	if f.block {
		f.giveUp()
	}
	if len(f.lines[0]) > 0 || f.shown > 0 {
		f.finish()
	}
	f.column, f.style = 0, style{}
}
