package event

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"math"
	"os"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/weftrun/weft/schema/diag"
)

// everyEvent returns each kind of event at least once, with every field set.
func everyEvent() []Event {
	now := time.Date(2026, 1, 2, 3, 4, 5, 678901000, time.FixedZone("", 2*60*60))
	pos := diag.Pos{File: &diag.File{Name: "dir/Taskfile.yml"}, Line: 3, Column: 5}
	err := &Failure{Text: "exit status 1", Shown: "weft: exit status 1", Kind: ByTimeout, Reason: "timed out"}
	usage := Usage{User: time.Second, System: 2001 * time.Microsecond, MaxRSS: 1 << 40}
	return []Event{
		&RunStarted{Time: now, Run: "r1", Tasks: []string{"a"}, Argv: []string{"-v", "a"}, Style: "prefixed", Weft: "v1.2.3", Dir: "/w/sub", Root: "/w", Limit: 4,
			Commit: "0123456789abcdef0123456789abcdef01234567", Host: "h", Terminals: true, CI: "github", ParentRun: "r0", ParentStep: 7},
		&Planned{Time: now, Steps: 2, Edges: 1, Parent: 1, Graph: []PlannedStep{
			{Step: 2, Name: "b", Label: "bee", Key: "0123456789abcdef#2", Pos: pos, Alone: true, Service: true, Needs: []Need{{1, UntilReady}, {3, UntilTogether}}}, {Step: 3, Name: "c", Label: "c", Key: "0123456789abcdee"}}},
		&VarComputed{Time: now, Text: "ls", Result: "x"},
		&StepStarted{Time: now, Step: 1, Parent: 2, Task: "label", Name: "a", Prefix: "p", Pos: pos, Silent: true, Internal: true, GivenVars: true, Reasons: []string{"a.c was changed"}, Env: []string{"CC"}, Key: "0123456789abcdef"},
		&TaskSkipped{Time: now, Step: 1, Reason: ByIf},
		&PreconditionFailed{Time: now, Step: 1, Message: "no"},
		&PromptAssumed{Time: now, Step: 1, Text: "Sure?"},
		&StepChecked{Time: now, Step: 1, Reasons: []string{"file a.c: changed"}},
		&StatusChecked{Time: now, Step: 1, Text: "ls", Err: err},
		&Waiting{Time: now, Step: 1, For: Lock, Holder: "weft"},
		&Waiting{Time: now, Step: 1, For: Pool("db")},
		&CommandStarted{Time: now, Step: 1, Command: 2, Text: "echo", Argv: []string{"echo", ""}, Dir: "/w", Pos: pos, Silent: true, DryRun: true, Relayed: true, Service: true, Background: true, Replayed: true, Attempt: 2, Attempts: 3},
		&GroupLines{Time: now, Step: 1, Command: 2, Begin: "B", End: "E"},
		&Output{Time: now, Step: 1, Command: 2, Stream: Stdout, Data: []byte("text\n")},
		&Output{Time: now, Step: 1, Command: 2, Stream: Stderr, Data: []byte{0xff, 0}},
		&Output{Time: now, Step: 1, Command: 2, Stream: Merged, Data: []byte{}, Partial: true},
		&Output{Time: now, Step: 1, Command: 2, Stream: Merged, Offset: 1 << 40, Length: 7},
		&CommandEnded{Time: now, Step: 1, Command: 2, Code: 3, Err: err, Duration: time.Second, Usage: usage, Members: []Member{{"gen", 3}, {"sort", 0}}, Signal: syscall.SIGKILL, Programs: 3},
		&CommandSkipped{Time: now, Step: 1, Command: 2, Text: "ls", Reason: ByPlatform},
		&BackgroundEnded{Time: now, Step: 1, Command: 2, Name: "task", Internal: true, Code: 3, Err: err, Duration: time.Second},
		&AttemptFailed{Time: now, Step: 1, Command: 2, Attempt: 1, Attempts: 3, Code: 137, Signal: syscall.SIGKILL, Err: err, Duration: time.Second, Delay: time.Minute},
		&StopFailed{Time: now, Step: 1, Task: "a", Text: "ls", Err: err},
		&ErrorIgnored{Time: now, Step: 1, Err: err},
		&BodyEnded{Time: now, Step: 1, Err: err},
		&DeferFailed{Time: now, Step: 1, Err: err},
		&Suspended{Time: now, Step: 1},
		&Resumed{Time: now, Step: 1},
		&Ready{Time: now, Step: 1, Task: "api", Duration: time.Second, Restarts: 2, Kept: true},
		&Restarted{Time: now, Step: 1, Task: "api", Why: ByExit, Restarts: 2, Attempt: 1, Attempts: 5, Code: 137, Signal: syscall.SIGKILL, Err: err, Delay: time.Second},
		&Stopping{Time: now, Step: 1, Task: "api", Why: ByAlive, Err: err},
		&Stopped{Time: now, Step: 1, Task: "api", Code: 137, Signal: syscall.SIGKILL, Err: err, Duration: time.Second, Restarts: 2},
		&Message{Time: now, Step: 1, Command: 2, Data: `{"result":13}`, Size: 100_000},
		&Progress{Time: now, Step: 1, Value: 0.25, Text: "half of it", Bytes: 1 << 40, Stage: Lookup},
		&StepSettled{Time: now, Step: 1, Parent: 2, Task: "label", Name: "a", Prefix: "p", Silent: true, Internal: true, Outcome: Failed, Err: err, Code: 3, Cause: 2, Duration: time.Second, Usage: usage,
			Outputs: map[string]any{"text": "t", "list": []any{"a", "\xff"}, "json": map[string]any{"n": json.Number("12345678901234567890"), "t": true, "none": nil}},
			Signal:  syscall.SIGKILL, Attempts: 3, OOM: true, Fingerprint: "feed", Place: Here, Worker: "w1", Stages: Stages{Queued: 1500 * time.Millisecond, Executing: time.Minute}, Inputs: Inputs{Files: 2, Bytes: 1 << 40}, Wrote: []string{"bin/a"}},
		&WatchStarted{Time: now, Tasks: []string{"a"}},
		&WatchTriggered{Time: now, Paths: []string{"a.c"}, Tasks: []string{"a"}},
		&WatchEnded{Time: now, Task: "a", Err: err, Restarted: true, Serving: true, Duration: time.Second, Trigger: []string{"a.c"}},
		&WatchFailed{Time: now, Err: err},
		&DiagnosticFound{Time: now, Diagnostic: &diag.Diagnostic{Pos: pos, Severity: diag.Warning, Kind: diag.Suspicious, What: "odd", Why: "because", Fix: "even"}},
		&SignalReceived{Time: now, Signal: syscall.SIGTERM, Count: 1, Running: 2},
		&Snapshot{Time: now, Steps: []Running{{"a", []Process{{7, "cc"}}}, {Task: "b"}}},
		&StillRunning{Time: now, Tasks: []string{"a"}},
		&Leftover{Time: now, Pid: 7, Name: "sleep", Kept: true},
		&RunFinished{Time: now, Counts: [Cancelled + 1]int{Succeeded: 1, Fresh: 2, Restored: 3, Failed: 4, Skipped: 5, Cancelled: 6}, Err: err, Duration: time.Minute, Problems: []Problem{{"no", "> 1 | x\n"}}},
	}
}

