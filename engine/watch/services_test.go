//go:build unix

package watch

import (
	"context"
	"fmt"
	"os"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/weftrun/weft/schema"
)

// TestServicesEnd: services outlive runs, and are stopped with watch mode; a second Ctrl-C kills
// them.
func TestServicesEnd(t *testing.T) {
	watching(t, one, Options{}, "x", func(r *rig) {
		r.serve("db")
		r.ends("x", nil)
		r.told("watching x", "x begins", "x is done")
		r.Signal(syscall.SIGINT)
		r.told("services are stopped")
		r.Signal(syscall.SIGTERM) // supervisors repeat it
		r.Signal(syscall.SIGINT)
		r.told("services are killed")
		begun := time.Now()
		if err := <-r.over; err != nil || time.Since(begun) < time.Second/2 {
			t.Errorf("%v after %v", err, time.Since(begun))
		}
		r.over <- nil
	})
}

// TestSignalsReachServices: services receive forwarded signals, and are suspended by Ctrl-Z before
// the runs, which suspend weft.
func TestSignalsReachServices(t *testing.T) {
	watching(t, one, Options{}, "x", func(r *rig) {
		x := r.run("x")
		r.Signal(syscall.SIGUSR1)
		r.serve("db")
		r.told("watching x", "x begins")
		r.Signal(syscall.SIGUSR1)
		r.Signal(syscall.SIGTSTP)
		r.told("services get user defined signal 1", "services are suspended", "services go on")
		if got := x.got(); !slices.Equal(got, []os.Signal{syscall.SIGUSR1, syscall.SIGUSR1, syscall.SIGTSTP}) {
			t.Errorf("the run has got %v", got)
		}
	})
}

// TestServicesOfReload: services that no watched task needs after a reload are stopped.
func TestServicesOfReload(t *testing.T) {
	const before = "tasks:\n  x: {deps: [db], cmds: [{task: web}]}\n  db: {service: true, cmd: x}\n  web: {deps: [api]}\n  api: {service: true, cmd: x}\n  old: {service: true, cmd: x}\n"
	const after = "tasks:\n  x: {cmds: [{task: web}]}\n  db: {service: true, cmd: x}\n  web: {deps: [api]}\n  api: {service: true, cmd: x}\n"
	o := Options{Load: func(context.Context) (*schema.Workflow, error) { return load(t, after), nil }}
	watching(t, before, o, "x", func(r *rig) {
		r.serve("db", "api", "old")
		r.ends("x", nil)
		r.saved("new", r.workflow.Files()[0])
		r.mu.Lock()
		defer r.mu.Unlock()
		if !slices.Equal(r.up, []string{"api"}) {
			t.Errorf("%q are up", r.up)
		}
	})
}

// TestServiceChangesItsSources: a service that writes its own sources at its start is replaced
// repeatedly, at increasing intervals.
func TestServiceChangesItsSources(t *testing.T) {
	watching(t, one, Options{}, "x", func(r *rig) {
		r.serve("x")
		r.ends("x", nil)
		for n := range loopLimit {
			r.saved(fmt.Sprint("at once ", n), "/a")
			r.ends("x", nil)
		}
		r.saved("later", "/a")
		if running := r.running(); len(running) > 0 {
			t.Errorf("%q run", running)
		}
		time.Sleep(maxCauseAge)
		r.ends("x", nil)
		time.Sleep(maxCauseAge)
		r.saved("by the user", "/a")
		r.ends("x", nil)
	})
}

// serve makes tasks running services.
func (r *rig) serve(tasks ...string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.up = tasks
}
