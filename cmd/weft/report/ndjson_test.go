package report

import (
	"bytes"
	"encoding/json"
	"os"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/schema/diag"
)

// everyEvent is one event of each type.
func everyEvent() []event.Event {
	now := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	file := &diag.File{Path: "/w/Taskfile.yml", Name: "Taskfile.yml"}
	pos := diag.Pos{File: file, Line: 3, Column: 5}
	return []event.Event{
		&event.RunStarted{Time: now, Run: "r1", Tasks: []string{"a"}},
		&event.Planned{Time: now, Steps: 2, Edges: 1, Parent: 1},
		&event.StepStarted{Time: now, Step: 1, Parent: 2, Task: "label", Name: "a", Prefix: "p", Pos: pos, Silent: true},
		&event.CommandStarted{Time: now, Step: 1, Text: "echo", Dir: "/w", Silent: true, DryRun: true, Relayed: true},
		&event.Output{Time: now, Step: 1, Stream: event.Stdout, Data: []byte("text\n")},
		&event.Output{Time: now, Step: 1, Stream: event.Stderr, Data: []byte{0xff, 0}},
		&event.Output{Time: now, Step: 1, Stream: event.Merged, Data: []byte("both")},
		&event.CommandEnded{Time: now, Step: 1, Code: 3, Err: errStatus1, Duration: time.Second, Usage: event.Usage{User: time.Second, System: time.Millisecond, MaxRSS: 1 << 20}, Members: []event.Member{{Name: "gen", Code: 3}, {Name: "sort"}}},
		&event.VarComputed{Time: now, Command: "ls", Result: "x"},
		&event.TaskSkipped{Time: now, Step: 1, Reason: event.ByIf},
		&event.PreconditionFailed{Time: now, Step: 1, Message: "no"},
		&event.PromptAssumed{Time: now, Step: 1, Text: "Sure?"},
		&event.StatusChecked{Time: now, Step: 1, Text: "ls", Err: errStatus1},
		&event.Waiting{Time: now, Step: 1, For: event.Lock, Holder: "weft"},
		&event.GroupLines{Time: now, Step: 1, Begin: "B", End: "E"},
		&event.CommandSkipped{Time: now, Step: 1, Command: 1, Text: "ls", Reason: event.ByPlatform},
		&event.AttemptFailed{Time: now, Step: 1, Attempt: 1, Attempts: 3, Code: 1, Signal: syscall.SIGTERM, Err: errStatus1, Duration: time.Second, Delay: time.Second},
		&event.StopFailed{Time: now, Step: 1, Task: "a", Text: "ls", Err: errStatus1},
		&event.ErrorIgnored{Time: now, Step: 1, Err: errStatus1},
		&event.BodyEnded{Time: now, Step: 1, Err: errStatus1},
		&event.DeferFailed{Time: now, Step: 1, Err: errStatus1},
		&event.Suspended{Time: now, Step: 1},
		&event.Resumed{Time: now, Step: 1},
		&event.StepSettled{Time: now, Step: 1, Parent: 2, Task: "label", Name: "a", Prefix: "p", Silent: true, Outcome: event.Failed, Err: errStatus1, Code: 3, Cause: 2, Duration: time.Second},
		&event.WatchStarted{Time: now, Tasks: []string{"a"}},
		&event.WatchTriggered{Time: now, Paths: []string{"a.c"}, Tasks: []string{"a"}},
		&event.WatchEnded{Time: now, Task: "a", Err: errStatus1, Restarted: true},
		&event.WatchFailed{Time: now, Err: errStatus1},
		&event.DiagnosticFound{Time: now, Diagnostic: &diag.Diagnostic{Pos: pos, Severity: diag.Warning, What: "odd"}},
		&event.SignalReceived{Time: now, Signal: syscall.SIGTERM, Count: 1, Running: 2},
		&event.Snapshot{Time: now, Steps: []event.Running{{Task: "a", Processes: []event.Process{{Pid: 7, Name: "cc"}}}, {Task: "b"}}},
		&event.StillRunning{Time: now, Tasks: []string{"a"}},
		&event.Leftover{Time: now, Pid: 7, Name: "sleep", Kept: true},
		&event.RunFinished{Time: now, Counts: [event.Cancelled + 1]int{event.Failed: 1}, Err: errStatus1, Duration: time.Minute},
	}
}