// TestEveryEvent: everyEvent contains every kind and every field, so tests that use it are
// complete.
func TestEveryEvent(t *testing.T) {
	declared, filled := map[string]bool{}, map[string]bool{}
	for _, ev := range everyEvent() {
		v := reflect.ValueOf(ev).Elem()
		declared[v.Type().Name()] = true
		for i := range v.NumField() {
			if !v.Field(i).IsZero() {
				filled[v.Type().Name()+"."+v.Type().Field(i).Name] = true
			}
		}
	}
	for _, ev := range everyEvent() {
		typ := reflect.TypeOf(ev).Elem()
		for i := range typ.NumField() {
			if name := typ.Name() + "." + typ.Field(i).Name; !filled[name] && i > 0 && name != "Output.Release" && name != "StepStarted.Call" {
				t.Errorf("%s is filled nowhere", name)
			}
		}
	}
	for _, file := range []string{"event.go", "graph.go", "step.go", "command.go", "service.go", "message.go", "watch.go"} {
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			typ, ok := n.(*ast.TypeSpec)
			if !ok {
				return true
			}
			if s, ok := typ.Type.(*ast.StructType); ok && isFact(s.Fields.List[0].Type) && !declared[typ.Name.Name] {
				t.Errorf("no %s among them", typ.Name.Name)
			}
			return false
		})
	}
	if len(declared) != len(kinds()) {
		t.Errorf("they are %d kinds, Decode knows %d", len(declared), len(kinds()))
	}
}

