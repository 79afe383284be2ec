package report

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/schema/diag"
)

var ciStart = time.Date(2026, 11, 28, 10, 35, 57, 0, time.UTC)

func ciTime(seconds float64) time.Time {
	return ciStart.Add(time.Duration(seconds * float64(time.Second)))
}

// ciEvents are a run with two concurrent steps, one that runs alone, and one that is up to date;
// unit and e2e fail.
func ciEvents() []event.Event {
	pos := diag.Pos{File: &diag.File{Name: "Taskfile.yml"}, Line: 14, Column: 9}
	out := func(id event.StepID, at float64, text string) event.Event {
		return &event.Output{Time: ciTime(at), Step: id, Stream: event.Merged, Data: []byte(text)}
	}
	started := func(id event.StepID, at float64, name string) event.Event {
		return &event.StepStarted{Time: ciTime(at), Step: id, Task: name, Name: name, Prefix: name, Pos: pos, Parent: 5}
	}
	command := func(id event.StepID, at float64, text string) event.Event {
		return &event.CommandStarted{Time: ciTime(at), Step: id, Text: text, Pos: pos, Relayed: true}
	}
	settled := func(id event.StepID, at float64, name string, o event.Outcome, seconds float64, err error) event.Event {
		return &event.StepSettled{Time: ciTime(at), Step: id, Task: name, Name: name, Outcome: o, Duration: time.Duration(seconds * float64(time.Second)), Err: err, Parent: 5}
	}
	status2 := &event.Failure{Text: "exit status 2"}
	return []event.Event{
		&event.RunStarted{Time: ciStart, Run: "d4a46ecb-1234", Tasks: []string{"ci"}},
		&event.Planned{Time: ciStart, Steps: 6, Graph: []event.PlannedStep{{Step: 1}, {Step: 2}, {Step: 3}, {Step: 4, Alone: true}, {Step: 5, Alone: true}, {Step: 6}}},
		started(1, 0, "lint"), started(2, 0, "gen"), started(3, 0, "unit"), started(6, 0, "e2e"),
		settled(2, 0.1, "gen", event.Fresh, 0, nil),
		command(1, 0.1, "golangci-lint run"), command(3, 0.2, "go test ./..."), command(6, 0.2, "run\n::error::hidden"),
		out(3, 1, "=== RUN TestParse\n"), out(1, 1, "::error file=a.go,line=1::unused\nchecked"), out(6, 1, "e2e\n"),
		&event.CommandEnded{Time: ciTime(3), Step: 1}, settled(1, 3.1, "lint", event.Succeeded, 3.1, nil),
		out(3, 12, "--- FAIL: TestParse\n"),
		&event.CommandEnded{Time: ciTime(12), Step: 3, Code: 2, Err: status2}, settled(3, 12.3, "unit", event.Failed, 12.3, status2),
		&event.CommandEnded{Time: ciTime(13), Step: 6, Code: 2, Err: status2}, settled(6, 13, "e2e", event.Failed, 13, status2),
		&event.StepStarted{Time: ciTime(13), Step: 4, Task: "cleanup", Name: "cleanup", Parent: 5},
		command(4, 13, "rm -rf tmp"), out(4, 13.5, "removed\n"),
		&event.CommandEnded{Time: ciTime(14), Step: 4}, settled(4, 14, "cleanup", event.Succeeded, 1, nil),
		settled(5, 14, "ci", event.Cancelled, 0, status2),
		&event.RunFinished{Time: ciTime(14), Err: status2, Duration: 14 * time.Second, Counts: [event.Cancelled + 1]int{event.Succeeded: 2, event.Fresh: 1, event.Failed: 2, event.Cancelled: 1}},
	}
}

// ciLog returns the log of a run, with its summary.
func ciLog(s System, evs ...event.Event) string {
	var b bytes.Buffer
	out := NewOut(&b)
	o := Options{Stdout: out, Stderr: out, Name: "weft", CI: s, InCI: true, Sections: true, HasSummary: true, InCheckout: func(p diag.Pos) string { return p.File.Name }}
	replay(Multi(New("ci", o), NewSummary(o, func(task string) string { return "weft " + task })), evs...)
	return b.String()
}

