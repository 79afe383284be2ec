package engine

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/weftrun/weft/engine/clock"
	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/fingerprint"
	"github.com/weftrun/weft/engine/pipe"
	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/engine/proc"
	"github.com/weftrun/weft/engine/sched"
	"github.com/weftrun/weft/engine/shell"
	"github.com/weftrun/weft/engine/vars"
	"github.com/weftrun/weft/internal/statefile"
	"github.com/weftrun/weft/schema"
	"github.com/weftrun/weft/schema/diag"
)

// Engine runs the tasks of one workflow. Run may be called once; the methods
// that only ask may be called any number of times.
type Engine struct {
	o            Options
	run          string // identity
	shell        *shell.Shell
	clock        clock.Clock // of time limits
	large        pipe.Large
	secrets      *pipe.Secrets
	shortSecrets sync.Map // names that were warned of
	processes    *proc.Table
	tree         *fingerprint.Tree
	store        *fingerprint.Store
	resolver     *vars.Resolver
	queue        *queue
	stopping     stopping
	asking       sync.Mutex // held while the user is asked
	progress     progress

	stuck   chan struct{} // see Stuck
	guarded sync.Once

	watching atomic.Pointer[watching]
	watched  bool          // it is one run of what is watched
	ids      *atomic.Int32 // of steps, where several engines share a report
}

// New returns an Engine. It reads the root dotenv files, and with them runs
// the dynamic variables their paths refer to. Inside too many other runs it
// returns a [NestedError].
func New(ctx context.Context, o Options) (*Engine, error) {
	if !o.Still {
		if err := nested(o.Environ); err != nil {
			return nil, err
		}
	}
	if o.Secrets == nil {
		o.Secrets = new(pipe.Secrets)
	}
	vars.LiteralSecrets(o.Workflow, o.CLIVars, func(value string) { o.Secrets.Add(value) })
	o.Sink = masking(o.Sink, o.Secrets)
	e := &Engine{o: o, secrets: o.Secrets, run: uuid.NewString(), stopping: stopping{heard: make(chan struct{})}, stuck: make(chan struct{})}
	e.processes = proc.NewTable(proc.Options{Terminal: terminal(o.Stdin), Clock: &e.clock, OnInterrupt: e.interrupted, Environ: o.Environ, Run: e.run, OnLost: e.lost})
	if os.Getpid() == 1 {
		e.processes.ReapStrangers()
		e.warnOfGrace()
	}
	e.shell = shell.New(shell.Options{Clock: &e.clock, Large: &e.large, Utilities: o.CoreUtils, Plain: o.Reference})
	e.tree = fingerprint.NewTree(o.Environ)
	e.tree.Warn = e.warn
	e.store = e.openStore(o.Dry)
	e.resolver = vars.New(e.varOptions(o.CLIVars))
	if err := e.resolver.LoadDotenv(ctx); err != nil {
		return nil, err
	}
	return e, nil
}

// varOptions are the options of the engine's variables, with or without those
// of the command line.
func (e *Engine) varOptions(cli schema.Vars) vars.Options {
	o := &e.o
	vo := vars.Options{
		Workflow: o.Workflow, Environ: o.Environ, CLI: cli, CLIArgs: o.CLIArgs, Exe: o.Exe, UserDir: o.UserDir, Version: o.Version,
		Flags:         vars.Flags{Force: o.Force || o.ForceAll, Silent: o.Silent, Verbose: o.Verbose, Offline: o.Offline, AssumeYes: o.AssumeYes},
		EnvPrecedence: o.EnvPrecedence, OnDynamic: e.computed, OnSecret: e.secret,
	}
	if !o.Still {
		vo.Shell = host{e}
	}
	return vo
}

// containerGrace is how long container runtimes wait for the first process before they
// kill everything.
const containerGrace = 10 * time.Second

// warnOfGrace tells, in the first process of a container, of tasks that may take longer
// to end than the container has.
func (e *Engine) warnOfGrace() {
	for _, t := range e.o.Workflow.Tasks {
		grace := time.Duration(0)
		if t.Processes != nil {
			grace = t.Processes.Stop.Grace
		}
		for i := range t.Cmds {
			if o := t.Cmds[i].CommandOptions; o != nil && o.Processes != nil {
				grace = max(grace, o.Processes.Stop.Grace)
			}
		}
		if grace >= containerGrace {
			e.warn(&diag.Diagnostic{Pos: t.Pos, Severity: diag.Warning, Kind: diag.Suspicious, What: fmt.Sprintf("task %q may take %s to end", t.Name, grace),
				Why: "a container that is stopped has ten seconds, mostly", Fix: "shorten stop.grace, or lengthen the container's own limit"})
		}
	}
}

