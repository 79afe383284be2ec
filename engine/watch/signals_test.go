package watch

import (
	"context"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weftrun/weft/schema"
)

// TestSignals: a signal ends watch mode in any state, at once and without an error; running runs
// receive it, and all later ones, and are waited for.
func TestSignals(t *testing.T) {
	untilDone := func(ctx context.Context) error {
		<-ctx.Done()
		return context.Cause(ctx)
	}
	idle := func(r *rig) { r.ends("x", nil) }
	for name, test := range map[string]struct {
		prepare func(r *rig) // before the watching begins
		reach   func(r *rig) // the point at which the signal comes
		runs    bool         // x runs there
	}{
		"before the watching":          {},
		"while sources are looked for": {prepare: func(r *rig) { r.finding = untilDone }},
		"while a run is made":          {prepare: func(r *rig) { r.making = untilDone }},
		"while it runs":                {runs: true},
		"while it is stopped":          {reach: func(r *rig) { r.saved("2", "/a") }, runs: true},
		"while nothing runs":           {reach: idle},
		"while a change is waited for": {reach: func(r *rig) {
			r.ends("x", nil)
			r.write("2", "/a")
		}},
		"while git goes on": {reach: func(r *rig) {
			r.ends("x", nil)
			r.set("held", "/.git/index.lock")
			r.saved("2", "/a")
		}},
		"while the Taskfile is read": {
			prepare: func(r *rig) {
				r.o.Load = func(ctx context.Context) (*schema.Workflow, error) { return nil, untilDone(ctx) }
			},
			reach: func(r *rig) { r.saved("new", r.workflow.Files()[0]) },
			runs:  true,
		},
	} {
		for _, signals := range [][]os.Signal{{syscall.SIGINT}, {syscall.SIGTERM}, {syscall.SIGHUP}, {syscall.SIGQUIT}, {syscall.SIGINT, syscall.SIGTERM, syscall.SIGINT}} {
			t.Run(name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					r := prepare(t, one, Options{})
					defer r.stopAll()
					if test.prepare != nil {
						test.prepare(r)
					}
					if name != "before the watching" {
						r.watchAll("x")
						time.Sleep(time.Microsecond)
						synctest.Wait()
					}
					if test.reach != nil {
						test.reach(r)
					}
					var run *fakeRun
					if test.runs {
						run = r.run("x")
					}
					begun := time.Now()
					for _, sig := range signals {
						r.Signal(sig)
					}
					if name == "before the watching" {
						r.watchAll("x")
					}
					if err := <-r.over; err != nil || r.Signalled() != nil {
						t.Errorf("it ended with %v, by %v", err, r.Signalled())
					}
					r.over <- nil
					if took := time.Since(begun); took > time.Second+time.Microsecond || took > time.Microsecond && !test.runs {
						t.Errorf("it took %v", took)
					}
					if run != nil && !slices.Equal(run.got(), signals) {
						t.Errorf("the run got %v, want %v", run.got(), signals)
					}
					if names := r.running(); len(names) > 0 {
						t.Errorf("%v run on", names)
					}
					for _, line := range r.log {
						if strings.HasPrefix(line, "cannot") || strings.HasPrefix(line, "warning") {
							t.Errorf("told %q", line)
						}
					}
				})
			})
		}
	}
}

// TestSignalEndsRuns: nothing starts after a signal, whatever has changed, and the ends of runs are
// reported.
func TestSignalEndsRuns(t *testing.T) {
	watching(t, two, Options{}, "x y", func(r *rig) {
		r.told("watching x y", "x begins", "y begins")
		r.saved("2", "/a")
		r.told("a changed: x", "x is to stop: stopped by signal: terminated")
		r.set("2", "/b")
		r.Signal(syscall.SIGINT)
		r.told("y is to stop: stopped by signal: interrupt")
		time.Sleep(time.Second)
		r.told("x was stopped", "y was stopped")
	})
}

// TestOtherSignals: signals that stop nothing are passed to runs.
func TestOtherSignals(t *testing.T) {
	watching(t, two, Options{}, "x y", func(r *rig) {
		x, y := r.run("x"), r.run("y")
		r.Signal(os.Signal(syscall.Signal(10)))
		r.ends("x", nil)
		r.Signal(os.Signal(syscall.Signal(12)))
		if len(x.got()) != 1 || len(y.got()) != 2 {
			t.Errorf("x got %v, y got %v", x.got(), y.got())
		}
		r.told("watching x y", "x begins", "y begins", "x is done")
		if len(r.running()) != 1 {
			t.Error("y does not run on")
		}
	})
}

// TestHangup: a SIGHUP that a command handles is passed on to it, and stops nothing, as without
// watch mode.
func TestHangup(t *testing.T) {
	watching(t, one+"  server: {sources: [b]}\n", Options{}, "x server", func(r *rig) {
		r.told("watching x server", "server begins", "x begins")
		x, server := r.run("x"), r.run("server")
		r.Signal(syscall.SIGHUP)
		if len(x.got()) != 0 || len(server.got()) != 1 {
			t.Errorf("x got %v, the server got %v", x.got(), server.got())
		}
		r.saved("2", "/b")
		r.told("b changed: server", "server is to stop: stopped by signal: terminated")
		r.ends("server", nil)
		r.told("server was stopped", "server begins")
		r.ends("server", nil)
		r.Signal(syscall.SIGHUP) // there is no server any more
		r.told("server is done", "x is to stop: stopped by signal: hangup")
	})
}

// TestStuck: a stop without progress is detected.
func TestStuck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		block := make(chan struct{})
		r := prepare(t, one, Options{})
		defer r.stopAll()
		defer close(block)
		r.finding = func(context.Context) error {
			<-block
			return nil
		}
		r.watchAll("x")
		synctest.Wait()
		r.Signal(syscall.SIGINT)
		time.Sleep(time.Second)
		select {
		case <-r.Stuck():
			t.Error("it is not stuck yet")
		default:
		}
		<-r.Stuck()
	})
}
