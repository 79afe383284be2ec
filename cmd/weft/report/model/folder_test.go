package model

import (
	"errors"
	"reflect"
	"syscall"
	"testing"
	"time"

	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/schema/diag"
)

var t0 = time.Date(2026, 1, 2, 3, 4, 5, 678901234, time.FixedZone("", 2*60*60))

// after returns t0 plus ms milliseconds.
func after(ms int) time.Time { return t0.Add(time.Duration(ms) * time.Millisecond) }

// ci is a run with every kind of event.
func ci() []event.Event {
	pos := diag.Pos{File: &diag.File{Name: "Taskfile.yml"}, Line: 3, Column: 5}
	failed := errors.New("exit status 2")
	return []event.Event{
		&event.RunStarted{Time: t0, Run: "r1", Tasks: []string{"ci"}, Argv: []string{"ci"}, Weft: "v1", Dir: "/w", Root: "/w", Limit: 2, Commit: "abc", CI: "github", ParentRun: "r0", ParentStep: 7},
		&event.Planned{Time: after(1), Steps: 3, Graph: []event.PlannedStep{
			{Step: 1, Name: "db", Label: "db", Key: "k1", Service: true},
			{Step: 2, Name: "lint", Label: "lint it", Key: "k2", Pos: pos, Alone: true},
			{Step: 3, Name: "ci", Label: "ci", Key: "k3", Needs: []event.Need{{Step: 1, Until: event.UntilReady}, {Step: 2, Until: event.UntilSucceeded}}},
		}},
		&event.StepStarted{Time: after(2), Step: 1, Parent: 3, Name: "db", Task: "db"},
		&event.Waiting{Time: after(2), Step: 2, For: event.Slot},
		&event.CommandStarted{Time: after(3), Step: 1, Text: "serve", Service: true, Attempt: 1, Attempts: 1},
		&event.Ready{Time: after(10), Step: 1, Task: "db"},
		&event.StepStarted{Time: after(12), Step: 2, Parent: 3, Name: "lint", Task: "lint it", Pos: pos, Env: []string{"CC"}, Key: "k2"},
		&event.StepChecked{Time: after(12), Step: 2, Reasons: []string{"a.c changed"}},
		&event.StepChecked{Time: after(13), Step: 2, Reasons: []string{"a.c changed"}},
		&event.Waiting{Time: after(13), Step: 2, For: event.Lock, Holder: "weft"},
		&event.CommandStarted{Time: after(20), Step: 2, Text: "lint", Argv: []string{"lint"}, Dir: "/w", Attempt: 1, Attempts: 2},
		&event.Output{Time: after(21), Step: 2, Data: []byte("x")},
		&event.CommandEnded{Time: after(30), Step: 2, Code: 2, Err: failed, Duration: 10 * time.Millisecond},
		&event.AttemptFailed{Time: after(30), Step: 2, Attempt: 1, Attempts: 2, Code: 2, Err: failed, Duration: 10 * time.Millisecond, Delay: time.Millisecond},
		&event.CommandStarted{Time: after(31), Step: 2, Text: "lint", Attempt: 2, Attempts: 2},
		&event.CommandEnded{Time: after(40), Step: 2, Duration: 9 * time.Millisecond, Usage: event.Usage{User: 1234567, MaxRSS: 5}, Members: []event.Member{{Name: "a", Code: 1}}},
		&event.StepSettled{Time: after(41), Step: 2, Parent: 3, Name: "lint", Task: "lint it", Outcome: event.Succeeded, Duration: 29 * time.Millisecond, Usage: event.Usage{User: 1234567}, Fingerprint: "f", Place: event.Here, Inputs: event.Inputs{Files: 1, Bytes: 2}, Wrote: []string{"a.o"}},
		&event.StepStarted{Time: after(42), Step: 3, Name: "ci", Task: "ci"},
		&event.SignalReceived{Time: after(43), Signal: syscall.SIGTERM, Count: 1},
		&event.SignalReceived{Time: after(43), Signal: syscall.SIGINT, Count: 1},
		&event.Restarted{Time: after(43), Step: 1, Restarts: 1, Why: event.ByExit},
		&event.PreconditionFailed{Time: after(44), Step: 3, Message: "no"},
		&event.StepSettled{Time: after(45), Step: 3, Name: "ci", Task: "ci", Outcome: event.Failed, Err: failed, Code: 2, Signal: syscall.SIGKILL, OOM: true, Duration: 3 * time.Millisecond},
		&event.StepSettled{Time: after(50), Step: 1, Parent: 3, Name: "db", Task: "db", Outcome: event.Cancelled, Err: failed, Cause: 3},
		&event.RunFinished{Time: after(51), Err: failed, Counts: [event.Cancelled + 1]int{event.Succeeded: 1, event.Failed: 1, event.Cancelled: 1}, Problems: []event.Problem{{Text: "no"}}},
	}
}

