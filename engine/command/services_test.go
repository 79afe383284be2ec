//go:build unix

package command

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/weftrun/weft/engine/clock"
	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/executor"
	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/engine/proc"
	"github.com/weftrun/weft/engine/shell"
	"github.com/weftrun/weft/engine/vars"
	"github.com/weftrun/weft/schema"
)

// The services of this file start no process: they block in the shell, `read x <x`. Each has a FIFO
// of its own; opening one wakes all that wait for it.

// stage is where runs share services.
type stage struct {
	t       *testing.T
	dir     string
	set     *Services
	running Running
	table   *proc.Table
	shell   *shell.Shell

	mu   sync.Mutex // guards the fields below
	told []string
	last event.StepID
}

// newStage returns a stage whose services are kept, or end with the steps that use them.
func newStage(t *testing.T, kept bool) *stage {
	s := &stage{t: t, dir: t.TempDir(), set: new(Services), table: proc.NewTable(proc.Options{}), shell: shell.New(shell.Options{}), last: 100}
	for _, name := range []string{"x", "y", "z"} {
		if err := syscall.Mkfifo(filepath.Join(s.dir, name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if kept {
		s.set = NewServices(KeptServices{Shell: s.shell, Processes: s.table, Running: &s.running, Clock: new(clock.Clock), Emit: s.hear, Flush: func() {}, NewStep: s.newStep})
	}
	t.Cleanup(func() {
		s.set.Stop()
		s.table.Close(false)
	})
	return s
}

func (s *stage) newStep() event.StepID {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last++
	return s.last
}

func (s *stage) hear(ev event.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	note := func(format string, args ...any) { s.told = append(s.told, fmt.Sprintf(format, args...)) }
	switch ev := ev.(type) {
	case *event.CommandStarted:
		note("$%s", ev.Text)
	case *event.Ready:
		if ev.Kept {
			note("%s goes on", ev.Task)
		} else {
			note("%s is up", ev.Task)
		}
	case *event.Stopping:
		note("%s is stopped: %s", ev.Task, ev.Why)
	case *event.Stopped:
		note("%s is over", ev.Task)
	}
}

// is compares the events since its last call.
func (s *stage) is(want ...string) {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.Equal(s.told, want) {
		s.t.Errorf("told %q\nwant %q", s.told, want)
	}
	s.told = nil
}

// actor is a step that is, or was, a service of a stage.
type actor struct {
	executor.Env
	stage    *stage
	up       chan struct{}
	unneeded chan struct{}
	result   chan executor.Result
}

func (a *actor) Emit(ev event.Event)   { a.stage.hear(ev) }
func (a *actor) Release(f func())      { f() }
func (a *actor) Ask(f func())          { f() }
func (a *actor) Hold(f func())         { f() }
func (a *actor) Serve()                { close(a.up) }
func (*actor) Unsent() <-chan struct{} { return nil }

func (a *actor) Unneeded() <-chan struct{} { return a.unneeded }

// run runs the needs of task a of a Taskfile, and a itself, in this order: services until they are
// ready. ran are the tasks that are not up to date.
func (s *stage) run(tasks string, ran ...string) (actors []*actor, failed error) {
	s.t.Helper()
	w, list := schema.Load(s.t.Context(), schema.LoadOptions{Dir: s.dir, Entrypoint: "-", Stdin: strings.NewReader("version: '3'\ntasks:\n" + tasks)})
	if err := list.Err(); err != nil {
		s.t.Fatal(err)
	}
	x := plan.NewExpander(plan.Options{Workflow: w, Resolver: vars.New(vars.Options{Workflow: w, UserDir: s.dir})})
	p, err := x.Expand(s.t.Context(), plan.Call{Name: "a"})
	if err != nil {
		s.t.Fatal(err)
	}
	here := New(Options{Root: s.dir, Shell: s.shell, Processes: s.table, Services: s.set, Flush: func() {}})
	for _, step := range p.Steps {
		if step.Service() == nil {
			if slices.Contains(ran, step.Name) {
				s.set.RecordRun(step)
			}
			continue
		}
		a := s.start(s.t.Context(), here, step)
		actors = append(actors, a)
		select {
		case <-a.up:
		case r := <-a.result:
			a.result <- r
			return actors, r.Err
		}
	}
	return actors, nil
}

// start runs a step.
func (s *stage) start(ctx context.Context, here *Local, step *plan.Step) *actor {
	a := &actor{stage: s, up: make(chan struct{}), unneeded: make(chan struct{}), result: make(chan executor.Result, 1)}
	go func() {
		a.result <- here.Run(ctx, &executor.Bound{Step: step, Env: a, ID: s.newStep(), Dir: s.dir})
	}()
	return a
}

// end ends all needs of the actors, the last one first.
func (s *stage) end(actors []*actor) {
	s.t.Helper()
	for _, a := range slices.Backward(actors) {
		close(a.unneeded)
		if r := <-a.result; r.Err != nil {
			s.t.Error(r.Err)
		}
	}
}

// TestServiceOfRun: the commands before a service run once, its deferred ones at its end; steps
// with the same service share it until the last one releases it.
func TestServiceOfRun(t *testing.T) {
	s := newStage(t, false)
	const tasks = "  a: {service: true, cmds: [echo before, {defer: echo after}, read x <x]}\n"
	first, _ := s.run(tasks)
	s.is("$echo before", "$read x <x", "a is up")
	second, _ := s.run(tasks)
	s.end(first)
	s.is("a goes on")
	s.end(second)
	s.is("a is stopped: unneeded", "a is over", "$echo after")
	third, _ := s.run(tasks)
	s.is("$echo before", "$read x <x", "a is up")
	s.end(third)
}

// TestServiceDoesNotStart: failures before a service is ready, or one that is not for this machine.
func TestServiceDoesNotStart(t *testing.T) {
	for name, tt := range map[string]struct {
		tasks string
		err   string
		want  []string
	}{
		"a command before it": {"  a: {service: true, cmds: [exit 3, {defer: echo after}, read x <x]}\n", "exit status 3", []string{"$exit 3"}},
		"itself":              {"  a: {service: true, ready: {log: never}, cmds: [{defer: echo after}, exit 3]}\n", `exit status 3, before it was ready (it has written nothing; waiting for a line that matches "never")`, []string{"$exit 3", "a is over", "$echo after"}},
		"its condition":       {"  a: {service: true, cmds: [{defer: echo after}, {cmd: read x <x, if: exit 1}]}\n", "", []string{"$echo after"}},
		"its platform":        {"  a: {service: true, cmds: [{cmd: read x <x, platforms: [windows/arm]}]}\n", "", nil},
		"its time limit":      {"  a: {service: true, ready: {log: never}, timeout: 100ms, cmds: [read x <x]}\n", "[a] task timeout exceeded (100ms)", []string{"$read x <x", "a is stopped: ready", "a is over"}},
		"its command's limit": {"  a: {service: true, ready: {log: never}, cmds: [{cmd: read x <x, timeout: 100ms}]}\n", "[a] command timeout exceeded (100ms)", []string{"$read x <x", "a is stopped: ready", "a is over"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, false)
			actors, err := s.run(tt.tasks)
			if got := fmt.Sprint(err); got != tt.err && (err != nil || tt.err != "") {
				t.Errorf("%q, want %q", got, tt.err)
			}
			if r := <-actors[0].result; (r.Outcome == event.Failed) != (tt.err != "") {
				t.Errorf("%+v", r)
			}
			s.is(tt.want...)
		})
	}
}

// TestKeptServices: when a running service matches, and how it is replaced otherwise.
func TestKeptServices(t *testing.T) {
	const a = "  a: {deps: [b, c], service: true, cmds: [echo build, read x <x]}\n"
	const b, c = "  b: {service: true, cmds: [read y <y]}\n", "  c: {cmd: x}\n"
	replaced := []string{"b goes on", "$echo build", "a is stopped: watch", "a is over", "$read x <x", "a is up"}
	for name, tt := range map[string]struct {
		tasks string // in the second run
		ran   []string
		want  []string
	}{
		"nothing has changed":    {a + b + c, nil, []string{"b goes on", "a goes on"}},
		"its need has run":       {a + b + c, []string{"c"}, replaced},
		"what it says":           {strings.Replace(a, "service", "stop: SIGINT, service", 1) + b + c, nil, replaced},
		"what its need says":     {a + strings.Replace(b, "y <y", "z <z", 1) + c, nil, []string{"b is stopped: watch", "b is over", "$read z <z", "b is up", "$echo build", "a is stopped: watch", "a is over", "$read x <x", "a is up"}},
		"a need of its need":     {"  a: {deps: [all], service: true, cmds: [read x <x]}\n  all: {deps: [c]}\n  b: {service: true, cmds: [read y <y]}\n" + c, []string{"all", "c"}, []string{"a is stopped: watch", "a is over", "$read x <x", "a is up"}},
		"changes are ignored":    {strings.Replace(a, "service", "on_change: ignore, service", 1) + b + c, []string{"c"}, []string{"b goes on", "a goes on"}},
		"a command before fails": {strings.Replace(a, "echo build", "exit 1", 1) + b + c, nil, []string{"b goes on", "$exit 1"}},
		"nothing to run":         {strings.Replace(a, "read x <x", "{cmd: read x <x, if: exit 1}", 1) + b + c, nil, []string{"b goes on", "$echo build", "a is stopped: watch", "a is over"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, true)
			actors, _ := s.run(a+b+c, "c")
			s.end(actors)
			s.is("$read y <y", "b is up", "$echo build", "$read x <x", "a is up")
			again, _ := s.run(tt.tasks, tt.ran...)
			s.is(tt.want...)
			for _, a := range again {
				close(a.unneeded)
				<-a.result
			}
			s.set.Retain(func(task string) bool { return task == "b" })
			s.mu.Lock()
			s.told = nil
			s.mu.Unlock()
			s.set.Stop()
			if name != "a need of its need" {
				s.is("b is stopped: cancelled", "b is over")
			}
		})
	}
}

// TestStopServices: dependents end first.
func TestStopServices(t *testing.T) {
	s := newStage(t, true)
	actors, _ := s.run("  a: {deps: [b], service: true, cmds: [read x <x]}\n  b: {deps: [c], service: true, cmds: [read y <y]}\n  c: {service: true, cmds: [read z <z]}\n")
	s.end(actors)
	s.is("$read z <z", "c is up", "$read y <y", "b is up", "$read x <x", "a is up")
	if len(s.set.Up()) != 3 {
		t.Errorf("up are %v", s.set.Up())
	}
	s.set.Stop()
	s.is("a is stopped: cancelled", "a is over", "b is stopped: cancelled", "b is over", "c is stopped: cancelled", "c is over")
	if len(s.set.Up()) > 0 {
		t.Error("one is up")
	}
}

// TestHurry: services stopped out of turn end, and are not restarted; their steps last until it is
// their turn.
func TestHurry(t *testing.T) {
	for _, kept := range []bool{false, true} {
		s := newStage(t, kept)
		actors, _ := s.run("  a: {deps: [b], service: true, cmds: [read x <x]}\n  b: {service: true, restart: always, cmds: [{defer: echo after}, read y <y]}\n")
		s.is("$read y <y", "b is up", "$read x <x", "a is up")
		s.set.StopAll()
		s.set.StopAll()
		for len(s.set.Up()) > 0 { // limited by the test's time limit
			time.Sleep(time.Millisecond)
		}
		s.mu.Lock()
		told := strings.Join(s.told, ", ")
		s.told = nil
		s.mu.Unlock()
		for _, want := range []string{"a is stopped: cancelled", "a is over", "b is stopped: cancelled", "b is over", "$echo after"} {
			if strings.Count(told, want) != 1 {
				t.Errorf("kept %t: told %s, want %s", kept, told, want)
			}
		}
		for _, a := range actors {
			select {
			case r := <-a.result:
				t.Errorf("kept %t: a step has ended: %+v", kept, r)
			default:
			}
		}
		s.end(actors)
		s.is()
	}
}

// TestReplacedMeanwhile: a step whose service is replaced by another run continues with the new
// one.
func TestReplacedMeanwhile(t *testing.T) {
	s := newStage(t, true)
	first, _ := s.run("  a: {service: true, cmds: [read x <x]}\n")
	second, _ := s.run("  a: {service: true, cmds: [read y <y]}\n")
	select {
	case r := <-first[0].result:
		t.Errorf("the step has ended: %+v", r)
	default:
	}
	s.end(first)
	s.end(second)
	s.is("$read x <x", "a is up", "a is stopped: watch", "a is over", "$read y <y", "a is up")
}

// TestSupersededRun: a step whose run is cancelled releases a kept service, and stops another one.
func TestSupersededRun(t *testing.T) {
	for _, kept := range []bool{false, true} {
		s := newStage(t, kept)
		ctx, cancel := context.WithCancelCause(t.Context())
		w, _ := schema.Load(ctx, schema.LoadOptions{Dir: s.dir, Entrypoint: "-", Stdin: strings.NewReader("version: '3'\ntasks:\n  a: {service: true, cmds: [read x <x]}\n")})
		x := plan.NewExpander(plan.Options{Workflow: w, Resolver: vars.New(vars.Options{Workflow: w, UserDir: s.dir})})
		p, err := x.Expand(ctx, plan.Call{Name: "a"})
		if err != nil {
			t.Fatal(err)
		}
		a := s.start(ctx, New(Options{Root: s.dir, Shell: s.shell, Processes: s.table, Services: s.set, Flush: func() {}}), p.Steps[0])
		<-a.up
		cancel(Interrupt(syscall.SIGTERM))
		if r := <-a.result; r.Outcome != event.Cancelled {
			t.Errorf("%+v", r)
		}
		if up := s.set.Up(); (len(up) == 1) != kept {
			t.Errorf("kept: %t, up: %v", kept, up)
		}
	}
}

// TestSignalledService: a service that is signalled about changes is not replaced because of them.
func TestSignalledService(t *testing.T) {
	s := newStage(t, true)
	const tasks = "  a: {deps: [c], on_change: {signal: HUP}, service: true, cmds: [read x <x]}\n  c: {cmd: x}\n"
	first, _ := s.run(tasks)
	s.end(first)
	second, _ := s.run(tasks, "c")
	s.end(second)
	third, _ := s.run(tasks)
	s.end(third)
	s.is("$read x <x", "a is up", "a goes on", "a goes on")
}

// TestLiveFile: the output file of a service exists while it runs, without the output of earlier
// runs, but with that before a restart.
func TestLiveFile(t *testing.T) {
	s := newStage(t, false)
	out := filepath.Join(s.dir, "out")
	if err := os.WriteFile(out, []byte("old\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	actors, err := s.run("  a: {service: true, restart: on-failure, ready: {file: go}, cmds: [{cmd: 'echo a; [ -e out2 ] && : >go || : >out2; [ -e go ] || exit 1; read x <x', stdout: {file: out}}]}\n")
	if err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		if b, _ := os.ReadFile(out); string(b) == "a\na\n" {
			break
		} else if time.Now().After(deadline) {
			t.Fatalf("%q", b)
		}
	}
	s.end(actors)
}
