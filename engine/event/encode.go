package event

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strconv"
	"time"
	"unicode/utf8"
	"unsafe"
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
// The tags that Decode uses specify the fields of each event. Those events of which a run has many
// have a method encode besides, which appends them without reflection.
type Encoder struct {
	// Describe describes an error; nil means its Error text only.
	Describe func(error) Failure
	// RunOnce omits the identity of the run from all lines but its first, and the keys of steps from
	// all events but Planned.
	RunOnce bool
	// Short omits from lines what a [Decoder] knows from earlier ones. It requires RunOnce, and may be set at any time.
	Short bool

	run    []byte // encoded identity of the run; nil before the first run
	stamp  stamp
	places places
	dir    shared // of commands
	reason shared // why steps run

	expected   expected // if RunOnce
	brief      bool     // the present line is a short one
	incomplete bool     // it does not have all of its event
}

// Encode appends ev to b as one line of JSON with its newline. Times and durations are truncated to
// microseconds; of the file in a position only the name is kept.
func (e *Encoder) Encode(b []byte, ev Event) []byte {
	_, first := ev.(*RunStarted)
	e.brief = e.Short && !first && e.expected.time != 0
	before := len(b)
	if b = e.event(b, ev); e.incomplete {
		e.brief, e.incomplete = false, false
		b = e.event(b[:before], ev)
	}
	if e.RunOnce {
		e.expected.note(ev)
	}
	return append(b, '}', '\n')
}

// event appends ev, except for its end.
func (e *Encoder) event(b []byte, ev Event) []byte {
	switch ev := ev.(type) {
	case *StepStarted:
		return ev.encode(e, b)
	case *CommandStarted:
		return ev.encode(e, b)
	case *Output:
		return ev.encode(e, b)
	case *CommandEnded:
		return ev.encode(e, b)
	case *StepSettled:
		return ev.encode(e, b)
	case *Waiting:
		return ev.encode(e, b)
	case *Planned:
		return ev.encode(e, b)
	}
	return e.tagged(b, ev)
}

// runs sets the run of the following events.
func (e *Encoder) runs(run string) {
	e.run = e.run[:0]
	if run != "" {
		e.run = text(e.run, `,"run":`, run)
	}
}

const beginRun = `{"event":"run_started","time":"`

// begin begins an event with head, which is everything up to the time.
func (e *Encoder) begin(b []byte, head string, at time.Time) []byte {
	before := e.expected.time
	e.expected.time = at.UnixMicro()
	if e.brief {
		return strconv.AppendInt(append(b, head[:len(head)-1]...), e.expected.time-before, 10)
	}
	b = append(e.stamp.append(append(b, head...), at), '"')
	if e.RunOnce && head != beginRun {
		return b
	}
	return append(b, e.run...)
}

// failure appends the shown form of an error, unless it equals its text.
func (e *Encoder) failure(b []byte, err error) []byte {
	f := Failure{Text: err.Error()}
	f.Shown = f.Text
	if read, ok := err.(*Failure); ok {
		f = *read
	} else if e.Describe != nil {
		f = e.Describe(err)
	}
	b = text(b, `,"error":`, f.Text)
	if f.Shown != f.Text {
		b = text(b, `,"shown":`, f.Shown)
	}
	b = textIf(b, `,"kind":`, string(f.Kind))
	if f.Reason != f.Text {
		b = textIf(b, `,"reason":`, f.Reason)
	}
	return b
}

// appendData appends a field with p as text if it is UTF-8, else in base64.
func appendData(b, p []byte) []byte {
	if utf8.Valid(p) {
		return appendQuoted(append(b, `,"data":`...), unsafe.String(unsafe.SliceData(p), len(p))) // not kept
	}
	b = append(b, `,"base64":"`...)
	return append(base64.StdEncoding.AppendEncode(b, p), '"')
}

func appendOutputs(b []byte, m map[string]any) []byte {
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	enc.Encode(writable(m)) // made of JSON, so it can be encoded
	return append(b, bytes.TrimSuffix(text.Bytes(), []byte{'\n'})...)
}
