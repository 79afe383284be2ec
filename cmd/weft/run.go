package main

import (
	"context"
	"errors"
	"os"
	"strconv"
	"sync"
	"syscall"

	"github.com/weftrun/weft/cmd/weft/report"
	"github.com/weftrun/weft/engine"
	"github.com/weftrun/weft/engine/cache"
	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/engine/proc"
	"github.com/weftrun/weft/engine/remote"
	"github.com/weftrun/weft/engine/sched"
	"github.com/weftrun/weft/engine/sharedcache"
	"github.com/weftrun/weft/engine/vars"
	"github.com/weftrun/weft/engine/watch"
	"github.com/weftrun/weft/internal/stack"
	"github.com/weftrun/weft/internal/version"
	"github.com/weftrun/weft/schema"
)

// perform performs the action of the command line on a workflow.
func (a *app) perform(ctx context.Context, s *signals, w *schema.Workflow) int {
	o := &a.opts
	r, err := a.newRunner(ctx, s, w)
	if err != nil {
		return a.fail(err)
	}
	defer r.engine.Close()
	s.route(r.engine)
	a.page.route(s)
	names := a.named()
	if o.chooses() {
		s.await()
		asking, done := r.engine.SignalContext(ctx)
		c, err := r.choose(asking)
		done(nil)
		switch {
		case err != nil:
			return r.finish(ctx, err)
		case o.lists():
			r.listAffected(c)
			return r.finish(ctx, nil)
		case len(c.names) == 0:
			r.sayNone(c)
			return r.finish(ctx, nil)
		}
		names = c.names
	}
	var calls []plan.Call
	for _, name := range names {
		calls = append(calls, plan.Call{Name: name})
	}
	var look func(context.Context, []plan.Call) error
	switch {
	case o.list || o.listAll:
		look = func(ctx context.Context, _ []plan.Call) error { return r.list(ctx) }
	case o.summary:
		look = r.summary
	case o.status:
		look = r.upToDate
	case o.why:
		look = r.why
	case o.cache == "ls":
		look = func(ctx context.Context, _ []plan.Call) error { return r.listCache() }
	case o.cache == "rm":
		look = func(ctx context.Context, _ []plan.Call) error { return r.removeCached() }
	case o.cache == "push":
		look = r.pushCached
	case o.audit:
		look = r.audit
	case o.graph != "":
		look = r.graph
	case o.watch:
		return r.watch(ctx, s, calls)
	default:
		if r.concluding {
			s.await()
		}
		return r.run(ctx, s, calls)
	}
	s.await()
	ctx, cancel := r.engine.SignalContext(ctx)
	defer cancel(nil)
	return r.finish(ctx, look(ctx, calls))
}

// named returns the tasks on the command line, or the default one.
func (a *app) named() []string {
	if len(a.opts.calls) == 0 {
		return []string{"default"}
	}
	return a.opts.calls
}

// firstCall returns the first argument that is not a flag, or "".
func (a *app) firstCall() string {
	if len(a.opts.calls) == 0 {
		return ""
	}
	return a.opts.calls[0]
}

// runner is an engine and the reporter that handles its events.
type runner struct {
	*app
	workflow   *schema.Workflow
	options    engine.Options
	engine     *engine.Engine
	reporter   report.Reporter
	shared     *sharedcache.Cache // nil: none
	server     *remote.Server     // that runs tasks; nil: none
	remoteDisk *cache.Disk        // where its results come
	// broken is called once when the reader of our output is gone.
	broken func()
	once   sync.Once
}

var errBrokenPipe = errors.New("the output is no longer read")

// errCode is an exit code without a message: everything was already shown.
type errCode int

func (e errCode) Error() string { return "exit code " + strconv.Itoa(int(e)) }