func isFact(typ ast.Expr) bool {
	id, ok := typ.(*ast.Ident)
	return ok && id.Name == "fact"
}

// TestRoundTrip: decoding reverses encoding.
func TestRoundTrip(t *testing.T) {
	var enc Encoder
	for _, ev := range everyEvent() {
		back(t, &enc, ev)
		back(t, &enc, emptied(ev))
	}
}

// back reports an error if decoding does not restore ev.
func back(t *testing.T, enc *Encoder, ev Event) {
	t.Helper()
	line := enc.Encode(nil, ev)
	if n := bytes.IndexByte(line, '\n'); n != len(line)-1 || !json.Valid(line) {
		t.Errorf("not a line of JSON: %s", line)
	}
	got, err := Decode(line)
	if err != nil {
		t.Errorf("%s: %v", line, err)
		return
	}
	if !reflect.DeepEqual(inUTC(got), inUTC(ev)) {
		t.Errorf("%s\ngot  %#v\nwant %#v", line, got, ev)
	}
}

// inUTC returns a copy of ev with its time in UTC: a zone's offset has several forms.
func inUTC(ev Event) Event {
	c := reflect.New(reflect.TypeOf(ev).Elem())
	c.Elem().Set(reflect.ValueOf(ev).Elem())
	at := c.Elem().FieldByName("Time")
	at.Set(reflect.ValueOf(at.Interface().(time.Time).UTC()))
	return c.Interface().(Event)
}