// TestCILogs compares the log of each system with a golden file; WEFT_TEST_UPDATE=1 rewrites them.
func TestCILogs(t *testing.T) {
	for _, s := range Systems() {
		got := ciLog(s, ciEvents()...)
		file := filepath.Join("testdata", "ci", string(s)+".log")
		if os.Getenv("WEFT_TEST_UPDATE") != "" {
			if err := os.WriteFile(file, []byte(got), 0o666); err != nil {
				t.Fatal(err)
			}
		}
		if want, _ := os.ReadFile(file); string(want) != got {
			t.Errorf("%s:\n%s\nwant:\n%s", s, got, want)
		}
		l := readLog(s, got)
		if len(l.faults) > 0 {
			t.Errorf("%s: %q", s, l.faults)
		}
		for _, title := range []string{"lint", "unit", "e2e", "cleanup"} {
			if !slices.ContainsFunc(l.sections, func(g shownSection) bool { return strings.HasPrefix(g.title, title) }) {
				t.Errorf("%s: no section of %s", s, title)
			}
		}
		if s.Annotate(nil, Annotation{}) != nil {
			tools := 0 // GitHub's reader also finds the tool's own
			if s == GitHub {
				tools = 1
			}
			if n := len(l.annotations) - tools; n != 2 {
				t.Errorf("%s: %d annotations", s, n)
			}
		}
	}
}

// TestCIFailure: the log of a long run ends with the unfolded log of the failed step, followed by
// the step, the reason, the position and the command.
func TestCIFailure(t *testing.T) {
	const lines = 3000
	for _, s := range Systems() {
		for _, alone := range []bool{true, false} {
			var evs []event.Event
			for _, ev := range ciEvents() {
				switch e := ev.(type) {
				case *event.Planned:
					for i := range e.Graph {
						e.Graph[i].Alone = alone
					}
				case *event.StepSettled:
					if e.Name == "e2e" {
						e.Outcome = event.Succeeded
					}
				case *event.Output:
					if e.Step == 3 {
						var b []byte
						for i := range lines {
							b = fmt.Appendf(b, "line %d\n", i+1)
						}
						e.Data = append(b, "::error::of the tool\n"...)
					}
				}
				if out, ok := ev.(*event.Output); ok && out.Step == 3 && out.Time.After(ciTime(2)) {
					continue
				}
				evs = append(evs, ev)
			}
			log := ciLog(s, evs...)
			all := strings.Split(strings.TrimSuffix(log, "\n"), "\n")
			end := strings.Join(all[len(all)-60:], "\n")
			for _, want := range []string{`"unit" failed: exit status 2 after 12.3s; run it again with: weft unit`, "at Taskfile.yml:14:9: go test ./...", "line 3000", "line 2990"} {
				if !strings.Contains(end, want) {
					t.Errorf("%s: the last lines do not have %q:\n%s", s, want, end)
				}
			}
			l := readLog(s, log)
			if len(l.faults) > 0 {
				t.Errorf("%s: %q", s, l.faults)
			}
			if s.hides() && !slices.Contains(l.lines, "line 3000") {
				t.Errorf("%s: the log of what failed is in no open place", s)
			}
			if !strings.Contains(log, "… 1002 lines are omitted …") && !strings.Contains(log, "… 1003 lines are omitted …") {
				t.Errorf("%s: the log is not cut in the middle", s)
			}
			if n := strings.Count(log, "\n::error::of the tool"); n != 1 {
				t.Errorf("%s: a tool's command stands there %d times", s, n)
			}
		}
	}
}

// TestCIHostile: whatever labels, commands and errors contain, sections are balanced, and every
// annotation is weft's own. Output of tools is passed on unchanged.
func TestCIHostile(t *testing.T) {
	for _, s := range Systems() {
		for _, text := range hostileTexts {
			var evs []event.Event
			for _, ev := range ciEvents() {
				switch e := ev.(type) {
				case *event.StepStarted:
					e.Task, e.Name, e.Prefix = text, text, text
				case *event.StepSettled:
					e.Task, e.Name = text, text
					if e.Err != nil {
						e.Err = &event.Failure{Text: text}
					}
				case *event.CommandStarted:
					e.Text = text
				case *event.Output:
					e.Data = []byte("output\n")
				}
				evs = append(evs, ev)
			}
			l := readLog(s, ciLog(s, evs...))
			want := 0
			if s.Annotate(nil, Annotation{}) != nil {
				want = 2
			}
			if len(l.faults) > 0 || len(l.annotations) != want {
				t.Errorf("%s, %q: %q, annotations %+v", s, text, l.faults, l.annotations)
			}
		}
	}
}

