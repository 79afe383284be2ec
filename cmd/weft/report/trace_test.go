package report

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"math/rand"
	"testing"
	"time"

	"github.com/weftrun/weft/cmd/weft/report/tracecheck"
	"github.com/weftrun/weft/engine/event"
)

// traceOf returns the trace of a run and checks that it is valid.
func traceOf(t *testing.T, run Finished) *tracecheck.Trace {
	t.Helper()
	var b bytes.Buffer
	if err := WriteTrace(&b, run); err != nil {
		t.Fatal(err)
	}
	trace, err := tracecheck.Check(b.Bytes())
	if err != nil {
		t.Fatalf("%v\n%.5000s", err, b.Bytes())
	}
	return trace
}

// traced is a run with every element of a trace.
func traced() []event.Event {
	two := failed("exit status 2", "")
	return []event.Event{
		&event.RunStarted{Time: noon, Run: "r", Tasks: []string{"ci"}, Weft: "v1"},
		&event.Planned{Time: at(1), Steps: 3, Graph: []event.PlannedStep{
			{Step: 1, Name: "db", Label: "db", Service: true}, {Step: 2, Name: "gen", Label: "gen"},
			{Step: 3, Name: "ci", Label: "ci", Needs: []event.Need{{Step: 1, Until: event.UntilReady}, {Step: 2, Until: event.UntilSucceeded}}}}},
		&event.StepStarted{Time: at(2), Step: 1, Parent: 3, Name: "db", Task: "db"},
		&event.CommandStarted{Time: at(2), Step: 1, Text: "serve", Service: true, Attempt: 1, Attempts: 1},
		&event.StepStarted{Time: at(2), Step: 2, Parent: 3, Name: "gen", Task: "gen", Reasons: []string{"a changed", "b, too"}},
		&event.Waiting{Time: at(2), Step: 2, For: event.Lock},
		&event.CommandStarted{Time: at(5), Step: 2, Text: "one", Attempt: 1, Attempts: 2},
		&event.CommandEnded{Time: at(6), Step: 2, Code: 2, Err: two},
		&event.CommandStarted{Time: at(7), Step: 2, Text: "one\ntwo", Attempt: 2, Attempts: 2},
		&event.CommandStarted{Time: at(8), Step: 2, Command: 1, Text: "beside", Background: true, Attempt: 1, Attempts: 1},
		&event.CommandEnded{Time: at(9), Step: 2},
		&event.Ready{Time: at(9), Step: 1, Task: "db"},
		&event.StepSettled{Time: at(10), Step: 2, Parent: 3, Name: "gen", Task: "gen", Outcome: event.Succeeded, Usage: event.Usage{User: time.Second, System: time.Second, MaxRSS: 7}},
		&event.StepStarted{Time: at(15), Step: 3, Name: "ci", Task: "ci"},
		&event.Planned{Time: at(16), Steps: 1, Parent: 3, Graph: []event.PlannedStep{{Step: 4, Name: "unit", Label: "unit \"<\x1b\\"}}},
		&event.Suspended{Time: at(16), Step: 3},
		&event.StepStarted{Time: at(16), Step: 4, Parent: 3, Name: "unit", Task: "unit \"<\x1b\\"},
		&event.CommandEnded{Time: at(17), Step: 2, Command: 1},
		&event.StepSettled{Time: at(20), Step: 4, Parent: 3, Name: "unit", Task: "unit \"<\x1b\\", Outcome: event.Failed, Code: 2, Err: two},
		&event.Resumed{Time: at(20), Step: 3},
		&event.StepSettled{Time: at(21), Step: 3, Name: "ci", Task: "ci", Outcome: event.Failed, Cause: 4, Code: 2, Err: two},
		&event.StepSettled{Time: at(30), Step: 1, Parent: 3, Name: "db", Task: "db", Outcome: event.Cancelled},
		&event.RunFinished{Time: at(31), Err: two},
	}
}

