// Package watch is watch mode: tasks run again when what they are made from has changed.
//
// A batch of changes makes some targets stale, and a stale target has an ordinary run. If it
// is running, it is cancelled with a cause, waited for, and run again. The package owns what
// is watched, and when runs begin and end. It stands above package engine: each run is that of
// an engine of its own, which knows nothing of the others. How the system tells of changes is
// for package fswatch to know; whether a file says something else, for package glob,
// so that watching and "up to date" agree.
package watch

import (
	"context"
	"os"
	"path/filepath"
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
	"github.com/weftrun/weft/internal/statefile"
	"github.com/weftrun/weft/schema"
	"github.com/weftrun/weft/schema/diag"
)

// Options say what runs, and how files are watched. All but Engine may be zero.
type Options struct {
	// Engine are the options of each run. Its sink is told of the watching, too.
	Engine   engine.Options
	Interval time.Duration // how long to wait for more changes; 0 is for package fswatch to say
	Poll     time.Duration // look at files so often instead of being told; 0: be told
	// Load loads the workflow again after one of its files has changed. Nil: it stays.
	Load func(context.Context) (*schema.Workflow, error)
	// Keys has what the user types. Nil if there is nobody.
	Keys <-chan Key
	// Idle, if set, is told when nothing runs, and when something is about to: then
	// the terminal may be somebody else's.
	Idle func(idle bool)
}

// Key is what the user asks for while watching.
type Key uint8

const (
	KeyRun  Key = iota + 1 // run everything again
	KeyQuit                // stop watching
)

// Watcher runs tasks again and again. One goroutine, that of Run, owns it; Signal, Signalled
// and Stuck may be called from others.
type Watcher struct {
	o        Options
	sink     func(event.Event) // nil: nobody listens
	workflow *schema.Workflow  // as it was loaded last
	files    files
	changes  changes
	newRun   func(context.Context, *schema.Workflow) (run, error)
	steps    atomic.Int32 // of all runs
	clock    clock.Clock
	watchdog *engine.Watchdog

	targets   []*target
	taskfiles map[string]bool // of the workflow
	dotenv    map[string]bool
	recent    []recent // sources that have changed last, the newest first

	ended    chan runEnd
	due      chan *target // it has been quiet, perhaps
	rechecks chan struct{}
	done     chan struct{} // closed when nobody looks at the channels above any more

	telling sync.Mutex // held while the sink is called

	mu      sync.Mutex // guards the fields below, what are the targets, and which runs they have
	cancel  context.CancelCauseFunc
	stopped os.Signal // the first signal to end the watching
}

// run is one run of a target: an engine, but in tests.
type run interface {
	Sources(context.Context, plan.Call) ([]engine.Sources, error)
	Run(context.Context, []plan.Call) error
	HandOn(os.Signal) bool
	Stop(os.Signal)
	SignalCommands(syscall.Signal)
	Waits(elapsed time.Duration) (waits bool, moves int)
	Close()
}

// files is what watching sees of files: the disk, but in tests.
type files interface {
	// Digests are those of the files that patterns match, by path.
	Digests(ctx context.Context, dir string, patterns []glob.Pattern, gitignore bool) (map[string]glob.Digest, error)
	// DigestOf is the digest of one file, or zero.
	DigestOf(ctx context.Context, path string) glob.Digest
	SetContent(path string, d glob.Digest) // tells what DigestOf was
	Changed(path string)                   // tells that a path has changed
	Dirty()                                // tells that any path may have
	Stat(path string) (s stamp, ok bool)
}

// changes tells which paths have changed: a watcher of the file system, but in tests.
type changes interface {
	Watch([]fswatch.Dir)
	Batches() <-chan fswatch.Batch
	Check()
}

// New returns a Watcher that does nothing yet.
func New(o Options) *Watcher {
	w := &Watcher{o: o, sink: o.Engine.Sink, workflow: o.Engine.Workflow, watchdog: engine.NewWatchdog(), rechecks: make(chan struct{}), due: make(chan *target), done: make(chan struct{})}
	tree := glob.NewTree(o.Engine.Environ)
	tree.Warn = func(d *diag.Diagnostic) { w.tell(&event.DiagnosticFound{Time: time.Now(), Diagnostic: d}) }
	w.files = disk{tree}
	shared := &w.o.Engine
	shared.Steps, shared.Tree = &w.steps, tree
	if shared.Secrets == nil {
		shared.Secrets = new(pipe.Secrets)
	}
	if w.sink != nil {
		shared.Sink = w.deliver
	}
	w.newRun = w.newEngine
	return w
}