func (a *app) newRunner(ctx context.Context, s *signals, w *schema.Workflow) (*runner, error) {
	o := &a.opts
	style, err := a.outputStyle(w)
	if err != nil {
		return nil, err
	}
	within, err := a.stopWithin()
	if err != nil {
		return nil, err
	}
	a.secretNames = vars.SecretNames(w)
	r := &runner{app: a, workflow: w}
	up := a.supervised()
	a.history = a.recorder(w)
	a.estimate = a.estimates(w)
	wd, err := a.workingDir()
	if err != nil {
		return nil, err
	}
	id := engine.NewID()
	a.controller = a.newController(w, id, wd)
	if a.page, err = a.newLivePage(w.Dir); err != nil {
		return nil, err
	}
	if r.reporter, err = a.newReporter(style); err != nil {
		return nil, err
	}
	wants := r.reporter.Wants()
	wants.Output = wants.Output || o.record
	r.options = engine.Options{
		Workflow: w, Environ: a.environ, CLIVars: o.vars, CLIArgs: o.cliArgs, UserDir: wd, Exe: a.exe, Version: version.Module, Argv: a.argv(), TempDir: o.tempDir, ID: id,
		Concurrency: max(o.concurrency, 0), Output: relayedAs(style.Style), Begin: style.Begin, End: style.End,
		Parallel: o.parallel, KeepGoing: o.keepGoing, Force: o.force || o.audited, ForceAll: o.forceAll, GentleForce: o.gentleForce || o.audited,
		Dry: o.dry, DescribeOnly: o.list || o.listAll || o.summary || o.cache == "ls" || o.cache == "rm", Silent: o.silent, Verbose: o.verbose, Failfast: o.failfast, AssumeYes: o.yes, Interactive: o.interactive,
		Offline: o.remote.Offline, EnvPrecedence: o.envFirst, CoreUtils: a.coreUtils(), Reference: a.dropIn(),
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Await: s.await, Ask: a.asker(), Interrupt: interruptJob, StopWithin: within, Up: up,
		Live: a.area != nil, HideDisplay: a.lend((*report.Area).Hide), LendTerminal: a.lend((*report.Area).LendTerminal), Sink: r.handle, Wants: wants, Tick: report.Ticks(r.reporter), Drained: report.Flushes(r.reporter),
		Schemas: schemas{a.secondProgram(w.Dir)}, Secrets: &a.secrets, MaskOutput: a.onCI(),
		CacheDir: a.resultsDir(), Durations: a.stepDurations(w), Before: a.again.before(w), NoCache: o.noCache, Refresh: o.refresh, RemoteHere: o.elsewhere == "here", Trace: a.trace,
	}
	if err := r.useShared(w, id); err != nil {
		return nil, err
	}
	if err := r.useRemote(w, id); err != nil {
		return nil, err
	}
	if c := a.controller; c != nil {
		r.options.Control, r.options.Ready = true, c.Ready
	}
	if o.detached {
		r.options.Stdout, r.options.Stderr = os.Stdin, os.Stdin // the null device
		a.detacher.useTerminal(a, &r.options)
	}
	if a.eventsAlone() {
		r.options.Output, r.options.Stdout = "interleaved", os.Stderr
	}
	if a.area != nil {
		r.options.OnForeground, r.options.DirectOutput = a.area.OnForeground, &a.outputs
	}
	r.engine, err = engine.New(ctx, r.options)
	a.controller.route(r.engine)
	if err == nil { // secrets are known
		r.recordWarnings()
	}
	return r, err
}

// observe, if set, is called first for each event of a run, so that tests can act at an exact
// moment.
var observe func(event.Event)

// handle handles the events of the engine.
func (r *runner) handle(ev event.Event) {
	if observe != nil {
		observe(ev)
	}
	switch ev := ev.(type) {
	case *event.CommandEnded:
		if ev.Code == proc.BrokenPipe {
			r.out.Probe()
		}
	case *event.RunStarted:
		ev.Style = r.chosenStyle
		ev.Terminals = r.terminals
		system, _, _ := r.ciSystem() // an error was told before the run
		ev.CI = string(system)
	case *event.SignalReceived:
		r.stopping()
	case *event.RunFinished:
		if r.events != nil || r.history != nil {
			ev.Problems = r.recordedProblems(ev.Err)
		}
	}
	r.reporter.Handle(ev)
	if r.broken != nil && r.unread() {
		r.once.Do(r.broken)
	}
}

// run runs the calls, and then watches those whose tasks have watch set.
func (r *runner) run(ctx context.Context, s *signals, calls []plan.Call) int {
	var watched []plan.Call
	if !r.opts.audited {
		watched, calls = watch.Split(r.workflow, calls)
	}
	if len(calls) == 0 {
		return r.watch(ctx, s, watched)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	r.broken = func() { cancel(errBrokenPipe) }
	done := make(chan error, 1)
	go func() {
		stack.Grow()
		done <- r.engine.Run(ctx, calls)
	}()
	select {
	case err := <-done:
		if err == nil && len(watched) > 0 {
			return r.watch(ctx, s, watched)
		}
		return r.finish(ctx, err)
	case <-s.force:
		return exitOther
	}
}

// finish closes the reporter, shows the error and returns the exit code.
func (r *runner) finish(ctx context.Context, err error) int {
	if r.detacher.userLeft() && sched.IsCancelled(err) {
		err = nil
	}
	code := r.conclude(ctx, err)
	if n, ok := r.engine.Signalled().(syscall.Signal); ok {
		r.controller.end(128 + int(n))
	} else {
		r.controller.end(code)
	}
	return code
}

// conclude is finish, for users who see the output.
func (r *runner) conclude(ctx context.Context, err error) int {
	r.stopping()
	closed := r.reporter.Close()
	r.closeRemote(ctx)
	r.flushShared(ctx)
	var code errCode
	switch {
	case r.unread():
		return proc.BrokenPipe
	case errors.As(err, &code):
		return int(code)
	case err == nil && errors.As(closed, &code): // already shown
		return int(code)
	case err == nil && closed != nil:
		err = r.unwritten(closed)
	case err == nil:
		return 0
	}
	if _, ok := err.(*schema.NotFoundError); ok && !r.opts.status {
		if infos, err := r.tasks(ctx, engine.ListOptions{}); err == nil {
			r.table(infos, false) // a wrong name on the command line: list the tasks
		}
	}
	return r.fail(err)
}
