package report

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/schema/diag"
)

// recorder captures both streams of a reporter.
type recorder struct{ out, err bytes.Buffer }

func (r *recorder) options(change ...func(*Options)) Options {
	o := Options{Stdout: NewOut(&r.out), Stderr: NewOut(&r.err), Name: "weft"}
	for _, f := range change {
		f(&o)
	}
	return o
}

// stepEvents returns the events of one step named name that runs one command with the given output
// and error.
func stepEvents(id event.StepID, name, output string, err error) []event.Event {
	evs := []event.Event{
		&event.StepStarted{Step: id, Task: name, Name: name, Prefix: name},
		&event.CommandStarted{Step: id, Text: "run " + name, Relayed: true},
	}
	if output != "" {
		evs = append(evs, outputEvent(id, output))
	}
	ended := &event.CommandEnded{Step: id, Err: err}
	settled := &event.StepSettled{Step: id, Task: name, Name: name, Prefix: name, Outcome: event.Succeeded, Err: err}
	if err != nil {
		ended.Code, settled.Code, settled.Outcome = 1, 1, event.Failed
	}
	return append(evs, ended, settled)
}

func outputEvent(id event.StepID, data string) *event.Output {
	return &event.Output{Step: id, Stream: event.Merged, Data: []byte(data)}
}

func replay(r Reporter, evs ...event.Event) {
	for _, ev := range evs {
		r.Handle(ev)
	}
	r.Close()
}

var errStatus1 = errors.New("exit status 1")

