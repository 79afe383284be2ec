package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"sort"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/weftrun/weft/cmd/weft/report"
	"github.com/weftrun/weft/engine/control"
	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/engine/vars"
	"github.com/weftrun/weft/schema"
	"github.com/weftrun/weft/schema/diag"
)

// controller answers requests to a running run. It is a reporter, which derives the states of steps
// from the events. It opens the socket once there is a reason: a service, watch mode, or a run in a
// session of its own.
type controller struct {
	a      *app
	server control.Server
	enc    event.Encoder
	hello  control.Hello
	wanted bool // the socket is there without a service, too, or the user is told why not

	mu      sync.Mutex // guards the fields below
	steps   map[event.StepID]*stepState
	settled []event.StepID  // ended steps, the first to be forgotten first
	batches map[string]bool // watched tasks, and whether they have run
	to      requested
	ready   chan struct{} // closed when everything is done or ready
	over    chan struct{} // closed when the run has ended
	changed chan struct{} // closed when a step changes its state; nil: not awaited
	code    int           // its exit code, once it has ended
}

// requested performs requests about steps: a run, or watch mode.
type requested interface {
	StartTask(plan.Call) error
	RestartStep(event.StepID) error
	StopStep(event.StepID) error
	SendLine(event.StepID, string) error
}

// stepState is a step as reported to clients.
type stepState struct {
	Step     event.StepID `json:"step"`
	Task     string       `json:"task"` // callable name
	Label    string       `json:"label"`
	State    string       `json:"state"` // running, starting, ready, restarting, stopping, or its outcome
	Since    time.Time    `json:"since"` // of the state
	Service  bool         `json:"service,omitempty"`
	Restarts int          `json:"restarts,omitempty"`
	Code     int          `json:"code,omitempty"`
	names    []string
	call     plan.Call // reruns it
}

// runState is a run as reported to clients.
type runState struct {
	control.Hello
	Ready bool         `json:"ready"`
	Steps []*stepState `json:"steps"`
}

// detachedWord is the first argument of a weft started by --detach.
const detachedWord = "__detached"

// mostSettled is the number of ended steps that are kept.
const mostSettled = 100

// newController returns the controller for the runs of a workflow; nil if requests are not
// accepted.
func (a *app) newController(w *schema.Workflow, id, dir string) *controller {
	o := &a.opts
	asked := o.detached || o.watch || o.ui != ""
	if a.dropIn() || o.dry || o.audited || o.inspects() || !asked && !slices.ContainsFunc(w.Tasks, func(t *schema.Task) bool { return t.Watch || t.Service() != nil }) {
		return nil
	}
	c := &controller{a: a, wanted: asked, enc: event.Encoder{Describe: a.describe}, steps: map[event.StepID]*stepState{}, ready: make(chan struct{}), over: make(chan struct{})}
	c.hello = control.Hello{Run: id, Pid: os.Getpid(), Dir: dir, Root: w.Dir, Command: a.argv(), Since: time.Now().Round(0)}
	return c
}

// Wants implements report.Reporter.
func (c *controller) Wants() event.Wants {
	return event.Wants{Output: c.a.opts.detached, Reasons: c.a.opts.tui}
}

// Err implements report.Reporter: the run does not depend on its clients.
func (c *controller) Err() error { return nil }

// Close implements report.Reporter. The socket stays until end.
func (c *controller) Close() error { return nil }

// Handle implements report.Reporter.
func (c *controller) Handle(ev event.Event) {
	var of []string
	if out, ok := ev.(*event.Output); ok {
		if s := c.steps[out.Step]; s != nil { // only this goroutine changes it
			of = s.names
		} else {
			of = []string{}
		}
	}
	c.server.Send(c.enc.Encode(nil, ev), of)
	c.a.detacher.terminal().note(ev)
	if out, ok := ev.(*event.Output); ok {
		if out.Release != nil {
			out.Release()
		}
		return
	}
	c.note(ev)
	switch ev := ev.(type) {
	case *event.RunStarted, *event.WatchStarted:
		if c.wanted {
			c.listen()
		}
	case *event.CommandStarted:
		if ev.Service {
			c.listen()
		}
	}
}

// listen opens the socket, once. On an error the run continues, unless it depends on the socket.
func (c *controller) listen() {
	if c.server.Path() != "" {
		return
	}
	err := c.server.Listen(c.a.env, c.hello, c.do)
	if err == nil && c.a.detacher != nil {
		c.a.detacher.listening(c.hello.Run)
	}
	if err != nil && c.wanted {
		c.wanted = false // it is told once
		c.a.say(c.a.err, report.Yellow, "warning: this run has no control socket: "+diag.Printable(err.Error()))
		if c.a.detacher.terminal() != nil {
			go kill(syscall.SIGTERM) // what shows the run cannot do so
		}
	}
}

