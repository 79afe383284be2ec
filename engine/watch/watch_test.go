package watch

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weftrun/weft/engine"
	"github.com/weftrun/weft/engine/glob"
	"github.com/weftrun/weft/engine/pipe"
	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/schema"
)

const (
	one   = "tasks:\n  x: {sources: [a]}\n"
	two   = "tasks:\n  x: {sources: [a]}\n  y: {sources: [b]}\n"
	queue = "tasks:\n  x: {sources: [a], on_change: queue}\n"
)

// TestChanges: what has a target run again, and what has not.
func TestChanges(t *testing.T) {
	watching(t, "tasks:\n  x: {sources: [a, 'dir/*']}\n", Options{}, "x", func(r *rig) {
		r.told("watching x", "x begins")
		r.ends("x", nil)
		r.told("x is done")
		if !r.has("/") || !r.has("/dir") {
			t.Errorf("watched: %v", r.dirs)
		}
		r.saved("2", "/a")
		r.told("a changed: x", "x begins")
		r.ends("x", nil)
		r.told("x is done")
		r.saved("2", "/a") // it says what it said
		r.saved("2", "/b") // no source
		r.told()
		r.saved("new", "/dir/file")
		r.told("dir/file changed: x", "x begins")
		r.ends("x", nil)
		r.saved("", "/dir/file")
		r.told("x is done", "dir/file changed: x", "x begins")
		r.ends("x", nil)
		r.told("x is done")
	})
}

// TestDiscovered: what a run has discovered is watched from then on, also after one that has
// failed, and no longer when a run has not read it.
func TestDiscovered(t *testing.T) {
	watching(t, "tasks:\n  x: {sources: [a], depfile: d}\n", Options{}, "x", func(r *rig) {
		found := func(unsure bool, contents map[string]string) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.unsure, r.discovered = unsure, nil
			for p, c := range contents {
				if r.discovered == nil {
					r.discovered = map[string]glob.Digest{}
				}
				r.discovered[p] = digest(c)
			}
		}
		r.told("watching x", "x begins")
		r.set("1", "/inc/h")
		r.saved("0", "/inc/h")
		r.told()
		// It is not a change that it is discovered, but one that the run has read something else.
		found(false, map[string]string{"/b": "1", "/inc/h": "1"})
		r.ends("x", nil)
		r.told("x is done", "inc/h changed: x", "x begins")
		if !r.has("/inc") {
			t.Errorf("watched: %v", r.dirs)
		}
		found(false, map[string]string{"/b": "1", "/inc/h": ""}) // by times only
		r.ends("x", nil)
		r.told("x is done")
		r.saved("2", "/inc/h")
		r.told("inc/h changed: x", "x begins")
		// After a failure the depfile may say nothing.
		found(true, nil)
		r.ends("x", errors.New("failed"))
		r.told("x failed: failed")
		r.saved("3", "/inc/h")
		r.told("inc/h changed: x", "x begins")
		r.saved("", "/inc/h")
		r.told("inc/h changed: x", "x is to stop: stopped by signal: terminated")
		r.ends("x", nil)
		r.told("x was stopped", "x begins")
		found(true, map[string]string{"/b": ""})
		r.ends("x", errors.New("no h"))
		r.told("x failed: no h")
		r.saved("4", "/inc/h")
		r.told("inc/h changed: x", "x begins")
		// What is no longer read is no source.
		found(false, map[string]string{"/b": "1"})
		r.ends("x", nil)
		r.told("x is done")
		r.saved("5", "/inc/h")
		r.told()
		r.saved("5", "/b")
		r.told("b changed: x", "x begins")
		r.ends("x", nil)
	})
}

// TestDebounce: saves that follow each other are one change.
func TestDebounce(t *testing.T) {
	watching(t, one, Options{}, "x", func(r *rig) {
		r.ends("x", nil)
		r.told("watching x", "x begins", "x is done")
		for _, content := range []string{"2", "3", "4"} {
			r.write(content, "/a")
			time.Sleep(5 * time.Millisecond)
		}
		r.told()
		time.Sleep(4 * time.Millisecond)
		r.told("a changed: x", "x begins")
	})
	watching(t, one, Options{Interval: time.Second}, "x", func(r *rig) {
		r.ends("x", nil)
		r.write("2", "/a")
		time.Sleep(time.Second - time.Millisecond)
		r.told("watching x", "x begins", "x is done")
		time.Sleep(time.Millisecond)
		r.told("a changed: x", "x begins")
	})
}

