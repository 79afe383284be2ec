package sched_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/engine/sched"
	"github.com/weftrun/weft/engine/vars"
	"github.com/weftrun/weft/schema"
	"github.com/weftrun/weft/schema/diag"
)

// fake is an Executor whose steps sleep (in virtual time), call and fail as
// their commands say: "sleep 2s", "fail", "call NAME", "call NAME 2s" (with a limit),
// "connect NAME NAME" (calls them together), "wait" (for the end of the context), "serve",
// "read NAME" (until that has ended).
type fake struct {
	mu    sync.Mutex // guards order, ends
	order []string   // in which steps began
	ends  map[string]chan struct{}
	now   atomic.Int32
	most  atomic.Int32
	mild  bool // a call with a limit may fail
}

// end is closed when the body of a step has ended.
func (f *fake) end(name string) chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ends == nil {
		f.ends = map[string]chan struct{}{}
	}
	if f.ends[name] == nil {
		f.ends[name] = make(chan struct{})
	}
	return f.ends[name]
}

func (f *fake) Execute(ctx context.Context, s *plan.Step, env *sched.Env) sched.Outcome {
	f.mu.Lock()
	f.order = append(f.order, s.Name)
	f.mu.Unlock()
	if env.Gang != nil {
		defer close(f.end(s.Name))
	}
	n := f.now.Add(1)
	for m := f.most.Load(); n > m && !f.most.CompareAndSwap(m, n); m = f.most.Load() {
	}
	defer f.now.Add(-1)
	serving := false
	for _, c := range s.Task.Cmds {
		verb, arg, _ := strings.Cut(c.Text.S, " ")
		switch verb {
		case "sleep":
			d, _ := time.ParseDuration(arg)
			select {
			case <-time.After(d):
			case <-ctx.Done():
				return sched.Outcome{Result: event.Cancelled, Err: context.Cause(ctx)}
			}
		case "wait":
			<-ctx.Done()
			return sched.Outcome{Result: event.Cancelled, Err: context.Cause(ctx)}
		case "serve":
			env.Serve()
			if !serving {
				serving = true
				f.now.Add(-1)
				defer f.now.Add(1)
			}
		case "read":
			<-f.end(arg)
		case "fail":
			return sched.Outcome{Result: event.Failed, Err: errors.New("failed"), Code: 1}
		case "connect":
			var calls []plan.Call
			for _, name := range strings.Fields(arg) {
				calls = append(calls, plan.Call{Name: name, From: s})
			}
			f.now.Add(-1)
			errs := env.CallConnected(ctx, calls, func(int, *plan.Step) error { return nil }, func(*plan.Step) {})
			f.now.Add(1)
			if err := errors.Join(errs...); err != nil {
				return sched.Outcome{Result: event.Failed, Err: err}
			}
		case "call":
			f.now.Add(-1)
			name, limit, limited := strings.Cut(arg, " ")
			callCtx, cancel := ctx, func() {}
			if limited {
				d, _ := time.ParseDuration(limit)
				callCtx, cancel = context.WithTimeoutCause(ctx, d, &sched.TimedOut{Name: s.Name, After: d})
			}
			err := env.Call(callCtx, plan.Call{Name: name, From: s})
			cancel()
			f.now.Add(1)
			if err != nil && limited && f.mild {
				continue
			}
			if err != nil {
				return sched.Outcome{Result: event.Failed, Err: err}
			}
		}
	}
	return sched.Outcome{Result: event.Succeeded}
}