// note updates the states of steps.
func (c *controller) note(ev event.Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch ev := ev.(type) {
	case *event.StepStarted:
		call, given := ev.Call.(plan.Call)
		if !given {
			call = plan.Call{Name: ev.Name}
		}
		c.steps[ev.Step] = &stepState{call: call, Step: ev.Step, Task: ev.Name, Label: ev.Task, State: "running", Since: ev.Time, names: []string{ev.Name, ev.Task, strconv.Itoa(int(ev.Step))}}
	case *event.CommandStarted:
		if ev.Service {
			c.change(ev.Step, "starting", ev.Time).Service = true
		}
	case *event.Ready:
		c.change(ev.Step, "ready", ev.Time).Restarts = ev.Restarts
	case *event.Restarted:
		s := c.change(ev.Step, "restarting", ev.Time)
		s.Restarts, s.Code = ev.Restarts, ev.Code
	case *event.Stopping:
		c.change(ev.Step, "stopping", ev.Time)
	case *event.StepSettled:
		c.change(ev.Step, ev.Outcome.String(), ev.Time).Code = ev.Code
		if c.settled = append(c.settled, ev.Step); len(c.settled) > mostSettled {
			delete(c.steps, c.settled[0])
			c.settled = c.settled[1:]
		}
	case *event.WatchStarted:
		c.batches = map[string]bool{}
		for _, task := range ev.Tasks {
			c.batches[task] = false
		}
	case *event.WatchEnded:
		if _, watched := c.batches[ev.Task]; !watched || ev.Restarted {
			break
		}
		c.batches[ev.Task] = true
		for _, ran := range c.batches {
			if !ran {
				return
			}
		}
		c.isReady()
	}
}

// change records the new state of a step. c.mu is held.
//
//go:noinline
func (c *controller) change(id event.StepID, state string, at time.Time) *stepState {
	s := c.steps[id]
	if s == nil {
		return new(stepState) // it never started, or was forgotten
	}
	s.State, s.Since = state, at
	if c.changed != nil {
		close(c.changed)
		c.changed = nil
	}
	return s
}

// await waits until holds is true for the state of a step, or the step has ended.
func (c *controller) await(ctx context.Context, id event.StepID, holds func(*stepState) bool) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		s := c.steps[id]
		if s == nil || !s.runs() || holds(s) {
			return nil
		}
		if c.changed == nil {
			c.changed = make(chan struct{})
		}
		changed := c.changed
		c.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
		}
		c.mu.Lock()
		if ctx.Err() != nil {
			return errors.New("the run has ended")
		}
	}
}

// runs reports whether the step has not ended.
func (s *stepState) runs() bool {
	switch s.State {
	case "running", "starting", "ready", "restarting", "stopping":
		return true
	}
	return false
}

// isReady records that everything is done or ready. c.mu is held.
func (c *controller) isReady() {
	select {
	case <-c.ready:
	default:
		close(c.ready)
		if c.a.detacher != nil {
			c.a.detacher.ready(c.hello.Run)
		}
	}
}

// Ready records that everything is done or ready.
func (c *controller) Ready() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.isReady()
}

// route makes to perform requests from now on.
func (c *controller) route(to requested) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.to = to
}

// end answers the waiting clients with the run's exit code, and removes the socket.
func (c *controller) end(code int) {
	if c == nil {
		return
	}
	c.mu.Lock()
	c.code = code
	close(c.over)
	c.mu.Unlock()
	c.a.detacher.terminal().end()
	c.server.Close()
	if code == 0 {
		c.Ready()
	}
}

// ended is the answer to a client that waits for the end of a run.
type ended struct {
	Code int `json:"code"`
}

