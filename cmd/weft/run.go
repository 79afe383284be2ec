package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"github.com/weftrun/weft/cmd/weft/report"
	"github.com/weftrun/weft/engine"
	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/pipe"
	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/engine/proc"
	"github.com/weftrun/weft/engine/vars"
	"github.com/weftrun/weft/engine/watch"
	"github.com/weftrun/weft/internal/stack"
	"github.com/weftrun/weft/internal/version"
	"github.com/weftrun/weft/schema"
	"github.com/weftrun/weft/schema/diag"
)

// perform does with a workflow what the command line says.
func (a *app) perform(ctx context.Context, s *signals, w *schema.Workflow) int {
	o := &a.opts
	r, err := a.newRunner(ctx, w)
	if err != nil {
		return a.fail(err)
	}
	defer r.engine.Close()
	s.route(r.engine)
	calls := a.calls()
	var look func(context.Context, []plan.Call) error
	switch {
	case o.list || o.listAll:
		look = func(ctx context.Context, _ []plan.Call) error { return r.list(ctx) }
	case o.summary:
		look = r.summary
	case o.status:
		look = r.engine.UpToDate
	case o.why:
		look = r.why
	case o.graph != "":
		look = r.graph
	case o.watch:
		return r.watch(ctx, s, calls)
	default:
		return r.run(ctx, s, calls)
	}
	ctx, cancel := r.engine.Stoppable(ctx)
	defer cancel(nil)
	return r.finish(ctx, look(ctx, calls))
}

// calls returns calls of the tasks that are named on the command line.
func (a *app) calls() []plan.Call {
	if len(a.opts.calls) == 0 {
		return []plan.Call{{Name: "default"}}
	}
	calls := make([]plan.Call, len(a.opts.calls))
	for i, name := range a.opts.calls {
		calls[i] = plan.Call{Name: name}
	}
	return calls
}

// firstCall returns the first word of the command line that is no flag, or "".
func (a *app) firstCall() string {
	if len(a.opts.calls) == 0 {
		return ""
	}
	return a.opts.calls[0]
}

// runner is an engine and the reporter that handles its events.
type runner struct {
	*app
	workflow *schema.Workflow
	options  engine.Options
	engine   *engine.Engine
	reporter report.Reporter
	// broken is called once when nobody reads our output any more.
	broken func()
	once   sync.Once
}

var errBrokenPipe = errors.New("nobody reads the output any more")

// errCode is an exit code without a message: everything was shown.
type errCode int

func (e errCode) Error() string { return "exit code " + strconv.Itoa(int(e)) }

func (a *app) newRunner(ctx context.Context, w *schema.Workflow) (*runner, error) {
	o := &a.opts
	style, err := a.outputStyle(w)
	if err != nil {
		return nil, err
	}
	a.secretNames = vars.SecretNames(w)
	r := &runner{app: a, workflow: w}
	if r.reporter, err = a.newReporter(style); err != nil {
		return nil, err
	}
	wd, err := schema.WorkingDir()
	if err != nil {
		return nil, err
	}
	r.options = engine.Options{
		Workflow: w, Environ: a.environ, CLIVars: o.vars, CLIArgs: o.cliArgs, UserDir: wd, Exe: a.exe, Version: version.Module(), Argv: a.argv(), TempDir: o.tempDir,
		Concurrency: max(o.concurrency, 0), Output: style.Style, Begin: style.Begin, End: style.End,
		Parallel: o.parallel, KeepGoing: o.keepGoing, Force: o.force, ForceAll: o.forceAll, GentleForce: o.gentleForce,
		Dry: o.dry, Still: o.list || o.listAll || o.summary, Silent: o.silent, Verbose: o.verbose, Failfast: o.failfast, AssumeYes: o.yes, Interactive: o.interactive,
		Offline: o.remote.Offline, EnvPrecedence: o.envFirst, CoreUtils: a.coreUtils(), Reference: a.dropIn(),
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Ask: a.asker(), Interrupt: interruptJob, Sink: r.handle,
		Secrets: &a.secrets, Record: o.record, MaskOutput: a.onCI(),
	}
	r.engine, err = engine.New(ctx, r.options)
	if err == nil && a.events != nil { // what is secret is known
		for _, d := range a.warned {
			a.events.Handle(event.Masked(&event.DiagnosticFound{Time: time.Now(), Diagnostic: d}, a.secrets.Mask))
		}
	}
	return r, err
}

// outputStyle returns the output style of the command line or the settings, or else the
// workflow's.
func (a *app) outputStyle(w *schema.Workflow) (schema.Output, error) {
	out := w.Output
	if a.opts.output != "" {
		out = schema.Output{Style: a.opts.output, Begin: schema.Text{S: a.opts.groupBegin}, End: schema.Text{S: a.opts.groupEnd}, ErrorOnly: a.opts.groupErrorOnly}
	}
	switch out.Style {
	case "":
		out.Style = "interleaved"
	case "interleaved", "group", "prefixed":
	default:
		return out, flagError(fmt.Sprintf("output style %q not recognized", out.Style))
	}
	return out, nil
}

