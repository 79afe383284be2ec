package report

import (
	"fmt"
	"strings"
	"testing"

	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/schema/diag"
)

// TestSummaryPlace: position of the failure, the path to it, and lack of memory. Steps on the path
// may still run, or never start.
func TestSummaryPlace(t *testing.T) {
	file := &diag.File{Name: "Taskfile.yml"}
	task, cmd := diag.Pos{File: file, Line: 4, Column: 3}, diag.Pos{File: file, Line: 5, Column: 9}
	killed := &event.Failure{Text: "exit status 137", Kind: event.BySignal, Reason: "killed by SIGKILL"}
	evs := []event.Event{
		&event.StepStarted{Step: 2, Task: "test", Name: "test", Parent: 1},
		&event.CommandStarted{Step: 2, Command: 0, Text: "weft unit"},
		&event.StepStarted{Step: 3, Task: "unit", Name: "a:unit", Internal: true, Parent: 2, Pos: task},
		&event.CommandStarted{Step: 3, Command: 0, Text: "sleep 1", Pos: task},
		&event.CommandStarted{Step: 3, Command: 1, Text: "go test\n./" + strings.Repeat("x", 300), Pos: cmd},
		&event.CommandEnded{Step: 3, Command: 1, Code: 137, Err: killed},
		&event.CommandEnded{Step: 3, Command: 0},
		&event.StepSettled{Step: 3, Parent: 2, Task: "unit", Name: "a:unit", Internal: true, Outcome: event.Failed, Err: killed, OOM: true, Usage: event.Usage{MaxRSS: 2040109466}},
		&event.StepSettled{Step: 2, Parent: 1, Task: "test", Name: "test", Outcome: event.Failed, Err: killed, Cause: 3},
		&event.StepSettled{Step: 1, Task: "ci", Name: "ci", Outcome: event.Cancelled, Cause: 3},
		&event.RunFinished{Err: killed},
	}
	var r recorder
	replay(NewSummary(r.options(), func(task string) string { return "weft " + task }), evs...)
	want := "weft: \"unit\" failed: killed by SIGKILL, probably out of memory (most: 1.9 GiB); run it again with: weft test\n" +
		`  at Taskfile.yml:5:9: go test\n./` + strings.Repeat("x", shownText-len(`go test\n./`)) + "… (ci > test > unit)\n"
	if got := r.err.String(); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

// TestSummaryDeep: of a long chain of calls the first and the last tasks are named.
func TestSummaryDeep(t *testing.T) {
	var evs []event.Event
	pos := diag.Pos{File: &diag.File{Name: "f"}, Line: 1, Column: 1}
	const deep = 1000
	for i := range deep {
		name := fmt.Sprint("t", i)
		evs = append(evs, &event.StepStarted{Step: event.StepID(i + 1), Parent: event.StepID(i), Task: name, Name: name, Pos: pos})
	}
	for i := range deep {
		s := &event.StepSettled{Step: event.StepID(deep - i), Parent: event.StepID(deep - i - 1), Name: fmt.Sprint("t", deep-i-1), Task: fmt.Sprint("t", deep-i-1), Outcome: event.Failed, Err: errStatus1}
		if i > 0 {
			s.Cause = deep
		}
		evs = append(evs, s)
	}
	var r recorder
	s := NewSummary(r.options(), nil)
	replay(s, append(evs, &event.RunFinished{Err: errStatus1})...)
	if got := r.err.String(); !strings.Contains(got, " > … > t997 > t998 > t999)\n") {
		t.Errorf("got:\n%s", got)
	}
	if n := len(s.failed[0].calls); n > mostCalls {
		t.Errorf("%d calls are kept", n)
	}
}

func TestByteSize(t *testing.T) {
	for n, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1536: "1.5 KiB", 310 << 20: "310 MiB", 2040109466: "1.9 GiB", 5 << 50: "5120 TiB"} {
		if got := byteSize(n); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
}