// TestTexts: every text is restored, whatever its bytes.
func TestTexts(t *testing.T) {
	long := strings.Repeat("a\xff€\u2028\n", 10_000)
	for _, s := range []string{"", "plain", `"\`, "\x00\x1f\x7f", "\u2028\u2029\u202a\u20ac\ue000", "\xff", "\xe2\x80", "\xed\xa0\x80", "{\"base64\":\"\"}", "null", long, strings.ToValidUTF8(long, "?")} {
		var enc Encoder
		back(t, &enc, &CommandStarted{Text: s, Dir: s, Attempt: 1, Attempts: 1})
		back(t, &enc, &Output{Data: []byte(s)})
		back(t, &enc, &StillRunning{Tasks: []string{s, s}})
		back(t, &enc, &BodyEnded{Err: &Failure{Text: s, Shown: s, Reason: s}})
		back(t, &enc, &BodyEnded{Err: &Failure{Text: s, Shown: "weft: " + s, Kind: ByOutput, Reason: s + "."}})
		back(t, &enc, &Snapshot{Steps: []Running{{s, []Process{{1, s}}}}})
		back(t, &enc, &StepStarted{Task: s, Name: "a", Pos: diag.Pos{File: &diag.File{Name: s}, Line: 1}})
		for _, v := range []any{s, []any{s}, map[string]any{s: s}, map[string]any{"base64": s}, map[string]any{"entries": s}, map[string]any{s: true, "\xfe": nil}} {
			back(t, &enc, &StepSettled{Outputs: map[string]any{"v": v}})
			back(t, &enc, &StepSettled{Outputs: map[string]any{"base64": v}})
			back(t, &enc, &StepSettled{Outputs: map[string]any{"entries": v}})
			back(t, &enc, &StepSettled{Outputs: map[string]any{s: v, "v": v}})
		}
	}
}

// TestPositions: positions are restored, even in files with unusual names.
func TestPositions(t *testing.T) {
	for _, name := range []string{"a", "a:1", "a:1:2", ":", "https://h/x", "a:b:c", "1:2:3", "\xff:1:1"} {
		for _, p := range []diag.Pos{{Line: 1, Column: 0}, {Line: 7, Column: 8}, {Line: math.MaxInt32, Column: math.MaxInt32}} {
			p.File = &diag.File{Name: name}
			back(t, new(Encoder), &StepStarted{Pos: p})
		}
	}
}

// TestSeconds: durations have exact microseconds.
func TestSeconds(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0", time.Microsecond: "0.000001", 999_999 * time.Microsecond: "0.999999", 1_500 * time.Millisecond: "1.5", time.Hour: "3600", -time.Second / 2: "-0.5",
		mostSeconds*time.Second - time.Microsecond: "999999999.999999", 1234567 * time.Second / 1000: "1234.567",
	} {
		line := new(Encoder).Encode(nil, &CommandEnded{Duration: d})
		if !bytes.Contains(line, []byte(`"seconds":`+want+"}")) {
			t.Errorf("%s: %s", d, line)
		}
		back(t, new(Encoder), &CommandEnded{Duration: d})
	}
	if line := new(Encoder).Encode(nil, &CommandEnded{Duration: 1999}); !bytes.Contains(line, []byte(`"seconds":0.000001}`)) {
		t.Errorf("not cut: %s", line)
	}
}

// TestDescribe: errors are described by the encoder's function, and those of a recorded run keep
// their own descriptions.
func TestDescribe(t *testing.T) {
	enc := Encoder{Describe: func(err error) Failure { return Failure{Text: "*", Shown: "weft: *"} }}
	if line := enc.Encode(nil, &BodyEnded{Err: errors.New("secret")}); !bytes.Contains(line, []byte(`"error":"*","shown":"weft: *"}`)) {
		t.Errorf("%s", line)
	}
	back(t, &enc, &BodyEnded{Err: &Failure{Text: "a", Shown: "b", Reason: "a"}})
	if line := new(Encoder).Encode(nil, &BodyEnded{Err: errors.New("plain")}); !bytes.HasSuffix(line, []byte(`"error":"plain"}`+"\n")) {
		t.Errorf("%s", line)
	}
}

// TestRunOnEveryLine: each line contains the identity of its run.
func TestRunOnEveryLine(t *testing.T) {
	var enc Encoder
	for i, ev := range everyEvent() {
		if line := enc.Encode(nil, ev); !bytes.Contains(line, []byte(`,"run":"r1"`)) {
			t.Errorf("line %d: %s", i+1, line)
		}
	}
}

// TestRunOnce: with RunOnce, only the first line of each run contains its identity.
func TestRunOnce(t *testing.T) {
	enc := Encoder{RunOnce: true}
	for _, run := range []string{"r1", "r2"} {
		for _, ev := range everyEvent() {
			started, first := ev.(*RunStarted)
			if first {
				started.Run = run
			}
			line := enc.Encode(nil, ev)
			if got := bytes.Contains(line, []byte(`,"run":"`+run+`"`)); got != first {
				t.Errorf("%s", line)
			}
			if _, start := ev.(*StepStarted); start && bytes.Contains(line, []byte(`"key"`)) {
				t.Errorf("what is planned has the key already: %s", line)
			}
			if ev, err := Decode(line); err != nil || first && ev.(*RunStarted).Run != run {
				t.Errorf("%s: %v", line, err)
			}
		}
	}
}

func TestDecodeErrors(t *testing.T) {
	const at = `"time":"2026-01-01T00:00:00Z"`
	for line, want := range map[string]string{
		``:                             "unexpected end of JSON input",
		`{"event":"resumed",` + at:     "unexpected end of JSON input",
		`[]`:                           "cannot unmarshal array",
		`null`:                         `field "event": missing`,
		`{}`:                           `field "event": missing`,
		`{"event":1}`:                  `field "event": not a text`,
		"{\"event\":\"\xff\"}":         "not UTF-8",
		`{"event":"resumed","step":1}`: `field "time": missing`,
		`{"event":"resumed","time":"now","step":1}`:                                                                      `field "time": parsing time`,
		`{"event":"resumed",` + at + `}`:                                                                                 `field "step": missing`,
		`{"event":"resumed",` + at + `,"step":1.5}`:                                                                      `field "step": not a whole number`,
		`{"event":"resumed",` + at + `,"step":3000000000}`:                                                               `field "step": too large a number`,
		`{"event":"resumed",` + at + `,"step":"1"}`:                                                                      `field "step": not a whole number`,
		`{"event":"resumed",` + at + `,"step":null}`:                                                                     `field "step": not a whole number`,
		`{"event":"run_started",` + at + `}`:                                                                             `field "version": missing`,
		`{"event":"run_started",` + at + `,"version":1}`:                                                                 "version 1 of the format of events; this weft reads version 2",
		`{"event":"run_started",` + at + `,"version":3,"tasks":7}`:                                                       "version 3 of the format of events; this weft reads version 2",
		`{"event":"run_started",` + at + `,"version":2,"tasks":7}`:                                                       `field "tasks": json: cannot unmarshal number`,
		`{"event":"run_started",` + at + `,"version":2,"tasks":[null]}`:                                                  `field "tasks": not a text`,
		`{"event":"body_ended",` + at + `,"step":1,"error":{}}`:                                                          `field "error": not a text`,
		`{"event":"body_ended",` + at + `,"step":1,"error":{"base64":"%"}}`:                                              `field "error": not a text`,
		`{"event":"output",` + at + `,"step":1,"command":0,"stream":"x","data":""}`:                                      `field "stream": "x" is unknown`,
		`{"event":"output",` + at + `,"step":1,"command":0,"stream":"stdout"}`:                                           `field "data": missing`,
		`{"event":"output",` + at + `,"step":1,"command":0,"stream":"stdout","base64":"%"}`:                              `field "base64": illegal base64`,
		`{"event":"output",` + at + `,"step":1,"command":0,"stream":"stdout","length":0}`:                                "not a valid range of a file",
		`{"event":"output",` + at + `,"step":1,"command":0,"stream":"stdout","offset":-1,"length":1}`:                    "not a valid range of a file",
		`{"event":"planned",` + at + `,"steps":1,"edges":0,"graph":[{"step":1,"task":"a","key":"k","needs":[[1]]}]}`:     `field "graph": field "needs": not a step and a state`,
		`{"event":"planned",` + at + `,"steps":1,"edges":0,"graph":[{"step":1,"task":"a","key":"k","needs":[["",""]]}]}`: `field "graph": field "needs": not a whole number`,
		`{"event":"leftover",` + at + `,"pid":1,"name":"x","kept":1}`:                                                    `field "kept": neither true nor false`,
		`{"event":"watch_ended",` + at + `,"task":"a","seconds":1e300}`:                                                  `field "seconds": not a number of seconds`,
		`{"event":"snapshot",` + at + `,"current":[{}]}`:                                                                 `field "current": field "task": missing`,
		`{"event":"run_finished",` + at + `,"seconds":1,"counts":{}}`:                                                    `field "counts": field "succeeded": missing`,
		`{"event":"run_finished",` + at + `,"seconds":1,"counts":[]}`:                                                    `field "counts": json: cannot unmarshal array`,
		`{"event":"step_settled",` + at + `,"step":1,"task":"a","outcome":"failed","code":0,"seconds":0,"outputs":[]}`:   `field "outputs": not an output`,
	} {
		ev, err := Decode([]byte(line))
		if ev != nil || err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\ngot  %v, %v\nwant %s", line, ev, err, want)
		}
	}
	if ev, err := Decode([]byte(`{"event":"invented_later","step":"?"}`)); ev != nil || err != nil {
		t.Errorf("an event of a later weft: %v, %v", ev, err)
	}
}

// TestSignals: signals of this system are restored, others keep their names.
func TestSignals(t *testing.T) {
	for _, sig := range []os.Signal{syscall.SIGINT, syscall.SIGQUIT, syscall.SIGHUP, foreignSignal("odd")} {
		back(t, new(Encoder), &SignalReceived{Signal: sig})
	}
}

// FuzzDecode: Decode never panics, and accepted lines encode to the same event again.
func FuzzDecode(f *testing.F) {
	var enc Encoder
	for _, ev := range everyEvent() {
		f.Add(enc.Encode(nil, ev))
	}
	f.Add([]byte(`{"event":"command_started","time":"2026-01-01T00:00:00Z","step":1,"command":0,"text":"","attempt":0}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		ev, err := Decode(line)
		if err != nil || ev == nil {
			return
		}
		back(t, new(Encoder), ev)
	})
}