// workflow reads lines "name: need need | command; command". A leading "!"
// makes a task `failfast`, a leading "1" `run: once`; "name*3" takes three slots,
// "name<other" reads what other writes while it runs, the need "name@started" must only
// have started, and "name@2s" may take no longer.
func workflow(lines string) *schema.Workflow {
	file := &diag.File{Path: "/Taskfile.yml"}
	w := &schema.Workflow{File: file, Dir: "/", ByName: map[string]*schema.Task{}}
	for line := range strings.Lines(lines) {
		name, rest, ok := strings.Cut(strings.TrimSpace(line), ":")
		if !ok {
			continue
		}
		t := &schema.Task{File: file, TaskOptions: &schema.TaskOptions{}}
		if t.Failfast = name[0] == '!'; t.Failfast {
			name = name[1:]
		}
		if name[0] == '1' {
			name = name[1:]
			t.Run.S = "once"
		}
		name, writer, reads := strings.Cut(name, "<")
		if reads {
			t.Processes = &schema.Processes{Stdin: &schema.Stdin{Kind: schema.StdinFrom, Text: schema.Text{S: writer}}}
		}
		name, _, _ = strings.Cut(name, "*")
		t.Name, t.LocalName = name, name
		needs, cmds, _ := strings.Cut(rest, "|")
		for _, n := range strings.Fields(needs) {
			n, _, _ = strings.Cut(n, "@")
			t.Deps = append(t.Deps, schema.Command{Kind: schema.Call, Text: schema.Text{S: n}, CommandOptions: &schema.CommandOptions{}})
		}
		for _, c := range strings.Split(cmds, ";") {
			t.Cmds = append(t.Cmds, schema.Command{Text: schema.Text{S: strings.TrimSpace(c)}, CommandOptions: &schema.CommandOptions{}})
		}
		t.Index = int32(len(w.Tasks))
		w.Tasks = append(w.Tasks, t)
		w.ByName[name] = t
	}
	return w
}

// weigh gives the steps of p the weights, and their needs the conditions, that lines
// give them.
func weigh(p *plan.Plan, lines string) {
	conditions := map[string]plan.When{"succeeded": plan.Succeeded, "ready": plan.Ready, "started": plan.Started, "ended": plan.Ended}
	for line := range strings.Lines(lines) {
		name, rest, _ := strings.Cut(strings.TrimSpace(line), ":")
		name, _, _ = strings.Cut(strings.TrimLeft(name, "!1"), "<")
		name, weight, _ := strings.Cut(name, "*")
		needs, _, _ := strings.Cut(rest, "|")
		for i, s := range p.Steps {
			if s.Name != name {
				continue
			}
			if w, err := strconv.Atoi(weight); err == nil {
				s.Slots = int32(w)
			}
			for j, n := range strings.Fields(needs) {
				_, when, ok := strings.Cut(n, "@")
				if limit, err := time.ParseDuration(when); err == nil {
					p.Needs[i][j].Limit = limit
				} else if ok {
					p.Needs[i][j].When = conditions[when]
				}
			}
		}
	}
}

type result struct {
	f       *fake
	err     error
	took    time.Duration
	settled map[string]event.Outcome
	began   map[string]time.Duration // when it started
	at      map[string]time.Duration // when it settled
}

// run executes the task "all" in virtual time.
func run(t *testing.T, lines string, o sched.Options, during func(cancel context.CancelCauseFunc)) result {
	t.Helper()
	var r result
	synctest.Test(t, func(t *testing.T) {
		w := workflow(lines)
		ctx, cancel := context.WithCancelCause(t.Context())
		defer cancel(nil)
		x := plan.NewExpander(plan.Options{Workflow: w, Resolver: vars.New(vars.Options{Workflow: w})})
		begin := time.Now()
		r = result{f: &fake{mild: during == nil}, settled: map[string]event.Outcome{}, began: map[string]time.Duration{}, at: map[string]time.Duration{}}
		var mu sync.Mutex
		o.Executor, o.Expander = r.f, x
		watch := o.Emit
		o.Emit = func(ev event.Event) {
			if watch != nil {
				watch(ev)
			}
			mu.Lock()
			defer mu.Unlock()
			switch ev := ev.(type) {
			case *event.StepStarted:
				r.began[ev.Name] = time.Since(begin)
			case *event.StepSettled:
				r.settled[ev.Name], r.at[ev.Name] = ev.Outcome, time.Since(begin)
			}
		}
		if o.Idle == nil {
			o.Idle = func() bool { return false }
		}
		s := sched.Start(o)
		defer s.Close()
		if during != nil {
			go during(cancel)
		}
		p, err := x.Expand(ctx, plan.Call{Name: "all"})
		if err == nil {
			weigh(p, lines)
			err = s.Do(ctx, p)
		}
		r.err, r.took = err, time.Since(begin)
	})
	return r
}

// TestCause: a step that ends because another one failed tells which, one that fails on its
// own does not.
func TestCause(t *testing.T) {
	settled := map[string]*event.StepSettled{}
	names := map[event.StepID]string{}
	run(t, `
		all: | call a
		a: b c |
		b: | call d
		c: | sleep 1s
		d: | fail`, sched.Options{Emit: func(ev event.Event) {
		if ev, ok := ev.(*event.StepSettled); ok {
			settled[ev.Name], names[ev.Step] = ev, ev.Name
		}
	}}, nil)
	for name, want := range map[string]string{"all": "a", "a": "b", "b": "d", "c": "", "d": ""} {
		if got := names[settled[name].Cause]; got != want {
			t.Errorf("%s ended because of %q, want %q", name, got, want)
		}
	}
}