// TestLostChanges: when changes were lost, all sources are looked at.
func TestLostChanges(t *testing.T) {
	watching(t, two, Options{}, "x y", func(r *rig) {
		r.ends("x", nil)
		r.ends("y", nil)
		r.told("watching x y", "x begins", "y begins", "x is done", "y is done")
		r.set("2", "/b")
		r.changed.Lost()
		r.settle()
		r.told("b changed: y", "y begins")
	})
}

// TestUnnoticed: what the system does not tell of is seen, some time later.
func TestUnnoticed(t *testing.T) {
	watching(t, one, Options{}, "x", func(r *rig) {
		r.ends("x", nil)
		r.told("watching x", "x begins", "x is done")
		r.set("longer", "/a")
		time.Sleep(recheckEvery)
		r.told("a changed: x", "x begins")
		if r.checks != 1 {
			t.Errorf("it was looked %d times whether all is where it was", r.checks)
		}
	})
}

// TestGit: nothing runs while git runs, up to a limit.
func TestGit(t *testing.T) {
	watching(t, two, Options{}, "x y", func(r *rig) {
		r.ends("x", nil)
		r.ends("y", nil)
		r.told("watching x y", "x begins", "y begins", "x is done", "y is done")
		r.set("held", "/.git/index.lock")
		r.saved("2", "/a")
		r.saved("2", "/b")
		r.told()
		r.set("", "/.git/index.lock")
		r.settle()
		r.told("a changed: x", "b changed: y", "x begins", "y begins")
		r.set("left", "/.git/index.lock")
		r.ends("x", nil)
		r.saved("3", "/a")
		r.told("x is done")
		time.Sleep(gitTimeout)
		r.told("a changed: x", "x begins")
	})
}

// TestFailure: a run that fails, or cannot be planned, is reported, and watching continues.
func TestFailure(t *testing.T) {
	watching(t, one, Options{}, "x", func(r *rig) {
		r.ends("x", errors.New("exit status 1"))
		r.told("watching x", "x begins", "x failed: exit status 1")
		r.saved("2", "/a")
		r.told("a changed: x", "x begins")
		r.ends("x", nil)
		r.making = func(context.Context) error { return errors.New("no dotenv file") }
		r.saved("3", "/a")
		r.told("x is done", "a changed: x", "cannot: no dotenv file")
		r.making = nil
		r.saved("4", "/a")
		r.told("a changed: x", "x begins")
	})
}

// TestNoSources: a target that nothing will have run again is told, and runs once.
func TestNoSources(t *testing.T) {
	watching(t, "tasks:\n  x: 'true'\n", Options{}, "x", func(r *rig) {
		r.ends("x", nil)
		r.told("watching x", "warning: task x: neither it nor a task that it needs has sources, so it will not run again", "x begins", "x is done")
	})
}

// TestDotenv: a dotenv file may change anything.
func TestDotenv(t *testing.T) {
	watching(t, "dotenv: [.env, '{{.X}}.env']\ntasks:\n  x: {sources: [a]}\n  y: {dotenv: [own/.env], sources: [b]}\n", Options{}, "x y", func(r *rig) {
		r.told("watching x y", "x begins", "y begins")
		for _, file := range []string{".env", "own/.env"} {
			r.ends("x", nil)
			r.ends("y", nil)
			r.saved("X=1", "/"+file)
			r.told("x is done", "y is done", file+" changed: x y", "x begins", "y begins")
		}
		if !r.has("/own") {
			t.Errorf("watched: %v", r.dirs)
		}
	})
}

// TestReload: changed tasks of a Taskfile make targets run again.
func TestReload(t *testing.T) {
	var loaded *schema.Workflow
	var broken error
	o := Options{Load: func(context.Context) (*schema.Workflow, error) { return loaded, broken }}
	watching(t, two, o, "x y", func(r *rig) {
		taskfile := r.workflow.Files()[0]
		r.ends("x", nil)
		r.ends("y", nil)
		r.told("watching x y", "x begins", "y begins", "x is done", "y is done")

		broken = errors.New("a brace is missing")
		r.saved("new", taskfile)
		r.told("cannot: a brace is missing")
		r.saved("2", "/a")
		r.told("a changed: x", "x begins")

		loaded, broken = load(t, two), nil
		r.saved("newer", taskfile)
		r.told() // it says the same

		loaded = load(t, "tasks:\n  x: {sources: [a]}\n  y: {sources: [c], cmds: ['true']}\n")
		r.saved("newest", taskfile)
		told := strings.TrimPrefix(taskfile, "/")
		r.told(told+" changed: y", "y begins")
		r.ends("y", nil)
		r.told("y is done", "b c changed: y", "y begins") // it is made from others now
		r.ends("y", nil)
		r.saved("2", "/b")
		r.told("y is done")
		r.saved("2", "/c")
		r.told("c changed: y", "y begins")
	})
}