// FuzzEncode: an event with any texts and numbers is restored.
func FuzzEncode(f *testing.F) {
	f.Add("a", []byte("b"), int32(1), int64(2), true)
	f.Add("\xff\u2028", []byte{0xff}, int32(-1), int64(math.MinInt32), false)
	f.Fuzz(func(t *testing.T, s string, data []byte, n int32, us int64, set bool) {
		us %= mostSeconds * 1e6
		for _, ev := range everyEvent() {
			stuff(reflect.ValueOf(ev).Elem(), s, data, int64(n), time.Duration(us)*time.Microsecond, set)
			if p, ok := ev.(*StepStarted); ok {
				p.Pos.Line, p.Pos.Column = n&math.MaxInt32|1, n&math.MaxInt32
			}
			if p, ok := ev.(*Output); ok {
				if p.Offset, p.Length = 0, 0; set {
					p.Data, p.Offset, p.Length = nil, us&math.MaxInt64, 1+us&math.MaxInt32
				}
			}
			back(t, new(Encoder), ev)
			sameAsByTags(t, new(Encoder), new(Encoder), ev)
		}
	})
}

// stuff sets all fields of v that accept one of the values.
func stuff(v reflect.Value, s string, data []byte, n int64, d time.Duration, set bool) {
	switch x := v.Addr().Interface().(type) {
	case *time.Time, *diag.Pos, *diag.Severity, *diag.Kind:
	case *time.Duration:
		*x = d
	case *[]byte:
		*x = append([]byte{}, data...)
	case *error:
		*x = &Failure{Text: s, Shown: s + fmt.Sprint(n), Kind: ByWeft, Reason: s + "?"}
	case *os.Signal, *map[string]any, **diag.Diagnostic:
		if m, ok := x.(*map[string]any); ok {
			*m = map[string]any{s: []any{s, string(data)}, "o": map[string]any{string(data): s}}
		}
	default:
		switch v.Kind() {
		case reflect.String:
			v.SetString(s)
		case reflect.Int, reflect.Int32, reflect.Int64:
			v.SetInt(n)
		case reflect.Bool:
			v.SetBool(set)
		case reflect.Slice, reflect.Array:
			for i := range v.Len() {
				if v.Type() != reflect.TypeFor[[Cancelled + 1]int]() || i > 0 {
					stuff(v.Index(i), s, data, n, d, set)
				}
			}
		case reflect.Struct:
			for _, f := range shapeOf(v.Type()).fields {
				stuff(v.Field(f.index), s, data, n, d, set)
			}
		}
	}
}

