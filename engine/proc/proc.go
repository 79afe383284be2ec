//go:build unix

// Package proc owns operating-system processes: starting them in process
// groups, signalling and waiting for them, the ladder that ends them, and who
// has the terminal. It has no idea of tasks or shells; everything it is asked
// for goes through a [Group], so that its callers never see a process number
// that could have been used again.
//
// Forking happens in one function, and nowhere else in weft.
package proc

import (
	"errors"
	"os"
	"runtime"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Options configure a Table. The zero value is a run without a terminal.
type Options struct {
	Terminal *os.File // weft's standard input if it is a terminal, else nil
	// AfterFunc starts a timer; nil means time.AfterFunc.
	AfterFunc func(time.Duration, func()) *time.Timer
	// OnInterrupt is called when a group that had the terminal died of SIGINT:
	// the kernel told only that group of the user's Ctrl-C. It may be nil.
	OnInterrupt func()
}

// Table holds all processes of a run. It is safe for concurrent use.
type Table struct {
	o    Options
	null struct {
		sync.Once
		f   *os.File
		err error
	}
	tty terminal
}

// NewTable returns an empty table.
func NewTable(o Options) *Table {
	if o.AfterFunc == nil {
		o.AfterFunc = time.AfterFunc
	}
	t := &Table{o: o}
	t.tty.init(o.Terminal)
	return t
}

// devNull is open for as long as the process lives.
func (t *Table) devNull() (*os.File, error) {
	t.null.Do(func() { t.null.f, t.null.err = os.OpenFile(os.DevNull, os.O_RDWR, 0) })
	return t.null.f, t.null.err
}

// GroupOptions configure a Group.
type GroupOptions struct {
	Name     string // for messages
	Terminal bool   // its programs get the terminal while they run
}

// Group is the processes of one command: they are signalled and end together.
// It is safe for concurrent use.
type Group struct {
	t *Table
	o GroupOptions

	mu     sync.Mutex // guards the fields below
	live   []*Process
	cause  error // why nothing starts any more
	killed bool
	grace  *time.Timer
}

// ErrOver is why nothing can be started in a group that was closed.
var ErrOver = errors.New("the command is over")

// NewGroup returns a group without processes. It costs one allocation.
func (t *Table) NewGroup(o GroupOptions) *Group { return &Group{t: t, o: o} }

// Spec is one program to start. Stdin, Stdout and Stderr may be nil, for
// /dev/null; they are not closed.
type Spec struct {
	Path                  string
	Argv, Env             []string
	Dir                   string
	Stdin, Stdout, Stderr *os.File
}

// Process is a program that was started.
type Process struct {
	g      *Group
	pid    int
	pgid   int
	status Status
}

// Status is how a process ended.
type Status struct {
	Code      int            // exit status, or 128+n for signal n
	Signal    syscall.Signal // what killed it, or 0
	User, Sys time.Duration  // CPU time of it and the children it waited for
	MaxRSS    int64          // bytes
}

// Pid returns the process number, for `$!`.
func (p *Process) Pid() int { return p.pid }

// Start starts a program. The error is the cause of a stop, or an errno: see
// errors.Is with syscall.ENOEXEC, ENOENT and EACCES.
func (g *Group) Start(s *Spec) (*Process, error) {
	null, err := g.t.devNull()
	if err != nil {
		return nil, err
	}
	files := [3]*os.File{s.Stdin, s.Stdout, s.Stderr}
	fds := make([]uintptr, 3)
	for i, f := range files {
		if f == nil {
			f = null
		}
		// Fd also makes the file blocking, which is what programs expect.
		fds[i] = f.Fd()
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.cause != nil {
		return nil, g.cause
	}
	attr := &syscall.ProcAttr{Dir: s.Dir, Env: s.Env, Files: fds, Sys: &syscall.SysProcAttr{Setpgid: true}}
	if len(g.live) > 0 {
		attr.Sys.Pgid = g.live[0].pgid
	} else if g.o.Terminal && g.t.tty.take(g) {
		attr.Sys.Foreground = true
		attr.Sys.Ctty = int(g.t.o.Terminal.Fd())
	}
	pid, err := fork(s.Path, s.Argv, attr)
	runtime.KeepAlive(files)
	if err != nil {
		g.t.tty.release(g, false)
		return nil, err
	}
	p := &Process{g: g, pid: pid, pgid: attr.Sys.Pgid}
	if p.pgid == 0 {
		p.pgid = pid
	}
	g.live = append(g.live, p)
	return p, nil
}

// fork is the only place where weft makes a process. A file that is still open
// for writing somewhere (a race of every multi-threaded program that writes
// executables) is tried again; a process group that has just ended is replaced
// by a new one.
func fork(path string, argv []string, attr *syscall.ProcAttr) (int, error) {
	for wait := time.Millisecond; ; wait *= 2 {
		pid, err := syscall.ForkExec(path, argv, attr)
		switch {
		case errors.Is(err, syscall.ETXTBSY) && wait < 200*time.Millisecond:
			time.Sleep(wait)
		case (errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.ESRCH)) && attr.Sys.Pgid != 0:
			attr.Sys.Pgid = 0
		default:
			return pid, err
		}
	}
}

// Wait returns when the process has ended. It must be called exactly once.
func (p *Process) Wait() Status {
	for {
		// The process stays waitable until the group is locked, so that no
		// signal can ever reach another process of the same number.
		var info unix.Siginfo
		err := unix.Waitid(unix.P_PID, p.pid, &info, unix.WEXITED|unix.WSTOPPED|unix.WNOWAIT, nil)
		if err == syscall.EINTR {
			continue
		}
		if p.reap() {
			return p.status
		}
	}
}

// reap collects a change of state and reports whether it was the end.
func (p *Process) reap() bool {
	var ws syscall.WaitStatus
	var ru syscall.Rusage
	g := p.g
	g.mu.Lock()
	pid, err := syscall.Wait4(p.pid, &ws, syscall.WNOHANG|syscall.WUNTRACED, &ru)
	switch {
	case err == syscall.EINTR || err == nil && pid == 0:
		g.mu.Unlock()
		return false
	case err != nil:
		ws = 0 // somebody else has reaped it: nothing is known
	case ws.Stopped():
		g.mu.Unlock()
		g.t.tty.onStop(p, ws.StopSignal())
		return false
	}
	p.status = Status{Code: ws.ExitStatus(), User: time.Duration(ru.Utime.Nano()), Sys: time.Duration(ru.Stime.Nano()), MaxRSS: maxRSS(&ru)}
	if ws.Signaled() {
		p.status.Signal = ws.Signal()
		p.status.Code = 128 + int(ws.Signal())
	}
	for i, q := range g.live {
		if q == p {
			g.live = append(g.live[:i], g.live[i+1:]...)
			break
		}
	}
	last := len(g.live) == 0
	owned := false
	if last {
		owned = g.t.tty.release(g, ws.Signaled())
	}
	tellUser := owned && g.cause == nil && (ws.Signaled() && ws.Signal() == syscall.SIGINT || p.status.Code == 130)
	g.mu.Unlock()
	if tellUser && g.t.o.OnInterrupt != nil {
		g.t.o.OnInterrupt()
	}
	return true
}

// Ladder is how a group is ended: Signal, and after Grace, if it is not 0, KILL.
type Ladder struct {
	Signal syscall.Signal
	Grace  time.Duration
}

// Stop ends the group: from now on nothing starts in it, and Refused returns
// cause. Its processes get the ladder. A later call may escalate.
func (g *Group) Stop(cause error, l Ladder) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.cause == nil {
		g.cause = cause
	}
	if g.killed {
		return
	}
	g.signal(l.Signal)
	if l.Grace > 0 && g.grace == nil {
		g.grace = g.t.o.AfterFunc(l.Grace, func() { g.Kill(cause) })
	}
}

// Kill ends the group at once.
func (g *Group) Kill(cause error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.cause == nil {
		g.cause = cause
	}
	g.killed = true
	g.signal(syscall.SIGKILL)
}

// signal sends sig to every process group of g; g.mu is held.
func (g *Group) signal(sig syscall.Signal) {
	sent := 0
	for _, p := range g.live {
		if p.pgid == sent {
			continue
		}
		sent = p.pgid
		syscall.Kill(-p.pgid, sig)
		if sig != syscall.SIGKILL {
			// Who is stopped must wake up to see it.
			syscall.Kill(-p.pgid, syscall.SIGCONT)
		}
	}
}

// Refused returns why nothing starts in the group any more, or nil.
func (g *Group) Refused() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.cause
}

// Killed reports whether the group's processes were killed.
func (g *Group) Killed() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.killed
}

// Close says that the command is over: nothing starts in the group any more.
// If it was stopped, what is left of it is killed.
func (g *Group) Close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.grace != nil {
		g.grace.Stop()
	}
	if g.cause != nil {
		g.signal(syscall.SIGKILL)
		return
	}
	g.cause = ErrOver
}
