package engine

import (
	"cmp"
	"os"
	"syscall"

	"github.com/weftrun/weft/engine/clock"
	"github.com/weftrun/weft/engine/command"
	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/jobserver"
	"github.com/weftrun/weft/engine/pipe"
	"github.com/weftrun/weft/engine/proc"
	"github.com/weftrun/weft/engine/shell"
	"github.com/weftrun/weft/engine/socket"
)

// Services are shared by several runs: each run uses the running ones, and leaves them running.
// Their processes belong to none of the runs, so signals reach them by the methods here. It is
// created by NewServices, and safe for concurrent use.
type Services struct {
	services  *command.Services
	ports     socket.Ports
	processes *proc.Table
	running   command.Running
	clock     clock.Clock
	large     pipe.Enlarger
	queue     *queue
	secrets   *pipe.Secrets
	jobs      *jobserver.Pool // that weft was started under; may be nil
	terminal  *os.File        // weft's own; may be nil
}

// NewServices returns services for engines with the options o, of which Steps must be set. lost is
// called when wf-keeper was killed, and all services with it.
func NewServices(o *Options, lost func()) *Services {
	s := &Services{terminal: terminal(o.Stdin), secrets: o.Secrets}
	id := cmp.Or(o.ID, NewID())
	s.processes = proc.NewTable(proc.Options{Clock: &s.clock, BeforeFirst: o.Await, Environ: o.Environ, Run: id, OnLost: lost})
	if s.jobs, _, _ = jobserver.Join(o.Environ); s.jobs != nil { // each run reports errors
		inherit(s.processes, s.jobs)
	}
	s.queue = newQueue(masking(o.Sink, o.Secrets), o.Tick, o.Drained)
	s.services = command.NewServices(command.KeptServices{Run: id, Processes: s.processes, Running: &s.running, Clock: &s.clock, Emit: s.queue.Emit, Flush: s.queue.Flush,
		Shell:   shell.New(shell.Options{Clock: &s.clock, Large: &s.large, Utilities: o.CoreUtils, Plain: o.Reference, BeforeScript: o.Await}),
		NewStep: func() event.StepID { return event.StepID(o.Steps.Add(1)) },
	})
	return s
}

// Up reports whether a service is running or starting.
func (s *Services) Up() bool { return len(s.services.Up()) > 0 }

// Retain stops the services of tasks for which holds returns false, and returns when they have
// ended.
func (s *Services) Retain(holds func(task string) bool) { s.services.Retain(holds) }

// Stop stops all services, dependents first, and returns when they have ended, with all their
// processes. They may not be used afterwards.
func (s *Services) Stop() {
	s.services.Stop()
	s.processes.Close(false)
	if s.jobs != nil {
		s.jobs.Close()
	}
	s.queue.Close()
}

// Kill kills all services, because weft received sig.
func (s *Services) Kill(sig os.Signal) { s.running.Kill(command.Interrupt(sig)) }

// LimitStop limits the time the services have to end because weft received sig, according to
// Options.StopWithin of the engines. It does not stop them.
func (s *Services) LimitStop(o *Options, sig os.Signal) {
	if d := o.stopLimit(sig); d > 0 {
		d.begin(command.Interrupt(sig), s.processes, &s.running, s.services)
	}
}

// Waiting is [Engine.Waiting] for the services.
func (s *Services) Waiting() (waits bool, moves int) { return s.running.Waiting(proc.Ladder{}, 0) }

// Send sends sig to the programs of all services.
func (s *Services) Send(sig syscall.Signal) { s.processes.Signal(sig) }
