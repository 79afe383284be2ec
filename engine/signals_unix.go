//go:build unix

package engine

import (
	"os"
	"syscall"
	"time"

	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/pipe"
	"github.com/weftrun/weft/engine/proc"
)

// HandleSignal handles a signal that does not stop the run, and reports whether it did: it forwards
// the signal to the steps that handle it, or suspends the run and returns when weft was continued.
// For SIGQUIT it emits a snapshot and returns false.
func (e *Engine) HandleSignal(sig os.Signal) bool {
	switch sig {
	case syscall.SIGUSR1, syscall.SIGUSR2:
		e.processes.Forward(sig.(syscall.Signal))
		return true
	case syscall.SIGWINCH:
		pipe.ResizeTerminals()
		e.processes.Signal(syscall.SIGWINCH) // the kernel signals only the foreground, which is weft
		return true
	case syscall.SIGHUP:
		// A request to reload the configuration, unless the terminal is gone.
		return !e.processes.HungUp() && e.processes.Forward(syscall.SIGHUP) > 0
	case syscall.SIGTSTP:
		e.processes.Suspend()
		return true
	case syscall.SIGQUIT:
		e.snapshot()
	}
	return false
}

// snapshot reports the running steps.
func (e *Engine) snapshot() {
	ids, names := e.progress.steps()
	ev := snapshot(e.processes, e.secrets, ids, names)
	e.stopping.mu.Lock()
	defer e.stopping.mu.Unlock()
	e.stopping.post(ev)
}

// snapshot returns the event for running steps, with their processes.
func snapshot(t *proc.Table, secrets *pipe.Secrets, ids []event.StepID, names []string) *event.Snapshot {
	processes := map[event.StepID][]event.Process{}
	for _, r := range t.Running() {
		id := event.StepID(r.Step)
		for _, p := range r.Processes {
			processes[id] = append(processes[id], event.Process{Pid: p.Pid, Name: secrets.MaskCut(p.Name)})
		}
	}
	ev := &event.Snapshot{Time: time.Now()}
	for i, id := range ids {
		ev.Steps = append(ev.Steps, event.Running{Task: names[i], Processes: processes[id]})
	}
	return ev
}

// HandleSignal is like [Engine.HandleSignal], but leaves Ctrl-Z to Suspend.
func (s *Services) HandleSignal(sig os.Signal) bool {
	switch sig {
	case syscall.SIGUSR1, syscall.SIGUSR2:
		s.processes.Forward(sig.(syscall.Signal))
		return true
	case syscall.SIGWINCH:
		s.processes.Signal(syscall.SIGWINCH) // the kernel signals only the foreground, which is weft
		return true
	case syscall.SIGQUIT:
		s.snapshot()
	case syscall.SIGHUP:
		return !proc.HungUp(s.terminal) && s.processes.Forward(syscall.SIGHUP) > 0
	}
	return false
}

// snapshot reports the running services.
func (s *Services) snapshot() {
	up := s.services.Up()
	if len(up) == 0 {
		return
	}
	ids := startOrder(up)
	names := make([]string, len(ids))
	for i, id := range ids {
		names[i] = up[id]
	}
	s.queue.Emit(snapshot(s.processes, s.secrets, ids, names))
}

// Suspend suspends the services and calls stop, which stops weft and returns when it was continued.
func (s *Services) Suspend(stop func()) {
	s.processes.SuspendWith(func() {
		s.clock.Pause()
		defer s.clock.Resume()
		stop()
	})
}