func describe(err error) event.Failure {
	if f, ok := err.(*event.Failure); ok {
		return *f
	}
	return event.Failure{Text: err.Error(), Shown: "weft: " + err.Error()}
}

func TestFold(t *testing.T) {
	f := Folder{Describe: describe}
	all := ci()
	for _, ev := range all[:len(all)-1] {
		f.Handle(ev)
		if f.Ended() {
			t.Fatalf("%#v ends the run", ev)
		}
	}
	f.Handle(all[len(all)-1])
	r := f.Run()
	if !f.Ended() || r.Name() != "ci" || r.Duration != 51*time.Millisecond || !r.Failed || r.Err != (Failure{"weft: exit status 2", "exit status 2", "exit"}) || r.Signal != "terminated" || len(r.Problems) != 1 || r.Counts[event.Failed] != 1 {
		t.Errorf("the run: %+v", r)
	}
	if r.ParentRun != "r0" || r.ParentStep != 7 || r.Limit != 2 || r.Commit != "abc" || r.CI != "github" || r.Weft != "v1" || r.Root != "/w" {
		t.Errorf("its surroundings: %+v", r)
	}
	db, lint, last := r.Step(1), r.Step(2), r.Step(3)
	if len(r.Steps) != 3 || r.Steps[0] != db || r.Steps[1] != lint || r.Steps[2] != last || r.Step(4) != nil {
		t.Fatalf("the steps: %v", r.Steps)
	}
	if !db.Service || db.Restarts != 1 || db.Ready.Sub(r.Started) != 10*time.Millisecond || db.Cause != 3 || db.Root() {
		t.Errorf("the service: %+v", db)
	}
	if !lint.Flaky() || !lint.Alone || lint.Label != "lint it" || lint.Key != "k2" || len(lint.Commands) != 2 || len(lint.Attempts) != 1 || lint.Reasons[0] != "a.c changed" || lint.Usage.User != 1234*time.Microsecond {
		t.Errorf("lint: %+v", lint)
	}
	if c := lint.Commands[0]; c.Err.Text != "weft: exit status 2" || c.Code != 2 || c.Ended.Sub(c.Started) != 10*time.Millisecond {
		t.Errorf("its first attempt: %+v", c)
	}
	wants := []Interval{{From: at(2), To: at(12), For: event.Slot}, {From: at(13), To: at(20), For: event.Lock}}
	if !reflect.DeepEqual(lint.Waits, wants) {
		t.Errorf("it waited %v", lint.Waits)
	}
	if !last.Root() || last.Precondition != "no" || last.Signal != "killed" || !last.OOM || r.Queued(lint) != 11*time.Millisecond || r.Queued(last) != time.Millisecond {
		t.Errorf("ci: %+v, queued %s and %s", last, r.Queued(lint), r.Queued(last))
	}
	if r.Fault(db) != last || r.Fault(last) != last || r.Fault(lint) != nil {
		t.Errorf("the faults are %v, %v and %v", r.Fault(db), r.Fault(last), r.Fault(lint))
	}
	var path []string
	for _, p := range checkPath(t, r) {
		name := "weft"
		if p.Step != nil {
			name = p.Step.Name
		}
		path = append(path, name+" "+string(p.For)+" "+p.Duration().String())
	}
	want := []string{"weft  1ms", "lint slot 11ms", "lint  1ms", "lint lock 7ms", "lint  21ms", "ci slot 1ms", "ci  3ms", "weft  6ms"}
	if !reflect.DeepEqual(path, want) {
		t.Errorf("path %q\nwant %q", path, want)
	}
}

// at is [after] with the precision of runs.
func at(ms int) time.Time { return after(ms).Truncate(time.Microsecond).UTC() }