func TestOrderAtOneSlot(t *testing.T) {
	r := run(t, `
		all: b a c |
		a: a1 a2 |
		b: b1 | call a1; call c
		c: |
		a1: |
		a2: |
		b1: |`, sched.Options{Limit: 1}, nil)
	if r.err != nil {
		t.Fatal(r.err)
	}
	want := []string{"b1", "b", "a1", "c", "a1", "a2", "a", "c", "all"}
	if !slices.Equal(r.f.order, want) {
		t.Errorf("order %v, want %v", r.f.order, want)
	}
}

func TestHardLimit(t *testing.T) {
	lines := "all: "
	for i := range 20 {
		lines += fmt.Sprintf("t%d ", i)
	}
	lines += "|\n"
	for i := range 20 {
		lines += fmt.Sprintf("t%d: | sleep 1s\n", i)
	}
	r := run(t, lines, sched.Options{Limit: 4, Idle: func() bool { return true }}, nil)
	if r.err != nil || r.f.most.Load() != 4 || r.took != 5*time.Second {
		t.Errorf("err %v, %d at once in %v; want 4 in 5s", r.err, r.f.most.Load(), r.took)
	}
}

func TestSoftLimitAdmitsWhatWouldStarve(t *testing.T) {
	const lines = `
		all: s1 s2 s3 s4 s5 s6 |
		s1: | sleep 1h
		s2: | sleep 1h
		s3: | sleep 1h
		s4: | sleep 1h
		s5: | sleep 1h
		s6: | sleep 1h`
	for _, idle := range []bool{true, false} {
		r := run(t, lines, sched.Options{Soft: 2, Idle: func() bool { return idle }}, nil)
		if r.err != nil || r.f.most.Load() != 6 {
			t.Errorf("idle %v: err %v, %d at once; want all 6", idle, r.err, r.f.most.Load())
		}
		// Idle: 25+12.5+6.25+3.125 ms; busy: four times 250 ms.
		if limit := time.Hour + map[bool]time.Duration{true: 50 * time.Millisecond, false: 1100 * time.Millisecond}[idle]; r.took > limit {
			t.Errorf("idle %v: took %v, want at most %v", idle, r.took, limit)
		}
	}
}

func TestSoftLimitDoesNotThrash(t *testing.T) {
	lines := "all: "
	for i := range 500 {
		lines += fmt.Sprintf("t%d ", i)
	}
	lines += "|\n"
	for i := range 500 {
		lines += fmt.Sprintf("t%d: | sleep 20ms\n", i)
	}
	r := run(t, lines, sched.Options{Soft: 3}, nil)
	if r.err != nil || r.f.most.Load() > 4 {
		t.Errorf("err %v, %d at once; want no more than 4", r.err, r.f.most.Load())
	}
}

func TestFailureWithoutFailfastLetsSiblingsRun(t *testing.T) {
	r := run(t, `
		all: a b c |
		a: | fail
		b: | sleep 1s
		c: | sleep 2s`, sched.Options{Limit: 1}, nil)
	if r.err == nil || r.settled["b"] != event.Succeeded || r.settled["c"] != event.Succeeded || r.settled["all"] != event.Skipped {
		t.Errorf("err %v, settled %v", r.err, r.settled)
	}
	if want := `Failed to run task "all": Failed to run task "a": failed`; r.err.Error() != want {
		t.Errorf("error %q, want %q", r.err, want)
	}
}

func TestFailfastCancelsSiblings(t *testing.T) {
	for name, o := range map[string]sched.Options{"task": {}, "option": {Failfast: true}} {
		mark := "!"
		if o.Failfast {
			mark = ""
		}
		o.Soft = 2
		r := run(t, mark+`all: a b c |
			a: | sleep 1s; fail
			b: | wait
			c: | sleep 1s`, o, nil)
		if r.err == nil || r.settled["b"] != event.Cancelled || r.took > 2*time.Second {
			t.Errorf("%s: err %v after %v, settled %v", name, r.err, r.took, r.settled)
		}
	}
}