// BenchmarkEncode measures the cost of --events per event, for a run of small commands.
func BenchmarkEncode(b *testing.B) {
	now := time.Now()
	evs := []Event{
		&StepStarted{Time: now, Step: 1, Task: "build", Name: "build", Prefix: "build", Pos: diag.Pos{File: &diag.File{Name: "Taskfile.yml"}, Line: 3, Column: 5}},
		&CommandStarted{Time: now, Step: 1, Text: "go build ./...", Dir: "/work/project", Attempt: 1, Attempts: 1},
		&Output{Time: now, Step: 1, Stream: Merged, Data: []byte(strings.Repeat("a line of output\n", 20))},
		&CommandEnded{Time: now, Step: 1, Duration: 1234 * time.Microsecond, Usage: Usage{time.Millisecond, time.Millisecond, 1 << 20}},
		&StepSettled{Time: now, Step: 1, Task: "build", Name: "build", Prefix: "build", Outcome: Succeeded, Duration: 1234 * time.Microsecond},
	}
	var enc Encoder
	var line []byte
	for i := 0; b.Loop(); i++ {
		line = enc.Encode(line[:0], evs[i%len(evs)])
	}
}

// builtinSteps returns the events of three steps of one builtin, which are four each, and of their plan.
func builtinSteps() (plan *Planned, events []Event) {
	now := time.Now()
	file := &diag.File{Name: "Taskfile.yml"}
	plan = &Planned{Time: now, Steps: 3}
	for i := range 3 {
		step, name, line := StepID(4711+i), fmt.Sprint("t", 4710+i), int32(4715+i)
		plan.Graph = append(plan.Graph, PlannedStep{Step: step, Name: name, Label: name, Key: "60207c4ed8fa7c2c", Pos: diag.Pos{File: file, Line: line, Column: 3}})
		events = append(events,
			&StepStarted{Time: now, Step: step, Parent: 10001, Task: name, Name: name, Prefix: name, Silent: true, Pos: diag.Pos{File: file, Line: line, Column: 3}, Reasons: []string{"never up to date: it has neither sources nor status"}, Key: "60207c4ed8fa7c2c"},
			&CommandStarted{Time: now, Step: step, Text: ":", Dir: "/home/somebody/src/project", Silent: true, Pos: diag.Pos{File: file, Line: line, Column: 9}, Attempt: 1, Attempts: 1},
			&CommandEnded{Time: now, Step: step, Duration: 11 * time.Microsecond},
			&StepSettled{Time: now, Step: step, Parent: 10001, Task: name, Name: name, Prefix: name, Silent: true, Outcome: Succeeded, Duration: 13 * time.Microsecond, Place: Here},
		)
	}
	return plan, events
}

// BenchmarkEncodeBuiltin measures what three steps of one builtin cost in the history.
func BenchmarkEncodeBuiltin(b *testing.B) {
	for _, short := range []bool{false, true} {
		b.Run(fmt.Sprint("short=", short), func(b *testing.B) {
			enc := Encoder{RunOnce: true, Short: short}
			plan, evs := builtinSteps()
			lines := enc.Encode(nil, plan)
			for b.Loop() {
				lines = lines[:0]
				for _, ev := range evs {
					lines = enc.Encode(lines, ev)
				}
			}
			b.SetBytes(int64(len(lines)))
		})
	}
}

func BenchmarkDecode(b *testing.B) {
	line := new(Encoder).Encode(nil, &Output{Time: time.Now(), Step: 1, Stream: Merged, Data: []byte(strings.Repeat("a line of output\n", 20))})
	for b.Loop() {
		if _, err := Decode(line); err != nil {
			b.Fatal(err)
		}
	}
}
