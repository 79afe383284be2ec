package proc

import (
	"errors"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"

	"github.com/weftrun/weft/engine/keeper"
)

// local is the host on Windows. A job object holds all processes of the run. When weft ends,
// in whatever way, the system closes it and kills its processes. Each group has a job of its
// own inside, so that it can be killed alone. A program is moved into its group's job right
// after its start; what it starts before that belongs to the run's job only.
type local struct {
	t   *Table
	run windows.Handle

	mu     sync.Mutex // guards the fields below
	last   uint32
	groups map[uint32]windows.Handle
	orphan chan struct{} // never closed
}

func newHost(t *Table) (host, error) {
	l := &local{t: t, groups: map[uint32]windows.Handle{}, orphan: make(chan struct{})}
	var err error
	if l.run, err = windows.CreateJobObject(nil, nil); err != nil {
		return nil, os.NewSyscallError("CreateJobObject", err)
	}
	if err := l.limit(windows.JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE); err != nil {
		return nil, err
	}
	// weft's children are in its own job from their first moment on.
	if err := windows.AssignProcessToJobObject(l.run, windows.CurrentProcess()); err != nil {
		return nil, os.NewSyscallError("AssignProcessToJobObject", err)
	}
	return l, nil
}

// limit sets the limits of the run's job.
func (l *local) limit(flags uint32) error {
	info := windows.JOBOBJECT_EXTENDED_LIMIT_INFORMATION{BasicLimitInformation: windows.JOBOBJECT_BASIC_LIMIT_INFORMATION{LimitFlags: flags}}
	_, err := windows.SetInformationJobObject(l.run, windows.JobObjectExtendedLimitInformation, uintptr(unsafe.Pointer(&info)), uint32(unsafe.Sizeof(info)))
	return os.NewSyscallError("SetInformationJobObject", err)
}

func (l *local) start(p *Process, s *Spec, argv []string, fds [3]uintptr, _ keeper.StartFlags) error {
	if len(s.Descriptors) > 0 {
		return errors.ErrUnsupported
	}
	if s.Setup != nil {
		return &SetupError{Step: "set up the program", Err: errUnsupported}
	}
	l.mu.Lock()
	l.last++
	p.id = l.last
	l.mu.Unlock()
	env := append(append([]string(nil), s.Env...), s.Extra...)
	// A process group of its own, so that it gets a CTRL_BREAK that weft does not.
	sys := &syscall.SysProcAttr{CreationFlags: windows.CREATE_NEW_PROCESS_GROUP}
	pid, handle, err := syscall.StartProcess(s.Path, argv, &syscall.ProcAttr{Dir: s.Dir, Env: env, Files: fds[:], Sys: sys})
	if err != nil {
		return err
	}
	if job := l.job(p.g.id); job != 0 {
		windows.AssignProcessToJobObject(job, windows.Handle(handle))
	}
	// p.g.mu is held.
	p.pid, p.pgid = pid, pid
	p.setReady()
	go l.wait(p, syscall.Handle(handle))
	return nil
}

// job returns a group's job object, or 0 if it cannot be made.
func (l *local) job(group uint32) windows.Handle {
	l.mu.Lock()
	defer l.mu.Unlock()
	if h, ok := l.groups[group]; ok {
		return h
	}
	h, err := windows.CreateJobObject(nil, nil)
	if err != nil {
		h = 0
	}
	l.groups[group] = h
	return h
}

// wait reports the end of p.
func (l *local) wait(p *Process, handle syscall.Handle) {
	defer syscall.CloseHandle(handle)
	_, err := syscall.WaitForSingleObject(handle, syscall.INFINITE)
	var code uint32
	if err == nil {
		err = syscall.GetExitCodeProcess(handle, &code)
	}
	var created, exited, system, user syscall.Filetime
	syscall.GetProcessTimes(handle, &created, &exited, &system, &user)
	p.g.mu.Lock()
	defer p.g.mu.Unlock()
	if err != nil {
		p.failed(err)
		return
	}
	p.ended(p.pid, p.pgid, Status{Code: int(code), Usage: Usage{User: duration(user), System: duration(system)}}, false)
}

// duration converts an amount of time, which the system counts in units of 100 ns.
func duration(t syscall.Filetime) time.Duration {
	return time.Duration(uint64(t.HighDateTime)<<32|uint64(t.LowDateTime)) * 100
}

// signal kills processes or sends them CTRL_BREAK, which console programs may handle: there
// are no other signals. If s is for a program, the caller holds the lock of its group.
func (l *local) signal(s keeper.Signal) {
	if syscall.Signal(s.Signal) == syscall.SIGKILL && s.Scope != keeper.ProcessScope {
		if job := l.job(s.Target); job != 0 {
			windows.TerminateJobObject(job, 128+uint32(syscall.SIGKILL))
		}
		return
	}
	if s.Scope == keeper.OutsideScope {
		return
	}
	for _, g := range l.t.groups() {
		for _, p := range g.procs {
			if s.Scope == keeper.ProcessScope && p.id == s.Target || s.Scope != keeper.ProcessScope && g.id == s.Target {
				windows.GenerateConsoleCtrlEvent(windows.CTRL_BREAK_EVENT, uint32(p.pid))
			}
		}
	}
}

// closed closes the group's job. Processes in it continue, in the run's job.
func (l *local) closed(group uint32) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if h := l.groups[group]; h != 0 {
		windows.CloseHandle(h)
	}
	delete(l.groups, group)
}

func (l *local) members(uint32, string) []keeper.Member     { return nil }
func (l *local) signalPids(syscall.Signal, []keeper.Member) {}
func (l *local) nextOrphan() <-chan struct{}                { return l.orphan }
func (l *local) continues() uint32                          { return 0 }
func (l *local) finish() []keeper.Member                    { return nil }
func (l *local) takeOver()                                  {}
func (l *local) end([]keeper.Member)                        {}

func (g *Group) noteNohup(string, []string) {}

// terminal is nothing here: there is no foreground to lend, and every program
// may read the console.
type terminal struct {
	stdin       bool
	interrupted func(bool)
	lending     func(int)
	using       func(int) func()
	file        atomic.Pointer[os.File] // nil
	mu          sync.Mutex
	owner       *Group
	pgid        int
}

func (m *terminal) open(*Table)            {}
func (m *terminal) close()                 {}
func (m *terminal) canLend(*Group) bool    { return false }
func (m *terminal) remember(*Group)        {}
func (m *terminal) takeBack(bool)          {}
func (m *terminal) ended(*Process, Status) {}
func (m *terminal) reclaim(*Group)         {}
func (m *terminal) closed(*Group)          {}

// Read makes weft itself the reader of the console, for g.
func (g *Group) Read() (release func(), err error) { return func() {}, nil }

// session returns "": there are no sessions.
func session() string { return "" }

// sigCont would continue what is stopped; nothing can be.
const sigCont = syscall.Signal(0)

// Signal does nothing: there are no signals here.
func (t *Table) Signal(syscall.Signal) {}
