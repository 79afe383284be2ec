package report

import (
	"bytes"
	"time"
)

const (
	// keepLine is how much of an unterminated line is held back, so that
	// lines come out whole; what is longer is shown in pieces.
	keepLine = 64 << 10
	// batch is how much is collected before it is written.
	batch = 64 << 10
	// often is how often a line that overwrites itself is shown, at most.
	often = 100 * time.Millisecond
	// cutMark stands where a line is cut that was too long to be held back, since
	// another command has shown something before its end.
	cutMark = "…"
)

// lines writes the output of several commands to one stream, each line after
// its command's prefix. No byte is dropped and none is added but prefixes, what
// ends a line that another one comes between, and the newline that ends an
// unterminated last line; and of a line that overwrites itself, as a progress bar does,
// only the last state is shown, if progress is set; on a terminal ten a second of those
// before it, too, each in the place of the last.
type lines struct {
	w        *Out
	buf      []byte
	hold     int // how much of an unterminated line is held back
	progress bool
	terminal bool       // w is a terminal
	open     *lineState // whose line is shown and not terminated; nil mostly
}

// begin shows the prefix of t, unless its line goes on. A line of another command that
// is not terminated ends here, and gets its prefix again when it goes on.
func (l *lines) begin(t *lineState) {
	if l.open != nil && l.open != t {
		if l.open.long {
			l.add([]byte(cutMark))
		}
		l.add([]byte{'\n'})
		l.open.inLine = false
	}
	if !t.inLine {
		l.add(t.prefix)
		if t.long {
			l.add([]byte(cutMark))
		}
	}
	t.inLine, l.open = true, t
}

// last returns the last state of a line that overwrites itself by carriage returns.
func (l *lines) last(line []byte) []byte {
	if !l.progress {
		return line
	}
	end := len(line)
	for end > 0 && (line[end-1] == '\n' || line[end-1] == '\r') {
		end-- // these may be the end of the line, or of this state
	}
	return line[bytes.LastIndexByte(line[:end], '\r')+1:]
}

// write shows the whole lines in data and keeps the rest in t. Everything it
// shows is on its way to the stream when it returns.
func (l *lines) write(t *lineState, data []byte) {
	for len(data) > 0 {
		i := bytes.IndexByte(data, '\n')
		if i < 0 {
			l.keep(t, data)
			break
		}
		l.line(t, data[:i+1])
		data = data[i+1:]
	}
	l.flush()
}

// show shows text, which is the line of t or goes on with it. Where that overwrites what
// is shown of the line already, so does weft: the prefix comes first there, too.
func (l *lines) show(t *lineState, text []byte) {
	state := l.last(text)
	if replaces := t.replaces || len(state) < len(text); replaces && t.inLine && l.open == t && len(bytes.TrimRight(state, "\r\n")) > 0 {
		l.add([]byte{'\r'})
		l.add(t.prefix)
	} else {
		l.begin(t)
	}
	l.add(state)
	t.replaces = l.progress && bytes.HasSuffix(state, []byte{'\r'})
}

// line shows the end of a line that began in t.
func (l *lines) line(t *lineState, rest []byte) {
	if len(t.partial) > 0 {
		if l.progress && (bytes.IndexByte(rest, '\r') >= 0 || bytes.IndexByte(t.partial, '\r') >= 0) {
			t.partial = append(t.partial, rest...)
			rest = nil
		}
		l.show(t, t.partial)
		t.partial = t.partial[:0]
	}
	if len(rest) > 0 {
		l.show(t, rest)
	}
	t.inLine, l.open, t.replaces, t.long = false, nil, false, false
}

// keep holds back the beginning of a line, unless it is too long for that.
func (l *lines) keep(t *lineState, part []byte) {
	if l.progress && bytes.IndexByte(part, '\r') >= 0 {
		t.partial = append(t.partial, part...)
		state := l.last(t.partial)
		t.replaces = t.replaces || len(state) < len(t.partial)
		t.partial = append(t.partial[:0], state...)
		part = nil
	}
	if len(t.partial)+len(part) <= l.hold {
		t.partial = append(t.partial, part...)
		return
	}
	l.show(t, t.partial)
	l.add(part)
	t.partial, t.long = t.partial[:0], true
}

// progressed shows how a line that overwrites itself stands at a time, on a terminal,
// unless that was shown a moment ago.
func (l *lines) progressed(t *lineState, at time.Time) {
	if l.terminal && l.progress && (t.replaces || bytes.IndexByte(t.partial, '\r') >= 0) && at.Sub(t.shown) >= often {
		l.idle(t)
		t.shown = at
	}
}

// idle shows the beginning of a line that nothing was added to for a moment: it may be
// a question. The line goes on there, if no other command has shown anything meanwhile.
// A line that overwrites itself is shown before its end on a terminal only.
func (l *lines) idle(t *lineState) {
	if len(t.partial) == 0 || !l.terminal && (t.replaces || bytes.IndexByte(t.partial, '\r') >= 0) {
		return
	}
	l.show(t, t.partial)
	t.partial = t.partial[:0]
	l.flush()
}

// end terminates what is left of a command's output.
func (l *lines) end(t *lineState) {
	if t.inLine || len(t.partial) > 0 {
		l.line(t, []byte{'\n'})
	}
	l.flush()
}

// add collects p for the next write.
func (l *lines) add(p []byte) {
	if len(l.buf)+len(p) > batch {
		l.flush()
		if len(p) >= batch {
			l.w.Write(p)
			return
		}
	}
	l.buf = append(l.buf, p...)
}

func (l *lines) flush() {
	if len(l.buf) > 0 {
		l.w.Write(l.buf)
		l.buf = l.buf[:0]
	}
}