func eventSchema(t *testing.T) *jsonschema.Schema {
	f, err := os.Open("../../../schema/events.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	doc, err := jsonschema.UnmarshalJSON(f)
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("events.schema.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("events.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestNDJSONKeepsItsSchema(t *testing.T) {
	schema := eventSchema(t)
	var b bytes.Buffer
	replay(NewNDJSON(&b, nil, nil), everyEvent()...)
	lines := strings.Split(strings.TrimSpace(b.String()), "\n")
	if len(lines) != len(everyEvent()) {
		t.Fatalf("%d lines for %d events", len(lines), len(everyEvent()))
	}
	for _, line := range lines {
		v, err := jsonschema.UnmarshalJSON(strings.NewReader(line))
		if err == nil {
			err = schema.Validate(v)
		}
		if err != nil {
			t.Errorf("%s: %v", line, err)
		}
	}
	for _, wrong := range []string{`{}`, `{"event":"output","time":"2026-01-01T00:00:00Z"}`, `{"event":"suspended","time":"2026-01-01T00:00:00Z","step":1,"odd":1}`} {
		v, _ := jsonschema.UnmarshalJSON(strings.NewReader(wrong))
		if schema.Validate(v) == nil {
			t.Errorf("the schema accepts %s", wrong)
		}
	}
}

// The list of everyEvent must be complete, or the schema is not tested.
func TestNDJSONKnowsEveryEvent(t *testing.T) {
	seen := map[reflect.Type]bool{}
	for _, ev := range everyEvent() {
		seen[reflect.TypeOf(ev)] = true
		if toRecord(ev).Event == "unknown" {
			t.Errorf("%T has no record", ev)
		}
	}
	src, err := os.ReadFile("../../../engine/event/event.go")
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(src), ") event() "); n != len(seen) {
		t.Errorf("%d types of events, %d of them tested", n, len(seen))
	}
}

func TestNDJSONFields(t *testing.T) {
	var b bytes.Buffer
	replay(NewNDJSON(&b, nil, nil), everyEvent()...)
	dec := json.NewDecoder(&b)
	var got []map[string]any
	for dec.More() {
		var m map[string]any
		if err := dec.Decode(&m); err != nil {
			t.Fatal(err)
		}
		got = append(got, m)
	}
	for i, want := range map[int]map[string]any{
		0:  {"event": "run_started", "version": 2.0, "run": "r1"},
		2:  {"run": "r1", "step": 1.0, "parent": 2.0, "task": "a", "label": "label", "position": "Taskfile.yml:3:5"},
		4:  {"data": "text\n", "stream": "stdout", "command": 0.0},
		5:  {"base64": "/wA=", "stream": "stderr"},
		23: {"outcome": "failed", "code": 3.0, "cause": 2.0, "seconds": 1.0, "error": "exit status 1"},
		7:  {"event": "command_ended", "user_seconds": 1.0, "system_seconds": 0.001, "max_rss": 1048576.0},
		26: {"event": "watch_ended", "task": "a", "restarted": true, "error": "exit status 1"},
		30: {"event": "snapshot"},
		32: {"event": "leftover", "pid": 7.0, "name": "sleep", "kept": true},
		33: {"event": "run_finished", "seconds": 60.0},
	} {
		for k, v := range want {
			if got[i][k] != v {
				t.Errorf("line %d: %s is %v, want %v", i+1, k, got[i][k], v)
			}
		}
	}
}
