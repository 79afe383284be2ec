package executor

import (
	"io"
	"reflect"
	"strings"
	"testing"

	"github.com/weftrun/weft/engine/cache"
	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/internal/limit"
)

// emitted is an Env that counts events.
type emitted struct {
	Env
	events int
}

func (e *emitted) Emit(event.Event) { e.events++ }

func command(r *recording, n int) { r.Emit(&event.CommandStarted{Command: n}) }

func wrote(r *recording, stream event.Stream, text string) {
	r.Emit(&event.Output{Stream: stream, Data: []byte(text)})
}

func TestRecording(t *testing.T) {
	const out, errs, both = event.Stdout, event.Stderr, event.Merged
	for _, tt := range []struct {
		name  string
		apart bool
		do    func(r *recording)
		text  string
		marks []cache.Mark
	}{
		{"nothing", true, func(r *recording) {}, "", nil},
		{"silent commands", true, func(r *recording) { command(r, 0); command(r, 1) }, "", []cache.Mark{{Command: 1}, {Command: 2}}},
		{"streams", true, func(r *recording) {
			command(r, 0)
			wrote(r, out, "a")
			wrote(r, out, "b")
			wrote(r, errs, "c")
			wrote(r, out, "")
			command(r, 2)
			wrote(r, errs, "d")
		}, "abcd", []cache.Mark{{Command: 1}, {Stream: 1}, {Offset: 2, Stream: 2}, {Offset: 3, Command: 3}, {Offset: 3, Stream: 2}}},
		{"joined", true, func(r *recording) { command(r, 0); wrote(r, both, "a"); wrote(r, out, "b") }, "ab", []cache.Mark{{Command: 1}, {Stream: 1}}},
		{"at one place", false, func(r *recording) { command(r, 0); wrote(r, both, "a") }, "a", []cache.Mark{{Command: 1}, {Stream: 3}}},
		{"large", true, func(r *recording) { command(r, 0); wrote(r, out, strings.Repeat("x", 2*logInMemory)) }, strings.Repeat("x", 2*logInMemory), []cache.Mark{{Command: 1}, {Stream: 1}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			env := &emitted{}
			r := newRecording(env, tt.apart)
			defer r.close()
			tt.do(r)
			log, marks, err := r.end()
			if err != nil {
				t.Fatal(err)
			}
			var text []byte
			if log != nil {
				text, err = io.ReadAll(io.NewSectionReader(log, 0, limit.Log))
			}
			if string(text) != tt.text || err != nil || !reflect.DeepEqual(marks, tt.marks) {
				t.Errorf("got %.20q, %v, %v", text, marks, err)
			}
			before := env.events
			wrote(r, out, "a leftover")
			if _, again, _ := r.end(); len(again) != len(marks) || env.events != before+1 {
				t.Error("what comes after the end is noted, or not handed on")
			}
		})
	}
}

// TestRecordingLimits: output beyond the limits is not recorded, but passed on.
func TestRecordingLimits(t *testing.T) {
	for want, prepare := range map[string]func(r *recording){
		"its output is more than 256 MiB":                         func(r *recording) { r.size = limit.Log - 1 },
		"its output alternates too often between its two streams": func(r *recording) { r.marks = make([]cache.Mark, maxMarks) },
	} {
		env := &emitted{}
		r := newRecording(env, true)
		prepare(r)
		wrote(r, event.Stdout, "ab")
		wrote(r, event.Stderr, "ab")
		if _, _, err := r.end(); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
		if env.events != 2 {
			t.Errorf("%d events of 2", env.events)
		}
		r.close()
	}
}

func TestCheckMarks(t *testing.T) {
	const size, commands = 10, 2
	good := []cache.Mark{{Command: 1}, {Stream: 1}, {Offset: 4, Stream: 2}, {Offset: 4, Command: 2}, {Offset: 10, Stream: 1}}
	if err := checkMarks(good, size, commands, true); err != nil {
		t.Error(err)
	}
	if err := checkMarks(nil, 0, 0, true); err != nil {
		t.Error("of no log:", err)
	}
	joined := []cache.Mark{{Command: 1}, {Stream: 3}}
	if checkMarks(joined, size, commands, false) != nil || checkMarks(joined, size, commands, true) == nil {
		t.Error("streams that are one are shown apart, or not at one place")
	}
	for name, marks := range map[string][]cache.Mark{
		"none":               {},
		"a stream first":     {{Stream: 1}},
		"late":               {{Offset: 1, Command: 1}},
		"backwards":          {{Command: 1}, {Offset: 4, Stream: 1}, {Offset: 3, Stream: 2}},
		"negative":           {{Command: 1}, {Offset: -1, Stream: 1}},
		"beyond the end":     {{Command: 1}, {Offset: 11, Stream: 1}},
		"a command too many": {{Command: 1}, {Command: 3}},
		"a negative command": {{Command: 1}, {Command: -1}},
		"an unknown stream":  {{Command: 1}, {Stream: 4}},
		"nothing":            {{Command: 1}, {}},
		"both":               {{Command: 1, Stream: 1}},
	} {
		if checkMarks(marks, size, commands, true) != errMarks {
			t.Errorf("%s: %v is taken", name, marks)
		}
	}
}
