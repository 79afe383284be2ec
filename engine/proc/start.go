package proc

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"github.com/weftrun/weft/engine/keeper"
)

// Spec is a program to start.
type Spec struct {
	Path string   // of the file, absolute or relative to Dir
	Argv []string // with the name it is called by; nil means Path alone
	Dir  string   // "" means weft's own
	// Env and Extra are the complete environment. Env is sent once for all
	// programs that have the same list, which must not be changed any more.
	Env, Extra []string
	// Stdin, Stdout and Stderr are inherited as they are; nil means /dev/null.
	// They are set to blocking mode. The caller keeps them, and may close them
	// as soon as Start returns, unless the program is to be started again.
	Stdin, Stdout, Stderr *os.File
	// Further are inherited beside them in the same way.
	Further []Descriptor
	// Job groups processes for Group.Signal; "" means none.
	Job string
	// Session starts the program in a session of its own, with the terminal that
	// Stdout is. It is for one program of a group.
	Session bool
	// Confirm lets Start wait until the file has become a program, or return
	// why it cannot, and try again for a moment while somebody has the file
	// open for writing. Else Wait tells, which is cheaper.
	Confirm bool
}

// Descriptor is a file that a program gets as the descriptor of that number. Numbers
// are from 3 on, each once in a Spec, and at most [keeper.MaxFurther] of them. On Windows
// there are none.
type Descriptor struct {
	Number int
	File   *os.File
}

// Start starts s in the group, in the process group of a member not yet reaped
// or else in a new one. Once the group was stopped it returns the cause.
// Otherwise an error, of Start or Wait, is a *fs.PathError: errors.Is tells
// fs.ErrNotExist, fs.ErrPermission, syscall.ENOEXEC (no format the kernel knows)
// and syscall.ETXTBSY (open for writing) apart; or it is ErrKeeperLost. The
// process must be waited for.
func (g *Group) Start(s *Spec) (*Process, error) {
	t := g.t
	fds, err := t.files(s)
	if err != nil {
		return nil, err
	}
	t.term.open(t)
	h, err := t.connect()
	if err != nil {
		return nil, err
	}
	var p *Process
	if s.Confirm {
		err = patiently(func() (err error) { p, err = g.start(h, s, fds); return err })
	} else {
		p, err = g.start(h, s, fds)
	}
	// A descriptor must not be closed by its finalizer before it was sent.
	runtime.KeepAlive(s)
	return p, err
}

// Run starts s and waits for it.
func (g *Group) Run(s *Spec) (status Status, err error) {
	err = patiently(func() error {
		p, err := g.Start(s)
		if err == nil {
			status, err = p.Wait()
		}
		return err
	})
	return status, err
}

// textBusy is the longest single wait for a program's file to be complete.
const textBusy = 200 * time.Millisecond

// patiently tries again to start a program that somebody has open for writing.
func patiently(start func() error) error {
	for delay := time.Millisecond; ; delay *= 2 {
		err := start()
		if !errors.Is(err, syscall.ETXTBSY) || delay > textBusy {
			return err
		}
		time.Sleep(delay)
	}
}

// files returns the files of the child's descriptors 0, 1 and 2. That those of the further
// ones are open is checked.
func (t *Table) files(s *Spec) (fds [3]uintptr, err error) {
	for i, f := range [3]*os.File{s.Stdin, s.Stdout, s.Stderr} {
		if f == nil {
			if f, err = t.null.open(); err != nil {
				return fds, err
			}
		}
		if fds[i] = f.Fd(); fds[i] == ^uintptr(0) {
			return fds, s.error(fs.ErrClosed)
		}
	}
	if len(s.Further) > keeper.MaxFurther {
		return fds, s.error(syscall.EMFILE)
	}
	for _, d := range s.Further {
		switch {
		case d.Number < 3:
			return fds, s.error(syscall.EBADF)
		case d.File.Fd() == ^uintptr(0):
			return fds, s.error(fs.ErrClosed)
		}
	}
	return fds, nil
}

// error is why the program cannot be started.
func (s *Spec) error(why error) error {
	return &fs.PathError{Op: "fork/exec", Path: s.Path, Err: why}
}

// start sends the request, and waits for it to be done where somebody needs
// to know.
func (g *Group) start(h host, s *Spec, fds [3]uintptr) (*Process, error) {
	t := g.t
	p := &Process{g: g, job: s.Job, path: s.Path, dir: s.Dir, over: make(chan struct{})}
	argv := s.Argv
	if argv == nil {
		argv = []string{s.Path}
	}
	g.noteNohup(s.Dir, argv)
	var flags keeper.StartFlags
	if g.leftover == Keep || outlives(argv[0]) {
		flags |= keeper.Outlives
	}
	if s.Session {
		flags |= keeper.Session
	}
	tty := t.term.file.Load() != nil
	if s.Confirm || tty {
		p.ready = make(chan struct{})
		flags |= keeper.WantStarted
	}
	ready := p.ready
	lend := false
	if tty && g.terminal && t.term.stdin {
		t.term.mu.Lock()
		defer t.term.mu.Unlock()
		g.mu.Lock()
		lend = !g.closed && t.term.may(g) && (t.term.owner == nil || t.term.pgid != g.current())
		g.mu.Unlock()
		if lend {
			// The child itself moves to the foreground, before it is anything
			// that could read, and while it has signals blocked.
			t.term.remember(g)
			flags |= keeper.Foreground
		}
	}
	err := g.request(h, p, s, argv, fds, flags)
	if err == nil && ready != nil {
		<-ready
		g.mu.Lock()
		err = p.err
		g.mu.Unlock()
	}
	if err != nil {
		if lend {
			t.term.takeBack(false)
		}
		return nil, p.startError(err)
	}
	if lend {
		g.mu.Lock()
		t.term.owner, t.term.pgid = g, p.pgid
		g.mu.Unlock()
	}
	return p, nil
}

// request enters p into the group and has it started, unless the group refuses.
func (g *Group) request(h host, p *Process, s *Spec, argv []string, fds [3]uintptr, flags keeper.StartFlags) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.cause != nil {
		return g.cause
	}
	if g.id == 0 {
		g.begin(h)
	}
	if err := h.start(p, s, argv, fds, flags); err != nil {
		return err
	}
	if len(g.procs) == 0 {
		g.t.enter(g)
	}
	g.procs = append(g.procs, p)
	return nil
}

// begin gives g a number, with its first program; g.mu is held. Of a group that is
// alone everything that is alive is known to be its own, also what shows nothing that
// would tell. Where that matters, what earlier groups have left is asked for.
func (g *Group) begin(h host) {
	others := g.t.open.Add(1) > 1
	g.id = g.t.groupIDs.Add(1)
	g.alone = !others && (g.id == 1 || g.leftover != Auto && len(h.members(0, "")) == 0)
}

// outlives reports whether a program is there to become a daemon: it, and what
// it turns into, does not die with the process that keeps it.
func outlives(name string) bool {
	switch filepath.Base(name) {
	case "nohup", "setsid", "daemonize", "start-stop-daemon":
		return true
	}
	return false
}

// current returns a process group of g that is known to exist, or 0; g.mu is held.
func (g *Group) current() int {
	for i := len(g.procs) - 1; i >= 0; i-- {
		if pgid := g.procs[i].pgid; pgid != 0 {
			return pgid
		}
	}
	return 0
}
