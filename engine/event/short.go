package event

import (
	"slices"
	"time"

	"github.com/weftrun/weft/schema/diag"
)

// Nearly everything in the lines of a run of many steps repeats earlier lines. A short line omits that. Its time is
// a number: the microseconds since the line before. A field of it that is missing has the value that earlier lines
// make a reader expect: what its step was planned or started with, what the last line of its kind had, or zero. If
// a field is zero, and something else is expected, the line is a full one.

// expected is what a reader of all lines so far expects of the next ones. The zero value is that of an empty file.
type expected struct {
	time     int64  // of the line before, in microseconds since 1970; 0: there is none
	last     StepID // of the last line that is noted here
	first    StepID
	steps    []expectedStep // the steps first, first+1 and so on, as far as they are planned in this order
	started  StepStarted    // what is expected of the next step that starts
	command  CommandStarted // and of the next command
	programs int            // and of the next command that ends
	place    Place          // and of the next step that settles
}

// expectedStep is what is expected of the lines of a planned step.
type expectedStep struct {
	pos     diag.Pos
	started *StepStarted // nil unless it runs
	used    Usage        // by its commands
}

// step returns a step; nil if nothing is expected of it.
func (x *expected) step(n StepID) *expectedStep {
	if i := int64(n) - int64(x.first); i >= 0 && i < int64(len(x.steps)) {
		return &x.steps[i]
	}
	return nil
}

// note notes an event that was written or read.
func (x *expected) note(ev Event) {
	switch ev := ev.(type) {
	case *Planned:
		if len(x.steps) == 0 && len(ev.Graph) > 0 {
			x.first, x.steps = ev.Graph[0].Step, make([]expectedStep, 0, len(ev.Graph))
		}
		for i := range ev.Graph {
			if p := &ev.Graph[i]; int64(p.Step) == int64(x.first)+int64(len(x.steps)) {
				x.steps = append(x.steps, expectedStep{pos: p.Pos})
			}
		}
	case *StepStarted:
		x.last = ev.Step
		if s := x.step(ev.Step); s != nil {
			s.started = ev
		}
		x.started.Parent, x.started.Silent, x.started.Reasons = ev.Parent, ev.Silent, ev.Reasons
	case *CommandStarted:
		x.last = ev.Step
		x.command.Dir, x.command.Silent = ev.Dir, ev.Silent
	case *CommandEnded:
		x.last = ev.Step
		if s := x.step(ev.Step); s != nil {
			s.used.Add(ev.Usage.written())
		}
		x.programs = ev.Programs
	case *StepSettled:
		x.last = ev.Step
		if s := x.step(ev.Step); s != nil {
			s.started = nil
		}
		x.place = ev.Place
	}
}

// written returns u as it is written.
func (u *Usage) written() Usage {
	return Usage{u.User.Truncate(time.Microsecond), u.System.Truncate(time.Microsecond), u.MaxRSS}
}

// restore sets the fields that are missing in the short line of ev.
func (x *expected) restore(ev Event) {
	switch ev := ev.(type) {
	case *StepStarted:
		orStep(&ev.Step, x.last)
		if s := x.step(ev.Step); s != nil && !ev.Pos.IsValid() {
			ev.Pos = s.pos
		}
		orText(&ev.Prefix, ev.Task)
		orStep(&ev.Parent, x.started.Parent)
		ev.Silent = ev.Silent || x.started.Silent
		if ev.Reasons == nil {
			ev.Reasons = x.started.Reasons
		}
	case *CommandStarted:
		orStep(&ev.Step, x.last)
		orText(&ev.Dir, x.command.Dir)
		ev.Silent = ev.Silent || x.command.Silent
	case *CommandEnded:
		orStep(&ev.Step, x.last)
		if ev.Programs == 0 {
			ev.Programs = x.programs
		}
	case *StepSettled:
		orStep(&ev.Step, x.last)
		orText((*string)(&ev.Place), string(x.place))
		s := x.step(ev.Step)
		if s == nil || s.started == nil {
			return
		}
		orText(&ev.Name, s.started.Name)
		orText(&ev.Task, s.started.Task)
		orText(&ev.Prefix, s.started.Prefix)
		orStep(&ev.Parent, s.started.Parent)
		ev.Silent, ev.Internal = ev.Silent || s.started.Silent, ev.Internal || s.started.Internal
		if ev.Usage == (Usage{}) {
			ev.Usage = s.used
		}
	}
}

func orStep(field *StepID, want StepID) {
	if *field == 0 {
		*field = want
	}
}

func orText(field *string, want string) {
	if *field == "" {
		*field = want
	}
}

// nothing is expected in a full line. It is not changed.
var nothing struct {
	expected
	used Usage
}

// expects returns what the present line omits.
func (e *Encoder) expects() *expected {
	if e.brief {
		return &e.expected
	}
	return &nothing.expected
}

// The following append a field, unless it is as expected.

//go:noinline
func (e *Encoder) textUnless(b []byte, key, s, want string) []byte {
	if s == want {
		return b
	}
	e.incomplete = e.incomplete || s == ""
	return text(b, key, s)
}

//go:noinline
func (e *Encoder) numberUnless(b []byte, key string, n, want int64) []byte {
	if n == want {
		return b
	}
	e.incomplete = e.incomplete || n == 0
	return number(b, key, n)
}

//go:noinline
func (e *Encoder) flagUnless(b []byte, field string, set, want bool) []byte {
	if set == want {
		return b
	}
	e.incomplete = e.incomplete || want
	return append(b, field...)
}

func (e *Encoder) step(b []byte, n StepID) []byte {
	if !e.brief {
		return number(b, `,"step":`, int64(n))
	}
	return e.numberUnless(b, `,"step":`, int64(n), int64(e.expected.last))
}

func (e *Encoder) positionUnless(b []byte, key string, p, want diag.Pos) []byte {
	if p == want {
		return b
	}
	e.incomplete = e.incomplete || !p.IsValid() && want.IsValid()
	return e.places.append(b, key, p)
}

func (e *Encoder) reasonsUnless(b []byte, reasons, want []string) []byte {
	if reasons != nil && want != nil && slices.Equal(reasons, want) {
		return b
	}
	e.incomplete = e.incomplete || reasons == nil && want != nil
	if len(reasons) == 1 {
		return append(e.reason.append(append(b, `,"reasons":[`...), reasons[0]), ']')
	}
	return textsIf(b, `,"reasons":`, reasons)
}

// A Decoder decodes the lines of one event file, which may be short. The zero Decoder is at the beginning of a
// file. It is not safe for concurrent use.
type Decoder struct{ expected expected }

// Decode is like the function [Decode], for the next line of the file.
func (d *Decoder) Decode(line []byte) (Event, error) { return decode(line, &d.expected) }
