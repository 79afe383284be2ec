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

// fake is an Executor whose steps sleep (in virtual time), call and fail as their commands say:
// "sleep 2s", "fail", "call NAME", "call NAME 2s" (with a limit), "connect NAME NAME" (calls them
// together), "wait" (for the end of the context), "serve", "up 2s" (serve until it is told to end,
// which then takes 2s), "defer 2s" (takes 2s at the end), "read NAME" (until that has ended),
// "drain" (until its last sender has ended), "ask 2s" (a server, which takes 2s). It can check steps with "fresh 2ms" (a quick check
// takes 2ms and finds the step fresh) or "stale 2ms" (a quick check takes 2ms and is inconclusive).
type fake struct {
	mu      sync.Mutex // guards order, ends
	order   []string   // start order of steps
	ends    map[string]chan struct{}
	now     atomic.Int32
	most    atomic.Int32
	asking  atomic.Int32
	asked   atomic.Int32 // maximum of asking
	mild    bool         // a call with a limit may fail
	watch   func(moment)
	checked []string // names of the steps checked; guarded by mu
}

// moment is an event of a body: it has "begun", "calls", has "called", is "up", was "told" to end,
// and has "ended".
type moment struct {
	what string
	id   event.StepID
	step *plan.Step
	arg  string // the called task
	ok   bool   // of ended, called: success
}

// end returns a channel that is closed when the body of a step has ended.
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