// TestReplay: a recorded run folds to the same model as the live one.
func TestReplay(t *testing.T) {
	live, replayed := Folder{Describe: describe}, Folder{}
	enc := event.Encoder{Describe: describe}
	for _, ev := range ci() {
		live.Handle(ev)
		decoded, err := event.Decode(enc.Encode(nil, ev))
		if err != nil {
			t.Fatal(err)
		}
		replayed.Handle(decoded)
	}
	a, b := live.Run(), replayed.Run()
	for i := range a.Steps {
		// In a recorded run a position contains only the file name.
		a.Steps[i].Pos, b.Steps[i].Pos = diag.Pos{}, diag.Pos{}
		if !reflect.DeepEqual(a.Steps[i], b.Steps[i]) {
			t.Errorf("live     %+v\nreplayed %+v", a.Steps[i], b.Steps[i])
		}
	}
	a.Steps, b.Steps, a.byID, b.byID = nil, nil, nil, nil
	if !reflect.DeepEqual(a, b) {
		t.Errorf("live     %+v\nreplayed %+v", a, b)
	}
}

// TestBatches: overlapping runs form one batch, and steps that outlive it are also in the next one.
func TestBatches(t *testing.T) {
	var f Folder
	if f.Handle(&event.WatchStarted{Time: t0}); f.Run() != nil || f.Ended() {
		t.Error("a run has started")
	}
	f.Handle(&event.RunStarted{Time: t0, Run: "r", Tasks: []string{"a"}})
	f.Handle(&event.RunStarted{Time: after(1), Run: "r", Tasks: []string{"b"}})
	f.Handle(&event.StepStarted{Time: after(2), Step: 1, Name: "api", Task: "api"})
	f.Handle(&event.StepStarted{Time: after(2), Step: 2, Name: "a", Task: "a"})
	f.Handle(&event.StepSettled{Time: after(3), Step: 2, Name: "a", Task: "a", Outcome: event.Succeeded})
	f.Handle(&event.RunFinished{Time: after(4), Counts: [event.Cancelled + 1]int{event.Succeeded: 1}})
	if f.Ended() {
		t.Error("the batch has ended, one run goes on")
	}
	f.Handle(&event.RunFinished{Time: after(5), Err: errors.New("no"), Counts: [event.Cancelled + 1]int{event.Succeeded: 2}})
	first := f.Run()
	if !f.Ended() || first.Name() != "a b" || !first.Failed || first.Counts[event.Succeeded] != 3 || first.Duration != 5*time.Millisecond {
		t.Errorf("the batch: %+v", first)
	}
	f.Handle(&event.RunStarted{Time: after(10), Run: "r", Tasks: []string{"a"}})
	second := f.Run()
	if second == first || len(second.Steps) != 1 || second.Steps[0].Name != "api" || !second.Steps[0].Started.Equal(at(10)) || len(first.Steps) != 2 {
		t.Errorf("the next: %+v", second)
	}
}

// TestClockSetBack: no time precedes the start of its run.
func TestClockSetBack(t *testing.T) {
	var f Folder
	for _, ev := range []event.Event{
		&event.RunStarted{Time: t0, Run: "r"},
		&event.StepStarted{Time: after(10), Step: 1},
		&event.CommandStarted{Time: after(-100), Step: 1},
		&event.Suspended{Time: after(20), Step: 1},
		&event.Resumed{Time: after(5), Step: 1},
		&event.CommandEnded{Time: after(-50), Step: 1},
		&event.CommandEnded{Time: after(-50), Step: 1, Command: 7},
		&event.StepSettled{Time: after(-1000), Step: 1, Outcome: event.Succeeded},
		&event.RunFinished{Time: after(-1000)},
	} {
		f.Handle(ev)
	}
	r := f.Run()
	s := r.Step(1)
	c, v := s.Commands[0], s.Suspended[0]
	if s.Settled.Before(s.Started) || c.Started.Before(s.Started) || c.Ended.Before(c.Started) || v.To.Before(v.From) || !r.Finished.Equal(at(20)) || len(s.Commands) != 1 {
		t.Errorf("%+v %+v %+v %+v", r, s, c, v)
	}
	checkPath(t, r)
	if r.Name() != "default" {
		t.Errorf("it is called %q", r.Name())
	}
}
