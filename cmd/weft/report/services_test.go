package report

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weftrun/weft/engine/event"
)

// TestServices: each state change of a service is one line on standard error, except normal changes
// of a silent one.
func TestServices(t *testing.T) {
	seen := errors.New("no response within 5s")
	stopping := &event.Stopping{Step: 1, Task: "api", Why: event.Unneeded}
	for _, tt := range []struct {
		name         string
		events       []event.Event
		want, silent string
	}{
		{"ready", []event.Event{&event.Ready{Step: 1, Task: "api", Duration: 420 * time.Millisecond}}, "\"api\" is ready after 400ms\n", ""},
		{"ready at once", []event.Event{&event.Ready{Step: 1, Task: "api", Duration: time.Millisecond}}, "\"api\" is ready\n", ""},
		{"kept", []event.Event{&event.Ready{Step: 1, Task: "api", Kept: true}}, "", ""},
		{"ended, starts again", []event.Event{&event.Restarted{Step: 1, Task: "api", Why: event.ByExit, Err: errStatus1, Delay: time.Second, Attempt: 2, Attempts: 5}},
			"\"api\" ended: exit status 1; starts again in 1s (2 of 5)\n", "\"api\" ended: exit status 1; starts again in 1s (2 of 5)\n"},
		{"ended well, starts again", []event.Event{&event.Restarted{Step: 1, Task: "api", Why: event.ByExit, Delay: 500 * time.Millisecond, Attempt: 1, Attempts: 5}},
			"\"api\" ended; starts again in 500ms (1 of 5)\n", "\"api\" ended; starts again in 500ms (1 of 5)\n"},
		{"not alive", []event.Event{&event.Stopping{Step: 1, Task: "api", Why: event.ByAlive, Err: seen}, &event.Restarted{Step: 1, Task: "api", Why: event.ByAlive}},
			"\"api\" stopping: no response within 5s\nweft: \"api\" starts again\n", "\"api\" stopping: no response within 5s\nweft: \"api\" starts again\n"},
		{"stopped", []event.Event{stopping, &event.Stopped{Step: 1, Task: "api"}}, "\"api\" stopping\nweft: \"api\" stopped\n", ""},
		{"stopped badly", []event.Event{stopping, &event.Stopped{Step: 1, Task: "api", Err: errStatus1}}, "\"api\" stopping\nweft: \"api\" stopped: exit status 1\n", "\"api\" stopped: exit status 1\n"},
		{"not ready", []event.Event{&event.Stopping{Step: 1, Task: "api", Why: event.ByReady, Err: seen}, &event.Stopped{Step: 1, Task: "api", Err: seen}},
			"\"api\" stopping: no response within 5s\nweft: \"api\" stopped\n", "\"api\" stopping: no response within 5s\nweft: \"api\" stopped\n"},
		{"ended", []event.Event{&event.Stopped{Step: 1, Task: "api", Err: errStatus1}}, "\"api\" ended: exit status 1\n", "\"api\" ended: exit status 1\n"},
		{"ended well", []event.Event{&event.Stopped{Step: 1, Task: "api"}}, "\"api\" ended\n", ""},
		{"ended after a restart", []event.Event{&event.Stopping{Step: 1, Task: "api", Why: event.ByWatch}, &event.Restarted{Step: 1, Task: "api", Why: event.ByWatch}, &event.Stopped{Step: 1, Task: "api"}},
			"\"api\" stopping\nweft: \"api\" starts again\nweft: \"api\" ended\n", "\"api\" starts again\n"},
		{"after all runs", []event.Event{&event.Stopping{Task: "api", Why: event.RunEnds}, &event.Stopped{Task: "api"}}, "\"api\" stopping\nweft: \"api\" stopped\n", "\"api\" stopping\nweft: \"api\" stopped\n"},
	} {
		for _, silent := range []bool{false, true} {
			for _, dropIn := range []bool{false, true} {
				var r recorder
				evs := append([]event.Event{&event.StepStarted{Step: 1, Task: "api", Name: "api", Silent: silent}}, tt.events...)
				replay(New("interleaved", r.options(func(o *Options) { o.DropIn = dropIn })), evs...)
				want := tt.want
				if silent {
					want = tt.silent
				}
				if want != "" {
					want = "weft: " + want
				}
				if dropIn {
					want = ""
				}
				if got := r.err.String(); got != want || r.out.Len() > 0 {
					t.Errorf("%s, silent: %v, as task: %v: got %q, want %q", tt.name, silent, dropIn, got, want)
				}
			}
		}
	}
	var r recorder
	replay(New("interleaved", r.options(func(o *Options) { o.Verbose = true })), &event.Ready{Step: 1, Task: "api", Kept: true})
	if got, want := r.err.String(), "weft: \"api\" keeps running\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// crashLoop is a service that writes some lines in each run and is given up after times runs.
func crashLoop(times, lines int) []event.Event {
	evs := []event.Event{&event.StepStarted{Step: 1, Task: "api", Name: "api", Prefix: "api"}}
	n := 0
	for i := range times {
		evs = append(evs, &event.CommandStarted{Step: 1, Command: 1, Text: "serve", Relayed: true})
		for range lines {
			n++
			out := outputEvent(1, fmt.Sprintf("line %d\n", n))
			out.Command = 1
			evs = append(evs, out)
		}
		evs = append(evs, &event.CommandEnded{Step: 1, Command: 1, Code: 1, Err: errStatus1})
		if i < times-1 {
			evs = append(evs, &event.Restarted{Step: 1, Task: "api", Why: event.ByExit, Err: errStatus1})
		}
	}
	return append(evs, &event.Stopped{Step: 1, Task: "api", Err: errStatus1},
		&event.StepSettled{Step: 1, Task: "api", Name: "api", Outcome: event.Failed, Err: errStatus1}, &event.RunFinished{Err: errStatus1})
}

// TestSummaryService: the summary shows the last output of all runs of a restarted service, and of
// a service that was not ready although its command did not fail.
func TestSummaryService(t *testing.T) {
	var r recorder
	replay(NewSummary(r.options(), nil), crashLoop(5, 7)...)
	want := "weft: \"api\" failed: exit status 1\n"
	for n := 5*7 - tailLines + 1; n <= 5*7; n++ {
		want += fmt.Sprintf("  | line %d\n", n)
	}
	if got := r.err.String(); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}

	r = recorder{}
	not := errors.New("not ready")
	replay(NewSummary(r.options(), nil), outputEvent(1, "compiling\n"), &event.Stopping{Step: 1, Why: event.ByReady, Err: not}, &event.CommandEnded{Step: 1},
		&event.Stopped{Step: 1, Err: not}, &event.StepSettled{Step: 1, Name: "api", Outcome: event.Failed, Err: not}, &event.RunFinished{Err: not})
	if got, want := r.err.String(), "weft: \"api\" failed: not ready\n  | compiling\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}

	r = recorder{}
	long := strings.Repeat("x", 200) + "\n"
	replay(NewSummary(r.options(), nil), outputEvent(1, strings.Repeat(long, 1000)), &event.CommandEnded{Step: 1, Err: errStatus1},
		&event.StepSettled{Step: 1, Name: "api", Outcome: event.Failed, Err: errStatus1}, &event.RunFinished{Err: errStatus1})
	if n := r.err.Len(); n > tailBytes+200 {
		t.Errorf("%d bytes shown", n)
	}
}