// masking is sink with secrets masked in what it gets.
func masking(sink func(event.Event), secrets *pipe.Secrets) func(event.Event) {
	if sink == nil {
		return nil
	}
	return func(ev event.Event) {
		if secrets.Any() {
			ev = event.Masked(ev, secrets.Mask)
		}
		sink(ev)
	}
}

// secret keeps the value of a secret variable out of the log.
func (e *Engine) secret(name, value string) {
	if e.secrets.Add(value) || name == "" {
		return
	}
	if _, known := e.shortSecrets.LoadOrStore(name, true); !known {
		why := "short"
		if len(value) > pipe.MaxSecret || e.secrets.Full() {
			why = "long"
		}
		e.warn(&diag.Diagnostic{Severity: diag.Warning, Kind: diag.Suspicious, What: fmt.Sprintf("the value of the secret variable %s is too %s to be masked in output", name, why)})
	}
}

// statePlace is .weft in the root directory unless another is named: below the
// root directory, or one directory for several projects.
func statePlace(o *Options) statefile.Place {
	root, dir := o.Workflow.Dir, o.TempDir
	in := func(base, path string) statefile.Place {
		if path == string(filepath.Separator) {
			path = "."
		}
		return statefile.Place{Base: base, Path: filepath.ToSlash(path), Project: root}
	}
	if dir == "" {
		return in(root, ".weft")
	}
	shared := filepath.IsAbs(dir) || strings.HasPrefix(dir, "~")
	if strings.HasPrefix(dir, "~/") {
		for _, kv := range o.Environ {
			if home, ok := strings.CutPrefix(kv, "HOME="); ok {
				dir = home + dir[1:]
			}
		}
	}
	switch {
	case shared:
		return in(dir, filepath.Base(root))
	case filepath.IsLocal(dir) && filepath.Clean(dir) != ".":
		return in(root, filepath.Clean(dir))
	}
	dir = filepath.Join(root, dir)
	return in(filepath.Dir(dir), filepath.Base(dir))
}

// openStore opens the state, for looking only if so said.
func (e *Engine) openStore(readOnly bool) *fingerprint.Store {
	return fingerprint.Open(statePlace(&e.o), fingerprint.Options{ReadOnly: readOnly, Warn: e.warn, Secret: e.secrets.Holds, Within: proc.OuterSteps(e.o.Environ)})
}

// emit sends an event to the sink: through the queue of a run, or at once.
func (e *Engine) emit(ev event.Event) {
	switch {
	case e.queue != nil:
		e.queue.Emit(ev)
	case e.o.Sink != nil:
		e.asking.Lock()
		defer e.asking.Unlock()
		e.o.Sink(ev)
	}
}

func (e *Engine) warn(d *diag.Diagnostic) {
	e.emit(&event.DiagnosticFound{Time: time.Now(), Diagnostic: d})
}

func (e *Engine) computed(cmd, result string) {
	e.emit(&event.Notice{Time: time.Now(), Kind: event.VarComputed, A: cmd, B: result})
}

func (e *Engine) expanderOptions() plan.Options {
	return plan.Options{Workflow: e.o.Workflow, Resolver: e.resolver, Host: host{e}, Silent: e.o.Silent, Limit: e.taskLimit}
}

// taskLimit is ctx with the time limit of a task.
func (e *Engine) taskLimit(ctx context.Context, task string, limit time.Duration) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	timer := e.clock.AfterFunc(limit, func() { cancel(&sched.TimedOut{Name: task, After: limit, Task: true}) })
	return ctx, func() { timer.Stop(); cancel(nil) }
}

// Plan returns the plan of the calls without running it.
func (e *Engine) Plan(ctx context.Context, calls []plan.Call) (*plan.Plan, error) {
	return plan.NewExpander(e.expanderOptions()).Expand(ctx, calls...)
}
