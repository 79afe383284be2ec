package engine

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/weftrun/weft/engine/clock"
	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/fswatch"
	"github.com/weftrun/weft/engine/glob"
	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/internal/statefile"
	"github.com/weftrun/weft/schema"
	"github.com/weftrun/weft/schema/diag"
)

// WatchOptions say how files are watched.
type WatchOptions struct {
	Interval time.Duration // how long to wait for more changes; 0 is for package watch to say
	Poll     time.Duration // look at files so often instead of being told; 0: be told
	// Load loads the workflow again after one of its files has changed.
	Load func(context.Context) (*schema.Workflow, error)
	// Keys has what the user types: see Key. Nil if there is nobody.
	Keys <-chan Key
	// Idle, if set, is told when nothing runs, and when something is about to: then
	// the terminal may be somebody else's.
	Idle func(idle bool)
	// System replaces the operating system's notice of changes, in tests.
	System fswatch.System
}

// Key is what the user asks for while watching.
type Key uint8

const (
	KeyRun  Key = iota + 1 // run everything again
	KeyQuit                // stop watching
)

// watching is a run that never ends: each of the calls runs on its own, again when
// what it is made from has changed. One goroutine owns it.
type watching struct {
	e        *Engine
	o        WatchOptions
	workflow *schema.Workflow
	tree     *glob.Tree
	watcher  *fswatch.Watcher
	ids      atomic.Int32
	clock    clock.Clock

	lanes []*lane
	ended chan laneEnd
	due   chan *lane      // it has been quiet
	files map[string]bool // of the workflow
	env   map[string]bool // dotenv files

	recent   []recent // sources that have changed last, the newest first
	glances  chan struct{}
	unserved chan struct{} // closed when nobody serves any more

	mu       sync.Mutex // guards what signals touch: the fields below, and the lanes' engines
	sink     func(event.Event)
	stopping os.Signal
	quit     chan struct{}
}

// Watch runs the calls, and each of them again when files that it, or a task it needs
// or calls, is made from have changed, until ctx is done or a signal stops weft. Errors
// of runs are events; the error is one of watching.
func (e *Engine) Watch(ctx context.Context, calls []plan.Call, o WatchOptions) error {
	for _, c := range calls {
		if t, _, err := e.o.Workflow.Lookup(c.Name); err != nil {
			return err
		} else if t.Internal {
			return &plan.InternalError{Task: c.Name}
		}
	}
	v := &watching{e: e, o: o, workflow: e.o.Workflow, tree: e.tree, ended: make(chan laneEnd, len(calls)), due: make(chan *lane, len(calls)), sink: e.o.Sink, quit: make(chan struct{}),
		glances: make(chan struct{}), unserved: make(chan struct{})}
	defer close(v.unserved)
	if v.sink == nil {
		v.sink = release
	}
	for _, c := range calls {
		v.lanes = append(v.lanes, &lane{call: c})
	}
	var err error
	v.watcher, err = fswatch.New(fswatch.Options{Interval: o.Interval, Poll: o.Poll, Ignore: v.ignored, Clock: &v.clock, System: o.System, Warn: v.warn})
	if err != nil {
		return err
	}
	defer v.watcher.Close()
	e.watching.Store(v) // for good: what comes when it has ended is for it, too
	if e.Signalled() != nil {
		return nil // it came before
	}
	v.emit(&event.WatchStarted{Time: time.Now(), Tasks: names(calls)})
	v.prepare(ctx)
	v.seed()
	v.glanceLater()
	for _, l := range v.lanes {
		if len(l.watched) == 0 {
			v.warn("task " + l.call.Name + ": neither it nor a task it needs has sources, so nothing will make it run again")
		}
		v.start(ctx, l)
	}
	return v.serve(ctx)
}

func (v *watching) emit(ev event.Event) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.sink(ev)
}

func (v *watching) warn(problem string) {
	v.emit(&event.DiagnosticFound{Time: time.Now(), Diagnostic: &diag.Diagnostic{Severity: diag.Warning, Kind: diag.Suspicious, What: problem}})
}

// ignored are trees that no source is in.
func (v *watching) ignored(path string) bool {
	switch filepath.Base(path) {
	case ".git", ".hg", statefile.DirName, ".task", "node_modules":
		return true
	}
	return false
}

// serve is the loop.
func (v *watching) serve(ctx context.Context) error {
	for {
		select {
		case b := <-v.watcher.Batches():
			v.changed(ctx, v.settled(b))
		case end := <-v.ended:
			v.laneEnded(ctx, end)
		case <-v.glances:
			v.glance(ctx)
		case l := <-v.due:
			v.beQuiet(ctx, l)
		case k := <-v.o.Keys:
			if k == KeyQuit {
				v.signal(syscall.SIGTERM)
				continue
			}
			for _, l := range v.lanes {
				v.trigger(ctx, l, nil)
			}
		case <-v.quit:
			v.finish()
			return nil
		case <-ctx.Done():
			for _, l := range v.lanes {
				if l.cancel != nil {
					l.cancel(context.Cause(ctx))
				}
			}
			v.finish()
			return context.Cause(ctx)
		}
	}
}

