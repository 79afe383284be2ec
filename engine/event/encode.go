package event

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/weftrun/weft/schema/diag"
)

// Version is the version of the event file format, which schema/events.schema.json describes.
// Within a version events and fields are added, never changed.
const Version = 2

// Failure describes an error: events of a recorded run contain it in place of errors.
type Failure struct {
	Text   string
	Shown  string // as shown in messages
	Kind   Kind
	Reason string // short form, for a line that already names what failed; "" means Text
}

// Kind classifies failures. The first six kinds are failures at run time, the others are errors in
// the workflow or in weft.
type Kind string

const (
	ByStatus       Kind = "" // a program ended with an exit status that counts as a failure
	BySignal       Kind = "signal"
	ByTimeout      Kind = "timeout"
	ByIdle         Kind = "idle" // no output for too long
	ByPrecondition Kind = "precondition"
	ByOutput       Kind = "output" // the destination of a command's output, or a task's outputs
	ByVariable     Kind = "variable"
	ByTemplate     Kind = "template"
	ByProgram      Kind = "program" // a program that cannot be found or started
	ByWeft         Kind = "weft"    // anything else
)

// Error returns f's Text.
func (f *Failure) Error() string { return f.Text }

// Encoder encodes the events of successive runs as lines of JSON. The zero Encoder is ready to use.
// It is not safe for concurrent use.
//
// The tags that Decode uses specify the fields of each event. Those events of which a run has many, or
// every run one, have a method encode besides, which appends them without reflection.
type Encoder struct {
	// Describe describes an error; nil means its Error text only.
	Describe func(error) Failure
	// RunOnce omits the identity of the run from all lines but its first, and the keys of steps from
	// all events but Planned.
	RunOnce bool

	b     []byte // the line being built
	run   []byte // encoded identity of the run; nil before the first run
	stamp stamp
}

// Encode appends ev to b as one line of JSON with its newline. Times and durations are truncated to
// microseconds; of the file in a position only the name is kept.
func (e *Encoder) Encode(b []byte, ev Event) []byte {
	e.b = b
	switch ev := ev.(type) {
	case *StepStarted:
		ev.encode(e)
	case *CommandStarted:
		ev.encode(e)
	case *Output:
		ev.encode(e)
	case *CommandEnded:
		ev.encode(e)
	case *StepSettled:
		ev.encode(e)
	case *Waiting:
		ev.encode(e)
	case *StepChecked:
		ev.encode(e)
	case *Planned:
		ev.encode(e)
	case *RunStarted:
		ev.encode(e)
	case *RunFinished:
		ev.encode(e)
	default:
		e.tagged(ev)
	}
	b, e.b = append(e.b, '}', '\n'), nil
	return b
}

// runs sets the run of the following events.
func (e *Encoder) runs(run string) {
	e.run = e.run[:0]
	if run != "" {
		e.run = appendText(append(e.run, `,"run":`...), run)
	}
}

// begin begins an event.
func (e *Encoder) begin(kind string, at time.Time) {
	b := append(e.b, `{"event":"`...)
	b = append(b, kind...)
	b = append(b, `","time":"`...)
	b = append(e.stamp.append(b, at), '"')
	if kind == "run_started" || !e.RunOnce {
		b = append(b, e.run...)
	}
	e.b = b
}

// key begins a field.
func (e *Encoder) key(name string) { e.b = appendKey(e.b, name) }

//go:noinline
func appendKey(b []byte, name string) []byte {
	if b[len(b)-1] != '{' {
		b = append(b, ',')
	}
	b = append(b, '"')
	b = append(b, name...)
	return append(b, '"', ':')
}

// Each of these appends a field; one whose name ends in If omits a zero value. They are not
// inlined: there are hundreds of calls, and each would be several times as large.

//go:noinline
func (e *Encoder) text(name, s string) {
	e.b = appendText(appendKey(e.b, name), s)
}

//go:noinline
func (e *Encoder) textIf(name, s string) {
	if s != "" {
		e.text(name, s)
	}
}

//go:noinline
func (e *Encoder) number(name string, n int64) {
	e.b = strconv.AppendInt(appendKey(e.b, name), n, 10)
}

//go:noinline
func (e *Encoder) numberIf(name string, n int64) {
	if n != 0 {
		e.number(name, n)
	}
}

//go:noinline
func (e *Encoder) flagIf(name string, set bool) {
	if set {
		e.b = append(appendKey(e.b, name), "true"...)
	}
}

//go:noinline
func (e *Encoder) seconds(name string, d time.Duration) {
	e.b = appendSeconds(appendKey(e.b, name), d)
}

func appendSeconds(b []byte, d time.Duration) []byte {
	us := d.Microseconds()
	if us < 0 {
		b, us = append(b, '-'), -us
	}
	b = strconv.AppendInt(b, us/1e6, 10)
	return appendFraction(b, us%1e6)
}

//go:noinline
func (e *Encoder) secondsIf(name string, d time.Duration) {
	if d.Microseconds() != 0 {
		e.seconds(name, d)
	}
}

// position appends a position, unless there is none.
func (e *Encoder) position(name string, p diag.Pos) {
	if !p.IsValid() {
		return
	}
	e.key(name)
	start := len(e.b)
	e.b = append(p.Append(append(e.b, '"')), '"')
	if place := e.b[start+1 : len(e.b)-1]; !isPlain(place) {
		e.b = appendText(e.b[:start], string(place))
	}
}

func (e *Encoder) textsIf(name string, list []string) {
	if list == nil {
		return
	}
	e.open(name)
	for i, s := range list {
		e.item(i)
		e.b = appendText(e.b, s)
	}
	e.close()
}

// open begins a field that is a list, item its element i, and close ends it.
//
//go:noinline
func (e *Encoder) open(name string) {
	e.key(name)
	e.b = append(e.b, '[')
}

func (e *Encoder) item(i int) {
	if i > 0 {
		e.b = append(e.b, ',')
	}
}

func (e *Encoder) close() { e.b = append(e.b, ']') }

// failure appends the shown form of an error, unless it equals its text.
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
	if f.Kind != ByStatus {
		e.text("kind", string(f.Kind))
	}
	if f.Reason != "" && f.Reason != f.Text {
		e.text("reason", f.Reason)
	}
}

// data appends bytes as text if they are UTF-8, else in base64.
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
	enc.Encode(writable(m)) // made of JSON, so it can be encoded
	e.b = append(e.b, bytes.TrimSuffix(text.Bytes(), []byte{'\n'})...)
}
