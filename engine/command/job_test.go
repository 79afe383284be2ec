package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weftrun/weft/engine/clock"
	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/executor"
	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/engine/proc"
	"github.com/weftrun/weft/engine/sched"
	"github.com/weftrun/weft/engine/shell"
	"github.com/weftrun/weft/engine/vars"
	"github.com/weftrun/weft/schema"
)

// The tests of this file start no process: their commands are shell builtins.

// fakeEnv records the events of a step. Tasks that it calls write their names.
type fakeEnv struct {
	executor.Env
	calls error // error of all calls

	mu     sync.Mutex // guards words
	words  []string
	output strings.Builder
}

func (e *fakeEnv) Emit(ev event.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch ev := ev.(type) {
	case *event.CommandStarted:
		word := "$" + ev.Text
		if ev.Attempt > 1 {
			word += fmt.Sprintf("(%d of %d)", ev.Attempt, ev.Attempts)
		}
		e.words = append(e.words, word)
	case *event.CommandEnded:
		if ev.Code != 0 {
			e.words = append(e.words, fmt.Sprintf("=%d", ev.Code))
		}
		for _, m := range ev.Members {
			e.words = append(e.words, fmt.Sprintf("[%s %d]", m.Name, m.Code))
		}
	case *event.CommandSkipped:
		e.words = append(e.words, "skipped:"+string(ev.Reason))
	case *event.AttemptFailed:
		e.words = append(e.words, "again:"+ev.Delay.String())
	case *event.ErrorIgnored:
		e.words = append(e.words, "ignored")
	case *event.BodyEnded:
		e.words = append(e.words, "ended")
	case *event.DeferFailed:
		e.words = append(e.words, "defer:"+ev.Err.Error())
	case *event.Output:
		e.output.Write(ev.Data)
		if ev.Release != nil {
			ev.Release()
		}
	}
}

func (e *fakeEnv) Call(_ context.Context, c plan.Call) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.words = append(e.words, "call:"+c.Name)
	return e.calls
}

// local runs the task a of a Taskfile.
type local struct {
	t       *testing.T
	dir     string
	clock   clock.Clock // paused
	o       Options
	env     fakeEnv
	capture bool
	ends    executor.Streams
}

func newLocal(t *testing.T) *local {
	return &local{t: t, dir: t.TempDir(), o: Options{Flush: func() {}}}
}

func (l *local) run(ctx context.Context, task string) executor.Result {
	l.t.Helper()
	if err := os.WriteFile(filepath.Join(l.dir, "Taskfile.yml"), []byte("version: '3'\ntasks:\n  b: {cmd: x}\n  a: {"+task+"}\n"), 0o644); err != nil {
		l.t.Fatal(err)
	}
	w, list := schema.Load(ctx, schema.LoadOptions{Dir: l.dir})
	if err := list.Err(); err != nil {
		l.t.Fatal(err)
	}
	x := plan.NewExpander(plan.Options{Workflow: w, Resolver: vars.New(vars.Options{Workflow: w, UserDir: l.dir})})
	p, err := x.Expand(ctx, plan.Call{Name: "a"})
	if err != nil {
		l.t.Fatal(err)
	}
	table := proc.NewTable(proc.Options{})
	defer table.Close(false)
	l.clock.Pause()
	o := l.o
	o.Root, o.Shell, o.Processes, o.Clock = l.dir, shell.New(shell.Options{}), table, &l.clock
	here := New(o)
	defer here.Close()
	return here.Run(ctx, &executor.Bound{Step: p.Steps[p.Roots[0]], Env: &l.env, ID: 1, Dir: l.dir, Capture: l.capture, Streams: l.ends})
}

// story returns the events in words.
func (l *local) story(r executor.Result) string {
	return strings.Join(append(l.env.words, r.Outcome.String()), " ")
}

func (l *local) file(name string) string {
	b, err := os.ReadFile(filepath.Join(l.dir, name))
	if err != nil {
		return "none"
	}
	return string(b)
}

// passTime advances the clock until the test has ended.
func (l *local) passTime() {
	done := make(chan struct{})
	l.t.Cleanup(func() { close(done) })
	go func() {
		for {
			select {
			case <-done:
				return
			case <-time.After(time.Millisecond):
				l.clock.Advance(time.Second)
			}
		}
	}()
}

// orderOf checks that what it is given was reported before.
type orderOf struct {
	*local
	given int
}

