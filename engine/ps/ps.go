// Package ps finds the runs of a user on this machine, and processes that killed runs have
// left behind. It keeps no register of runs, which could be wrong: it reads /proc, where the
// environment of each process says which run it belongs to. It knows nothing of tasks but
// their names.
//
// A run is found by its keeper (package keeper), so a run that has not started a program yet
// is not found.
package ps

import (
	"errors"
	"fmt"
	"time"
)

// Run is a running weft.
type Run struct {
	ID        string // in the environment of its processes
	Pid       int    // of weft
	Dir       string // weft's working directory; "" if it cannot be read
	Command   []string
	Since     time.Time
	Processes []Process // of its steps, sorted by process id

	started uint64 // when weft was started, in the kernel's time: a process id may be used again
}

// Process is one process of a run.
type Process struct {
	Pid     int
	Task    string
	Command []string // or the kernel's name for it, if it has no arguments

	// Of the processes of a Run:

	Step   int           // number of the step in its run; 0: it belongs to none
	CPU    time.Duration // that it has used
	Memory int64         // bytes of it that are in memory, those included that it shares
	Ports  []int         // TCP ports at which it listens, sorted
}

// Leftover is a process of a run whose weft is gone.
type Leftover struct {
	Process
	Run string
	// Detached means that it has a session of its own, or ignores SIGHUP: it may be a
	// daemon.
	Detached bool
	// Killed means that it did not end by SIGTERM and was killed.
	Killed bool
}

// ErrUnsupported is the error of all functions on systems other than Linux.
var ErrUnsupported = errors.New("not available here: it needs Linux's /proc")

// ChoiceError means that a name fits no run, or several.
type ChoiceError struct {
	Name string // "" if none was given
	Runs []Run  // the runs that it fits
}

func (e *ChoiceError) Error() string {
	switch {
	case len(e.Runs) == 0 && e.Name == "":
		return "nothing runs"
	case len(e.Runs) == 0:
		return fmt.Sprintf("no run %q; weft --ps shows the active runs", e.Name)
	case e.Name == "":
		return fmt.Sprintf("%d runs are active; name the one to stop, as weft --ps shows it", len(e.Runs))
	}
	return fmt.Sprintf("%q matches %d runs; write more of the name", e.Name, len(e.Runs))
}
