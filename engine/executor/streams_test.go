package executor

import (
	"bufio"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/weftrun/weft/engine/clock"
	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/pipe"
	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/engine/sched"
)

// TestStreams: steps of a gang read the output of another one while it runs; a writer whose readers
// have ended has not failed, unless one of them has.
func TestStreams(t *testing.T) {
	p := newProject(t, `  w: {run: once, cmd: x}
  r1: {stdin: {from: w}, cmd: x}
  r2: {stdin: {from: w}, cmd: x}
  both: {deps: [r1, r2], cmd: x}
`)
	broken := func(_ context.Context, b *Bound) Result { // writes until it has no readers
		for line := strings.Repeat("x", 1023) + "\n"; ; {
			if _, err := io.WriteString(b.Streams.Out, line); err != nil {
				return failed(exit(141))
			}
		}
	}
	silent := func(ctx context.Context, _ *Bound) Result {
		<-ctx.Done()
		return Ended(ctx, context.Cause(ctx))
	}
	hello := func(_ context.Context, b *Bound) Result {
		io.WriteString(b.Streams.Out, "hello\n")
		return Result{Outcome: event.Succeeded}
	}
	bad := func(context.Context, *Bound) Result { return failed(errors.New("failure")) }
	nothing := func(context.Context, *Bound) Result { return Result{Outcome: event.Succeeded} }
	firstLine := func(_ context.Context, b *Bound) Result {
		in := stdinOf(b.Step)
		f, owned, err := b.OpenInput(in)
		if err != nil || owned {
			return failed(errors.New("no stream of its writer's"))
		}
		if line, err := bufio.NewReader(f).ReadString('\n'); err != nil || line == "" {
			return failed(err)
		}
		b.CloseInput(in)
		return Result{Outcome: event.Succeeded}
	}
	for name, tt := range map[string]struct {
		writer  bodyFunc
		readers [2]bodyFunc
		want    string // outcomes of the writer and its readers
	}{
		"read to the end":     {hello, [2]bodyFunc{firstLine, firstLine}, "succeeded succeeded succeeded"},
		"cut off":             {broken, [2]bodyFunc{firstLine, nothing}, "succeeded succeeded succeeded"},
		"cut off, one failed": {broken, [2]bodyFunc{bad, firstLine}, "failed failed succeeded"},
		"silent":              {silent, [2]bodyFunc{nothing, nothing}, "succeeded succeeded succeeded"},
		"the writer failed":   {bad, [2]bodyFunc{nothing, nothing}, "failed succeeded succeeded"},
	} {
		t.Run(name, func(t *testing.T) {
			var c clock.Clock
			c.Pause()
			bounds := map[string]*Bound{}
			gang := &sched.Gang{Readers: map[*plan.Step][]*plan.Step{}}
			list, err := p.expander.Expand(t.Context(), plan.Call{Name: "both"})
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range list.Steps {
				bounds[s.Name] = &Bound{Step: s, Env: &fakeEnv{}, steps: &p.steps, gang: gang}
			}
			gang.Readers[bounds["w"].Step] = []*plan.Step{bounds["r1"].Step, bounds["r2"].Step}
			results := make([]chan string, 3)
			for i, task := range []string{"w", "r1", "r2"} {
				results[i] = make(chan string, 1)
				l := &streams{next: append([]bodyFunc{tt.writer}, tt.readers[:]...)[i], clock: &c, large: new(pipe.Enlarger)}
				go func() { results[i] <- l.Run(t.Context(), bounds[task]).Outcome.String() }()
			}
			var got []string
			deadline := time.After(20 * time.Second)
			for _, r := range results {
				for waiting := true; waiting; {
					select {
					case outcome := <-r:
						got, waiting = append(got, outcome), false
					case <-deadline:
						t.Fatal("it hangs")
					case <-time.After(time.Millisecond):
						c.Advance(time.Second)
					}
				}
			}
			if got := strings.Join(got, " "); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

// stdinOf returns the input of the commands of s.
func stdinOf(s *plan.Step) *plan.Stdin {
	for _, c := range s.Commands() {
		own := *c.Stdin
		own.PerCommand = true
		return &own
	}
	return nil
}

// exit is an exit status.
type exit int

func (e exit) Error() string { return "exit status" }
func (e exit) ExitCode() int { return int(e) }

// TestConnectedCalls: a called task gets its own descriptors, which are closed when it has ended,
// or when it never began.
func TestConnectedCalls(t *testing.T) {
	p := newProject(t, "  a: {cmds: [{task: b}]}\n  b: {cmd: x}\n")
	for name, begins := range map[string]bool{"it runs": true, "it never begins": false} {
		t.Run(name, func(t *testing.T) {
			readers, writers, err := pipe.NewPipes(1)
			if err != nil {
				t.Fatal(err)
			}
			defer readers[0].Close()
			readers[0].SetReadDeadline(time.Now().Add(10 * time.Second))
			b, _ := p.bound("a")
			called, _ := p.bound("b")
			env := &callingEnv{step: called.Step}
			if begins {
				env.run = func() {
					e := p.steps.endsOf(called.Step)
					io.WriteString(e.Out, "written")
					e.close()
				}
			}
			b.Env = env
			for _, c := range b.Step.Commands() {
				calls := []ConnectedCall{{c, Streams{Out: writers[0]}}}
				if errs := b.CallConnected(t.Context(), calls, func(int) { writers[0].Close() }); errs[0] != nil {
					t.Fatal(errs)
				}
			}
			got, err := io.ReadAll(readers[0]) // ends when the last write end is closed
			if err != nil || string(got) != map[bool]string{true: "written"}[begins] {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
}

// callingEnv is an Env in which a call runs a step.
type callingEnv struct {
	Env
	step *plan.Step
	run  func() // nil: it never begins
}

func (e *callingEnv) CallConnected(_ context.Context, calls []plan.Call, connect func(int, *plan.Step) error, drop func(*plan.Step)) []error {
	if err := connect(0, e.step); err != nil {
		return []error{err}
	}
	if e.run == nil {
		drop(e.step)
	} else {
		e.run()
	}
	return make([]error, len(calls))
}

// TestWatchedCalls: the monitor of a called task sees the output of its needs and calls, too, and
// of no others.
func TestWatchedCalls(t *testing.T) {
	p := newProject(t, "  a: {cmds: [{task: b}, {task: other}]}\n  b: {deps: [d], cmd: x}\n  d: {cmd: x}\n  other: {cmd: x}\n")
	caller, _ := p.bound("a")
	var calls []plan.Call
	for _, c := range caller.Step.Commands() {
		calls = append(calls, caller.call(c))
	}
	list, err := p.expander.Expand(t.Context(), calls...)
	if err != nil {
		t.Fatal(err)
	}
	var w strings.Builder
	seen := func() (names string) {
		for _, s := range list.Steps {
			if e := p.steps.endsOf(s); e.Activity == &w {
				names += s.Name
			}
		}
		return names
	}
	p.steps.watched.add(place{nil, calls[0].Pos}, io.Discard)
	first := p.steps.watched.add(place{caller.Step, calls[0].Pos}, &w)
	second := p.steps.watched.add(place{caller.Step, calls[0].Pos}, &w)
	first()
	if got := seen(); got != "db" {
		t.Errorf("watched are %q", got)
	}
	second()
	if got := seen(); got != "" {
		t.Errorf("when the calls have ended, watched are %q", got)
	}
}
