// Package watch is watch mode: it runs tasks again when their sources change.
//
// A batch of changes makes some targets stale, and a stale target gets an ordinary run. If it
// is already running, that run is cancelled with a cause and waited for first. The package
// decides what is watched and when runs begin and end. It is built on package engine: each run
// has an engine of its own, which knows nothing of the others. Package fswatch reports changes
// of the file system; package glob decides whether the content of a file is another one, so
// that watching and "up to date" agree.
package watch

import (
	"cmp"
	"context"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/weftrun/weft/engine"
	"github.com/weftrun/weft/engine/clock"
	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/fswatch"
	"github.com/weftrun/weft/engine/glob"
	"github.com/weftrun/weft/engine/pipe"
	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/engine/proc"
	"github.com/weftrun/weft/internal/statefile"
	"github.com/weftrun/weft/schema"
	"github.com/weftrun/weft/schema/diag"
)

// Options say what runs, and how files are watched. All but Engine may be zero.
type Options struct {
	Engine   engine.Options // of each run; its sink gets the events of watching too
	Interval time.Duration  // how long to wait for more changes; 0: the default of package fswatch
	Poll     time.Duration  // look at files at this interval instead of using the system's events; 0: use them
	// Load loads the workflow again after one of its files has changed. Nil: it is never reloaded.
	Load func(context.Context) (*schema.Workflow, error)
	Keys <-chan Key // what the user types; may be nil
	// Idle, if set, is called with true when nothing runs, and with false just before a run
	// starts, which may use the terminal.
	Idle func(idle bool)
}

// Key is a command that the user types while watching.
type Key uint8

const (
	KeyRun  Key = iota + 1 // run everything again
	KeyQuit                // stop watching
)

// Watcher runs tasks again and again. It belongs to the goroutine of Run; Signal, Signalled
// and Stuck may be called from others.
type Watcher struct {
	o        Options
	sink     func(event.Event) // may be nil
	workflow *schema.Workflow  // as loaded last
	files    files
	changes  changes
	newRun   func(context.Context, *schema.Workflow) (run, error)
	services services
	steps    atomic.Int32 // of all runs
	clock    clock.Clock
	watchdog *engine.Watchdog

	targets   []*target
	taskfiles map[string]bool // of the workflow
	dotenv    map[string]bool
	fixed     []fswatch.Dir // the directories of taskfiles and dotenv
	recent    []recent      // sources that changed most recently, the newest first

	ended    chan runEnd
	due      chan *target // their quiet time may be over
	requests chan startRequest
	rechecks chan struct{}
	done     chan struct{} // closed when the loop no longer receives from the channels above

	emitting sync.Mutex // held while the sink is called

	mu      sync.Mutex // guards the fields below, services, targets, and target.run
	once    []*target  // run on request, and not watched
	cancel  context.CancelCauseFunc
	stopped os.Signal // the first signal that ended the watching
	limited bool      // the time limit of the stop has started
}

// run is one run of a target: an engine, except in tests.
type run interface {
	Sources(context.Context, plan.Call) ([]engine.Sources, error)
	Run(context.Context, []plan.Call) error
	HandleSignal(os.Signal) bool
	Stop(os.Signal)
	SignalCommands(syscall.Signal)
	Waiting(elapsed time.Duration) (waits bool, moves int)
	StopStep(event.StepID) error
	ReleaseShared()
	Close()
}

// services outlive the runs: those of an engine, except in tests.
type services interface {
	Up() bool
	Retain(holds func(task string) bool)
	Stop()
	Kill(os.Signal)
	LimitStop(*engine.Options, os.Signal)
	HandleSignal(os.Signal) bool
	Suspend(stop func())
	RestartStep(event.StepID) bool
	StopStep(event.StepID) bool
	SendLine(event.StepID, string) error
	Waiting() (waits bool, moves int)
}

// files are the files to be watched: the disk, except in tests.
type files interface {
	// Digests returns the digests of the files that match patterns, by path.
	Digests(ctx context.Context, dir string, patterns []glob.Pattern, gitignore bool) (map[string]glob.Digest, error)
	DigestOf(ctx context.Context, path string) glob.Digest // zero if it cannot be read
	SetContent(path string, d glob.Digest)                 // caches a result of DigestOf
	MarkChanged(path string)                               // drops what is cached for a path
	MarkDirty()                                            // drops all cached data
	Stat(path string) (s stamp, ok bool)
}