func TestStyles(t *testing.T) {
	verbose := func(o *Options) { o.Verbose = true }
	colored := func(o *Options) { o.Palette.On = true }
	begin := func(evs []event.Event) []event.Event {
		return slices.Insert(evs, 2, event.Event(&event.GroupLines{Step: 1, Begin: "B", End: "E"}))
	}
	fresh := &event.StepSettled{Step: 1, Task: "label", Name: "a", Prefix: "pre", Outcome: event.Fresh}
	tests := []struct {
		name, style string
		options     func(*Options)
		events      []event.Event
		out, err    string
	}{
		{"announce", "interleaved", nil, stepEvents(1, "a", "", nil), "", "weft: [a] run a\n"},
		{"progress", "group", nil, slices.Insert(stepEvents(1, "a", "", nil), 2, []event.Event{&event.Progress{Step: 1, Value: 0.999}, &event.Progress{Step: 1, Value: 0.29, Text: "half\n", Bytes: 7}}...), "",
			"weft: [a] run a\nweft: [a] 99%\nweft: [a] 29%, 7 B: half\\n\n"},
		{"progress, prefixed", "prefixed", nil, slices.Insert(stepEvents(1, "a", "", nil), 2, event.Event(&event.Progress{Step: 1, Value: 1})), "", "weft: [a] run a\nweft: [a] 100%\n"},
		{"progress, interleaved", "interleaved", verbose, slices.Insert(stepEvents(1, "a", "", nil)[:2], 2, event.Event(&event.Progress{Step: 1, Value: 1})), "", "weft: \"a\" started\nweft: [a] run a\n"},
		{"message", "group", nil, slices.Insert(stepEvents(1, "a", "", nil), 2, event.Event(&event.Message{Step: 1, Data: `{"a":1}`})), "", "weft: [a] run a\n"},
		{"message, verbose", "group", verbose, slices.Insert(stepEvents(1, "a", "", nil)[:2], 2, event.Event(&event.Message{Step: 1, Data: `"` + strings.Repeat("x", 2000)})), "",
			"weft: \"a\" started\nweft: [a] run a\nweft: [a] message: \"" + strings.Repeat("x", 1023) + "…\n"},
		{"announce in colour", "interleaved", colored, stepEvents(1, "a", "", nil), "", "\x1b[32mweft: [a] run a\x1b[0m\n"},
		{"verbose", "interleaved", verbose, stepEvents(1, "a", "", nil), "",
			"weft: \"a\" started\nweft: [a] run a\nweft: \"a\" finished\n"},
		{"verbose, failed", "interleaved", verbose, append(stepEvents(1, "a", "", errStatus1)[:2], &event.BodyEnded{Step: 1, Err: errStatus1},
			&event.StepSettled{Step: 1, Task: "a", Name: "a", Outcome: event.Failed, Err: errStatus1}), "",
			"weft: \"a\" started\nweft: [a] run a\nweft: \"a\" failed: exit status 1\n"},
		{"verbose, failed before its commands", "interleaved", verbose, []event.Event{stepEvents(1, "a", "", nil)[0],
			&event.StepSettled{Step: 1, Task: "a", Name: "a", Outcome: event.Failed, Err: errStatus1}}, "", "weft: \"a\" started\n"},
		{"relayed all the same", "interleaved", nil, stepEvents(1, "a", "x", nil), "x", "weft: [a] run a\n"},
		{"fresh", "interleaved", nil, []event.Event{fresh}, "", "weft: Task \"label\" is up to date\n"},
		{"fresh by prefix", "prefixed", nil, []event.Event{fresh}, "", "weft: Task \"pre\" is up to date\n"},
		{"group", "group", nil, stepEvents(1, "a", "x\ny", nil), "x\ny", "weft: [a] run a\n"},
		{"group between lines", "group", nil, begin(stepEvents(1, "a", "x", nil)), "B\nxE\n", "weft: [a] run a\n"},
		{"group without output", "group", nil, begin(stepEvents(1, "a", "", nil)), "", "weft: [a] run a\n"},
		{"group of errors, none", "group", func(o *Options) { o.ErrorOnly = true }, stepEvents(1, "a", "x\n", nil), "", "weft: [a] run a\n"},
		{"group of errors", "group", func(o *Options) { o.ErrorOnly = true }, stepEvents(1, "a", "x\n", errStatus1), "x\n", "weft: [a] run a\n"},
		{"group never ended", "group", nil, stepEvents(1, "a", "x\n", nil)[:3], "x\n", "weft: [a] run a\n"},
		{"prefixed", "prefixed", nil, stepEvents(1, "a", "x\r\n\ny", nil), "[a] x\r\n[a] \n[a] y\n", "weft: [a] run a\n"},
		{"prefixed in colour", "prefixed", colored,
			append(stepEvents(1, "a", "x\n", nil), stepEvents(2, "b", "y\n", nil)...),
			"[\x1b[33ma\x1b[0m] x\n[\x1b[34mb\x1b[0m] y\n", "\x1b[32mweft: [a] run a\x1b[0m\n\x1b[32mweft: [b] run b\x1b[0m\n"},
		{"prefixed never ended", "prefixed", nil, stepEvents(1, "a", "x", nil)[:3], "[a] x\n", "weft: [a] run a\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var r recorder
			o := r.options()
			if tt.options != nil {
				tt.options(&o)
			}
			replay(New(tt.style, o), tt.events...)
			if r.out.String() != tt.out {
				t.Errorf("stdout %q, want %q", r.out.String(), tt.out)
			}
			if r.err.String() != tt.err {
				t.Errorf("stderr %q, want %q", r.err.String(), tt.err)
			}
		})
	}
}

// TestInterleavedChunks: lines of commands that write at the same time are not mixed, in any style.
func TestInterleavedChunks(t *testing.T) {
	evs := func() []event.Event {
		return []event.Event{
			&event.StepStarted{Step: 1, Prefix: "a"}, &event.StepStarted{Step: 2, Prefix: "b"},
			outputEvent(1, "one "), outputEvent(2, "two\nthree"), outputEvent(1, "more\n"), outputEvent(2, "!\n"),
			&event.CommandEnded{Step: 2}, &event.CommandEnded{Step: 1},
		}
	}
	for style, want := range map[string]string{
		"group":    "two\nthree!\none more\n",
		"prefixed": "[b] two\n[a] one more\n[b] three!\n",
	} {
		var r recorder
		replay(New(style, r.options()), evs()...)
		if r.out.String() != want {
			t.Errorf("%s: %q, want %q", style, r.out.String(), want)
		}
	}
}

