package report

import (
	"bytes"
	"time"
)

const (
	// keepLine is the maximum length of an unterminated line that is held back so that lines are shown
	// whole; longer ones are shown in pieces.
	keepLine = 64 << 10
	// batch is the number of bytes collected before a write.
	batchSize = 64 << 10
	// often is the minimum interval between two shown states of a line that overwrites itself.
	progressInterval = 100 * time.Millisecond
	// cutMark marks the place where a line too long to be held back was interrupted by output of
	// another command.
	cutMark = "…"
)

// lines writes the output of several commands to one stream, each line after its command's prefix.
// All bytes are written; only prefixes, line ends before output of another command, and a newline
// after an unterminated last line are added. If progress is set, only the final state of a line
// that overwrites itself is shown, and on a terminal up to ten intermediate states a second, each
// overwriting the one before.
type lines struct {
	w        *Out
	buf      []byte
	hold     int // maximum length of a held unterminated line
	progress bool
	commands bool       // CI commands get no prefix
	terminal bool       // w is a terminal
	open     *lineState // command whose unterminated line is shown; usually nil
}

// begin shows the prefix of t before text, unless its line continues. An unterminated line of
// another command ends here, and gets its prefix again when it continues.
func (l *lines) begin(t *lineState, text []byte) {
	if l.open != t {
		l.interrupt()
	}
	if !t.inLine && !(l.commands && isWorkflowCommand(text)) {
		l.add(t.prefix)
		if t.long {
			l.add([]byte(cutMark))
		}
	}
	t.inLine, l.open = true, t
}

// interrupt ends the unterminated line that is shown, if any. The caller flushes.
func (l *lines) interrupt() {
	if l.open == nil {
		return
	}
	if l.open.long {
		l.add([]byte(cutMark))
	}
	l.add([]byte{'\n'})
	l.open.inLine, l.open = false, nil
}

// last returns the final state of a line that overwrites itself by carriage returns.
func (l *lines) last(line []byte) []byte {
	if !l.progress || bytes.IndexByte(line, '\r') < 0 { // checked first because it is fast
		return line
	}
	end := len(line)
	for end > 0 && (line[end-1] == '\n' || line[end-1] == '\r') {
		end-- // they may be the end of the line, or of this state
	}
	return line[bytes.LastIndexByte(line[:end], '\r')+1:]
}

// write shows the whole lines in data and keeps the rest in t. It flushes before it returns.
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

// show shows text, which is the line of t or a continuation of it. If the text overwrites the shown
// part, the prefix is written first again.
func (l *lines) show(t *lineState, text []byte) {
	state := l.last(text)
	if replaces := t.replaces || len(state) < len(text); replaces && t.inLine && l.open == t && len(bytes.TrimRight(state, "\r\n")) > 0 {
		l.add([]byte{'\r'})
		l.add(t.prefix)
	} else {
		l.begin(t, state)
	}
	l.add(state)
	t.replaces = l.progress && bytes.HasSuffix(state, []byte{'\r'})
}

// line shows the end of a line whose beginning is in t.
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

// keep holds back the beginning of a line, unless it is too long.
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

// progressed shows, on a terminal, the current state of a line that overwrites itself, unless
// another state was shown a moment ago.
func (l *lines) progressed(t *lineState, at time.Time) {
	if l.terminal && l.progress && (t.replaces || bytes.IndexByte(t.partial, '\r') >= 0) && at.Sub(t.shown) >= progressInterval {
		l.idle(t)
		t.shown = at
	}
}

// idle shows the beginning of a line that has not grown for a moment: it may be a question. The
// line continues there unless another command writes first. A line that overwrites itself is shown
// before its end on a terminal only.
func (l *lines) idle(t *lineState) {
	if len(t.partial) == 0 || !l.terminal && (t.replaces || bytes.IndexByte(t.partial, '\r') >= 0) {
		return
	}
	l.show(t, t.partial)
	t.partial = t.partial[:0]
	l.flush()
}

// end terminates the last line of a command.
func (l *lines) end(t *lineState) {
	if t.inLine || len(t.partial) > 0 {
		l.line(t, []byte{'\n'})
	}
	l.flush()
}

// add collects p for the next write.
func (l *lines) add(p []byte) {
	if len(l.buf)+len(p) > batchSize {
		l.flush()
		if len(p) >= batchSize {
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