func TestCallsNestToAnyDepthWithOneSlot(t *testing.T) {
	lines := ""
	for i := range 500 {
		lines += fmt.Sprintf("t%d: | call t%d\n", i, i+1)
	}
	r := run(t, "all: | call t0\n"+lines+"t500: |", sched.Options{Limit: 1}, nil)
	if r.err != nil || len(r.f.order) != 502 {
		t.Errorf("err %v, %d steps", r.err, len(r.f.order))
	}
}

func TestCallsThatNeverEnd(t *testing.T) {
	for name, lines := range map[string]string{
		"itself":    "all: | call all",
		"needs":     "all: a |\na: b |\nb: a |",
		"body":      "all: a |\na: | call b\nb: a |",
		"connected": "all: x y |\nx: | connect p\ny: | connect q\n1p: | sleep 1s; connect q\n1q: | sleep 1s; connect p",
		"deadlock":  "all: x y |\nx: | call p\ny: | call q\n1p: | sleep 1s; call q\n1q: | sleep 1s; call p",
	} {
		r := run(t, lines, sched.Options{}, nil)
		var cycle *plan.CycleError
		if !errors.As(r.err, &cycle) {
			t.Errorf("%s: error %v, want a cycle", name, r.err)
		}
	}
}

func TestSharedStepRunsOnce(t *testing.T) {
	r := run(t, `
		all: a b c | call once; call a
		a: once |
		b: once | call once
		c: | call once
		1once: | sleep 1s`, sched.Options{}, nil)
	n := 0
	for _, s := range r.f.order {
		if s == "once" {
			n++
		}
	}
	if r.err != nil || n != 1 {
		t.Errorf("err %v, ran %d times: %v", r.err, n, r.f.order)
	}
}

func TestCancelledRunSettlesEverything(t *testing.T) {
	cause := errors.New("enough")
	r := run(t, `
		all: a b c d |
		a: | wait
		b: | call e
		c: f |
		d: | sleep 1h
		e: | wait
		f: | sleep 1h`, sched.Options{Limit: 2}, func(cancel context.CancelCauseFunc) {
		time.Sleep(time.Second)
		cancel(cause)
	})
	if !errors.Is(r.err, cause) || r.took != time.Second {
		t.Errorf("error %v after %v, want %v after 1s", r.err, r.took, cause)
	}
	for _, s := range []string{"a", "c", "d", "all"} {
		if o := r.settled[s]; o != event.Cancelled && o != event.Skipped {
			t.Errorf("%s settled as %v", s, o)
		}
	}
}

// TestCancelledCallEndsOnce: a call that is cancelled at the moment it is accepted gives its
// caller one slot back, not two.
func TestCancelledCallEndsOnce(t *testing.T) {
	cause := errors.New("enough")
	planned, suspended, resumed := 0, 0, 0
	cancelled := make(chan context.CancelCauseFunc, 1)
	r := run(t, "all: | call vain\nvain: | sleep 1s", sched.Options{Emit: func(ev event.Event) {
		switch ev.(type) {
		case *event.Planned:
			if planned++; planned == 2 {
				(<-cancelled)(cause)
			}
		case *event.Suspended:
			suspended++
		case *event.Resumed:
			resumed++
		}
	}}, func(cancel context.CancelCauseFunc) { cancelled <- cancel })
	if !errors.Is(r.err, cause) || suspended != 1 || resumed != 1 {
		t.Errorf("err %v; suspended %d times, resumed %d times", r.err, suspended, resumed)
	}
}

func BenchmarkScheduler(b *testing.B) {
	lines := "all: "
	for i := range 10_000 {
		lines += fmt.Sprintf("t%d ", i)
	}
	lines += "|\n"
	for i := range 10_000 {
		lines += fmt.Sprintf("1t%d: | \n", i)
	}
	w := workflow(lines)
	b.ReportAllocs()
	for b.Loop() {
		x := plan.NewExpander(plan.Options{Workflow: w, Resolver: vars.New(vars.Options{Workflow: w})})
		s := sched.Start(sched.Options{Executor: &fake{}, Expander: x})
		p, err := x.Expand(context.Background(), plan.Call{Name: "all"})
		if err == nil {
			err = s.Do(context.Background(), p)
		}
		if err != nil {
			b.Fatal(err)
		}
		s.Close()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/10_000, "ns/step")
}
