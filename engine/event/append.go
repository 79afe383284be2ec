package event

import (
	"strconv"
	"time"

	"github.com/weftrun/weft/schema/diag"
)

// Each of these appends a field to an event that has others; key is its name as JSON with the comma
// before and the colon behind it. One whose name ends in If omits a zero value. They are not inlined:
// there are a hundred calls, and each would be several times as large. The bytes are passed through
// them, so that they stay in registers.

//go:noinline
func text(b []byte, key, s string) []byte { return appendText(append(b, key...), s) }

//go:noinline
func textIf(b []byte, key, s string) []byte {
	if s == "" {
		return b
	}
	return text(b, key, s)
}

//go:noinline
func number(b []byte, key string, n int64) []byte { return strconv.AppendInt(append(b, key...), n, 10) }

//go:noinline
func numberIf(b []byte, key string, n int64) []byte {
	if n == 0 {
		return b
	}
	return number(b, key, n)
}

// whole and lasted append a field that a short line alone omits if it is zero.

func (e *Encoder) whole(b []byte, key string, n int64) []byte {
	if e.brief {
		return numberIf(b, key, n)
	}
	return number(b, key, n)
}

func (e *Encoder) lasted(b []byte, key string, d time.Duration) []byte {
	if e.brief {
		return secondsIf(b, key, d)
	}
	return seconds(b, key, d)
}

// flagIf appends field, which is the key with its value, if set.
//
//go:noinline
func flagIf(b []byte, field string, set bool) []byte {
	if !set {
		return b
	}
	return append(b, field...)
}

//go:noinline
func seconds(b []byte, key string, d time.Duration) []byte {
	return appendSeconds(append(b, key...), d)
}

//go:noinline
func secondsIf(b []byte, key string, d time.Duration) []byte {
	if d.Microseconds() == 0 {
		return b
	}
	return seconds(b, key, d)
}

func appendSeconds(b []byte, d time.Duration) []byte {
	us := d.Microseconds()
	if us < 0 {
		b, us = append(b, '-'), -us
	}
	b = strconv.AppendInt(b, us/1e6, 10)
	return appendFraction(b, us%1e6)
}

func texts(b []byte, key string, list []string) []byte {
	b = append(b, key...)
	b = append(b, '[')
	for i, s := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendText(b, s)
	}
	return append(b, ']')
}

//go:noinline
func textsIf(b []byte, key string, list []string) []byte {
	if list == nil {
		return b
	}
	return texts(b, key, list)
}

// shared is a text that most events share, and its JSON.
type shared struct {
	text string
	json []byte // nil at first
}

// append appends the JSON of s.
func (l *shared) append(b []byte, s string) []byte {
	if l.json == nil || l.text != s {
		l.text, l.json = s, appendText(l.json[:0], s)
	}
	return append(b, l.json...)
}

// places appends positions. It keeps the name of the last file.
type places struct {
	file *diag.File
	name []byte // of file, as JSON without the quote at its end; nil: it is not plain
}

// append appends a field that is a position, unless there is none.
func (l *places) append(b []byte, key string, p diag.Pos) []byte {
	if !p.IsValid() {
		return b
	}
	b = append(b, key...)
	if p.File != l.file || l.file == nil {
		l.file = p.File
		name := diag.Pos{File: p.File}.Append(append(l.name[:0], '"'))
		if l.name = name; !isPlain(string(name[1:])) {
			l.name = nil
		}
	}
	if l.name == nil {
		return appendText(b, p.String())
	}
	b = append(b, l.name...)
	if p.Line > 0 {
		b = strconv.AppendInt(append(b, ':'), int64(p.Line), 10)
		b = strconv.AppendInt(append(b, ':'), int64(p.Column), 10)
	}
	return append(b, '"')
}