func TestNotices(t *testing.T) {
	const silentUnlessVerbose = ""
	tests := []struct {
		event      event.Event
		out, err   string // verbose
		always     bool   // also shown without verbose
		withoutRun bool   // the step has not started: no "started" line
	}{
		{event: &event.VarComputed{Text: "ls", Result: "x\"y"}, err: `weft: dynamic variable: "ls" result: "x\"y"` + "\n", withoutRun: true},
		{event: &event.TaskSkipped{Step: 1, Reason: event.ByIf}, out: `weft: if condition not met - skipped: "full"` + "\n", withoutRun: true},
		{event: &event.TaskSkipped{Step: 1, Reason: event.ByPlatform}, out: `weft: "full" not for current platform - ignored\n`, withoutRun: true},
		{event: &event.CommandSkipped{Step: 1, Reason: event.ByPlatform, Text: "dir"}, out: "weft: [shown] dir not for current platform - ignored\n"},
		{event: &event.CommandSkipped{Step: 1, Reason: event.ByIf}, out: "weft: [shown] if condition not met - skipped\n"},
		{event: &event.StatusChecked{Step: 1, Text: "true"}, out: "weft: status command true exited zero\n"},
		{event: &event.StatusChecked{Step: 1, Text: "false", Err: errStatus1}, out: "weft: status command false exited non-zero: exit status 1\n"},
		{event: &event.ErrorIgnored{Step: 1, Err: errStatus1}, err: "weft: [shown] command error ignored: exit status 1\n"},
		{event: &event.DeferFailed{Step: 1, Err: errStatus1}, err: "weft: ignored error in deferred cmd: exit status 1\n"},
		{event: &event.BodyEnded{Step: 1}, err: "weft: \"full\" finished\n"},
		{event: &event.BodyEnded{Step: 1, Err: errStatus1}, err: "weft: \"full\" failed: exit status 1\n"},
		{event: &event.PreconditionFailed{Step: 1, Message: "no"}, err: "weft: no\n", always: true},
		{event: &event.PromptAssumed{Step: 1, Text: "Sure?"}, out: "Sure? [assuming yes]\n", always: true, withoutRun: true},
		{event: &event.AttemptFailed{Step: 1, Attempt: 1, Attempts: 3, Err: errStatus1, Delay: time.Second}, err: "weft: [shown] exit status 1; attempt 2 of 3 follows in 1s\n", always: true, withoutRun: true},
		{event: &event.Waiting{Step: 1, For: event.Lock, Holder: "weft (pid 7)"}, err: "weft: [shown] waiting for weft (pid 7), which runs the same task\n", always: true, withoutRun: true},
		{event: &event.StopFailed{Step: 1, Task: "shown", Text: "halt", Err: errStatus1}, err: "weft: the stop command of \"shown\" failed: exit status 1; the signal is sent instead\n", always: true, withoutRun: true},
	}
	for _, tt := range tests {
		for _, verbose := range []bool{true, false} {
			t.Run(fmt.Sprintf("%T %v", tt.event, verbose), func(t *testing.T) {
				var r recorder
				p := New("interleaved", r.options(func(o *Options) { o.Verbose = verbose }))
				replay(p, &event.StepStarted{Step: 1, Task: "shown", Name: "full"}, tt.event)
				out, err := tt.out, tt.err
				switch {
				case verbose && !tt.withoutRun:
					err = "weft: \"full\" started\n" + err
				case !verbose && !tt.always:
					out, err = silentUnlessVerbose, silentUnlessVerbose
				}
				if r.out.String() != out || r.err.String() != err {
					t.Errorf("got %q %q, want %q %q", r.out.String(), r.err.String(), out, err)
				}
			})
		}
	}
}

func TestSignal(t *testing.T) {
	first := &event.SignalReceived{Signal: syscall.SIGINT, Count: 1, Running: 3}
	for _, tt := range []struct {
		dropIn   bool
		ev       *event.SignalReceived
		out, err string
	}{
		{false, first, "", "weft: interrupt: stopping 3 steps, Ctrl-C again to kill\n"},
		{false, &event.SignalReceived{Signal: syscall.SIGINT, Count: 2, Running: 1}, "", "weft: interrupt: killing 1 step\n"},
		{false, &event.SignalReceived{Signal: syscall.SIGTERM, Count: 2, Running: 1}, "", ""},
		{true, first, "weft: Signal received: \"interrupt\"\n", ""},
	} {
		var r recorder
		replay(New("interleaved", r.options(func(o *Options) { o.DropIn = tt.dropIn })), tt.ev)
		if r.out.String() != tt.out || r.err.String() != tt.err {
			t.Errorf("%+v: got %q %q", tt, r.out.String(), r.err.String())
		}
	}
}

