package watch

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weftrun/weft/engine"
	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/fswatch"
	"github.com/weftrun/weft/engine/glob"
	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/schema"
)

// rig is a Watcher in virtual time, of files that are nowhere and runs that do nothing until
// the test says so.
type rig struct {
	*Watcher
	t       *testing.T
	changed *fswatch.Batcher
	over    chan error // what Run returns

	mu       sync.Mutex // guards the fields below
	log      []string
	contents map[string]string
	runs     map[string]*fakeRun // that run, by task
	dirs     []fswatch.Dir
	checks   int
	// What the test wants to go wrong, or to take its time; nil: nothing.
	making  func(context.Context) error // of a run
	finding func(context.Context) error // of sources
}

// fakeRun is a run that ends when the test says so.
type fakeRun struct {
	r       *rig
	of      *schema.Workflow
	task    string
	end     chan error
	signals []os.Signal // r.mu guards it, and
	cause   error       // that it was cancelled for
}

// load reads a Taskfile.
func load(t *testing.T, tasks string) *schema.Workflow {
	t.Helper()
	w, list := schema.Load(t.Context(), schema.LoadOptions{Dir: "/", Entrypoint: "-", Stdin: strings.NewReader("version: '3'\n" + tasks)})
	if w == nil {
		t.Fatal(list)
	}
	return w
}

// watching has a test look at the watching of the tasks x, y, … of a Taskfile. Sources have
// the content "1". The watching must end when the test tells it to.
func watching(t *testing.T, tasks string, o Options, calls string, test func(r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := prepare(t, tasks, o)
		defer r.stopAll() // what is left would keep virtual time going for ever
		r.watchAll(calls)
		test(r)
	})
}

func prepare(t *testing.T, tasks string, o Options) *rig {
	r := &rig{t: t, over: make(chan error, 1), contents: map[string]string{"/a": "1", "/b": "1", "/c": "1"}, runs: map[string]*fakeRun{}}
	o.Engine.Workflow, o.Engine.UserDir, o.Engine.Sink = load(t, tasks), "/", r.hear
	r.Watcher = New(o)
	r.changed = fswatch.NewBatcher(o.Interval, &r.clock)
	r.Watcher.changes, r.Watcher.files, r.newRun = r, fakeFiles{r}, r.make
	return r
}

// watchAll begins to watch tasks.
func (r *rig) watchAll(tasks string) {
	var calls []plan.Call
	for _, name := range strings.Fields(tasks) {
		calls = append(calls, plan.Call{Name: name})
	}
	go func() { r.over <- r.watch(r.t.Context(), calls) }()
}

// stopAll ends the watching, if nothing has yet, and waits for what is left in the bubble.
func (r *rig) stopAll() {
	r.Signal(syscall.SIGTERM)
	select {
	case <-r.over:
	case <-time.After(time.Minute):
		r.t.Error("the watching does not end")
	}
	r.changed.Close()
	<-r.Stuck() // the watchdog goes on until nothing is left to look at
	time.Sleep(recheckEvery)
}

// told compares what has been told since it was called last.
func (r *rig) told(want ...string) {
	r.t.Helper()
	time.Sleep(time.Microsecond) // see fakeRun.note
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	if !slices.Equal(r.log, want) {
		r.t.Errorf("told %q\nwant %q", r.log, want)
	}
	r.log = nil
}

func (r *rig) note(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.log = append(r.log, fmt.Sprintf(format, args...))
}

func (r *rig) hear(ev event.Event) {
	switch ev := ev.(type) {
	case *event.WatchStarted:
		r.note("watching %s", strings.Join(ev.Tasks, " "))
	case *event.WatchTriggered:
		r.note("%s changed: %s", strings.Join(ev.Paths, " "), strings.Join(ev.Tasks, " "))
	case *event.WatchEnded:
		switch {
		case ev.Restarted:
			r.note("%s was stopped", ev.Task)
		case ev.Err != nil:
			r.note("%s failed: %v", ev.Task, ev.Err)
		default:
			r.note("%s is done", ev.Task)
		}
	case *event.WatchFailed:
		r.note("cannot: %v", ev.Err)
	case *event.DiagnosticFound:
		r.note("warning: %s", ev.Diagnostic.What)
	}
}

// write changes files, and has the system tell of it.
func (r *rig) write(content string, paths ...string) {
	r.set(content, paths...)
	for _, p := range paths {
		r.changed.Add(p)
	}
}

// set changes files of which the system does not tell; without content they are removed.
func (r *rig) set(content string, paths ...string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range paths {
		if r.contents[p] = content; content == "" {
			delete(r.contents, p)
		}
	}
}

// saved is write, and the time until a single save is noticed.
func (r *rig) saved(content string, paths ...string) {
	r.write(content, paths...)
	r.settle()
}

// settle lets so much time pass that an open batch is dealt with.
func (r *rig) settle() {
	time.Sleep(150 * time.Millisecond)
	synctest.Wait()
}

// run returns the run of a task.
func (r *rig) run(task string) *fakeRun {
	r.t.Helper()
	time.Sleep(time.Microsecond)
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.runs[task] == nil {
		r.t.Fatalf("%s does not run", task)
	}
	return r.runs[task]
}