func (v *watching) calls() []plan.Call {
	calls := make([]plan.Call, len(v.lanes))
	for i, l := range v.lanes {
		calls[i] = l.call
	}
	return calls
}

// finish returns when nothing runs any more.
func (v *watching) finish() {
	for _, l := range v.lanes {
		for l.engine != nil {
			end := <-v.ended
			v.over(end)
			v.tellEnd(end, true)
		}
	}
}

// gitPatience is how long a checkout may take.
const gitPatience = 10 * time.Second

// settled returns b with all that comes until git has ended what it does: it changes
// many files, and some twice.
func (v *watching) settled(b fswatch.Batch) fswatch.Batch {
	lock := filepath.Join(v.workflow.Dir, ".git", "index.lock")
	for end := time.Now().Add(gitPatience); time.Now().Before(end); {
		if _, err := os.Stat(lock); err != nil {
			break
		}
		select {
		case more := <-v.watcher.Batches():
			b.Lost = b.Lost || more.Lost
			b.Paths = append(b.Paths, more.Paths...)
		case <-v.clock.After(20 * time.Millisecond):
		case <-v.quit:
			return b
		}
	}
	return b
}

// changed deals with a batch of changes.
func (v *watching) changed(ctx context.Context, b fswatch.Batch) {
	if b.Lost {
		v.tree.Dirty()
	}
	reload := b.Lost
	for _, p := range b.Paths {
		v.tree.Changed(p)
		reload = reload || v.files[p]
	}
	if reload && !v.reload(ctx) {
		return
	}
	for _, p := range b.Paths {
		if v.env[p] { // it may change anything
			v.emit(&event.WatchTriggered{Time: time.Now(), Paths: v.shown([]string{p}), Tasks: names(v.calls())})
			for _, l := range v.lanes {
				v.trigger(ctx, l, nil)
			}
			return
		}
	}
	for _, l := range v.lanes {
		if stale, paths := v.look(ctx, l, b); len(stale) > 0 {
			l.paths = v.shown(paths)
			v.emit(&event.WatchTriggered{Time: time.Now(), Paths: l.paths, Tasks: stale})
			v.trigger(ctx, l, paths)
		}
	}
}

// prepare finds out what the lanes are made from, and watches that.
func (v *watching) prepare(ctx context.Context) {
	v.files = map[string]bool{}
	var dirs []fswatch.Dir
	for _, f := range v.workflow.Files() {
		v.files[f] = true
		dirs = append(dirs, fswatch.Dir{Path: filepath.Dir(f)})
	}
	v.env = map[string]bool{}
	dotenv := func(texts []schema.Text) {
		for _, t := range texts {
			if !strings.ContainsAny(t.S, "{$~") { // a name that is known
				name := absolute(v.workflow.Dir, t.S)
				v.env[filepath.Clean(name)] = true
				dirs = append(dirs, fswatch.Dir{Path: filepath.Dir(filepath.Clean(name))})
			}
		}
	}
	dotenv(v.workflow.Dotenv)
	for _, l := range v.lanes {
		l.watched = nil
		if t, _, err := v.workflow.Lookup(l.call.Name); err == nil {
			l.policy = t.OnChange
			if t.Dir.S == "" {
				dotenv(t.Dotenv)
			}
		}
		sub, err := v.engine(ctx)
		if err == nil {
			l.watched, err = v.findSources(ctx, sub, l.call)
			sub.Close()
		}
		if err != nil {
			v.emit(&event.WatchFailed{Time: time.Now(), Err: err})
		}
		for _, s := range l.watched {
			dirs = append(dirs, s.bases...)
		}
	}
	v.watcher.Watch(dirs)
	for _, l := range v.lanes {
		for _, s := range l.watched {
			s.files, _ = v.tree.Digests(ctx, s.dir, s.sources, s.gitignore)
		}
	}
}

// engine returns an engine for one run.
func (v *watching) engine(ctx context.Context) (*Engine, error) {
	o := v.e.o
	o.Workflow = v.workflow
	o.Sink = v.emit
	sub, err := New(ctx, o)
	if err != nil {
		return nil, err
	}
	sub.tree, sub.ids, sub.watched = v.tree, &v.ids, true
	return sub, nil
}

// engines returns those that run something.
func (v *watching) engines() (running []*Engine) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, l := range v.lanes {
		if l.engine != nil {
			running = append(running, l.engine)
		}
	}
	return running
}

// signal hands a signal on to all runs; one that stops them ends the watching, too.
func (v *watching) signal(sig os.Signal) {
	running := v.engines()
	v.mu.Lock()
	ends := stops(sig)
	first := ends && v.stopping == nil
	if first {
		v.stopping = sig
	}
	v.mu.Unlock()
	if len(running) == 0 && suspends(sig) {
		if v.o.Idle != nil { // the terminal as it was
			v.o.Idle(false)
			defer v.o.Idle(true)
		}
		stopSelf()
	}
	for _, e := range running {
		e.Signal(sig)
	}
	if first {
		close(v.quit)
	}
}
