package page

import (
	"errors"
	"fmt"
	"math/rand"
	"strings"
	"syscall"
	"time"

	"github.com/weftrun/weft/cmd/weft/report"
	"github.com/weftrun/weft/cmd/weft/report/model"
	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/schema/diag"
)

// recorder builds runs from events.
type recorder struct {
	now    time.Time
	folder model.Folder
	logs   report.Logs
	file   *diag.File
	graph  []event.PlannedStep
}

func newRecorder(id string) *recorder {
	r := &recorder{now: time.Date(2026, 11, 28, 10, 35, 57, 0, time.UTC), file: &diag.File{Path: "Taskfile.yml"}}
	r.folder.Handle(&event.RunStarted{Time: r.now, Run: id, Weft: "1.2.3", Tasks: []string{"ci"}, Argv: []string{"-C", "4", "ci", "MODE=strict"},
		Dir: "/home/me/project", Root: "/home/me/project", Limit: 4, Commit: "0123456789abcdef0123456789abcdef01234567"})
	return r
}

func (r *recorder) after(d time.Duration) *recorder {
	r.now = r.now.Add(d)
	return r
}

// plan adds a step to the graph.
func (r *recorder) plan(id event.StepID, task string, needs ...event.StepID) *event.PlannedStep {
	p := event.PlannedStep{Step: id, Name: task, Label: task, Key: fmt.Sprintf("%016x", id), Pos: diag.Pos{File: r.file, Line: int32(id)*7 + 2, Column: 3}}
	for _, n := range needs {
		p.Needs = append(p.Needs, event.Need{Step: n, Until: event.UntilSucceeded})
	}
	r.graph = append(r.graph, p)
	return &r.graph[len(r.graph)-1]
}

func (r *recorder) planned(parent event.StepID) {
	r.folder.Handle(&event.Planned{Time: r.now, Steps: len(r.graph), Graph: r.graph, Parent: parent})
	r.graph = nil
}

func (r *recorder) start(id, parent event.StepID, task string, reasons ...string) {
	r.folder.Handle(&event.StepStarted{Time: r.now, Step: id, Parent: parent, Name: task, Task: task, Pos: diag.Pos{File: r.file, Line: int32(id)*7 + 2, Column: 3},
		Reasons: reasons, Env: []string{"PATH", "MODE"}, Key: fmt.Sprintf("%016x", id)})
}

func (r *recorder) write(id event.StepID, command int, text string) {
	ev := &event.Output{Time: r.now, Step: id, Command: command, Stream: event.Stdout, Data: []byte(text)}
	r.folder.Handle(ev)
	r.logs.Handle(ev)
}

// command runs a command that takes this long.
func (r *recorder) command(id event.StepID, n int, text, output string, took time.Duration, code int) {
	r.attempt(id, n, text, output, took, code, 1, 1)
}

func (r *recorder) attempt(id event.StepID, n int, text, output string, took time.Duration, code, attempt, of int) {
	r.folder.Handle(&event.CommandStarted{Time: r.now, Step: id, Command: n, Text: text, Relayed: true, Attempt: attempt, Attempts: of})
	r.write(id, n, output)
	r.after(took)
	r.folder.Handle(&event.CommandEnded{Time: r.now, Step: id, Command: n, Code: code, Duration: took, Usage: event.Usage{User: took / 2, MaxRSS: 310 << 20}})
	if code != 0 && attempt < of {
		r.folder.Handle(&event.AttemptFailed{Time: r.now, Step: id, Command: n, Attempt: attempt, Attempts: of, Code: code, Err: fmt.Errorf("exit status %d", code), Duration: took, Delay: time.Second})
	}
}

func (r *recorder) settle(id event.StepID, task string, outcome event.Outcome, more func(*event.StepSettled)) {
	ev := &event.StepSettled{Time: r.now, Step: id, Name: task, Task: task, Outcome: outcome, Usage: event.Usage{User: 20 * time.Second, MaxRSS: 310 << 20}}
	if more != nil {
		more(ev)
	}
	r.folder.Handle(ev)
}

func (r *recorder) finish(err error) report.Finished {
	ev := &event.RunFinished{Time: r.now, Err: err}
	if r.folder.Run() != nil {
		for _, s := range r.folder.Run().Steps {
			ev.Counts[s.Outcome]++
		}
	}
	r.folder.Handle(ev)
	return report.Finished{Run: r.folder.Run(), Logs: &r.logs}
}

// ciRun is a typical run with every kind of step. slow makes its steps slower than those of the run
// before.
func ciRun(id string, slow time.Duration) report.Finished {
	r := newRecorder(id)
	for i := range 24 {
		r.plan(event.StepID(100+i), fmt.Sprintf("build:%c", 'a'+i), 2)
	}
	r.plan(2, "gen")
	r.plan(3, "lint:js", 2)
	r.plan(4, "unit", 100, 101, 102, 103, 104)
	r.plan(5, "encode", 106)
	db := r.plan(6, "db")
	db.Service = true
	e2e := r.plan(7, "e2e", 107, 6)
	e2e.Needs[1].Until = event.UntilReady
	r.plan(1, "ci", 2, 3, 4, 5, 7)
	if slow == 0 {
		r.plan(9, "old", 2)
	}
	r.planned(0)
	r.after(10 * time.Millisecond)
	r.start(2, 1, "gen", "schema.json has changed", "a file that it makes is missing: gen.go")
	r.command(2, 0, "protoc --go_out=. api.proto", "\x1b[32mok\x1b[0m  api.proto\n", 2100*time.Millisecond+slow, 0)
	r.settle(2, "gen", event.Succeeded, func(ev *event.StepSettled) {
		ev.Inputs, ev.Wrote, ev.Fingerprint = event.Inputs{Files: 12, Bytes: 81234}, []string{"gen.go", "gen_test.go"}, "c0ffee"
	})
	r.start(6, 7, "db")
	r.folder.Handle(&event.CommandStarted{Time: r.now, Step: 6, Text: "postgres -D data", Relayed: true, Service: true, Attempt: 1, Attempts: 1})
	r.write(6, 0, "listening on :5432\n")
	for i := range 24 {
		id, task := event.StepID(100+i), fmt.Sprintf("build:%c", 'a'+i)
		r.folder.Handle(&event.Waiting{Time: r.now, Step: id, For: event.Slot})
	next:
		switch i % 4 {
		case 0:
			r.start(id, 4, task)
			r.command(id, 0, "go build ./"+task, "", 700*time.Millisecond, 0)
			r.settle(id, task, event.Succeeded, nil)
		case 1:
			r.after(time.Millisecond)
			r.start(id, 4, task)
			r.settle(id, task, event.Fresh, nil)
		case 2:
			r.start(id, 4, task)
			r.after(30 * time.Millisecond)
			r.settle(id, task, event.Restored, func(ev *event.StepSettled) { ev.Place = event.Cache })
		case 3:
			if i == 23 {
				r.settle(id, task, event.Skipped, nil)
				break next
			}
			r.start(id, 4, task)
			r.attempt(id, 0, "flaky "+task, "", 300*time.Millisecond, 1, 1, 2)
			r.attempt(id, 0, "flaky "+task, "", 300*time.Millisecond, 0, 2, 2)
			r.settle(id, task, event.Succeeded, nil)
		}
	}
	if slow == 0 {
		r.start(9, 1, "old")
		r.settle(9, "old", event.Succeeded, nil)
	}
	r.folder.Handle(&event.Ready{Time: r.now, Step: 6})
	r.start(3, 1, "lint:js")
	r.start(4, 1, "unit")
	r.start(5, 1, "encode")
	r.command(3, 0, "eslint src", "src/a.js\n  3:1  \x1b[31merror\x1b[0m  Unexpected token\n", 4200*time.Millisecond, 1)
	r.settle(3, "lint:js", event.Failed, func(ev *event.StepSettled) { ev.Code, ev.Err = 1, errors.New("exit status 1") })
	r.folder.Handle(&event.Suspended{Time: r.now, Step: 5})
	r.plan(8, "encode:part")
	r.planned(5)
	r.start(8, 5, "encode:part")
	r.command(8, 0, "ffmpeg -i in.mp4 out.webm", "frame 1\rframe 2\rframe 3\n", 3*time.Second, 0)
	r.settle(8, "encode:part", event.Succeeded, func(ev *event.StepSettled) { ev.Parent = 5 })
	r.folder.Handle(&event.Resumed{Time: r.now, Step: 5})
	for n := 1; n <= 3; n++ {
		code := 2
		if slow == 0 && n == 3 {
			code = 0
		}
		r.attempt(4, 0, "go test ./...", unitLog(n), 4*time.Second, code, n, 3)
	}
	outcome := event.Failed
	if slow == 0 {
		outcome = event.Succeeded
	}
	r.settle(4, "unit", outcome, func(ev *event.StepSettled) {
		if outcome == event.Failed {
			ev.Code, ev.Err = 2, errors.New("exit status 2")
		}
	})
	r.settle(5, "encode", event.Cancelled, func(ev *event.StepSettled) { ev.Cause = 4 })
	r.settle(7, "e2e", event.Cancelled, func(ev *event.StepSettled) { ev.Cause = 4 })
	r.after(100 * time.Millisecond)
	r.folder.Handle(&event.CommandEnded{Time: r.now, Step: 6, Code: -1, Signal: syscall.SIGTERM, Duration: r.now.Sub(r.folder.Run().Started)})
	r.settle(6, "db", event.Succeeded, nil)
	r.settle(1, "ci", event.Failed, func(ev *event.StepSettled) { ev.Cause = 4 })
	return r.finish(errors.New(`failed to run task "ci": failed to run task "unit": exit status 2`))
}