// ends lets the run of a task end.
func (r *rig) ends(task string, err error) {
	r.t.Helper()
	r.run(task).end <- err
	synctest.Wait()
}

// make implements newRun.
func (r *rig) make(ctx context.Context, of *schema.Workflow) (run, error) {
	if r.making != nil {
		if err := r.making(ctx); err != nil {
			return nil, err
		}
	}
	return &fakeRun{r: r, of: of, end: make(chan error)}, nil
}

// Sources returns those of the called task alone.
func (f *fakeRun) Sources(ctx context.Context, c plan.Call) ([]engine.Sources, error) {
	if f.r.finding != nil {
		if err := f.r.finding(ctx); err != nil {
			return nil, err
		}
	}
	t, _, err := f.of.Lookup(c.Name)
	if err != nil || len(t.Sources) == 0 {
		return nil, err
	}
	s := engine.Sources{Step: c.Name, Dir: "/"}
	for _, g := range t.Sources {
		s.Patterns = append(s.Patterns, glob.Pattern{Glob: g.Pattern.S})
	}
	return []engine.Sources{s}, nil
}

// Run notes that it begins and, when it is cancelled, why; it ends when the test says so.
func (f *fakeRun) Run(ctx context.Context, calls []plan.Call) error {
	f.task = calls[0].Name
	f.r.mu.Lock()
	f.r.runs[f.task] = f
	f.r.mu.Unlock()
	f.note("begins")
	defer func() {
		f.r.mu.Lock()
		delete(f.r.runs, f.task)
		f.r.mu.Unlock()
	}()
	select {
	case err := <-f.end:
		return err
	case <-ctx.Done():
		f.r.mu.Lock()
		f.cause = context.Cause(ctx)
		f.r.mu.Unlock()
		f.note("is to stop: " + f.cause.Error())
	}
	select {
	case err := <-f.end:
		return errors.Join(err, context.Cause(ctx))
	case <-time.After(time.Second):
		return context.Cause(ctx)
	}
}

// note notes what a run does: those at the same time in the order of their names.
func (f *fakeRun) note(what string) {
	time.Sleep(time.Duration(f.task[0]))
	f.r.note("%s %s", f.task, what)
}

// HandOn notes the signals that are not for weft, and SIGHUP in a task called server.
func (f *fakeRun) HandOn(sig os.Signal) bool {
	if stops(sig) && (sig != syscall.SIGHUP || f.task != "server") {
		return false
	}
	f.Stop(sig)
	return true
}

// Stop notes a signal.
func (f *fakeRun) Stop(sig os.Signal) {
	f.r.mu.Lock()
	defer f.r.mu.Unlock()
	f.signals = append(f.signals, sig)
}

func (f *fakeRun) SignalCommands(sig syscall.Signal) { f.r.note("%s gets %v", f.task, sig) }

func (f *fakeRun) Waits(time.Duration) (bool, int) { return true, 0 }

func (f *fakeRun) Close() {}

// Watch implements changes.
func (r *rig) Watch(dirs []fswatch.Dir) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.dirs = dirs
}

func (r *rig) Batches() <-chan fswatch.Batch { return r.changed.Batches() }

func (r *rig) Check() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.checks++
}

// fakeFiles are the files of a rig. Their patterns are names, or prefixes with a * at the end.
type fakeFiles struct{ r *rig }

func digest(content string) (d glob.Digest) {
	copy(d[:], content)
	return d
}

func (f fakeFiles) Digests(_ context.Context, dir string, patterns []glob.Pattern, _ bool) (map[string]glob.Digest, error) {
	f.r.mu.Lock()
	defer f.r.mu.Unlock()
	found := map[string]glob.Digest{}
	for path, content := range f.r.contents {
		for _, p := range patterns {
			prefix, whole := strings.CutSuffix(dir+p.Glob, "*")
			if path == prefix || whole && strings.HasPrefix(path, prefix) {
				found[path] = digest(content)
			}
		}
	}
	return found, nil
}

func (f fakeFiles) DigestOf(_ context.Context, path string) glob.Digest {
	f.r.mu.Lock()
	defer f.r.mu.Unlock()
	return digest(f.r.contents[path])
}

func (f fakeFiles) SetContent(string, glob.Digest) {}
func (f fakeFiles) Changed(string)                 {}
func (f fakeFiles) Dirty()                         {}

func (f fakeFiles) Stat(path string) (stamp, bool) {
	f.r.mu.Lock()
	defer f.r.mu.Unlock()
	content, there := f.r.contents[path]
	return stamp{size: int64(len(content))}, there
}

// has reports whether a directory is watched.
func (r *rig) has(dir string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Contains(r.dirs, fswatch.Dir{Path: dir})
}

// got returns the signals that a run has got.
func (f *fakeRun) got() []os.Signal {
	synctest.Wait()
	f.r.mu.Lock()
	defer f.r.mu.Unlock()
	return slices.Clone(f.signals)
}

// running returns the tasks that run, sorted.
func (r *rig) running() []string {
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Sorted(maps.Keys(r.runs))
}