// newEngine returns an engine for one run of a workflow.
func (w *Watcher) newEngine(ctx context.Context, of *schema.Workflow) (run, error) {
	o := w.o.Engine
	o.Workflow = of
	e, err := engine.New(ctx, o)
	if err != nil {
		return nil, err
	}
	return e, nil
}

// Split parts calls into those whose tasks say that they are to be watched and the others.
// A call that cannot be made is one of the others.
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

// Run runs the calls, and each of them again when files that it, or a task it needs or
// calls, is made from have changed, until ctx is done, which is the error, or a signal ends
// the watching, which is none. Errors of runs are events. It may be called once.
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
	return w.watch(ctx, calls)
}

// ignored reports whether no source is in a tree.
func ignored(path string) bool {
	switch filepath.Base(path) {
	case ".git", ".hg", statefile.DirName, ".task", "node_modules":
		return true
	}
	return false
}

func (w *Watcher) watch(ctx context.Context, calls []plan.Call) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer close(w.done)
	w.ended = make(chan runEnd, len(calls))
	if !w.begin(cancel, calls) {
		return nil
	}
	w.tell(&event.WatchStarted{Time: time.Now(), Tasks: w.names()})
	w.prepare(ctx)
	w.seed()
	w.recheckLater()
	for _, t := range w.targets {
		if len(t.sources) == 0 && ctx.Err() == nil {
			w.warn("task " + t.call.Name + ": neither it nor a task it needs has sources, so nothing will make it run again")
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

// serve is the loop.
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

// finish returns when nothing runs any more.
func (w *Watcher) finish() {
	for _, t := range w.targets {
		for t.run != nil {
			end := <-w.ended
			w.leave(end.target)
			w.tellEnd(end, true)
		}
	}
}

// changed deals with a batch of changes.
func (w *Watcher) changed(ctx context.Context, b fswatch.Batch) {
	if b.Lost {
		w.files.Dirty()
	}
	reload := b.Lost
	for _, p := range b.Paths {
		w.files.Changed(p)
		reload = reload || w.taskfiles[p]
	}
	if reload && !w.reload(ctx) {
		return
	}
	for _, p := range b.Paths {
		if w.dotenv[p] { // it may change anything
			w.tell(&event.WatchTriggered{Time: time.Now(), Paths: w.shown([]string{p}), Tasks: w.names()})
			w.triggerAll(ctx)
			return
		}
	}
	for _, t := range w.targets {
		if stale, paths := w.look(ctx, t, b); len(stale) > 0 {
			t.paths = w.shown(paths)
			w.tell(&event.WatchTriggered{Time: time.Now(), Paths: t.paths, Tasks: stale})
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

// deliver hands the event of a run to the sink.
func (w *Watcher) deliver(ev event.Event) {
	w.telling.Lock()
	defer w.telling.Unlock()
	w.sink(ev)
}

// tell hands an event of the watching itself to the sink.
func (w *Watcher) tell(ev event.Event) {
	if w.sink == nil {
		return
	}
	if secrets := w.o.Engine.Secrets; secrets.Any() {
		ev = event.Masked(ev, secrets.Mask)
	}
	w.deliver(ev)
}

func (w *Watcher) warn(problem string) {
	w.tell(&event.DiagnosticFound{Time: time.Now(), Diagnostic: &diag.Diagnostic{Severity: diag.Warning, Kind: diag.Suspicious, What: problem}})
}

// failed tells why something could not be done, unless it was the end of the watching.
func (w *Watcher) failed(ctx context.Context, err error) {
	if ctx.Err() == nil {
		w.tell(&event.WatchFailed{Time: time.Now(), Err: err})
	}
}

// gitPatience is how long a checkout may take.
const gitPatience = 10 * time.Second

// afterGit returns b with all that comes until git has ended what it does: it changes many
// files, and some twice.
func (w *Watcher) afterGit(ctx context.Context, b fswatch.Batch) fswatch.Batch {
	lock := filepath.Join(w.workflow.Dir, ".git", "index.lock")
	for end := time.Now().Add(gitPatience); time.Now().Before(end); {
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
