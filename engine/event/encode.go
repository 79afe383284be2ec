package event

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/weftrun/weft/schema/diag"
)

// Version is that of the format of event files, which schema/events.schema.json
// describes. Within a version events and fields are added, never changed.
const Version = 2

// Failure is an error in words: what the events of a recorded run hold for errors.
type Failure struct {
	Text  string
	Shown string // as a message of weft shows it
}

// Error returns f's Text.
func (f *Failure) Error() string { return f.Text }

// Encoder turns the events of one run after the other into lines of JSON. The zero
// Encoder is ready to use. It is not safe for concurrent use.
type Encoder struct {
	// Describe puts an error into words; nil means that its text is all there is.
	Describe func(error) Failure
	run      string // identity of the run
	b        []byte // the line so far
}

// Encode appends ev to b, as one line of JSON with its newline. Times and durations are
// cut to microseconds; of a file that a position is in, what stays is its name.
func (e *Encoder) Encode(b []byte, ev Event) []byte {
	v := reflect.ValueOf(ev).Elem()
	e.b = append(b, `{"event":"`...)
	e.b = append(e.b, shapeOf(v.Type()).kind...)
	e.b = append(e.b, `","time":"`...)
	at := v.Field(1).Addr().Interface().(*time.Time)
	e.b = at.Truncate(time.Microsecond).AppendFormat(e.b, time.RFC3339Nano)
	e.b = append(e.b, '"')
	started, ok := ev.(*RunStarted)
	if ok {
		e.run = started.Run
	}
	if e.run != "" {
		e.text("run", e.run)
	}
	if ok {
		e.key("version")
		e.b = strconv.AppendInt(e.b, Version, 10)
	}
	e.fields(v)
	b, e.b = append(e.b, '}', '\n'), nil
	return b
}

// key begins a field.
func (e *Encoder) key(name string) {
	if e.b[len(e.b)-1] != '{' {
		e.b = append(e.b, ',')
	}
	e.b = append(e.b, '"')
	e.b = append(e.b, name...)
	e.b = append(e.b, '"', ':')
}

func (e *Encoder) text(name, s string) {
	e.key(name)
	e.b = appendText(e.b, s)
}

// fields appends the fields of a struct.
func (e *Encoder) fields(v reflect.Value) {
	all := shapeOf(v.Type()).fields
	for i := range all {
		f := &all[i]
		if f.omitted(v) {
			continue
		}
		v := v.Field(f.index)
		to := v.Addr().Interface()
		switch p := to.(type) {
		case *[]byte:
			e.data(*p)
		case *error:
			e.failure(*p)
		case *Usage:
			e.fields(v)
		case **diag.Diagnostic:
			e.fields(reflect.ValueOf((*diagnostic)(*p)).Elem())
		default:
			e.key(f.name)
			e.value(v, to)
		}
	}
}

// value appends v, which to points to.
func (e *Encoder) value(v reflect.Value, to any) {
	switch p := to.(type) {
	case *string:
		e.b = appendText(e.b, *p)
		return
	case *StepID:
		e.b = strconv.AppendInt(e.b, int64(*p), 10)
		return
	case *int:
		e.b = strconv.AppendInt(e.b, int64(*p), 10)
		return
	case *time.Duration:
		e.seconds(*p)
		return
	case *os.Signal:
		name := ""
		if *p != nil {
			name = (*p).String()
		}
		e.b = appendText(e.b, name)
		return
	case *map[string]any:
		e.outputs(*p)
		return
	case *[Cancelled + 1]int:
		e.b = append(e.b, '{')
		for o := Succeeded; o <= Cancelled; o++ {
			e.key(o.String())
			e.b = strconv.AppendInt(e.b, int64(p[o]), 10)
		}
		e.b = append(e.b, '}')
		return
	case fmt.Stringer: // a place, or one of a few values that have names
		e.b = appendText(e.b, p.String())
		return
	}
	switch v.Kind() {
	case reflect.String:
		e.b = appendText(e.b, v.String())
	case reflect.Bool:
		e.b = strconv.AppendBool(e.b, v.Bool())
	case reflect.Slice:
		e.b = append(e.b, '[')
		for i := range v.Len() {
			if i > 0 {
				e.b = append(e.b, ',')
			}
			e.value(v.Index(i), v.Index(i).Addr().Interface())
		}
		e.b = append(e.b, ']')
	case reflect.Struct:
		e.b = append(e.b, '{')
		e.fields(v)
		e.b = append(e.b, '}')
	default:
		e.b = strconv.AppendInt(e.b, v.Int(), 10)
	}
}

func (e *Encoder) seconds(d time.Duration) {
	us := d.Microseconds()
	if us < 0 {
		e.b, us = append(e.b, '-'), -us
	}
	e.b = strconv.AppendInt(e.b, us/1e6, 10)
	if us %= 1e6; us != 0 {
		e.b = append(e.b, '.')
		for ; us != 0; us = us * 10 % 1e6 {
			e.b = append(e.b, '0'+byte(us/1e5))
		}
	}
}

// failure appends how an error is shown only where that is not its text.
func (e *Encoder) failure(err error) {
	f := Failure{Text: err.Error()}
	f.Shown = f.Text
	if read, ok := err.(*Failure); ok {
		f = *read
	} else if e.Describe != nil {
		f = e.Describe(err)
	}
	e.text("error", f.Text)
	if f.Shown != f.Text {
		e.text("shown", f.Shown)
	}
}

// data appends bytes as text where they are UTF-8, else in base64.
func (e *Encoder) data(p []byte) {
	if utf8.Valid(p) {
		e.key("data")
		e.b = appendQuoted(e.b, p)
		return
	}
	e.key("base64")
	e.b = append(e.b, '"')
	e.b = base64.StdEncoding.AppendEncode(e.b, p)
	e.b = append(e.b, '"')
}

func (e *Encoder) outputs(m map[string]any) {
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	enc.Encode(writable(m)) // of JSON, so that it is none of what cannot be encoded
	e.b = append(e.b, bytes.TrimSuffix(text.Bytes(), []byte{'\n'})...)
}