// TestReloadDuringRun: what runs is stopped if it says something else now; a change from
// before is not lost.
func TestReloadDuringRun(t *testing.T) {
	o := Options{Load: func(context.Context) (*schema.Workflow, error) {
		return load(t, "tasks:\n  x: {sources: [a], cmds: ['true']}\n  y: {sources: [b]}\n"), nil
	}}
	watching(t, two, o, "x y", func(r *rig) {
		taskfile := r.workflow.Files()[0]
		r.told("watching x y", "x begins", "y begins")
		r.set("2", "/b")
		r.saved("new", taskfile, "/b")
		told := strings.TrimPrefix(taskfile, "/")
		r.told(told+" changed: x", "b changed: y", "x is to stop: stopped by signal: terminated", "y is to stop: stopped by signal: terminated")
		time.Sleep(time.Second)
		r.told("x was stopped", "y was stopped", "x begins", "y begins")
	})
}

// TestKeys: requests of the user.
func TestKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		keys := make(chan Key)
		r := prepare(t, queue+"  y: {sources: [b]}\n", Options{Keys: keys})
		defer r.stopAll()
		r.watchAll("x y")
		r.ends("y", nil)
		r.told("watching x y", "x begins", "y begins", "y is done")
		keys <- KeyRun // whatever on_change says
		r.told("x is to stop: stopped by signal: terminated", "y begins")
		time.Sleep(time.Second)
		r.told("x was stopped", "x begins")
		keys <- KeyQuit
		if err := <-r.over; err != nil {
			t.Error(err)
		}
		r.over <- nil
		r.told("x is to stop: stopped by signal: terminated", "y is to stop: stopped by signal: terminated", "x was stopped", "y was stopped")
	})
}

// TestIdle: the terminal belongs to others while something runs.
func TestIdle(t *testing.T) {
	var r *rig
	o := Options{Idle: func(idle bool) { r.note("idle: %t", idle) }}
	synctest.Test(t, func(t *testing.T) {
		r = prepare(t, two, o)
		defer r.stopAll()
		r.watchAll("x y")
		r.told("watching x y", "idle: false", "idle: false", "x begins", "y begins")
		r.ends("x", nil)
		r.ends("y", nil)
		r.told("x is done", "y is done", "idle: true")
		r.saved("2", "/a")
		r.told("a changed: x", "idle: false", "x begins")
	})
}

// TestCause: the end of the context ends the watching, and is its error.
func TestCause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := prepare(t, one, Options{})
		defer r.stopAll()
		ctx, cancel := context.WithCancelCause(t.Context())
		go func() { r.over <- r.watch(ctx, []plan.Call{{Name: "x"}}) }()
		r.told("watching x", "x begins")
		broken := errors.New("nobody reads")
		cancel(broken)
		if err := <-r.over; err != broken {
			t.Errorf("it ended with %v", err)
		}
		r.over <- nil
		r.told("x is to stop: nobody reads", "x was stopped")
	})
}

// TestSecrets: messages of watching itself are masked, like those of runs.
func TestSecrets(t *testing.T) {
	o := Options{Engine: engine.Options{Secrets: new(pipe.Secrets)}}
	o.Engine.Secrets.Add("hunter22")
	watching(t, "tasks:\n  x: {sources: ['dir/*']}\n", o, "x", func(r *rig) {
		r.ends("x", nil)
		r.told("watching x", "x begins", "x is done")
		r.saved("2", "/dir/hunter22")
		r.told("dir/***** changed: x", "x begins")
	})
}

// TestSplit: which calls are watched.
func TestSplit(t *testing.T) {
	w := load(t, "tasks:\n  x: {watch: true}\n  y: 'true'\n  z: {watch: true, internal: true}\n")
	watched, others := Split(w, []plan.Call{{Name: "x"}, {Name: "y"}, {Name: "z"}, {Name: "missing"}})
	names := func(calls []plan.Call) (names []string) {
		for _, c := range calls {
			names = append(names, c.Name)
		}
		return names
	}
	if got := names(watched); !slices.Equal(got, []string{"x"}) {
		t.Errorf("watched: %v", got)
	}
	if got := names(others); !slices.Equal(got, []string{"y", "z", "missing"}) {
		t.Errorf("not watched: %v", got)
	}
}