// TestSummaryJustShown: lines that were just shown on the stream of the summary are not repeated.
func TestSummaryJustShown(t *testing.T) {
	other := []event.Event{outputEvent(2, "other\n")}
	evs := crashLoop(2, 15)
	end := len(evs) - 3
	for _, tt := range []struct {
		name     string
		events   []event.Event
		together bool
		repeated bool
	}{
		{"just shown", evs, true, false},
		{"elsewhere", evs, false, true},
		{"others between", slices.Insert(slices.Clone(evs), end-5, other...), true, true},
		{"others before", slices.Insert(slices.Clone(evs), 5, other...), true, false},
		{"others after", slices.Insert(slices.Clone(evs), end, other...), true, true},
		{"an announcement after", slices.Insert(slices.Clone(evs), end, event.Event(&event.CommandStarted{Step: 2, Text: "x"})), true, true},
		{"another group after", slices.Insert(slices.Insert(slices.Clone(evs), end, event.Event(&event.CommandEnded{Step: 2})), 5, other...), true, true},
		{"another failure", slices.Insert(slices.Clone(evs), end, event.Event(&event.StepSettled{Step: 2, Name: "b", Outcome: event.Failed, Err: errStatus1})), true, true},
	} {
		shown, err := os.CreateTemp(t.TempDir(), "")
		if err != nil {
			t.Fatal(err)
		}
		o := Options{Stdout: NewOut(shown), Stderr: NewOut(shown), Name: "weft"}
		if !tt.together {
			o.Stdout = NewOut(os.Stdout)
		}
		replay(NewSummary(o, nil), tt.events...)
		text, _ := os.ReadFile(shown.Name())
		shown.Close()
		if repeated := strings.Contains(string(text), "  | line 30\n"); repeated != tt.repeated || len(text) == 0 {
			t.Errorf("%s: repeated: %v\n%s", tt.name, repeated, text)
		}
	}
}
