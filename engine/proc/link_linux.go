//go:build linux && (amd64 || arm64)

package proc

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/weftrun/weft/engine/keeper"
)

// link is the connection to KEEPER, the process that starts, signals and reaps all
// programs; see package keeper. KEEPER handles requests in the order they are sent. One
// goroutine reads its reports.
type link struct {
	t   *Table
	fd  int
	pid int // KEEPER's

	conts atomic.Uint32 // signals sent that continue programs

	// send is locked while a request is sent and when fd is closed. Starts share it, by
	// RLock: the system may suspend a sender in favour of KEEPER, and the next sender
	// need not wait for it. It guards buf and envs.
	send  sync.RWMutex
	slots chan struct{} // limits the senders that share it: each may block a thread
	buf   []byte
	envs  environs
	spare sync.Pool // of *[]byte, to build start requests in

	mu      sync.Mutex // guards the fields below
	procs   map[uint32]*Process
	queries map[uint32]chan []keeper.Member
	last    uint32        // the last number that was assigned
	delayed []func()      // reports that could not be delivered at once, in order; see deliver
	orphan  chan struct{} // closed when the next orphan ends; may be nil
	lost    error         // why KEEPER is gone
	reaped  bool          // KEEPER's process id may belong to another process

	watch *time.Timer   // starts keepRunning
	done  chan struct{} // closed when KEEPER is gone
}

// maxSenders is how many starts are sent at a time: enough for one to go on while
// another waits for the processor.
const maxSenders = 2

// newHost starts KEEPER. Requests may be sent at once; KEEPER reads them when it is ready.
func newHost(t *Table) (host, error) {
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_SEQPACKET|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("socketpair", err)
	}
	defer syscall.Close(pair[1])
	null, err := t.null.open()
	if err != nil {
		syscall.Close(pair[0])
		return nil, err
	}
	files := []uintptr{null.Fd(), null.Fd(), null.Fd(), uintptr(pair[1])}
	if f := t.term.file.Load(); f != nil {
		files = append(files, f.Fd())
	}
	env := keeper.Environ()
	if t.run != "" {
		env = append(env, RunVariable+"="+t.outerRun+t.run) // for package ps
	}
	if signal.Ignored(syscall.SIGQUIT) {
		env = append(env, keeper.IgnoreQuit+"=1")
	}
	// The children of a dead KEEPER become ours.
	unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
	t.inherited = children()
	pid, err := keepers.start(func() (int, error) {
		return syscall.ForkExec("/proc/self/exe", []string{keeper.Name}, &syscall.ProcAttr{Env: env, Files: files, Sys: &syscall.SysProcAttr{Setpgid: true}})
	})
	runtime.KeepAlive(null)
	if err != nil {
		syscall.Close(pair[0])
		return nil, keeperError(err)
	}
	l := &link{t: t, fd: pair[0], pid: pid, slots: make(chan struct{}, maxSenders), procs: map[uint32]*Process{}, queries: map[uint32]chan []keeper.Member{}, done: make(chan struct{})}
	l.watch = time.AfterFunc(watchDelay, l.keepRunning)
	go l.listen()
	return l, nil
}

// keeperError explains why KEEPER could not be started.
func keeperError(err error) error {
	if _, serr := os.Lstat("/proc/self"); serr != nil {
		err = errors.New("/proc is not mounted: weft needs it to find itself and the processes of its commands; mount it (mount -t proc proc /proc), or run weft where it is")
	}
	return fmt.Errorf("start %s: %w", keeper.Name, tooMany(err))
}

// start requests the start of p as s describes it. The files in fds must stay open until
// it returns. The caller holds p.g.mu, so that a stop of the group either finds the program
// started or prevents the start.
func (l *link) start(p *Process, s *Spec, argv []string, fds [3]uintptr, flags keeper.StartFlags) error {
	if hasZeroByte(s.Path, s.Dir) || hasZeroByte(argv...) || hasZeroByte(s.Extra...) {
		return syscall.EINVAL
	}
	l.mu.Lock()
	if l.lost != nil {
		l.mu.Unlock()
		return l.lost
	}
	l.last++
	p.id = l.last
	l.procs[p.id] = p
	l.mu.Unlock()

	l.slots <- struct{}{}
	defer func() { <-l.slots }()
	place, err := l.lockEnv(s.Env)
	if err != nil {
		return l.unsent(p, err)
	}
	defer l.send.RUnlock()
	buf, _ := l.spare.Get().(*[]byte)
	if buf == nil {
		buf = new([]byte)
	}
	defer l.spare.Put(buf)
	fixed := [4]int{int(fds[0]), int(fds[1]), int(fds[2])} // and room for the file of a spilled request
	rights := fixed[:3]
	var numbers []int32
	for _, d := range s.Descriptors {
		rights, numbers = append(rights, int(d.File.Fd())), append(numbers, int32(d.Number))
	}
	start := keeper.Start{ID: p.id, Group: p.g.id, Flags: flags, Env: place, Path: s.Path, Dir: s.Dir, Argv: argv, Extra: s.Extra, Descriptors: numbers}
	if s.Setup != nil {
		start.Setup = s.Setup.wire()
		if g := s.Setup.Cgroup; g != nil {
			start.Flags |= keeper.InCgroup
			rights = append(rights, int(g.Fd()))
		}
	}
	b := keeper.AppendStart((*buf)[:0], &start)
	*buf = b
	if len(b) <= keeper.MaxMessage {
		err = l.post(b, rights)
	} else {
		head, tail := keeper.Spill(b, len(s.Descriptors))
		err = l.postSpilled(head, tail, rights)
	}
	return l.unsent(p, err)
}

