package watch

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// loop makes each run of some tasks write a different content to a file, until none of them has run
// for a minute. It returns the number of runs, and the warnings.
func (r *rig) loop(writes map[string]string) (runs int, warnings []string) {
	for last := time.Now(); time.Since(last) < time.Minute; time.Sleep(10 * time.Millisecond) {
		for _, task := range r.running() {
			if file := writes[task]; file != "" {
				runs, last = runs+1, time.Now()
				r.write(fmt.Sprint("run ", runs), file)
				r.ends(task, nil)
			}
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, line := range r.log {
		if warning, ok := strings.CutPrefix(line, "warning: "); ok {
			warnings = append(warnings, warning)
		}
	}
	r.log = nil
	return runs, warnings
}

// TestLoops: tasks that change their own or each other's sources do not run for ever; a change
// while none of them runs starts them as before.
func TestLoops(t *testing.T) {
	const three = two + "  z: {sources: [c]}\n"
	for name, test := range map[string]struct {
		tasks, calls string
		writes       map[string]string
	}{
		"itself":       {one, "x", map[string]string{"x": "/a"}},
		"queued":       {queue, "x", map[string]string{"x": "/a"}},
		"each other":   {two, "x y", map[string]string{"x": "/b", "y": "/a"}},
		"three":        {three, "x y z", map[string]string{"x": "/b", "y": "/c", "z": "/a"}},
		"and a server": {three, "z x y", map[string]string{"x": "/b", "y": "/a"}},
	} {
		t.Run(name, func(t *testing.T) {
			watching(t, test.tasks, Options{}, test.calls, func(r *rig) {
				targets := len(strings.Fields(test.calls))
				most := targets * (loopLimit*targets + loopWaits + 2) // each may begin a loop
				for try := range 3 {
					runs, warnings := r.loop(test.writes)
					if runs < loopLimit || runs > most {
						t.Errorf("%d runs, want %d to %d", runs, loopLimit, most)
					}
					if len(warnings) == 0 || !strings.Contains(warnings[0], "one of its sources, changes each time it runs") {
						t.Errorf("warned of %q", warnings)
					}
					r.saved(fmt.Sprint("begun anew", try), "/a")
				}
			})
		})
	}
}

// TestLoopWhileRunning: a server that writes its own sources is restarted at increasing intervals,
// and no change is lost.
func TestLoopWhileRunning(t *testing.T) {
	watching(t, one, Options{}, "x", func(r *rig) {
		restarts := 0
		for i := range 100 {
			r.saved(fmt.Sprint("during run ", i), "/a")
			if r.running()[0] == "x" && r.stopping("x") {
				restarts++
				r.ends("x", nil)
			}
		}
		if restarts > loopLimit+1 {
			t.Errorf("restarted %d times at once", restarts)
		}
		time.Sleep(quiet)
		if !r.stopping("x") {
			t.Error("the last change is lost")
		}
		r.mu.Lock()
		r.log = nil
		r.mu.Unlock()
		r.ends("x", nil)
		time.Sleep(time.Hour)
		r.told("x was stopped", "x begins") // and nothing else
	})
}

// TestNoLoop: successive saves while nothing runs, or long after a run has begun, are no loop.
func TestNoLoop(t *testing.T) {
	watching(t, one, Options{}, "x", func(r *rig) {
		for i := range 3 * loopLimit {
			time.Sleep(2 * maxCauseAge)
			r.saved(fmt.Sprint("while it runs", i), "/a")
			if !r.stopping("x") {
				t.Fatal("it is not restarted")
			}
			r.ends("x", nil)
		}
		for i := range 3 * loopLimit {
			r.ends("x", nil)
			r.saved(fmt.Sprint("while it does not", i), "/a")
		}
		r.run("x")
	})
}

// TestStopIsNoLoop: changes while a run is being stopped count as the one that stopped it.
func TestStopIsNoLoop(t *testing.T) {
	watching(t, one, Options{}, "x", func(r *rig) {
		for restart := range loopLimit {
			for save := range loopLimit {
				r.saved(fmt.Sprint(restart, save), "/a")
			}
			if !r.stopping("x") {
				t.Fatalf("restart %d is put off", restart)
			}
			r.ends("x", nil)
		}
	})
}

// stopping reports whether a run was stopped.
func (r *rig) stopping(task string) bool {
	r.t.Helper()
	f := r.run(task)
	r.mu.Lock()
	defer r.mu.Unlock()
	return f.cause != nil
}