func TestSummary(t *testing.T) {
	inner, outer := errors.New("exit status 3"), error(nil)
	outer = fmt.Errorf("callee: %w", inner)
	evs := []event.Event{
		&event.StepStarted{Step: 1, Task: "all", Name: "all"},
		&event.StepStarted{Step: 2, Task: "unit", Name: "test:unit", Parent: 1},
		outputEvent(2, strings.Repeat("early\n", 1000)+"FAIL x\nwant 1\n"),
		&event.CommandEnded{Step: 2, Code: 3, Err: inner},
		&event.StepSettled{Step: 2, Parent: 1, Task: "unit", Name: "test:unit", Outcome: event.Failed, Err: inner, Duration: 1260 * time.Millisecond},
		&event.StepSettled{Step: 3, Task: "lint", Name: "lint", Outcome: event.Failed, Err: errStatus1},
		&event.StepSettled{Step: 4, Task: "deploy", Name: "deploy", Outcome: event.Cancelled, Cause: 2},
		&event.StepSettled{Step: 1, Task: "all", Name: "all", Outcome: event.Failed, Err: outer, Cause: 2},
		&event.RunFinished{Err: outer, Counts: [event.Cancelled + 1]int{event.Cancelled: 1}},
	}
	var r recorder
	replay(NewSummary(r.options(), func(task string) string { return "weft " + task }), evs...)
	want := "weft: 2 failed, 1 cancelled\n" +
		"weft: \"lint\" failed: exit status 1; run it again with: weft lint\n" +
		"weft: \"unit\" failed: exit status 3 after 1.3s; run it again with: weft test:unit\n" +
		strings.Repeat("  | early\n", tailLines-2) + "  | FAIL x\n  | want 1\n"
	if got := r.err.String(); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

// TestSummaryBlames: the summary shows the output of the command that made a step fail, not of one
// that was ignored, retried or deferred.
func TestSummaryBlames(t *testing.T) {
	failed := func(command int, output string, members ...event.Member) []event.Event {
		out := outputEvent(1, output)
		out.Command = command
		return []event.Event{out, &event.CommandEnded{Step: 1, Command: command, Code: 1, Err: errStatus1, Members: members}}
	}
	pipe := []event.Member{{Name: "gen", Code: 1}, {Name: "sort"}}
	for name, tt := range map[string]struct {
		events [][]event.Event
		want   string
	}{
		"a command":           {[][]event.Event{failed(0, "no\n")}, "\n  | no\n"},
		"a pipe":              {[][]event.Event{failed(0, "no\n", pipe...)}, ": gen 1 | sort 0\n  | no\n"},
		"after an ignored":    {[][]event.Event{failed(0, "ignored\n", pipe...), {&event.ErrorIgnored{Step: 1, Err: errStatus1}}, failed(1, "no\n")}, "\n  | no\n"},
		"no command":          {[][]event.Event{failed(0, "ignored\n", pipe...), {&event.ErrorIgnored{Step: 1, Err: errStatus1}}}, "\n"},
		"after an attempt":    {[][]event.Event{failed(0, "first\n"), {&event.AttemptFailed{Step: 1, Err: errStatus1}}, failed(0, "second\n")}, "\n  | second\n"},
		"before deferred":     {[][]event.Event{failed(0, "no\n"), {&event.BodyEnded{Step: 1, Err: errStatus1}}, failed(1, "deferred\n", pipe...)}, "\n  | no\n"},
		"an attempt, retried": {[][]event.Event{failed(0, "first\n", pipe...), {&event.AttemptFailed{Step: 1, Err: errStatus1}, &event.CommandEnded{Step: 1}}}, "\n"},
	} {
		var r recorder
		s := NewSummary(r.options(), nil)
		for _, ev := range slices.Concat(append(tt.events, []event.Event{&event.StepSettled{Step: 1, Name: "a", Outcome: event.Failed, Err: errStatus1}, &event.RunFinished{Err: errStatus1}})...) {
			s.Handle(ev)
		}
		if got, want := r.err.String(), "weft: \"a\" failed: exit status 1"+tt.want; got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}

// TestHeld: a command's output of any size is shown unchanged.
func TestHeld(t *testing.T) {
	for _, size := range []int{0, 1, heldInMemory - 1, heldInMemory, heldInMemory + 1, 3*heldInMemory + 17} {
		data := bytes.Repeat([]byte("0123456789abcde\n"), size/16+1)[:size]
		var r recorder
		g := New("group", r.options())
		for i := 0; i < size; i += 60_000 {
			g.Handle(outputEvent(1, string(data[i:min(size, i+60_000)])))
		}
		g.Handle(&event.CommandEnded{Step: 1})
		if !bytes.Equal(r.out.Bytes(), data) {
			t.Errorf("size %d: output differs", size)
		}
	}
}

// TestHeldMemory: large output is not held in memory.
func TestHeldMemory(t *testing.T) {
	var s held
	chunk := bytes.Repeat([]byte("x"), 64<<10)
	for range 10 * heldInMemory / len(chunk) {
		s.write(chunk)
	}
	defer s.reset()
	if cap(s.bytes.Memory()) > 2*heldInMemory {
		t.Errorf("%d bytes held for %d written", cap(s.bytes.Memory()), s.size)
	}
	if s.bytes.File() == nil {
		t.Fatal("all is in memory")
	}
}

// stubborn accepts only a few bytes per write.
type stubborn struct {
	bytes.Buffer
	turn int
}

func (s *stubborn) Write(p []byte) (int, error) {
	s.turn++
	switch s.turn % 3 {
	case 0:
		return 0, syscall.EAGAIN
	case 1:
		return s.Buffer.Write(p[:1])
	}
	return s.Buffer.Write(p[:(len(p)+1)/2])
}

func TestOutKeepsTrying(t *testing.T) {
	var w stubborn
	o := NewOut(&w)
	const text = "all of it, in the end"
	if n, err := o.Write([]byte(text)); n != len(text) || err != nil || w.String() != text {
		t.Errorf("wrote %d (%v): %q", n, err, w.String())
	}
}

func TestOutBrokenPipe(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	r.Close()
	o := Options{Stdout: NewOut(w), Stderr: NewOut(&bytes.Buffer{}), Name: "weft"}
	p := New("prefixed", o)
	p.Handle(outputEvent(1, "x\n"))
	if p.Err() == nil || !o.Stdout.Broken() {
		t.Errorf("error %v, broken %v", p.Err(), o.Stdout.Broken())
	}
}

// TestMultiReleasesOnce: output is released exactly once, however many reporters handle it.
func TestMultiReleasesOnce(t *testing.T) {
	var r recorder
	var released int
	m := Multi(New("group", r.options()), NewSummary(r.options(), nil), NewNDJSON(&r.err, nil, nil))
	out := outputEvent(1, "x")
	out.Release = func() { released++ }
	replay(m, out)
	if released != 1 {
		t.Errorf("released %d times", released)
	}
}

func TestDiagnostic(t *testing.T) {
	var r recorder
	replay(New("interleaved", r.options()), &event.DiagnosticFound{Diagnostic: &diag.Diagnostic{What: "odd", Fix: "even"}})
	if got := r.err.String(); got != "warning: odd; even\n" {
		t.Errorf("got %q", got)
	}
}

// TestNDJSONWritesMuchAtOnce: events are batched, flushed when none is pending, and never lost or
// cut.
func TestNDJSONWritesMuchAtOnce(t *testing.T) {
	var writes []int
	var all bytes.Buffer
	n := NewNDJSON(writerFunc(func(p []byte) (int, error) {
		writes = append(writes, len(p))
		return all.Write(p)
	}), nil, nil)
	n.Flush()
	if len(writes) > 0 {
		t.Error("nothing is written for nothing")
	}
	const events = 3000
	for range events {
		n.Handle(&event.PromptAssumed{Step: 1, Text: "sure?"})
	}
	if len(writes) == 0 || slices.Min(writes) < batchSize {
		t.Errorf("written in pieces of %d bytes", writes)
	}
	n.Flush()
	if got := bytes.Count(all.Bytes(), []byte{'\n'}); got != events {
		t.Errorf("%d of %d events are written", got, events)
	}
	n.Handle(&event.Output{Data: make([]byte, 8*batchSize)})
	n.Handle(&event.Resumed{Step: 1})
	n.Close()
	if got := bytes.Count(all.Bytes(), []byte{'\n'}); got != events+2 {
		t.Errorf("%d of %d events are written", got, events+2)
	}
}

type writerFunc func(p []byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }
