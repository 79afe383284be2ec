package command_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/weftrun/weft/engine/command"
	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/executor"
	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/engine/proc"
	"github.com/weftrun/weft/engine/sched"
	"github.com/weftrun/weft/engine/shell"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// host implements plan.Host for tasks that need only conditions.
type host struct{ plan.Host }

func (host) Condition(context.Context, string, string, []string) (bool, error) { return true, nil }

// rig runs the tasks of one Taskfile with an executor.
type rig struct {
	t   *testing.T
	dir string
	o   executor.Options // may be modified by a test
	c   command.Options

	mu     sync.Mutex // guards events
	events []event.Event
	sink   func(event.Event) // takes output instead of keeping it
}

func newRig(t *testing.T, taskfile string) *rig {
	r := &rig{t: t, dir: t.TempDir()}
	r.write("Taskfile.yml", "version: '3'\n"+taskfile)
	return r
}

func (r *rig) write(name, text string) {
	r.t.Helper()
	if err := os.WriteFile(filepath.Join(r.dir, name), []byte(text), 0o644); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) emit(ev event.Event) {
	if out, ok := ev.(*event.Output); ok {
		if r.sink != nil {
			r.mu.Lock() // like an engine, which passes on one event at a time
			r.sink(ev)
			r.mu.Unlock()
			release(out)
			return
		}
		kept := *out
		kept.Data = bytes.Clone(out.Data)
		release(out)
		ev = &kept
	}
	r.mu.Lock()
	r.events = append(r.events, ev)
	r.mu.Unlock()
}

// run runs a task and returns its error; the events are those of this run.
func (r *rig) run(ctx context.Context, name string) error {
	r.t.Helper()
	r.events = nil
	project := openProject(r.t, r.dir)
	defer project.close()
	expander, x, here := project.run(r.c, r.o)
	defer here.Close()
	p, err := expander.Expand(ctx, plan.Call{Name: name})
	if err != nil {
		r.t.Fatal(err)
	}
	run := sched.Start(sched.Options{Executor: x, Expander: expander, Emit: r.emit})
	defer run.Close()
	return run.Do(ctx, p)
}

// story returns the events of the last run in words: announcements, ends of commands, other events,
// and outcomes.
func (r *rig) story() string {
	var words []string
	for _, ev := range r.events {
		switch ev := ev.(type) {
		case *event.CommandStarted:
			words = append(words, "$"+ev.Text)
		case *event.CommandEnded:
			if ev.Code != 0 {
				words = append(words, fmt.Sprintf("=%d", ev.Code))
			}
		case *event.StepSettled:
			words = append(words, ev.Outcome.String())
		case *event.TaskSkipped:
			words = append(words, "!skipped:"+string(ev.Reason))
		case *event.CommandSkipped:
			words = append(words, "!skipped:"+string(ev.Reason), ev.Text)
		case *event.PreconditionFailed:
			words = append(words, "!precondition", ev.Message)
		case *event.StatusChecked:
			words = append(words, "!status", ev.Text)
		case *event.ErrorIgnored:
			words = append(words, "!ignored")
		case *event.BodyEnded:
			words = append(words, "!ended")
		case *event.DeferFailed:
			words = append(words, "!defer")
		}
	}
	return strings.Join(words, " ")
}

// TestLayers: each layer ends the step or passes it on.
func TestLayers(t *testing.T) {
	for name, tt := range map[string]struct{ task, want, err string }{
		"body":         {"cmds: [':', 'true']", "$: $true succeeded", ""},
		"platform":     {"platforms: [windows/arm]\n    cmds: [':']", "!skipped:platforms skipped", ""},
		"command's":    {"cmds: [{cmd: ':', platforms: [windows/arm]}]", "!skipped:platforms : succeeded", ""},
		"if":           {"cmds: [{cmd: ':', if: 'false'}, 'true']", "!skipped:if : $true succeeded", ""},
		"failure":      {"cmds: ['exit 3', ':']", "$exit 3 =3 !ended failed", "exit status 3"},
		"ignored":      {"ignore_error: true\n    cmds: ['exit 3', ':']", "$exit 3 =3 !ignored $: succeeded", ""},
		"precondition": {"preconditions: [{sh: 'false', msg: no}]\n    cmds: [':']", "!precondition no failed", "precondition not met"},
		"status":       {"status: ['true']\n    cmds: [':']", "!status true fresh", ""},
		"stale":        {"status: ['false']\n    cmds: [':']", "!status false $: succeeded", ""},
		"time limit":   {"cmds: [{cmd: 'sleep 1000', timeout: 100ms}]", "$sleep 1000 =124 !ended failed", "command timeout exceeded (100ms)"},
		"no program":   {"cmds: [nosuchprogram]", "$nosuchprogram =127 !ended failed", "exit status 127"},
		"directory":    {"dir: Taskfile.yml/x\n    cmds: [':']", "failed", "not a directory"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, "tasks:\n  a:\n    "+tt.task+"\n")
			err := r.run(t.Context(), "a")
			if got := r.story(); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
			if tt.err == "" && err != nil || tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)) {
				t.Errorf("error %v, want %q", err, tt.err)
			}
		})
	}
}

// TestDefers: deferred commands run in reverse order in any case, and know the status of the failed
// command.
func TestDefers(t *testing.T) {
	r := newRig(t, "tasks:\n  a:\n    cmds:\n      - defer: ': one {{.EXIT_CODE}}'\n      - defer: 'exit 9'\n      - exit 4\n      - defer: ': never'\n")
	err := r.run(t.Context(), "a")
	want := "$exit 4 =4 !ended $exit 9 =9 !defer $: one 4 failed"
	if got := r.story(); got != want || executor.ExitCode(err) != 4 {
		t.Errorf("got  %s, %v\nwant %s", got, err, want)
	}
}

// TestRelay: every byte arrives, in order, whatever the size and however slow the sink is.
func TestRelay(t *testing.T) {
	for _, n := range []int{0, 1, 64<<10 - 1, 64 << 10, 64<<10 + 1, 5<<20 + 7} {
		r := newRig(t, "tasks:\n  a: {cmds: ['cat data']}\n")
		data := make([]byte, n)
		for i := range data {
			data[i] = byte(i * 7 >> 3)
		}
		r.write("data", string(data))
		var got []byte
		r.c.Relay = true
		r.sink = func(ev event.Event) { got = append(got, ev.(*event.Output).Data...) }
		if err := r.run(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, data) {
			t.Errorf("%d bytes: %d arrived, or others", n, len(got))
		}
	}
}

// TestRelayHeldOpen: a process that a command leaves behind with its output
// does not keep the step from ending, and what it had written arrives.
func TestRelayHeldOpen(t *testing.T) {
	r := newRig(t, "tasks:\n  a: {cmds: ['sh -c \"sleep 1000 & echo up\"']}\n")
	r.c.Relay = true
	if err := r.run(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	var out []byte
	for _, ev := range r.events {
		if o, ok := ev.(*event.Output); ok {
			out = append(out, o.Data...)
		}
	}
	if string(out) != "up\n" {
		t.Errorf("got %q", out)
	}
}

// TestKill: Kill ends running commands, deferred ones when their time is over, and those without a
// process.
func TestKill(t *testing.T) {
	r := newRig(t, "tasks:\n  a:\n    cmds:\n      - defer: 'while :; do :; done'\n      - defer: 'sleep 1000'\n      - 'exit 1'\n")
	stops := new(command.Running)
	r.c.Running = stops
	killed := errors.New("killed")
	var started sync.WaitGroup
	started.Add(1)
	ended := make(chan error, 1)
	r.c.Flush = sync.OnceFunc(started.Done) // before the first command
	go func() { ended <- r.run(context.Background(), "a") }()
	started.Wait()
	deadline := time.After(30 * time.Second)
	for {
		stops.Kill(killed)
		select {
		case <-ended:
			return
		case <-time.After(5 * time.Millisecond):
		case <-deadline:
			t.Fatal("deferred commands go on")
		}
	}
}

// TestStopCommandIsNotStopped: a stop command is not stopped itself, even if the signal comes late.
func TestStopCommandIsNotStopped(t *testing.T) {
	r := newRig(t, `tasks:
  a:
    stop: {cmd: 'touch asked; until [ -e told ]; do sleep 0.01; done; touch go', grace: 30s}
    cmds: ["sh -c 'touch up; until [ -e go ]; do sleep 0.01; done; touch ended'"]
`)
	stops := new(command.Running)
	r.c.Running = stops
	there := func(name string) bool {
		_, err := os.Stat(filepath.Join(r.dir, name))
		return err == nil
	}
	waitFor := func(name string) {
		t.Helper()
		for deadline := time.Now().Add(30 * time.Second); !there(name); time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("there is no %s", name)
			}
		}
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	done := make(chan error, 1)
	go func() { done <- r.run(ctx, "a") }()
	waitFor("up")
	cause := command.Interrupt(syscall.SIGTERM)
	cancel(cause)
	waitFor("asked")
	stops.Stop(cause, proc.Ladder{Signal: syscall.SIGTERM, Grace: 30 * time.Second})
	if err := os.WriteFile(filepath.Join(r.dir, "told"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	<-done
	if !there("ended") {
		t.Errorf("the command was ended otherwise: %s", r.story())
	}
}

func TestExitCode(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want int
	}{
		{nil, 0},
		{errors.New("other"), 0},
		{&shell.ExitError{Code: 3}, 3},
		{fmt.Errorf("wrapped: %w", &shell.ExitError{Code: 255}), 255},
		{&sched.TimedOut{}, 124},
		{&plan.TaskError{Err: &shell.ExitError{Code: 7}}, 7},
	} {
		if got := executor.ExitCode(tt.err); got != tt.want {
			t.Errorf("%v: %d, want %d", tt.err, got, tt.want)
		}
	}
}

func release(out *event.Output) {
	if out.Release != nil {
		out.Release()
	}
}