func unitLog(n int) string {
	var b strings.Builder
	for i := range 300 {
		fmt.Fprintf(&b, "=== RUN   TestParse/%d/%d\n\x1b[1;33mwarning\x1b[0m \x1b[38;5;208morange\x1b[0m \x1b[38;2;10;20;250mblue\x1b[0m \x1b[7minverse\x1b[0m \x1b[4;3mstyle\x1b[0m\n", n, i)
	}
	b.WriteString("--- FAIL: TestParse (0.00s)\n    parse_test.go:41: got 3, want 4\n")
	return b.String()
}

// largeRun is a run of n steps of many tasks with random times, without logs.
func largeRun(n int) report.Finished {
	rng := rand.New(rand.NewSource(1))
	r := newRecorder("1a2b3c4d")
	tasks := max(5, n/400)
	for i := 1; i <= n; i++ {
		var needs []event.StepID
		if i > 1 {
			needs = append(needs, 1, event.StepID(max(1, i-1-rng.Intn(min(i-1, 2000)))))
		}
		p := r.plan(event.StepID(i), fmt.Sprintf("compile:%d", i*tasks/(n+1)), needs...)
		p.Label = fmt.Sprintf("%s:src/dir%d/file%d.c", p.Name, rng.Intn(50), i)
	}
	labels := make([]string, n+1)
	for _, p := range r.graph {
		labels[p.Step] = p.Label
	}
	r.planned(0)
	for i := 1; i <= n; i++ {
		id, task := event.StepID(i), fmt.Sprintf("compile:%d", i*tasks/(n+1))
		r.folder.Handle(&event.StepStarted{Time: r.now, Step: id, Name: task, Task: labels[i], Pos: diag.Pos{File: r.file, Line: int32(i*tasks/(n+1))*5 + 3, Column: 3}})
		r.folder.Handle(&event.CommandStarted{Time: r.now, Step: id, Text: "cc -c " + labels[i], Relayed: true, Attempt: 1, Attempts: 1})
		took := time.Duration(rng.Intn(40000)) * time.Microsecond
		usage := event.Usage{User: time.Duration(rng.Intn(30000)) * time.Microsecond, MaxRSS: int64(rng.Intn(64 << 20))}
		end := r.now.Add(took)
		outcome := event.Succeeded
		if i%997 == 0 {
			outcome = event.Failed
		}
		r.folder.Handle(&event.CommandEnded{Time: end, Step: id, Duration: took, Usage: usage, Code: int(outcome / event.Failed)})
		r.folder.Handle(&event.StepSettled{Time: end, Step: id, Name: task, Task: labels[i], Outcome: outcome, Code: int(outcome / event.Failed), Usage: usage})
		r.after(time.Duration(rng.Intn(9000)) * time.Microsecond)
	}
	r.after(time.Second)
	return r.finish(nil)
}
