package event

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strconv"
	"time"
	"unicode/utf8"
)

// writer is the [visitor] that makes the fields of an event a line of JSON.
type writer struct {
	b        []byte // the line so far
	run      string // identity of the run
	describe func(error) Failure
}

// key begins a field.
func (w *writer) key(name string) {
	if w.b[len(w.b)-1] != '{' {
		w.b = append(w.b, ',')
	}
	w.b = append(w.b, '"')
	w.b = append(w.b, name...)
	w.b = append(w.b, '"', ':')
}

func (w *writer) begin(kind string, at *time.Time) {
	w.b = append(w.b, `"event":"`...)
	w.b = append(w.b, kind...)
	w.b = append(w.b, `","time":"`...)
	w.b = at.Truncate(time.Microsecond).AppendFormat(w.b, time.RFC3339Nano)
	w.b = append(w.b, '"')
	if w.run != "" {
		w.text("run", &w.run)
	}
}

func (w *writer) has(_ string, says bool) bool { return says }

func (w *writer) text(name string, s *string) { w.word(name, *s) }

func (w *writer) word(name, s string) string {
	w.key(name)
	w.b = appendText(w.b, s)
	return s
}

func (w *writer) texts(name string, list *[]string) {
	w.key(name)
	w.b = append(w.b, '[')
	for i, s := range *list {
		if i > 0 {
			w.b = append(w.b, ',')
		}
		w.b = appendText(w.b, s)
	}
	w.b = append(w.b, ']')
}

func (w *writer) number(name string, n int64) int64 {
	w.key(name)
	w.b = strconv.AppendInt(w.b, n, 10)
	return n
}

func (w *writer) boolean(name string, set *bool) {
	w.key(name)
	w.b = strconv.AppendBool(w.b, *set)
}

func (w *writer) seconds(name string, d *time.Duration) {
	w.key(name)
	us := d.Microseconds()
	if us < 0 {
		w.b, us = append(w.b, '-'), -us
	}
	w.b = strconv.AppendInt(w.b, us/1e6, 10)
	if us %= 1e6; us != 0 {
		w.b = append(w.b, '.')
		for ; us != 0; us = us * 10 % 1e6 {
			w.b = append(w.b, '0'+byte(us/1e5))
		}
	}
}

// failure writes how an error is shown only where that is not its text.
func (w *writer) failure(err *error) {
	f := Failure{Text: (*err).Error()}
	f.Shown = f.Text
	if read, ok := (*err).(*Failure); ok {
		f = *read
	} else if w.describe != nil {
		f = w.describe(*err)
	}
	w.word("error", f.Text)
	if f.Shown != f.Text {
		w.word("shown", f.Shown)
	}
}

// data writes bytes as text where they are UTF-8, else in base64.
func (w *writer) data(p *[]byte) {
	if utf8.Valid(*p) {
		w.key("data")
		w.b = appendQuoted(w.b, *p)
		return
	}
	w.key("base64")
	w.b = append(w.b, '"')
	w.b = base64.StdEncoding.AppendEncode(w.b, *p)
	w.b = append(w.b, '"')
}

func (w *writer) outputs(m *map[string]any) {
	w.key("outputs")
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	enc.Encode(writable(*m)) // of JSON, so that it is none of what cannot be encoded
	w.b = append(w.b, bytes.TrimSuffix(text.Bytes(), []byte{'\n'})...)
}

func (w *writer) object(name string, within func(visitor)) {
	w.key(name)
	w.b = append(w.b, '{')
	within(w)
	w.b = append(w.b, '}')
}

func (w *writer) list(name string, n int, _ func(int), each func(visitor, int)) {
	w.key(name)
	w.b = append(w.b, '[')
	for i := range n {
		if i > 0 {
			w.b = append(w.b, ',')
		}
		w.b = append(w.b, '{')
		each(w, i)
		w.b = append(w.b, '}')
	}
	w.b = append(w.b, ']')
}

func (w *writer) fail(error) {}
