package proc

import (
	"os"
	"syscall"
	"time"

	"github.com/weftrun/weft/engine/keeper"
)

// Setup configures a program before it starts. The zero value changes nothing.
type Setup struct {
	User   *User // who it runs as; nil means weft's own user
	Limits Limits
	// ListenPID gives the program a variable LISTEN_PID with its own process id, in place
	// of any other: the protocol of sd_listen_fds(3). Only Linux has that.
	ListenPID bool
	// Cgroup is the open file cgroup.procs of a control group that the program joins; nil
	// means none. The caller owns it.
	Cgroup *os.File
}

// User is the identity of a program. Only the superuser can give one that is not his own.
type User = keeper.User

// Limits are resource limits of each process. The zero value is none.
type Limits struct {
	Memory    int64 // address space, in bytes; 0 means no limit
	Files     int64 // open at a time; 0 means no limit
	Processes int64 // of the program's user, and threads; 0 means no limit
	// CPUTime is rounded up to seconds. At its end a process gets SIGXCPU, a second later
	// SIGKILL. 0 means no limit.
	CPUTime time.Duration
	Core    *int64 // size of a core dump, in bytes; nil means no limit
	// Nice is the priority, from -20 to 19; nil means weft's own.
	Nice *int
}

// SetupError is the error that a program was not started because a step of its Setup has
// failed.
type SetupError struct {
	Step string // such as "set user"
	Err  error
}

func (e *SetupError) Error() string { return e.Step + ": " + e.Err.Error() }

// Unwrap returns Err.
func (e *SetupError) Unwrap() error { return e.Err }

// check refuses identities that the system takes for "unchanged".
func (s *Setup) check() error {
	if s != nil && s.User != nil && (s.User.UID == ^uint32(0) || s.User.GID == ^uint32(0)) {
		return &SetupError{Step: "set user", Err: syscall.EINVAL}
	}
	return nil
}