// TestCIManyFailures: the logs of the first three failures are shown in full, the ends of the
// others; the first failure comes last.
func TestCIManyFailures(t *testing.T) {
	evs := []event.Event{&event.RunStarted{Run: "x"}}
	const failures = 5
	for i := range failures {
		evs = append(evs, stepEvents(event.StepID(i+1), fmt.Sprint("t", i), strings.Repeat(fmt.Sprintf("line of t%d\n", i), 300), errStatus1)...)
	}
	log := ciLog(GitHub, append(evs, &event.RunFinished{Err: errStatus1})...)
	_, again, _ := strings.Cut(log, "again")
	for i := range failures {
		want := 300
		if i >= openMany {
			want = openShort
		}
		if n := strings.Count(again, fmt.Sprintf("\nline of t%d", i)); n != want {
			t.Errorf("t%d: %d lines, want %d", i, n, want)
		}
	}
	if strings.Index(again, "line of t0") < strings.Index(again, "line of t4") {
		t.Error("the first failure is not the last")
	}
}

// TestCIServices: lines of a service are shown as they arrive, whole, with its name, and close no
// section; the log of a failed service follows at the end.
func TestCIServices(t *testing.T) {
	out := func(id event.StepID, text string) event.Event {
		return &event.Output{Step: id, Stream: event.Merged, Data: []byte(text)}
	}
	got := ciLog(GitHub,
		&event.RunStarted{Time: ciStart, Limit: 4}, &event.Planned{Graph: []event.PlannedStep{{Step: 1, Alone: true, Service: true}, {Step: 2, Alone: true}}},
		&event.StepStarted{Step: 1, Task: "db", Name: "db", Prefix: "db"}, &event.CommandStarted{Step: 1, Silent: true, Service: true, Relayed: true},
		&event.StepStarted{Step: 2, Task: "e2e", Name: "e2e"}, &event.CommandStarted{Step: 2, Text: "run", Relayed: true},
		out(2, "one"), out(1, "listening\n::notice::hello\nto"), out(1, "gether\n"), out(2, " two\n"),
		&event.CommandEnded{Step: 1, Code: 1, Err: errStatus1}, &event.StepSettled{Step: 1, Task: "db", Name: "db", Outcome: event.Failed, Err: errStatus1},
		&event.CommandEnded{Step: 2}, &event.StepSettled{Step: 2, Task: "e2e", Name: "e2e", Outcome: event.Cancelled}, &event.RunFinished{Err: errStatus1})
	want := `::group::e2e
weft: [e2e] run
one
[db] listening
::notice::hello
[db] together
 two
::error title=db failed::exit status 1%0Alistening%0A::notice::hello%0Atogether
::endgroup::
weft: the log of "db" again
listening
: :notice::hello
together
weft: "db" failed: exit status 1; run it again with: weft db
`
	if got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

// TestCISilence: a heartbeat follows one minute without output, then two.
func TestCISilence(t *testing.T) {
	var b bytes.Buffer
	out := NewOut(&b)
	c := New("ci", Options{Stdout: out, Stderr: out, Name: "weft", CI: GitHub, InCI: true}).(*ci)
	for _, ev := range []event.Event{
		&event.RunStarted{Time: ciStart}, &event.StepStarted{Time: ciStart, Step: 1, Task: "unit", Name: "unit"}, &event.StepStarted{Time: ciTime(5), Step: 2, Task: "e2e", Name: "e2e"},
		&event.Output{Step: 2, Data: []byte("=== RUN \x1b[1mTestLogin\n")},
	} {
		c.Handle(ev)
	}
	for s := range 400 {
		c.Tick(ciTime(float64(s)))
	}
	want := "weft: still running: unit 1m, e2e 55s (last: \"=== RUN TestLogin\")\n" +
		"weft: still running: unit 3m, e2e 2m55s (last: \"=== RUN TestLogin\")\n"
	if got := b.String(); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

// TestCutLines: the first and the last lines, and the number of lines between them.
func TestCutLines(t *testing.T) {
	for n, want := range map[int]string{
		0: "", 1: "1\n", 5: "1\n2\n3\n4\n5\n", 6: "1\n2\n… 1 lines are omitted …\n4\n5\n6\n", 9: "1\n2\n… 4 lines are omitted …\n7\n8\n9\n",
	} {
		k := &cutLines{head: 2, tail: 3}
		var text []byte
		for i := range n {
			text = fmt.Appendf(text, "%d\n", i+1)
		}
		for _, b := range text {
			k.Write([]byte{b})
		}
		var got bytes.Buffer
		k.writeTo(&got)
		if got.String() != want {
			t.Errorf("%d lines: got %q, want %q", n, got.String(), want)
		}
	}
	k := &cutLines{tail: 1}
	k.Write(bytes.Repeat([]byte("x"), 100<<10))
	var got bytes.Buffer
	k.writeTo(&got)
	if got.Len() != mostShown+1 {
		t.Errorf("%d bytes of a long line", got.Len())
	}
}