func TestTrace(t *testing.T) {
	trace := traceOf(t, finished(traced()...))
	var got []string
	for _, ev := range trace.TraceEvents {
		switch ev.Ph {
		case "M":
			got = append(got, fmt.Sprintf("M %d/%d %s", ev.Pid, ev.Tid, ev.Args["name"]))
		case "X":
			got = append(got, fmt.Sprintf("%v+%v %d/%d %s %q", ev.Ts/1000, ev.Dur/1000, ev.Pid, ev.Tid, ev.Cat, ev.Name))
		case "C":
			got = append(got, fmt.Sprintf("%v running %v, waiting %v", ev.Ts/1000, ev.Args["running"], ev.Args["waiting"]))
		default:
			got = append(got, fmt.Sprintf("%v %s%d %d/%d %s", ev.Ts/1000, ev.Ph, ev.ID, ev.Pid, ev.Tid, ev.Cat))
		}
	}
	want := []string{
		"M 1/0 slots", "M 2/0 services", "M 3/0 weft", "M 4/0 parallel commands", "M 1/1 slot 1", "M 2/1 db", "M 3/1 weft", "M 3/2 lock 1", "M 4/1 command 1",
		`0+1 3/1 weft "planning"`,
		`1 running 0, waiting 2`,
		`2 running 1, waiting 0`,
		`2+28 2/1 cancelled "db"`, `2+28 2/1 command "serve"`, `2+8 1/1 succeeded "gen"`, `2+3 3/2 lock "gen"`,
		`5+1 1/1 command "one"`, `7+2 1/1 command "one…"`, `8+9 4/1 command "beside"`,
		`9 s1 2/1 need`, `9.999 s2 1/1 need`,
		`10 running 0, waiting 1`,
		`15 running 1, waiting 0`, `15+1 1/1 failed "ci"`, `15 f1 1/1 need`, `15 f2 1/1 need`,
		`15.999 s3 1/1 call`, `16+4 1/1 failed "unit \"<\\x1b\\"`, `16 f3 1/1 call`,
		`20+1 1/1 failed "ci (2)"`,
		`21 running 0, waiting 0`, `21+10 3/1 weft "ending"`,
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		for i := range max(len(got), len(want)) {
			g, w := "", ""
			if i < len(got) {
				g = got[i]
			}
			if i < len(want) {
				w = want[i]
			}
			t.Errorf("%-45s want %s", g, w)
		}
	}
	for _, ev := range trace.TraceEvents {
		if ev.Name == "gen" && ev.Cat == "succeeded" {
			if got := fmt.Sprint(ev.Args); got != "map[code:0 cpu_us:2e+06 critical:true max_rss:7 outcome:succeeded queued_us:1000 reasons:[a changed b, too] step:2 task:gen]" {
				t.Errorf("its step says %s", got)
			}
		}
	}
}

func TestTraceCompressed(t *testing.T) {
	run := finished(traced()...)
	var plain, packed bytes.Buffer
	WriteTrace(&plain, run)
	run.File = "trace.json.gz"
	if err := WriteTrace(&packed, run); err != nil {
		t.Fatal(err)
	}
	z, err := gzip.NewReader(&packed)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(z); err != nil || !bytes.Equal(got, plain.Bytes()) {
		t.Errorf("%v, %d bytes, want %d", err, len(got), plain.Len())
	}
}

// TestTraceOfRandomEvents: for any events in any order and at any times, the trace is valid.
func TestTraceOfRandomEvents(t *testing.T) {
	for seed := range int64(500) {
		rng := rand.New(rand.NewSource(seed))
		all := []event.Event{&event.RunStarted{Time: noon, Run: "r"}}
		if rng.Intn(2) == 0 {
			all = append(all, traced()[1])
		}
		now := 0
		for range rng.Intn(60) {
			now += rng.Intn(4) - rng.Intn(2)
			now := at(now)
			step := event.StepID(1 + rng.Intn(5))
			all = append(all, []event.Event{
				&event.StepStarted{Time: now, Step: step, Task: "t", Name: "t"},
				&event.StepSettled{Time: now, Step: step, Task: "t", Name: "t", Outcome: event.Outcome(1 + rng.Intn(6))},
				&event.CommandStarted{Time: now, Step: step, Command: rng.Intn(2), Text: "c"},
				&event.CommandEnded{Time: now, Step: step, Command: rng.Intn(2)},
				&event.Suspended{Time: now, Step: step},
				&event.Resumed{Time: now, Step: step},
				&event.Ready{Time: now, Step: step},
				&event.Waiting{Time: now, Step: step, For: event.Lock},
				&event.Planned{Time: now, Parent: step, Graph: []event.PlannedStep{{Step: 5, Needs: []event.Need{{Step: step, Until: event.UntilStarted}}}}},
			}[rng.Intn(9)])
		}
		if rng.Intn(2) == 0 {
			all = append(all, &event.RunFinished{Time: at(now + 1)})
		}
		traceOf(t, finished(all...))
	}
}

func BenchmarkTrace(b *testing.B) {
	all := []event.Event{&event.RunStarted{Time: noon}}
	for i := range 10_000 {
		id := event.StepID(i + 1)
		p := event.PlannedStep{Step: id, Name: "s", Label: "s"}
		if i > 0 {
			p.Needs = []event.Need{{Step: id - 1, Until: event.UntilSucceeded}}
		}
		all = append(all, &event.Planned{Time: noon, Graph: []event.PlannedStep{p}}, &event.StepStarted{Time: at(i), Step: id, Name: "s", Task: fmt.Sprint("s", i)})
		all = append(all, try(id, i, 1, 1, 1, "", nil)...)
		all = append(all, &event.StepSettled{Time: at(i + 1), Step: id, Name: "s", Task: fmt.Sprint("s", i), Outcome: event.Succeeded})
	}
	run := finished(append(all, &event.RunFinished{Time: at(20_000)})...)
	b.ReportAllocs()
	for b.Loop() {
		WriteTrace(io.Discard, run)
	}
}