// newReporter returns the reporters of a run as one.
func (a *app) newReporter(style schema.Output) (report.Reporter, error) {
	o := report.Options{Stdout: a.out, Stderr: a.err, Name: a.name, DropIn: a.dropIn(), Palette: a.palette,
		Verbose: a.opts.verbose, ErrorOnly: style.ErrorOnly, Clear: a.opts.clear, Terminal: term.IsTerminal(int(os.Stdout.Fd())), Keys: a.opts.replay == "" && term.IsTerminal(int(os.Stdin.Fd())), ErrorText: a.errorText}
	all := []report.Reporter{report.New(style.Style, o)}
	if !a.dropIn() && !a.opts.watch {
		all = append(all, report.NewSummary(o, a.rerun))
	}
	if a.opts.events != "" {
		w, err := openEvents(a.opts.events)
		if err != nil {
			return nil, err
		}
		a.events = report.NewNDJSON(w, w.Close, a.describe)
		all = append(all, a.events)
	}
	return report.Multi(all...), nil
}

// argv is the command line for the record of a run: without the values of secret variables.
func (a *app) argv() []string {
	argv := a.args
	for i, word := range argv {
		name, _, assigns := strings.Cut(word, "=")
		if word == "--" {
			break
		}
		if assigns && a.secretNames[name] {
			argv = slices.Clone(argv)
			argv[i] = name + "=" + pipe.Masked
		}
	}
	return argv
}

// describe puts an error into the words of a recorded run.
func (a *app) describe(err error) event.Failure {
	return event.Failure{Text: a.secrets.Mask(err.Error()), Shown: a.secrets.Mask(a.errorText(err))}
}

// recordedProblems are the reasons why a run failed, in the words of a recorded run.
func (a *app) recordedProblems(err error) (all []event.Problem) {
	for _, p := range a.problems(err) {
		all = append(all, event.Problem{Text: a.secrets.Mask(p.Text), Excerpt: a.secrets.Mask(p.Excerpt)})
	}
	return all
}

// openEvents opens the destination of --events: a file, "-" or "fd:N".
func openEvents(to string) (io.WriteCloser, error) {
	if to == "-" {
		return printable{os.Stdout}, nil
	}
	if n, ok := strings.CutPrefix(to, "fd:"); ok {
		fd, err := strconv.Atoi(n)
		if err != nil || fd < 0 {
			return nil, flagError(fmt.Sprintf("--events=%s: %q is no number of a descriptor; write fd:3", to, n))
		}
		f := os.NewFile(uintptr(fd), to)
		if _, err := f.Stat(); err != nil {
			return nil, flagError(fmt.Sprintf("--events=%s: descriptor %d is not open; add `%d>FILE` to the command", to, fd, fd))
		}
		if fd <= 2 {
			return printable{f}, nil
		}
		return f, nil
	}
	f, err := os.Create(to)
	if err != nil {
		return nil, flagError("--events: " + err.Error())
	}
	return f, nil
}

// printable is a standard stream for lines of JSON, which may be a terminal. It escapes
// control characters that JSON does not require to be escaped. Close does not close the
// stream.
type printable struct{ f *os.File }

func (w printable) Write(p []byte) (int, error) {
	text := string(p)
	shown := diag.PrintableText(text)
	n, err := io.WriteString(w.f, shown)
	if len(shown) == len(text) {
		return n, err
	}
	if n < len(shown) {
		return 0, err
	}
	return len(p), err
}

func (printable) Close() error { return nil }

// observe, if set, is called with each event of a run first. It lets tests act at an exact
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
	case *event.RunFinished:
		if r.opts.events != "" {
			ev.Problems = r.recordedProblems(ev.Err)
		}
	}
	r.reporter.Handle(ev)
	if r.broken != nil && (r.out.Broken() || r.err.Broken()) {
		r.once.Do(r.broken)
	}
}

// run runs the calls, and then watches those whose tasks have watch set.
func (r *runner) run(ctx context.Context, s *signals, calls []plan.Call) int {
	watched, calls := watch.Split(r.workflow, calls)
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
	closed := r.reporter.Close()
	var code errCode
	switch {
	case r.out.Broken() || r.err.Broken():
		return proc.BrokenPipe
	case errors.As(err, &code):
		return int(code)
	case err == nil && closed != nil:
		err = r.unwritten(closed)
	case err == nil:
		return 0
	}
	if _, ok := err.(*schema.NotFoundError); ok && !r.opts.status {
		r.listKnown(ctx) // a wrong name on the command line: show the right ones
	}
	return r.fail(err)
}