func (f *fake) Execute(ctx context.Context, s *plan.Step, env *sched.Env) (out sched.Outcome) {
	tell := func(what, arg string, ok bool) {
		if f.watch != nil {
			f.watch(moment{what, env.ID, s, arg, ok})
		}
	}
	tell("begun", "", true)
	defer func() { tell("ended", "", out.Err == nil) }()
	f.mu.Lock()
	f.order = append(f.order, s.Name)
	f.mu.Unlock()
	if env.Gang != nil {
		end := f.end(s.Name)
		defer func() {
			f.mu.Lock()
			defer f.mu.Unlock()
			select {
			case <-end: // of an earlier step of the same name
			default:
				close(end)
			}
		}()
	}
	count(&f.now, &f.most)
	holds := true // a slot
	release := func() {
		if holds {
			f.now.Add(-1)
		}
		holds = false
	}
	defer release()
	for _, c := range s.Task.Cmds {
		verb, arg, _ := strings.Cut(c.Text.S, " ")
		switch verb {
		case "fresh":
			return sched.Outcome{Result: event.Fresh}
		case "sleep":
			d, _ := time.ParseDuration(arg)
			select {
			case <-time.After(d):
			case <-ctx.Done():
				return sched.Outcome{Result: event.Cancelled, Err: context.Cause(ctx)}
			}
		case "ask":
			d, _ := time.ParseDuration(arg)
			f.now.Add(-1)
			env.Ask(func() {
				count(&f.asking, &f.asked)
				time.Sleep(d)
				f.asking.Add(-1)
			})
			count(&f.now, &f.most)
		case "wait":
			<-ctx.Done()
			return sched.Outcome{Result: event.Cancelled, Err: context.Cause(ctx)}
		case "defer":
			d, _ := time.ParseDuration(arg)
			defer time.Sleep(d)
		case "serve":
			tell("up", "", true)
			release()
			env.Serve()
		case "up": // until it is not needed any more; then it takes its time
			tell("up", "", true)
			release()
			env.Serve()
			var cancelled error
			select {
			case <-env.Unneeded():
			case <-ctx.Done():
				cancelled = context.Cause(ctx)
			}
			tell("told", "", true)
			d, _ := time.ParseDuration(arg)
			time.Sleep(d)
			if cancelled != nil {
				return sched.Outcome{Result: event.Cancelled, Err: cancelled}
			}
		case "read":
			<-f.end(arg)
		case "drain":
			select {
			case <-env.Unsent():
			case <-ctx.Done():
				return sched.Outcome{Result: event.Cancelled, Err: context.Cause(ctx)}
			}
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
			tell("calls", name, true)
			err := env.Call(callCtx, plan.Call{Name: name, From: s})
			tell("called", name, err == nil)
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

// count counts one more, and the most that there were.
func count(now, most *atomic.Int32) {
	n := now.Add(1)
	for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
	}
}

// conditions are the suffixes of needs.
var conditions = map[string]schema.Until{"started": schema.UntilStarted, "ready": schema.UntilReady, "ended": schema.UntilEnded}

func running(t *schema.Task) *schema.Running {
	if t.Running == nil {
		t.Running = &schema.Running{}
	}
	return t.Running
}

// workflow parses lines "name: need need | command; command". A leading "!" makes a task
// `failfast`, a leading "1" `run: once`, a leading "~" a service; "name*3" takes three slots,
// "name%pp" two of the pool p, "name<other" reads the output of other, "name>other" sends messages
// to other. The need "name@started" must only have started, and "name@2s" has a limit; ">name" is
// no need, but an order.
func workflow(lines string) *schema.Workflow {
	file := &diag.File{Path: "/Taskfile.yml"}
	w := &schema.Workflow{File: file, Sources: []*diag.File{file}, Dir: "/"}
	var receivers []string
	for line := range strings.Lines(lines) {
		name, rest, ok := strings.Cut(strings.TrimSpace(line), ":")
		if !ok {
			continue
		}
		t := &schema.Task{Pos: diag.Pos{File: file}, TaskOptions: &schema.TaskOptions{}}
		if t.Failfast = name[0] == '!'; t.Failfast {
			name = name[1:]
		}
		if name[0] == '1' {
			name = name[1:]
			t.Run.S = "once"
		}
		if name[0] == '~' {
			name = name[1:]
			running(t).Service = &schema.Service{}
		}
		name, writer, reads := strings.Cut(name, "<")
		if reads {
			t.Processes = &schema.Processes{Stdin: &schema.Stdin{Kind: schema.StdinFrom, Text: schema.Text{S: writer}}}
		}
		name, receiver, sends := strings.Cut(name, ">")
		if sends {
			t.Processes = &schema.Processes{IPC: &schema.IPC{To: &schema.TaskRef{Text: schema.Text{S: receiver}}}}
			receivers = append(receivers, receiver)
		}
		name, pool, _ := strings.Cut(name, "%")
		name, weight, _ := strings.Cut(name, "*")
		if w, err := strconv.Atoi(weight); err == nil {
			running(t).Slots = int32(w)
		}
		if pool != "" {
			running(t).Pool = schema.Pool{Name: pool[:1], Take: int32(max(1, len(pool)))}
		}
		t.Name, t.LocalName = name, name
		needs, cmds, _ := strings.Cut(rest, "|")
		for _, n := range strings.Fields(needs) {
			if after, ok := strings.CutPrefix(n, ">"); ok {
				running(t).After = append(running(t).After, schema.Text{S: after})
				continue
			}
			n, when, _ := strings.Cut(n, "@")
			o := &schema.CommandOptions{Until: conditions[when]}
			o.Timeout, _ = time.ParseDuration(when)
			t.Deps = append(t.Deps, schema.Command{Kind: schema.Call, Text: schema.Text{S: n}, CommandOptions: o})
		}
		for _, c := range strings.Split(cmds, ";") {
			if c = strings.TrimSpace(c); c != "" {
				t.Cmds = append(t.Cmds, schema.Command{Text: schema.Text{S: c}, CommandOptions: &schema.CommandOptions{}})
			}
		}
		w.Add(t)
	}
	for _, name := range receivers {
		if t := w.Task(name); t.Processes == nil {
			t.Processes = &schema.Processes{IPC: &schema.IPC{}}
		}
	}
	return w
}

type result struct {
	f       *fake
	err     error
	took    time.Duration
	settled map[string]event.Outcome
	began   map[string]time.Duration // when it started
	at      map[string]time.Duration // when it settled
}

// run executes the task "all", or roots instead, in virtual time.
func run(t *testing.T, lines string, o sched.Options, during func(cancel context.CancelCauseFunc), roots ...string) result {
	t.Helper()
	return runWith(t, lines, o, how{during: during}, roots...)
}

// how configures a run.
type how struct {
	watch  func(moment)                                        // called for each moment of a body; may be nil
	during func(cancel context.CancelCauseFunc)                // runs concurrently; may be nil
	do     func(*sched.Run, context.Context, *plan.Plan) error // executes the plan; nil: Do
}

// runWith is run with a configuration.
func runWith(t *testing.T, lines string, o sched.Options, h how, roots ...string) result {
	t.Helper()
	var r result
	synctest.Test(t, func(t *testing.T) {
		w := workflow(lines)
		for name, size := range o.Pools {
			w.Pools = append(w.Pools, schema.NamedPool{Name: name, Size: size})
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		defer cancel(nil)
		x := plan.NewExpander(plan.Options{Workflow: w, Resolver: vars.New(vars.Options{Workflow: w})})
		begin := time.Now()
		r = result{f: &fake{mild: h.during == nil, watch: h.watch}, settled: map[string]event.Outcome{}, began: map[string]time.Duration{}, at: map[string]time.Duration{}}
		var mu sync.Mutex
		o.Executor, o.Expander = r.f, x
		emit := o.Emit
		o.Emit = func(ev event.Event) {
			if emit != nil {
				emit(ev)
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
		if o.CPUIdle == nil {
			o.CPUIdle = func() bool { return false }
		}
		s := sched.Start(o)
		defer s.Close()
		if h.during != nil {
			go h.during(cancel)
		}
		do := (*sched.Run).Do
		if h.do != nil {
			do = h.do
		}
		var calls []plan.Call
		for _, name := range roots {
			calls = append(calls, plan.Call{Name: name})
		}
		if len(roots) == 0 {
			calls = []plan.Call{{Name: "all"}}
		}
		p, err := x.Expand(ctx, calls...)
		if err == nil {
			err = do(s, ctx, p)
		}
		r.err, r.took = err, time.Since(begin)
	})
	return r
}

// TestCause: a step that ends because of another one names it; one that fails itself does not.
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
	r := run(t, lines, sched.Options{Limit: 4, CPUIdle: func() bool { return true }}, nil)
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
		r := run(t, lines, sched.Options{SoftLimit: 2, CPUIdle: func() bool { return idle }}, nil)
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
	r := run(t, lines, sched.Options{SoftLimit: 3}, nil)
	if r.err != nil || r.f.most.Load() > 4 {
		t.Errorf("err %v, %d at once; want no more than 4", r.err, r.f.most.Load())
	}
}

// TestAsk: however long a server takes, no more steps than usual run when it has answered, or was given
// up, and not all ask it at the same time.
func TestAsk(t *testing.T) {
	const steps, atOnce = 1000, 128
	lines := "all: "
	for i := range steps {
		lines += fmt.Sprintf("t%d ", i)
	}
	lines += "|\n"
	for i := range steps {
		lines += fmt.Sprintf("t%d: | ask 5s; sleep 20ms\n", i)
	}
	for name, o := range map[string]sched.Options{"soft limit": {SoftLimit: 3}, "hard limit": {Limit: 3}} {
		o.CPUIdle = func() bool { return true }
		r := run(t, lines, o, nil)
		if r.err != nil || r.f.most.Load() > 4 || r.f.asked.Load() < atOnce || r.f.asked.Load() > atOnce+3 {
			t.Errorf("%s: err %v, %d run and %d ask at once; want no more than 4, and about %d", name, r.err, r.f.most.Load(), r.f.asked.Load(), atOnce)
		}
		if limit := (steps/atOnce+1)*5*time.Second + steps*20*time.Millisecond; r.took > limit {
			t.Errorf("%s: took %v, want at most %v", name, r.took, limit)
		}
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
		o.SoftLimit = 2
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

// TestCancelledCallEndsOnce: a call that is cancelled while it is accepted returns one slot to its
// caller, not two.
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

// BenchmarkScheduler measures the overhead of a step.
func BenchmarkScheduler(b *testing.B) { benchmark(b, "", sched.Options{}) }
func BenchmarkLooks(b *testing.B)     { benchmark(b, "fresh", sched.Options{}) }

// BenchmarkRecorded is BenchmarkScheduler for a run that is recorded, with known durations.
func BenchmarkRecorded(b *testing.B) {
	benchmark(b, "", sched.Options{Graph: true, Keys: keysBy(func(s *plan.Step) uint64 { return s.HistoryKey("/") }),
		Durations: func(key uint64) time.Duration { return time.Duration(1+key%50) * time.Millisecond }})
}

func benchmark(b *testing.B, command string, o sched.Options) {
	var names, tasks strings.Builder
	for i := range 10_000 {
		fmt.Fprintf(&names, "t%d ", i)
		fmt.Fprintf(&tasks, "1t%d: | %s\n", i, command)
	}
	w := workflow("all: " + names.String() + "|\n" + tasks.String())
	b.ReportAllocs()
	for b.Loop() {
		x := plan.NewExpander(plan.Options{Workflow: w, Resolver: vars.New(vars.Options{Workflow: w})})
		o.Executor, o.Expander = &fake{}, x
		s := sched.Start(o)
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