// changes reports which paths have changed: a watcher of the file system, except in tests.
type changes interface {
	Watch([]fswatch.Dir)
	Batches() <-chan fswatch.Batch
	Check()
}

// New returns a Watcher, which Run starts.
func New(o Options) *Watcher {
	w := &Watcher{o: o, sink: o.Engine.Sink, workflow: o.Engine.Workflow, watchdog: engine.NewWatchdog(), rechecks: make(chan struct{}), due: make(chan *target), requests: make(chan startRequest), done: make(chan struct{})}
	tree := glob.NewTree(o.Engine.Environ)
	tree.Warn = func(d *diag.Diagnostic) { w.emit(&event.DiagnosticFound{Time: time.Now(), Diagnostic: d}) }
	w.files = &disk{tree}
	shared := &w.o.Engine
	shared.Steps, shared.Tree = &w.steps, tree
	shared.Secrets = cmp.Or(shared.Secrets, new(pipe.Secrets))
	if w.sink != nil {
		shared.Sink = w.deliver
	}
	if tick := shared.Tick; tick != nil {
		var last time.Time // several runs tell the time, and services
		shared.Tick = func(now time.Time) {
			w.emitting.Lock()
			defer w.emitting.Unlock()
			if now.Sub(last) >= engine.TickPause {
				last = now
				tick(now)
			}
		}
	}
	if drained := shared.Drained; drained != nil {
		shared.Drained = func() {
			w.emitting.Lock()
			defer w.emitting.Unlock()
			drained()
		}
	}
	w.newRun = w.newEngine
	return w
}

// newEngine returns an engine for one run of a workflow.
func (w *Watcher) newEngine(ctx context.Context, of *schema.Workflow) (run, error) {
	o := w.o.Engine
	o.Workflow, o.ID = of, ""
	e, err := engine.New(ctx, o)
	if err != nil {
		return nil, err
	}
	return e, nil
}

// Split separates the calls of tasks with "watch: true" from the others. A call that cannot be
// made is one of the others.
func Split(w *schema.Workflow, calls []plan.Call) (watched, others []plan.Call) {
	for _, c := range calls {
		if t, _, err := w.Lookup(c.Name); err == nil && t.Watch && !t.Internal {
			watched = append(watched, c)
		} else {
			others = append(others, c)
		}
	}
	return watched, others
}

// Run runs the calls, and each of them again when its sources, or those of a task that it needs
// or calls, have changed. It returns the cause when ctx is done, and nil when a signal ends the
// watching. Errors of runs are events. It may be called once.
func (w *Watcher) Run(ctx context.Context, calls []plan.Call) error {
	if err := engine.Resolve(w.workflow, calls); err != nil {
		return err
	}
	system, err := fswatch.New(fswatch.Options{Interval: w.o.Interval, Poll: w.o.Poll, Ignore: ignored, Clock: &w.clock, Warn: w.warn})
	if err != nil {
		return err
	}
	defer system.Close()
	w.changes = system
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	w.o.Engine.Services = engine.NewServices(&w.o.Engine, func() { cancel(proc.ErrKeeperLost) })
	w.mu.Lock()
	w.services = w.o.Engine.Services
	w.mu.Unlock()
	return w.watch(ctx, calls)
}

// ignored reports whether path is a directory that is never searched for sources.
func ignored(path string) bool {
	return slices.Contains([]string{".git", ".hg", statefile.DirName, ".task", "node_modules"}, filepath.Base(path))
}

func (w *Watcher) watch(ctx context.Context, calls []plan.Call) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer close(w.done)
	w.ended = make(chan runEnd, len(calls))
	if !w.begin(cancel, calls) {
		w.services.Stop()
		return nil
	}
	w.emit(&event.WatchStarted{Time: time.Now(), Tasks: w.names()})
	w.prepare(ctx)
	w.rememberSources()
	w.recheckLater()
	for _, t := range w.targets {
		if len(t.sources) == 0 && ctx.Err() == nil {
			w.warn("task " + t.call.Name + ": neither it nor a task that it needs has sources, so it will not run again")
		}
		w.start(ctx, t)
	}
	w.serve(ctx)
	w.finish()
	if w.signal() != nil {
		return nil
	}
	return context.Cause(ctx)
}

