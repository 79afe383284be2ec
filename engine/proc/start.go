package proc

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"syscall"
	"time"

	"github.com/weftrun/weft/engine/keeper"
)

// Spec describes a program to start.
type Spec struct {
	Path string   // of the file, absolute or relative to Dir
	Argv []string // beginning with the program's name; nil means Path alone
	Dir  string   // working directory; "" means weft's own
	// Env and Extra together are the environment. A list Env is sent to KEEPER once and
	// used for many programs, so it must not be changed any more.
	Env, Extra []string
	// Stdin, Stdout and Stderr are inherited, and set to blocking mode; nil means the
	// null device. The caller owns them and may close them when Start has returned.
	Stdin, Stdout, Stderr *os.File
	// Descriptors lists the files that are inherited as further descriptors.
	Descriptors []Descriptor
	// Job is the name by which Group.Signal finds the program; "" means none.
	Job string
	// Session starts the program in a session of its own, whose controlling terminal is
	// Stdout. Only one program of a group may have it.
	Session bool
	// Setup is applied to the program before it starts; nil means nothing. It must not
	// be changed before Start has returned.
	Setup *Setup
	// Confirm makes Start wait until exec has succeeded or failed, and repeat it for a
	// moment while the file is open for writing. Without it, Wait returns the error of
	// exec, which is cheaper.
	Confirm bool
}

// Descriptor is a file that a program inherits as the descriptor Number. Numbers begin at 3; they
// are unique in a Spec, which has at most [keeper.MaxDescriptors] of them. Windows supports none.
type Descriptor struct {
	Number int
	File   *os.File
}

// Start starts s in the group: in the process group of a running program, or else in a new
// one. The caller must call Wait for the Process. If the group was stopped, Start returns
// the cause of that. Any other error, of Start or Wait, is ErrKeeperLost or a *fs.PathError
// that wraps the system's error, such as fs.ErrNotExist, fs.ErrPermission, syscall.ENOEXEC
// (an unknown format) or syscall.ETXTBSY (open for writing); or a *SetupError.
func (g *Group) Start(s *Spec) (*Process, error) {
	t := g.t
	if more := t.forAll.Load(); more != nil {
		s = s.with(*more)
	}
	if err := s.Setup.check(); err != nil {
		return nil, err
	}
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
		err = retryBusy(func() (err error) { p, err = g.start(h, s, fds); return err })
	} else {
		p, err = g.start(h, s, fds)
	}
	// No finalizer may close a file before it was sent.
	runtime.KeepAlive(s)
	return p, err
}

// with returns s with further descriptors.
func (s *Spec) with(more []Descriptor) *Spec {
	all := *s
	all.Descriptors = slices.Clone(s.Descriptors)
	for _, d := range more {
		if !slices.ContainsFunc(s.Descriptors, func(own Descriptor) bool { return own.Number == d.Number }) {
			all.Descriptors = append(all.Descriptors, d)
		}
	}
	return &all
}

// Run starts s and waits for it.
func (g *Group) Run(s *Spec) (status Status, err error) {
	err = retryBusy(func() error {
		p, err := g.Start(s)
		if err == nil {
			status, err = p.Wait()
		}
		return err
	})
	return status, err
}

// busyLimit is the longest delay between two attempts to start a program whose file is
// open for writing.
const busyLimit = 200 * time.Millisecond

// retryBusy calls start again while the program's file is open for writing.
func retryBusy(start func() error) error {
	for delay := time.Millisecond; ; delay *= 2 {
		err := start()
		if !errors.Is(err, syscall.ETXTBSY) || delay > busyLimit {
			return err
		}
		time.Sleep(delay)
	}
}

// files returns the files of the descriptors 0, 1 and 2, and checks those of the further
// ones.
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
	if len(s.Descriptors) > keeper.MaxDescriptors {
		return fds, s.error(syscall.EMFILE)
	}
	for _, d := range s.Descriptors {
		switch {
		case d.Number < 3:
			return fds, s.error(syscall.EBADF)
		case d.File.Fd() == ^uintptr(0):
			return fds, s.error(fs.ErrClosed)
		}
	}
	return fds, nil
}

// error returns the error that the program cannot be started.
func (s *Spec) error(why error) error {
	return &fs.PathError{Op: "fork/exec", Path: s.Path, Err: why}
}

// start requests the start, and waits for exec if its result is needed.
func (g *Group) start(h host, s *Spec, fds [3]uintptr) (*Process, error) {
	t := g.t
	p := &Process{g: g, job: s.Job, path: s.Path, dir: s.Dir, done: make(chan struct{})}
	argv := s.Argv
	if argv == nil {
		argv = []string{s.Path}
	}
	g.noteNohup(s.Dir, argv)
	var flags keeper.StartFlags
	if g.o.Leftover == LeftoverKeep || outlives(argv[0]) {
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
	if tty && g.o.Terminal && t.term.stdin {
		t.term.mu.Lock()
		defer t.term.mu.Unlock()
		g.mu.Lock()
		lend = !g.closed && t.term.canLend(g) && (t.term.owner == nil || t.term.pgid != g.current())
		g.mu.Unlock()
		if lend {
			// The child moves itself to the foreground, before exec and with signals
			// blocked.
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

// request adds p to the group and starts it, unless the group was stopped.
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
		g.t.addLive(g)
	}
	g.procs = append(g.procs, p)
	return nil
}

// begin assigns g its number when it starts its first program. The caller holds g.mu. If no
// other group has processes, then every process there is belongs to g, even one that cannot
// be recognised. If g has a policy for leftovers, begin asks for those of earlier groups.
func (g *Group) begin(h host) {
	others := g.t.open.Add(1) > 1
	g.id = g.t.groupIDs.Add(1)
	g.alone = !others && (g.id == 1 || g.o.Leftover != LeftoverAuto && len(h.members(0, "")) == 0)
}

// outlives reports whether a program starts daemons: then it does not die together with
// KEEPER.
func outlives(name string) bool {
	return slices.Contains([]string{"nohup", "setsid", "daemonize", "start-stop-daemon"}, filepath.Base(name))
}

// current returns a process group of g that is known to exist, or 0. The caller holds
// g.mu.
func (g *Group) current() int {
	for i := len(g.procs) - 1; i >= 0; i-- {
		if pgid := g.procs[i].pgid; pgid != 0 {
			return pgid
		}
	}
	return 0
}
