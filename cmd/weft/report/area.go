package report

import (
	"bytes"
	"strconv"
	"sync"
	"time"
)

// Area is a terminal on which lines scroll, with rows below them that are redrawn. All of weft's
// own streams on that terminal write through the Area, so that the rows are erased before anything
// else is written.
//
// A row is at least one column narrower than the terminal, and the cursor rests on the line below
// the last row, so that output written without weft's knowledge, or the prompt of a shell after
// weft was killed, begins on a line of its own. Area enables no terminal mode that would have to be
// reset.
//
// It is safe for concurrent use: prompts and signals are handled on other goroutines.
type Area struct {
	w    *Out
	size func() winsize
	now  func() time.Time

	mu       sync.Mutex // guards the fields below, and w
	rows     []row      // to be shown
	drawn    []int      // columns of each row on the screen
	pending  []byte     // lines not yet written
	buf      []byte
	written  time.Time // time of the last write
	partial  bool      // the last line is not terminated: it may be a question
	hidden   int       // nesting depth of Hide; rows are hidden while it is not 0
	holders  int       // nesting depth of LendTerminal; nothing is written while it is not 0
	asker    asker     // the program that the terminal is lent to
	own      bool      // what is written next is its output
	held     held      // output collected during LendTerminal, or while the asker asks
	progress string    // last progress sequence sent to the terminal; "" for none
	moved    bool      // others have written: the column of the cursor is unknown
}

// Attach makes outs write through a.
func (a *Area) Attach(outs ...*Out) {
	for _, o := range outs {
		o.area = a
	}
}

// winsize is the size and the owner of a terminal.
type winsize struct {
	columns, lines int  // 0 if unknown
	foreign        bool // another process owns it: weft is in the background, or has lent it to a program
	unseen         bool // it is foreign, and does not echo what is typed, or gives it by single keys
}

// row is one of the redrawn lines. Its text contains no control characters except colours.
type row struct {
	text    string
	columns int
}

// newArea returns an Area that writes to w.
func newArea(w *Out, size func() winsize) *Area { return &Area{w: w, size: size, now: time.Now} }

// Write shows lines above the rows. Small writes are batched for a moment.
func (a *Area) Write(p []byte) (int, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(p) == 0 {
		return 0, a.w.err
	}
	now := a.now()
	if a.holders > 0 || !a.asker.lent.IsZero() && a.holds(a.size(), now) {
		a.held.write(p)
		return len(p), a.w.err
	}
	a.partial = !endsLine(p)
	if len(a.drawn) == 0 && len(a.pending) == 0 && (a.held.size == 0 || a.own) {
		a.written = now
		return a.w.Write(p)
	}
	a.pending = append(a.pending, p...)
	if a.partial || a.held.size > 0 || len(a.pending) >= batchSize || now.Sub(a.written) >= progressInterval {
		a.update(now)
	}
	if a.w.err != nil {
		return 0, a.w.err
	}
	return len(p), nil
}

// endsLine reports whether p ends a line. weft's own text may end with a colour after the newline.
func endsLine(p []byte) bool {
	return bytes.HasSuffix(bytes.TrimSuffix(p, []byte("\x1b[0m")), []byte{'\n'}) || bytes.HasSuffix(p, []byte(ClearScreen))
}

// Draw replaces the rows and flushes batched lines. The rows must fit into Size.
func (a *Area) Draw(rows []row) {
	a.mu.Lock()
	defer a.mu.Unlock()
	same := len(rows) == len(a.rows) && len(a.drawn) == len(rows)
	for i := range rows {
		same = same && rows[i] == a.rows[i]
	}
	a.rows = append(a.rows[:0], rows...)
	if !same || len(a.pending) > 0 || a.held.size > 0 {
		a.update(a.now())
	}
}

// Size returns the columns and lines of the terminal, and whether rows may be shown now.
func (a *Area) Size() (columns, lines int, free bool) {
	s := a.size()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.asker.asks(s, a.now()) // which notes that the program has the terminal no longer
	return s.columns, s.lines, !s.foreign && !a.partial && a.hidden == 0
}