// serve handles what happens until ctx is done.
func (w *Watcher) serve(ctx context.Context) {
	for ctx.Err() == nil {
		select {
		case b := <-w.changes.Batches():
			w.changed(ctx, w.afterGit(ctx, b))
		case end := <-w.ended:
			w.runEnded(ctx, end)
		case <-w.rechecks:
			w.recheck(ctx)
		case t := <-w.due:
			w.wake(ctx, t)
		case wanted := <-w.requests:
			w.startRequested(ctx, wanted)
		case k := <-w.o.Keys:
			if k == KeyQuit {
				w.Signal(syscall.SIGTERM)
			} else {
				w.triggerAll(ctx)
			}
		case <-ctx.Done():
		}
	}
}

// finish waits for all runs, and stops the services.
func (w *Watcher) finish() {
	for len(w.running()) > 0 {
		end := <-w.ended
		w.leave(end.target)
		w.reportEnd(end, true)
	}
	w.services.Stop()
}

// changed handles a batch of changes.
func (w *Watcher) changed(ctx context.Context, b fswatch.Batch) {
	if b.Lost {
		w.files.MarkDirty()
	}
	reload := b.Lost
	for _, p := range b.Paths {
		w.files.MarkChanged(p)
		reload = reload || w.taskfiles[p]
	}
	if reload && !w.reload(ctx) {
		return
	}
	for _, p := range b.Paths {
		if w.dotenv[p] { // it may change anything
			w.emit(&event.WatchTriggered{Time: time.Now(), Paths: w.shown([]string{p}), Tasks: w.names()})
			w.triggerAll(ctx)
			return
		}
	}
	for _, t := range w.targets {
		if stale, paths := w.look(ctx, t, b); len(stale) > 0 {
			t.paths = w.shown(paths)
			w.emit(&event.WatchTriggered{Time: time.Now(), Paths: t.paths, Tasks: stale})
			w.trigger(ctx, t, paths)
		}
	}
}

// names returns the tasks that are watched.
func (w *Watcher) names() []string {
	names := make([]string, len(w.targets))
	for i, t := range w.targets {
		names[i] = t.call.Name
	}
	return names
}

// deliver passes an event of a run to the sink.
func (w *Watcher) deliver(ev event.Event) {
	w.emitting.Lock()
	defer w.emitting.Unlock()
	w.sink(ev)
}

// tell passes an event of the watching itself to the sink.
func (w *Watcher) emit(ev event.Event) {
	if w.sink == nil {
		return
	}
	if secrets := w.o.Engine.Secrets; secrets.Any() {
		ev = event.Masked(ev, secrets.Mask)
	}
	w.deliver(ev)
	if drained := w.o.Engine.Drained; drained != nil {
		drained()
	}
}

func (w *Watcher) warn(problem string) {
	w.emit(&event.DiagnosticFound{Time: time.Now(), Diagnostic: &diag.Diagnostic{Severity: diag.Warning, Kind: diag.Suspicious, What: problem}})
}

// failed reports an error, unless the watching is ending.
func (w *Watcher) failed(ctx context.Context, err error) {
	if ctx.Err() == nil {
		w.emit(&event.WatchFailed{Time: time.Now(), Err: err})
	}
}

// gitTimeout is how long to wait for git to finish a checkout.
const gitTimeout = 10 * time.Second

// afterGit returns b together with all changes until git has finished: it changes many files,
// and some of them twice.
func (w *Watcher) afterGit(ctx context.Context, b fswatch.Batch) fswatch.Batch {
	lock := filepath.Join(w.workflow.Dir, ".git", "index.lock")
	for end := time.Now().Add(gitTimeout); time.Now().Before(end); {
		if _, locked := w.files.Stat(lock); !locked {
			break
		}
		select {
		case more := <-w.changes.Batches():
			b.Lost = b.Lost || more.Lost
			b.Paths = append(b.Paths, more.Paths...)
		case <-w.clock.After(20 * time.Millisecond):
		case <-ctx.Done():
			return b
		}
	}
	return b
}