// do performs a request. It may be called on any goroutine.
func (c *controller) do(ctx context.Context, q *control.Request) (any, error) {
	switch q.Request {
	case "state":
		return c.state(), nil
	case "wait":
		return c.wait(ctx, q.For)
	case "wanted", "lend":
		return nil, c.a.detacher.terminal().do(ctx, q)
	case "start", "restart", "stop", "send":
		if q.Task == "" {
			return nil, fmt.Errorf("%s needs a task", q.Request)
		}
	default:
		return nil, fmt.Errorf("there is no request %q; there are state, log, start, restart, stop, send, wait", q.Request)
	}
	c.mu.Lock()
	to := c.to
	c.mu.Unlock()
	if to == nil {
		return nil, errors.New("the run has not begun")
	}
	if q.Request == "start" {
		call, err := c.call(q)
		if err == nil {
			err = to.StartTask(call)
		}
		return nil, c.describe(err)
	}
	step, err := c.find(q.Task)
	if err != nil {
		return nil, err
	}
	switch q.Request {
	case "restart":
		return nil, c.restart(ctx, to, step)
	case "send":
		return nil, c.describe(to.SendLine(step, q.Text))
	}
	if err = to.StopStep(step); err == nil {
		err = c.await(ctx, step, func(*stepState) bool { return false })
	}
	return nil, c.describe(err)
}

// call returns the call for a start request: a task, or the call of the step with a number, each
// with the variables of the request.
func (c *controller) call(q *control.Request) (plan.Call, error) {
	if step, err := c.find(q.Task); err == nil && q.Vars == nil && q.Args == nil {
		return plan.Call{}, fmt.Errorf("%q is already running, as step %d", q.Task, step)
	}
	call := plan.Call{Name: q.Task}
	c.mu.Lock()
	if n, err := strconv.ParseInt(q.Task, 10, 32); err == nil && c.steps[event.StepID(n)] != nil {
		call = c.steps[event.StepID(n)].call
	}
	c.mu.Unlock()
	var added schema.Vars
	for _, name := range slices.Sorted(maps.Keys(q.Vars)) {
		added = append(added, schema.Var{Name: name, Value: q.Vars[name]})
	}
	if q.Args != nil {
		added = append(added, vars.Arguments(q.Args)...)
	}
	kept := slices.DeleteFunc(slices.Clone(call.Vars), func(v schema.Var) bool { return added.Index(v.Name) >= 0 })
	call.Vars = append(kept, added...)
	return call, nil
}

// restart restarts a service, and returns when it is ready again.
func (c *controller) restart(ctx context.Context, to requested, step event.StepID) error {
	c.mu.Lock()
	before := c.steps[step].Restarts
	c.mu.Unlock()
	if err := to.RestartStep(step); err != nil {
		return c.describe(err)
	}
	return c.await(ctx, step, func(s *stepState) bool { return s.State == "ready" && s.Restarts > before })
}

// describe returns an error described in the words of the run.
//
//go:noinline
func (c *controller) describe(err error) error {
	if err == nil {
		return nil
	}
	return errors.New(c.a.describe(err).Text)
}

// state returns the current state of the run.
func (c *controller) state() *runState {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := &runState{Hello: c.hello, Steps: []*stepState{}}
	for _, step := range c.steps {
		copied := *step
		s.Steps = append(s.Steps, &copied)
	}
	sort.Slice(s.Steps, func(i, j int) bool { return s.Steps[i].Step < s.Steps[j].Step })
	select {
	case <-c.ready:
		s.Ready = true
	default:
	}
	return s
}

// wait waits until the run is ready, or has ended.
func (c *controller) wait(ctx context.Context, until string) (any, error) {
	ready := c.ready
	switch until {
	case "ready":
	case "", "done":
		ready = nil
	default:
		return nil, fmt.Errorf("wait can be for ready or done, not for %q", until)
	}
	select {
	case <-ready:
		return ended{}, nil
	case <-c.over:
		return ended{c.code}, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// find returns the running step of a task, preferring a service to its users.
func (c *controller) find(task string) (event.StepID, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var found []*stepState
	known := false
	for _, s := range c.steps {
		if !slices.Contains(s.names, task) {
			continue
		}
		known = true
		if s.runs() {
			found = append(found, s)
		}
	}
	if slices.ContainsFunc(found, func(s *stepState) bool { return s.Service }) {
		found = slices.DeleteFunc(found, func(s *stepState) bool { return !s.Service })
	}
	switch {
	case len(found) == 1:
		return found[0].Step, nil
	case len(found) > 1:
		sort.Slice(found, func(i, j int) bool { return found[i].Step < found[j].Step })
		return 0, fmt.Errorf("%d steps have the name %q; use a number, as in %d", len(found), task, found[0].Step)
	case known:
		return 0, fmt.Errorf("%q is no longer running; --start runs it again", task)
	}
	return 0, fmt.Errorf("no step %q; weft --ps shows the running steps", task)
}

// detachedReporter shows failures until the run is ready.
func (a *app) detachedReporter(o report.Options) report.Reporter {
	if a.opts.watch {
		return report.WithoutOutput(report.New("interleaved", o))
	}
	return report.NewSummary(o, a.rerun)
}
