//go:build unix

package engine

import (
	"os"
	"syscall"
	"time"

	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/pipe"
)

// HandOn deals with a signal that is no reason to stop, and reports whether it was one: it is
// handed on to the steps that asked for it, or suspends the run; then HandOn returns when weft
// was continued. SIGQUIT has the engine tell what runs, and is a reason to stop.
func (e *Engine) HandOn(sig os.Signal) bool {
	switch sig {
	case syscall.SIGUSR1, syscall.SIGUSR2:
		e.processes.Forward(sig.(syscall.Signal))
		return true
	case syscall.SIGWINCH:
		pipe.ResizeTerminals()
		e.processes.Resized()
		return true
	case syscall.SIGHUP:
		// A request to read the configuration again, unless the terminal is gone.
		return !e.processes.HungUp() && e.processes.Forward(syscall.SIGHUP) > 0
	case syscall.SIGTSTP:
		e.processes.Suspend()
		return true
	case syscall.SIGQUIT:
		e.snapshot()
	}
	return false
}

// snapshot tells what runs.
func (e *Engine) snapshot() {
	processes := map[event.StepID][]event.Process{}
	for _, r := range e.processes.Running() {
		id := event.StepID(r.Step)
		for _, p := range r.Processes {
			processes[id] = append(processes[id], event.Process{Pid: p.Pid, Name: e.secrets.MaskCut(p.Name)})
		}
	}
	ev := &event.Snapshot{Time: time.Now()}
	ids, names := e.progress.steps()
	for i, id := range ids {
		ev.Steps = append(ev.Steps, event.Running{Task: names[i], Processes: processes[id]})
	}
	e.stopping.mu.Lock()
	defer e.stopping.mu.Unlock()
	e.stopping.tell(ev)
}