func (o *orderOf) Write(b []byte) (int, error) {
	o.env.mu.Lock()
	defer o.env.mu.Unlock()
	if o.given += len(b); o.env.output.Len() < o.given {
		o.t.Errorf("%q was not reported yet", b)
	}
	return len(b), nil
}

// TestReportedFirst: output is reported before a probe sees it, as it can make a service ready, whose
// dependents then report theirs.
func TestReportedFirst(t *testing.T) {
	l := newLocal(t)
	l.o.Relay = true
	o := &orderOf{local: l}
	l.ends.Activity = o
	if r := l.run(t.Context(), "cmds: [echo one, 'x=two; echo $x']"); r.Err != nil || o.given != len("one\ntwo\n") {
		t.Errorf("%v, %d bytes", r.Err, o.given)
	}
}

// TestRun: commands run in order, if their conditions hold, until one fails; deferred ones run
// last.
func TestRun(t *testing.T) {
	for name, tt := range map[string]struct{ task, want string }{
		"in order":    {"cmds: [echo a, echo b]", "$echo a $echo b succeeded"},
		"failure":     {"cmds: [exit 3, echo b]", "$exit 3 =3 ended failed"},
		"ignored":     {"cmds: [{cmd: exit 3, ignore_error: true}, echo b]", "$exit 3 =3 ignored $echo b succeeded"},
		"accepted":    {"cmds: [{cmd: exit 3, accept: [3]}]", "$exit 3 succeeded"},
		"refused":     {"cmds: [{cmd: exit 0, accept: [3]}]", "$exit 0 =1 ended failed"},
		"if":          {"cmds: [{cmd: echo a, if: 'exit 1'}, {cmd: echo b, if: 'exit 0'}]", "skipped:if $echo b succeeded"},
		"platform":    {"cmds: [{cmd: echo a, platforms: [windows/arm]}]", "skipped:platforms succeeded"},
		"deferred":    {"cmds: [{defer: 'echo one {{.EXIT_CODE}}'}, {defer: exit 9}, exit 4, {defer: echo never}]", "$exit 4 =4 ended $exit 9 =9 defer:exit status 9 $echo one 4 failed"},
		"again":       {"cmds: [{cmd: exit 3, retry: {max: 2, delay: 1s, backoff: 2, jitter: 0}}]", "$exit 3 =3 again:1s $exit 3(2 of 3) =3 again:2s $exit 3(3 of 3) =3 ended failed"},
		"not again":   {"cmds: [{cmd: exit 3, retry: {max: 2, on: [4]}}]", "$exit 3 =3 ended failed"},
		"again if":    {"cmds: [{cmd: 'echo busy; exit 3', retry: {max: 1, delay: 1s, jitter: 0, match: busy}}]", "$echo busy; exit 3 =3 again:1s $echo busy; exit 3(2 of 2) =3 ended failed"},
		"not if":      {"cmds: [{cmd: 'echo x; exit 3', retry: {max: 1, match: busy}}]", "$echo x; exit 3 =3 ended failed"},
		"too long":    {"cmds: [{cmd: 'while :; do :; done', timeout: 1m}]", "$while :; do :; done =124 ended failed"},
		"too silent":  {"cmds: [{cmd: 'while :; do :; done', idle_timeout: 1m}]", "$while :; do :; done =124 ended failed"},
		"call":        {"cmds: [{task: b}]", "call:b succeeded"},
		"pipe":        {"cmds: [{pipe: [echo a, 'read x; [ $x = a ]']}]", "$echo a | read x; [ $x = a ] [echo 0] [read 0] succeeded"},
		"pipe fails":  {"cmds: [{pipe: [exit 2, 'read x', 'exit 3']}]", "$exit 2 | read x | exit 3 =3 [exit 2] [read 1] [exit 3] ended failed"},
		"parallel":    {"cmds: [{parallel: [exit 0, exit 2, exit 3]}]", "${ exit 0 & exit 2 & exit 3 } =2 ended failed"},
		"accepts":     {"cmds: [{parallel: [exit 3, {cmd: exit 4, accept: [4]}], accept: [3]}]", "${ exit 3 & exit 4 } succeeded"},
		"no members":  {"cmds: [{pipe: [{cmd: exit 1, platforms: [windows/arm]}, exit 0]}]", "$exit 1 | exit 0 [exit 0] [exit 0] succeeded"},
		"tee, merge":  {"cmds: [{pipe: [{merge: [echo a, echo b], mode: concat}, {tee: ['read x; [ $x = a ]', 'read x; read x; [ $x = b ]']}]}]", "$merge { echo a; echo b } | tee { read x; [ $x = a ]; read x; read x; [ $x = b ] } [echo 0] [echo 0] [read 0] [read 0] succeeded"},
		"of a member": {"cmds: [{parallel: [{cmd: 'while :; do :; done', timeout: 1m}, exit 0]}]", "${ while :; do :; done & exit 0 } =124 ended failed"},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLocal(t)
			l.passTime()
			r := l.run(t.Context(), tt.task)
			if got := l.story(r); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

// TestDry: commands are only announced.
func TestDry(t *testing.T) {
	l := newLocal(t)
	l.o.Dry, l.capture = true, true
	r := l.run(t.Context(), "cmds: [echo a >f, {pipe: [echo b, exit 1]}]")
	if got := l.story(r); got != "$echo a >f $echo b | exit 1 succeeded" || r.Output != nil {
		t.Errorf("%s, %v", got, r.Output)
	}
	if _, err := os.Stat(filepath.Join(l.dir, "f")); err == nil {
		t.Error("a command ran")
	}
}

// TestStreams: commands read and write as their keys say; a failed attempt leaves nothing.
func TestStreams(t *testing.T) {
	for name, tt := range map[string]struct {
		task           string
		relay, capture bool
		log, stdout, f string // shown output, captured output, contents of the file f
	}{
		"reported":     {task: "cmds: [echo a, echo b >&2]", relay: true, log: "a\nb\n"},
		"captured":     {task: "cmds: [echo a, echo b]", relay: true, capture: true, log: "a\nb\n", stdout: "a\nb\n"},
		"text":         {task: "cmds: [{cmd: 'read x; echo got $x', stdin: {text: \"hello\\n\"}}]", relay: true, log: "got hello\n"},
		"file":         {task: "cmds: [{cmd: echo a, stdout: {file: f}}]", f: "a\n"},
		"file and log": {task: "cmds: [{cmd: echo a, stdout: [{file: f}, log]}]", f: "a\n", log: "a\n"},
		"one file":     {task: "cmds: [{cmd: 'echo a; echo b >&2', stdout: {file: f}, stderr: stdout}]", f: "a\nb\n"},
		"failed":       {task: "cmds: [{cmd: 'echo a; exit 1', stdout: {file: f}, ignore_error: true}]", f: "none"},
		"attempts":     {task: "cmds: [{cmd: 'echo a; [ -e g ] || { : >g; exit 1; }', stdout: {file: f, append: true}, retry: 1}]", f: "a\n"},
		"of members":   {task: "cmds: [{parallel: [{cmd: echo a, stdout: {file: f, append: true}}, '[ -e g ] || { : >g; exit 1; }'], retry: 1}]", f: "a\n"},
		"captures":     {task: "cmds: [{cmd: 'echo a; [ -e g ] || { : >g; exit 1; }', retry: 1}]", capture: true, relay: true, stdout: "a\n", log: "a\na\n"},
		"of a pipe":    {task: "cmds: [{pipe: [echo a, 'read x; echo $x$x'], stdout: {file: f}}]", f: "aa\n"},
		"null":         {task: "cmds: [{cmd: echo a, stdout: 'null', stderr: 'null'}]", relay: true},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLocal(t)
			l.passTime()
			l.o.Relay, l.capture = tt.relay, tt.capture
			r := l.run(t.Context(), tt.task)
			if r.Err != nil {
				t.Fatal(r.Err)
			}
			if got := l.env.output.String(); got != tt.log {
				t.Errorf("shown is %q", got)
			}
			var captured []byte
			if r.Output != nil {
				captured, _ = r.Output.Stdout.Bytes()
			}
			if string(captured) != tt.stdout || (r.Output != nil) != tt.capture {
				t.Errorf("captured is %q", captured)
			}
			if tt.f != "" && l.file("f") != tt.f {
				t.Errorf("the file has %q", l.file("f"))
			}
		})
	}
}

