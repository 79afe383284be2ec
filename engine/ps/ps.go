// Package ps finds the runs of a user on this machine, and what runs that were
// killed left behind. There is no register of runs that could be wrong: processes
// are asked for in /proc, where each shows by its environment which run it is of.
//
// A run is found by its keeper (package keeper), so one that has not started a
// program yet is not there.
package ps

import (
	"errors"
	"fmt"
	"time"
)

// Run is a run that goes on.
type Run struct {
	ID        string // of its processes' environment
	Pid       int    // of weft
	Dir       string // weft's working directory; "" if it cannot be seen
	Command   []string
	Since     time.Time
	Processes []Process // those of its steps, by process id

	started uint64 // when weft was, for the kernel: a process id may be used again
}

// Process is one process of a run.
type Process struct {
	Pid     int
	Task    string
	Command []string // the kernel's name alone, if it has no arguments to show
}

// Left is a process of a run whose weft is gone.
type Left struct {
	Process
	Run string
	// Detached tells that it has a session of its own, or ignores that its
	// terminal goes away: it may be meant to stay.
	Detached bool
	// Killed tells that it had to be killed.
	Killed bool
}

// ErrNotHere tells that this system does not show what is asked for.
var ErrNotHere = errors.New("not available here: it needs Linux's /proc")

// A ChoiceError tells that a name is no run's, or several runs'.
type ChoiceError struct {
	Name string // "" when none was given
	Runs []Run  // that there are, or that it may mean
}

func (e *ChoiceError) Error() string {
	switch {
	case len(e.Runs) == 0 && e.Name == "":
		return "nothing runs"
	case len(e.Runs) == 0:
		return fmt.Sprintf("no run %q; weft --ps shows those that there are", e.Name)
	case e.Name == "":
		return fmt.Sprintf("%d runs go on; name the one to stop, as weft --ps shows it", len(e.Runs))
	}
	return fmt.Sprintf("%q may be any of %d runs; write more of its name", e.Name, len(e.Runs))
}