// Hide erases the rows, so that another process can write to the terminal, until the returned
// function is called.
func (a *Area) Hide() (ended func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.hidden++
	a.update(a.now())
	return func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.hidden--
		a.moved = true
	}
}

// LendTerminal gives the terminal to another process exclusively until the returned function is
// called. Output written meanwhile is shown then.
func (a *Area) LendTerminal() (ended func()) {
	back := a.Hide()
	a.mu.Lock()
	a.holders++
	a.mu.Unlock()
	return func() {
		back()
		a.mu.Lock()
		defer a.mu.Unlock()
		if a.holders--; a.holders == 0 && a.held.size > 0 {
			a.update(a.now())
		}
	}
}

// Redraw shows the rows again if they are allowed and fit, as after weft was stopped and continued.
// When the size of the terminal has changed it erases rows that are too long, so that they are not
// wrapped again by the next change: the next call of Draw has others.
func (a *Area) Redraw() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.update(a.now())
}

// NewLine ends an unterminated line, because another writer follows.
func (a *Area) NewLine() {
	a.mu.Lock()
	if a.partial && a.holds(a.size(), a.now()) {
		a.partial = false // the line ends with the answer
	}
	partial := a.partial
	a.mu.Unlock()
	if partial {
		a.Write([]byte{'\n'})
	}
}

// Answered records that the user has ended the last line.
func (a *Area) Answered() {
	a.mu.Lock()
	a.partial = false
	a.mu.Unlock()
}

// Close flushes batched lines and erases the rows permanently.
func (a *Area) Close() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.hidden++ // permanently
	a.holders, a.asker = 0, asker{}
	a.update(a.now())
}

// Err returns the first write error, or nil.
func (a *Area) Err() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.w.err
}

// update brings the screen up to date in one write. a.mu is held.
func (a *Area) update(now time.Time) {
	s := a.size()
	if s.foreign && (len(a.drawn) > 0 || len(a.rows) > 0) {
		// The owner of the terminal may have written after the rows: leave them where they are.
		a.drawn, a.moved = a.drawn[:0], true
	}
	b := a.erase(a.buf[:0], s)
	if holds := a.holds(s, now); !holds && a.held.size > 0 {
		a.w.Write(b)
		a.held.writeTo(a.w)
		b = b[:0]
	}
	b = append(b, a.pending...)
	a.pending = a.pending[:0]
	if len(a.rows) > 0 && a.fit(s) && !s.foreign && !a.partial && a.hidden == 0 {
		b = a.draw(b, s)
	}
	if len(b) > 0 {
		a.w.Write(b)
		a.written = now
	}
	if a.buf = b[:0]; cap(b) > 4*batchSize {
		a.buf = nil
	}
}

// fit reports whether the rows fit into s: they may have been made for a larger terminal.
func (a *Area) fit(s winsize) bool {
	for _, r := range a.rows {
		if s.columns > 0 && r.columns >= s.columns {
			return false
		}
	}
	return len(a.rows) < max(s.lines, 1)
}

// erase appends the sequence that erases the rows from the screen. A terminal that has become
// narrower may have wrapped them.
func (a *Area) erase(b []byte, s winsize) []byte {
	up := 0
	for _, columns := range a.drawn {
		up++
		if s.columns > 0 {
			up += max(columns-1, 0) / s.columns
		}
	}
	a.drawn = a.drawn[:0]
	if up == 0 {
		return b
	}
	b = append(b, "\r\x1b["...)
	b = strconv.AppendInt(b, int64(up), 10)
	return append(b, "A\x1b[J"...)
}

// draw appends the rows.
func (a *Area) draw(b []byte, s winsize) []byte {
	if a.moved {
		// Move to the beginning of this line, or of the next one if the cursor is elsewhere.
		b = append(b, bytes.Repeat([]byte{' '}, max(s.columns-1, 0))...)
		b = append(b, "\r\x1b[J"...)
		a.moved = false
	}
	for _, r := range a.rows {
		b = append(b, r.text...)
		b = append(b, "\r\n"...)
		a.drawn = append(a.drawn, r.columns)
	}
	return b
}