// TestEnds: a step with a reader writes to it, in addition to its keys.
func TestEnds(t *testing.T) {
	for task, kept := range map[string]string{"cmds: [echo a, echo b]": "", "cmds: [{cmd: echo a, stdout: {file: f}}, {cmd: 'echo b'}]": "a\n"} {
		l := newLocal(t)
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		l.ends.Out = w
		if r := l.run(t.Context(), task); r.Err != nil {
			t.Fatal(r.Err)
		}
		w.Close()
		got, _ := io.ReadAll(r)
		r.Close()
		if string(got) != "a\nb\n" || kept != "" && l.file("f") != kept {
			t.Errorf("%s: %q, the file has %q", task, got, l.file("f"))
		}
	}
}

// TestCancelled: the cause of a stopped step is its error, and its deferred commands run.
func TestCancelled(t *testing.T) {
	l := newLocal(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := &sched.Interrupted{Signal: os.Interrupt}
	l.o.Flush = func() { cancel(cause) } // the first command is announced
	r := l.run(ctx, "cmds: [{defer: echo a >f}, 'while :; do :; done', echo never]")
	if r.Outcome != event.Cancelled || r.Err != cause || l.file("f") != "a\n" {
		t.Errorf("%+v, %s", r, l.story(r))
	}
}

func TestDelays(t *testing.T) {
	r := &plan.Retry{Delay: time.Second, Backoff: 2, MaxDelay: 5 * time.Second, Jitter: 0.5}
	for n, want := range map[int][2]time.Duration{1: {500 * time.Millisecond, 1500 * time.Millisecond}, 2: {time.Second, 3 * time.Second}, 4: {2500 * time.Millisecond, 7500 * time.Millisecond}} {
		if got := [2]time.Duration{delayBefore(r, n, 0), delayBefore(r, n, 1)}; got != want {
			t.Errorf("after attempt %d: %v, want %v", n, got, want)
		}
	}
}

// TestAccepted: the accepted codes count as success; the default is 0.
func TestAccepted(t *testing.T) {
	three := &shell.ExitError{Code: 3}
	other := errors.New("other")
	for i, tt := range []struct {
		err   error
		codes []int
		want  int // exit status; -1: the error itself
	}{
		{nil, nil, 0}, {three, nil, 3}, {three, []int{0, 3}, 0}, {three, []int{4}, 3}, {nil, []int{0}, 0}, {nil, []int{3}, 1}, {other, []int{3}, -1},
	} {
		err := accepted(tt.err, tt.codes)
		if tt.want == -1 && err != other || tt.want >= 0 && executor.ExitCode(err) != tt.want || (err == nil) != (tt.want == 0) {
			t.Errorf("%d: %v", i, err)
		}
	}
}

// TestRunning: signals go to commands whose context is done; deferred commands have a time limit
// after those, and stop commands are only killed.
func TestRunning(t *testing.T) {
	table := proc.NewTable(proc.Options{})
	defer table.Close(false)
	done, cancel := context.WithCancel(t.Context())
	cancel()
	var r Running
	command, stopping, deferred := table.NewGroup(proc.GroupOptions{}), table.NewGroup(proc.GroupOptions{}), table.NewGroup(proc.GroupOptions{})
	r.Add(done, command)
	r.add(stopping, entry{ctx: done, stopping: true})
	r.Add(t.Context(), deferred)
	state := func() string {
		s := ""
		for _, g := range []*proc.Group{command, stopping, deferred} {
			switch {
			case g.Killed():
				s += "k"
			case g.Err() != nil:
				s += "s"
			default:
				s += "."
			}
		}
		return s
	}
	cause := errors.New("cause")
	r.Stop(cause, proc.Ladder{})
	if got := state(); got != "s.." {
		t.Errorf("told to end: %s", got)
	}
	if waiting, moves := r.Waiting(proc.Ladder{Grace: time.Second}, time.Minute); !waiting || moves != 3 {
		t.Errorf("waiting %t for a deferred command, %d moves", waiting, moves)
	}
	r.Kill(cause)
	if got := state(); got != "kk." {
		t.Errorf("killed: %s", got)
	}
	r.Remove(deferred)
	if waiting, moves := r.Waiting(proc.Ladder{Grace: time.Second}, time.Minute); waiting || moves != 4 {
		t.Errorf("waiting %t for what was killed, %d moves", waiting, moves)
	}
	r.mu.Lock()
	r.until = time.Now().Add(-time.Second) // the time of deferred commands is over
	r.mu.Unlock()
	late := table.NewGroup(proc.GroupOptions{})
	r.Add(t.Context(), late)
	if !late.Killed() {
		t.Error("a command begins when its time is over")
	}
	r.timer.Stop()
}