// lockEnv returns the place at which KEEPER remembers env, which it sends if need be. It
// leaves l.send locked for reading, so that the place stays valid.
func (l *link) lockEnv(env []string) (place uint32, err error) {
	for {
		l.send.RLock()
		place, known := l.envs.find(env)
		if known {
			return place, nil
		}
		l.send.RUnlock()
		l.send.Lock()
		err := l.envs.add(l, env)
		l.send.Unlock()
		if err != nil {
			return 0, err
		}
	}
}

// hasZeroByte reports whether a text contains a zero byte, which would end it.
func hasZeroByte(texts ...string) bool {
	return slices.ContainsFunc(texts, func(t string) bool { return strings.IndexByte(t, 0) >= 0 })
}

// unsent removes p if its request was not sent, which err says, and returns err. If gone has p
// already, it returns nil: then gone ends p, like any program that was started.
func (l *link) unsent(p *Process, err error) error {
	if err == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.procs[p.id] == nil {
		return nil
	}
	delete(l.procs, p.id)
	return err
}

// post sends one datagram.
func (l *link) post(b []byte, rights []int) error {
	var oob []byte
	if len(rights) > 0 {
		oob = syscall.UnixRights(rights...)
	}
	for {
		switch err := syscall.Sendmsg(l.fd, b, oob, nil, syscall.MSG_NOSIGNAL); err {
		case syscall.EINTR:
		case syscall.EPIPE, syscall.ECONNRESET:
			return ErrKeeperLost
		default:
			return err
		}
	}
}

// postSpilled sends a request that is too long for a datagram: the tail goes into a file.
func (l *link) postSpilled(head, tail []byte, rights []int) error {
	fd, err := unix.MemfdCreate("weft-request", unix.MFD_CLOEXEC)
	if err != nil {
		return os.NewSyscallError("memfd_create", err)
	}
	f := os.NewFile(uintptr(fd), "request")
	defer f.Close()
	if _, err := f.Write(tail); err != nil {
		return err
	}
	return l.post(head, append(rights, fd))
}

// request sends a request without descriptors. If KEEPER is gone, listen notices it.
func (l *link) request(build func([]byte) []byte) {
	l.send.Lock()
	defer l.send.Unlock()
	l.buf = build(l.buf[:0])
	l.post(l.buf, nil)
}

func (l *link) signal(s keeper.Signal) {
	l.request(func(b []byte) []byte {
		if s.Continues() {
			l.conts.Add(1)
		}
		return keeper.AppendSignal(b, &s)
	})
}

func (l *link) continues() uint32 { return l.conts.Load() }

// members returns the living processes of a group, or all if group is 0.
func (l *link) members(group uint32, cookie string) []keeper.Member {
	return l.query(func(b []byte, seq uint32) []byte { return keeper.AppendMembers(b, seq, group, cookie) })
}

// query sends a request and returns the members that KEEPER answers with, or nil if KEEPER
// is gone.
func (l *link) query(build func(b []byte, seq uint32) []byte) []keeper.Member {
	answer := make(chan []keeper.Member, 1)
	l.mu.Lock()
	l.last++
	seq := l.last
	l.queries[seq] = answer
	l.mu.Unlock()
	l.request(func(b []byte) []byte { return build(b, seq) })
	select {
	case m := <-answer:
		return m
	case <-l.done:
		return nil
	}
}

// closed does nothing: KEEPER knows a group by its children.
func (l *link) closed(uint32) {}

// finish ends KEEPER and returns nil if it has no children; otherwise it returns the
// processes that are alive.
func (l *link) finish() []keeper.Member {
	return l.query(keeper.AppendFinish)
}

// nextOrphan returns a channel that is closed when an orphan ends.
func (l *link) nextOrphan() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.orphan == nil {
		l.orphan = make(chan struct{})
	}
	return l.orphan
}

// signalPids signals those processes that are still below KEEPER.
func (l *link) signalPids(sig syscall.Signal, ms []keeper.Member) {
	l.request(func(b []byte) []byte { return keeper.AppendPids(b, uint8(sig), pids(ms)) })
}

func pids(ms []keeper.Member) []int32 {
	out := make([]int32, len(ms))
	for i, m := range ms {
		out[i] = m.Pid
	}
	return out
}

// end makes KEEPER kill everything except keep, and waits until it has ended.
func (l *link) end(keep []keeper.Member) {
	l.request(func(b []byte) []byte { return keeper.AppendEnd(b, pids(keep)) })
	<-l.done
}

// environs records which environments KEEPER remembers. An environment is identified by
// the address of its list: callers share lists and do not change them.
type environs struct {
	places [keeper.MaxEnvirons]*string
	next   uint32
}

// find returns the place of env. Place 0 is the empty environment.
func (e *environs) find(env []string) (place uint32, known bool) {
	if len(env) == 0 {
		return 0, true
	}
	for i := range e.places {
		if e.places[i] == &env[0] {
			return uint32(i), true
		}
	}
	return 0, false
}

// add sends env, if it is still unknown. The caller holds l.send.
func (e *environs) add(l *link, env []string) error {
	if _, known := e.find(env); known {
		return nil
	}
	if hasZeroByte(env...) {
		return syscall.EINVAL
	}
	e.next = e.next%(keeper.MaxEnvirons-1) + 1
	e.places[e.next] = nil
	l.buf = keeper.AppendEnviron(l.buf[:0], e.next, env)
	var err error
	if len(l.buf) <= keeper.MaxMessage {
		err = l.post(l.buf, nil)
	} else {
		head, tail := keeper.SpillEnviron(l.buf)
		err = l.postSpilled(head, tail, nil)
	}
	if err == nil {
		e.places[e.next] = &env[0]
	}
	return err
}
