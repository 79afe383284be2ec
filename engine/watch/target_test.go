package watch

import (
	"errors"
	"testing"
	"time"
)

// TestChangeDuringRun: the effect of a change while a target runs, by its policy.
func TestChangeDuringRun(t *testing.T) {
	const stops = "x is to stop: stopped by signal: terminated"
	for policy, test := range map[string]struct{ changed, again, ended []string }{
		"": {
			changed: []string{"a changed: x", stops},
			again:   []string{"a changed: x"}, // it is being stopped
			ended:   []string{"x was stopped", "x begins"},
		},
		"on_change: queue, ": {
			changed: []string{"a changed: x"},
			again:   []string{"a changed: x"},
			ended:   []string{"x is done", "x begins"}, // once
		},
		"on_change: ignore, ": {
			changed: []string{"a changed: x"},
			again:   []string{"a changed: x"},
			ended:   []string{"x is done"},
		},
		"on_change: {signal: HUP}, ": {
			changed: []string{"a changed: x", "x gets hangup"},
			again:   []string{"a changed: x", "x gets hangup"},
			ended:   []string{"x is done"},
		},
	} {
		t.Run(policy, func(t *testing.T) {
			watching(t, "tasks:\n  x: {"+policy+"sources: [a]}\n", Options{}, "x", func(r *rig) {
				r.told("watching x", "x begins")
				r.saved("2", "/a")
				r.told(test.changed...)
				r.saved("3", "/a")
				r.told(test.again...)
				r.ends("x", nil)
				r.told(test.ended...)
				time.Sleep(time.Hour)
				if len(r.running()) > 0 {
					r.ends("x", nil)
					r.told("x is done") // and not run again
				}
			})
		})
	}
}

// TestNextBeginsAfterEnd: a stopped run has ended before the next one begins, however long it
// takes; changes meanwhile are part of the next one, not the reason for one more.
func TestNextBeginsAfterEnd(t *testing.T) {
	watching(t, one, Options{}, "x", func(r *rig) {
		first := r.run("x")
		r.saved("2", "/a")
		r.told("watching x", "x begins", "a changed: x", "x is to stop: stopped by signal: terminated")
		r.set("3", "/a") // reported after the end
		r.told()
		if r.run("x") != first {
			t.Error("another one runs")
		}
		r.ends("x", nil)
		r.told("x was stopped", "x begins")
		r.changed.Add("/a")
		r.settle()
		r.told()
		r.ends("x", errors.New("exit status 1"))
		r.told("x failed: exit status 1")
	})
}

// TestChangeAtEnd: a change that is noticed only after the end of the run is not lost.
func TestChangeAtEnd(t *testing.T) {
	for _, policy := range []string{"restart", "queue"} {
		watching(t, "tasks:\n  x: {on_change: "+policy+", sources: [a]}\n", Options{}, "x", func(r *rig) {
			r.told("watching x", "x begins")
			r.set("2", "/a")
			r.ends("x", nil)
			r.told("x is done", "a changed: x", "x begins")
		})
	}
}

// TestSeveralTargets: each runs for its own changes.
func TestSeveralTargets(t *testing.T) {
	watching(t, two+"  z: {sources: [a, b]}\n", Options{}, "x y z", func(r *rig) {
		r.ends("y", nil)
		r.ends("z", nil)
		r.told("watching x y z", "x begins", "y begins", "z begins", "y is done", "z is done")
		time.Sleep(maxCauseAge) // x is not suspected any more
		r.saved("2", "/b")
		r.told("b changed: y", "b changed: z", "y begins", "z begins")
		r.saved("2", "/a")
		r.told("a changed: x", "a changed: z", "x is to stop: stopped by signal: terminated", "z is to stop: stopped by signal: terminated")
		r.ends("z", nil)
		r.told("z was stopped", "z begins")
		r.ends("x", nil)
		r.told("x was stopped", "x begins")
	})
}
