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

// rig is a Watcher in virtual time, with simulated files and runs controlled by the test.
type rig struct {
	*Watcher
	t       *testing.T
	changed *fswatch.Batcher
	over    chan error // result of Run

	mu       sync.Mutex // guards the fields below
	log      []string
	contents map[string]string
	runs     map[string]*fakeRun // running ones, by task
	dirs     []fswatch.Dir
	checks   int
	up       []string // services
	// Contents of a depfile, and whether the last run failed; nil: no depfile.
	discovered map[string]glob.Digest
	unsure     bool
	// Hooks for failures and delays; may be nil.
	making  func(context.Context) error // of a run
	finding func(context.Context) error // of sources
}

// fakeRun is a run whose end the test controls.
type fakeRun struct {
	r       *rig
	of      *schema.Workflow
	task    string
	end     chan error
	signals []os.Signal // r.mu guards it, and
	cause   error       // why it was cancelled
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

// watching tests watch mode for the tasks x, y, … of a Taskfile. Sources have the content "1". The
// test must end watch mode.
func watching(t *testing.T, tasks string, o Options, calls string, test func(r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := prepare(t, tasks, o)
		defer r.stopAll() // remaining goroutines would keep virtual time going for ever
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
	r.services = fakeServices{r}
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

// stopAll ends watch mode, if still active, and waits for the remaining goroutines of the bubble.
func (r *rig) stopAll() {
	r.Signal(syscall.SIGTERM)
	select {
	case <-r.over:
	case <-time.After(time.Minute):
		r.t.Error("the watching does not end")
	}
	r.changed.Close()
	<-r.Stuck() // the watchdog continues until it is stuck
	time.Sleep(recheckEvery)
}

// told compares the events since its last call.
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

// write changes files, and reports the change.
func (r *rig) write(content string, paths ...string) {
	r.set(content, paths...)
	for _, p := range paths {
		r.changed.Add(p)
	}
}

// set changes files without a report; without content they are removed.
func (r *rig) set(content string, paths ...string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range paths {
		if r.contents[p] = content; content == "" {
			delete(r.contents, p)
		}
	}
}

// saved is write, followed by the time until a single save is noticed.
func (r *rig) saved(content string, paths ...string) {
	r.write(content, paths...)
	r.settle()
}

// settle waits until an open batch has been handled.
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
	if s.Depfile = t.Depfile.S != ""; s.Depfile {
		f.r.mu.Lock()
		s.Discovered, s.Unsure = maps.Clone(f.r.discovered), f.r.unsure
		f.r.mu.Unlock()
	}
	return []engine.Sources{s}, nil
}

// Run records its beginning and, when it is cancelled, the cause; the test controls its end.
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

// note records an action of a run: simultaneous ones are sorted by name.
func (f *fakeRun) note(what string) {
	time.Sleep(time.Duration(f.task[0]))
	f.r.note("%s %s", f.task, what)
}

// HandleSignal records signals that do not stop weft, and SIGHUP in a task called server.
func (f *fakeRun) HandleSignal(sig os.Signal) bool {
	if stops(sig) && (sig != syscall.SIGHUP || f.task != "server") {
		return false
	}
	f.Stop(sig)
	return true
}

// Stop records a signal.
func (f *fakeRun) Stop(sig os.Signal) {
	f.r.mu.Lock()
	defer f.r.mu.Unlock()
	f.signals = append(f.signals, sig)
}

func (f *fakeRun) SignalCommands(sig syscall.Signal) { f.r.note("%s gets %v", f.task, sig) }

func (f *fakeRun) Waiting(time.Duration) (bool, int) { return true, 0 }

func (f *fakeRun) StopStep(event.StepID) error { return errors.New("no step") }

func (f *fakeRun) ReleaseShared() {}

func (f *fakeRun) Close() {}

// fakeServices are the services of a rig: those in its list.
type fakeServices struct{ r *rig }

func (f fakeServices) Up() bool {
	f.r.mu.Lock()
	defer f.r.mu.Unlock()
	return len(f.r.up) > 0
}

// Retain implements services.
func (f fakeServices) Retain(holds func(string) bool) {
	f.r.mu.Lock()
	defer f.r.mu.Unlock()
	f.r.up = slices.DeleteFunc(f.r.up, func(task string) bool { return !holds(task) })
}

// Stop records that it was called while services were running; they take a second.
func (f fakeServices) Stop() {
	if f.Up() {
		f.r.note("services are stopped")
		time.Sleep(time.Second)
		f.Retain(func(string) bool { return false })
	}
}

func (f fakeServices) LimitStop(*engine.Options, os.Signal) {}

func (f fakeServices) Kill(os.Signal) { f.r.note("services are killed") }

// HandleSignal records signals that do not stop weft.
func (f fakeServices) HandleSignal(sig os.Signal) bool {
	if stops(sig) || !f.Up() {
		return false
	}
	f.r.note("services get %v", sig)
	return true
}

func (f fakeServices) Suspend(stop func()) {
	f.r.note("services are suspended")
	stop()
	f.r.note("services go on")
}

func (f fakeServices) RestartStep(event.StepID) bool { return false }

func (f fakeServices) StopStep(event.StepID) bool { return false }

func (f fakeServices) SendLine(event.StepID, string) error { return errors.New("no step") }

func (f fakeServices) Waiting() (bool, int) { return f.Up(), 0 }

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
func (f fakeFiles) MarkChanged(string)             {}
func (f fakeFiles) MarkDirty()                     {}

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

// got returns the signals that a run has received.
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
