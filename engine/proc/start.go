package proc

import (
	"errors"
	"io/fs"
	"os"
	"runtime"
	"syscall"
	"time"
)

// Spec is a program to start.
type Spec struct {
	Path string   // of the file, absolute or relative to Dir
	Argv []string // with the name it is called by; nil means Path alone
	Dir  string   // "" means weft's own
	Env  []string // complete
	// Stdin, Stdout and Stderr are inherited as they are; nil means /dev/null.
	// They are set to blocking mode. The caller keeps them.
	Stdin, Stdout, Stderr *os.File
	// Job groups processes for Group.Signal; "" means none.
	Job string
}

// Start starts s in the group, in the process group of a member not yet reaped
// or else in a new one. Once the group was stopped it returns the cause.
// Otherwise an error is a *fs.PathError: errors.Is tells fs.ErrNotExist,
// fs.ErrPermission and syscall.ENOEXEC (no format the kernel knows) apart.
// The process must be waited for.
func (g *Group) Start(s *Spec) (*Process, error) {
	files, err := g.t.files(s)
	if err != nil {
		return nil, err
	}
	argv := s.Argv
	if argv == nil {
		argv = []string{s.Path}
	}
	// The kernel refuses to run a file that someone has open for writing, and
	// a fork elsewhere in this program holds such a file for a moment (see
	// go.dev/issue/22315).
	for delay := time.Millisecond; ; delay *= 2 {
		p, err := g.start(s, argv, files)
		if !errors.Is(err, syscall.ETXTBSY) || delay > 200*time.Millisecond {
			// A descriptor must not be closed by its finalizer before the fork.
			runtime.KeepAlive(s)
			return p, err
		}
		time.Sleep(delay)
	}
}

// files returns the child's descriptors 0, 1 and 2.
func (t *Table) files(s *Spec) ([3]uintptr, error) {
	var fds [3]uintptr
	for i, f := range [3]*os.File{s.Stdin, s.Stdout, s.Stderr} {
		if f == nil {
			var err error
			if f, err = t.null(); err != nil {
				return fds, err
			}
		}
		fds[i] = f.Fd()
		if fds[i] == ^uintptr(0) {
			return fds, &fs.PathError{Op: "fork/exec", Path: s.Path, Err: fs.ErrClosed}
		}
	}
	return fds, nil
}

// start is one try.
func (g *Group) start(s *Spec, argv []string, files [3]uintptr) (*Process, error) {
	t := g.t
	t.term.open(t)
	terminal := g.terminal && !g.closed && t.term.stdin && t.term.file.Load() != nil
	if terminal {
		t.term.mu.Lock()
		defer t.term.mu.Unlock()
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.cause != nil {
		return nil, g.cause
	}
	p := &Process{g: g, job: s.Job, pidfd: -1, pgid: g.current()}
	sys := syscall.SysProcAttr{Setpgid: true, Pgid: p.pgid}
	p.blocking = t.blocked.Add(1) <= maxBlocked
	if !p.blocking {
		t.blocked.Add(-1)
		sys.PidFD = &p.pidfd
	}
	lend := terminal && t.term.may(g) && (t.term.owner == nil || t.term.pgid != p.pgid)
	if lend {
		// The child itself moves to the foreground, before it is anything that
		// could read, and while it has signals blocked.
		t.term.remember(g)
		sys.Foreground, sys.Ctty = true, t.term.fd
	}
	attr := syscall.ProcAttr{Dir: s.Dir, Env: s.Env, Files: files[:], Sys: &sys}
	t.term.forking.RLock()
	pid, err := syscall.ForkExec(s.Path, argv, &attr)
	t.term.forking.RUnlock()
	if err != nil {
		if p.blocking {
			t.blocked.Add(-1)
		}
		if lend {
			t.term.takeBack(false)
		}
		return nil, startError(s, err)
	}
	p.pid = pid
	if p.pgid == 0 {
		p.pgid = pid
	}
	if len(g.procs) == 0 {
		t.enter(g)
	}
	g.procs = append(g.procs, p)
	if lend {
		t.term.owner, t.term.pgid = g, p.pgid
	}
	if !p.blocking && t.term.file.Load() != nil {
		t.poll(p)
		p.isPolled = true
	}
	return p, nil
}

// current returns a process group of g that is sure to exist, or 0; g.mu is held.
func (g *Group) current() int {
	if len(g.procs) == 0 {
		return 0
	}
	return g.procs[len(g.procs)-1].pgid
}

// startError names what could not be used: the directory, or else the file.
func startError(s *Spec, err error) error {
	if s.Dir != "" {
		if _, serr := os.Stat(s.Dir); serr != nil {
			var pe *fs.PathError
			if errors.As(serr, &pe) {
				pe.Op = "chdir"
			}
			return serr
		}
	}
	return &fs.PathError{Op: "fork/exec", Path: s.Path, Err: err}
}
