//go:build unix

package engine

import (
	"os"
	"syscall"
	"time"

	"github.com/weftrun/weft/engine/event"
)

// goesOn deals with a signal that is no reason to stop, and reports whether it
// was one.
func (e *Engine) goesOn(sig os.Signal) bool {
	switch sig {
	case syscall.SIGUSR1, syscall.SIGUSR2:
		e.processes.Pass(sig.(syscall.Signal))
		return true
	case syscall.SIGWINCH:
		e.processes.Resized()
		return true
	case syscall.SIGHUP:
		// A request to read the configuration again, unless the terminal is gone.
		return !e.processes.HungUp() && e.processes.Pass(syscall.SIGHUP) > 0
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
	if e.queue == nil {
		return
	}
	processes := map[string][]event.Process{}
	for _, r := range e.processes.Running() {
		for _, p := range r.Processes {
			processes[r.Name] = append(processes[r.Name], event.Process(p))
		}
	}
	ev := &event.Snapshot{Time: time.Now()}
	for _, name := range e.progress.tasks() {
		ev.Steps = append(ev.Steps, event.Running{Task: name, Processes: processes[name]})
	}
	e.queue.Emit(ev)
}
