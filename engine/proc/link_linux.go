//go:build linux && (amd64 || arm64)

package proc

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/weftrun/weft/engine/keeper"
)

// link is the connection to KEEPER, the process that starts, signals and reaps
// everything; see package keeper. Requests are sent in the order in which they
// are to happen. One goroutine takes up the reports.
type link struct {
	t   *Table
	fd  int
	pid int // KEEPER's

	conts atomic.Uint32 // requests sent to continue something

	// send is held while a request is sent and when fd is closed. Starts share
	// it: one that sends may be put off by the system in favour of KEEPER, and
	// the next need not wait for it. It guards the next two.
	send  sync.RWMutex
	slots chan struct{} // taken by those that share it: each may block a thread
	buf   []byte
	envs  environs
	spare sync.Pool // *[]byte to build the request for a start in

	mu      sync.Mutex // guards the fields below
	procs   map[uint32]*Process
	queries map[uint32]chan []keeper.Member
	last    uint32        // ID given out
	late    []func()      // what could not be told at once, in order; see tell
	orphan  chan struct{} // closed at the next end of an orphan; nil: nobody waits
	lost    error         // why there is no KEEPER any more
	reaped  bool          // KEEPER's number may be another process's

	awake *time.Timer   // begins keepAwake
	over  chan struct{} // closed when KEEPER is gone
}

// maxSenders is how many starts are sent at a time: enough for one to go on while
// another waits for the processor.
const maxSenders = 2

// newHost starts KEEPER. Requests may be sent at once: it reads them when it
// is there.
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
		env = append(env, RunVariable+"="+t.outerRun+t.run) // for who looks for runs
	}
	if signal.Ignored(syscall.SIGQUIT) {
		env = append(env, keeper.IgnoreQuit+"=1")
	}
	// What a dead KEEPER leaves behind comes to us.
	unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
	t.strangers = children()
	pid, err := keepers.start(func() (int, error) {
		return syscall.ForkExec("/proc/self/exe", []string{keeper.Name}, &syscall.ProcAttr{Env: env, Files: files, Sys: &syscall.SysProcAttr{Setpgid: true}})
	})
	runtime.KeepAlive(null)
	if err != nil {
		syscall.Close(pair[0])
		return nil, unkept(err)
	}
	l := &link{t: t, fd: pair[0], pid: pid, slots: make(chan struct{}, maxSenders), procs: map[uint32]*Process{}, queries: map[uint32]chan []keeper.Member{}, over: make(chan struct{})}
	l.awake = time.AfterFunc(mayNap, l.keepAwake)
	go l.listen()
	return l, nil
}

// unkept says why KEEPER could not be started.
func unkept(err error) error {
	if _, serr := os.Lstat("/proc/self"); serr != nil {
		err = errors.New("/proc is not there: weft finds itself in it, and the processes of its commands; mount it (mount -t proc proc /proc), or run weft where it is")
	}
	return fmt.Errorf("start %s: %w", keeper.Name, tooMany(err))
}

// start asks for p to be started as s says. The files in fds must stay open until
// it returns, no longer. It is called with p.g.mu held, so that a stop of the
// group finds the program started or refuses it.
func (l *link) start(p *Process, s *Spec, argv []string, fds [3]uintptr, flags keeper.StartFlags) error {
	if unsendable(s.Path, s.Dir) || unsendable(argv...) || unsendable(s.Extra...) {
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
	fixed := [4]int{int(fds[0]), int(fds[1]), int(fds[2])} // and room for a file that holds texts
	rights := fixed[:3]
	var numbers []int32
	for _, d := range s.Further {
		rights, numbers = append(rights, int(d.File.Fd())), append(numbers, int32(d.Number))
	}
	b := keeper.AppendStart((*buf)[:0], &keeper.Start{ID: p.id, Group: p.g.id, Flags: flags, Env: place, Path: s.Path, Dir: s.Dir, Argv: argv, Extra: s.Extra, Further: numbers})
	*buf = b
	if len(b) <= keeper.MaxMessage {
		err = l.post(b, rights)
	} else {
		head, tail := keeper.Spill(b, len(s.Further))
		err = l.postSpilled(head, tail, rights)
	}
	return l.unsent(p, err)
}

// lockEnv returns the place at which KEEPER remembers env, having sent env if it
// did not, and with l.send locked for reading: the place stays what it is.
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

// unsendable reports whether a text holds a zero byte, which the kernel takes
// for its end.
func unsendable(texts ...string) bool {
	for _, t := range texts {
		if strings.IndexByte(t, 0) >= 0 {
			return true
		}
	}
	return false
}

// unsent forgets p if err tells that its request was not sent.
func (l *link) unsent(p *Process, err error) error {
	if err != nil {
		l.mu.Lock()
		delete(l.procs, p.id)
		l.mu.Unlock()
	}
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

// postSpilled sends a request whose texts are too many for a datagram.
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

// request sends a request without descriptors. That KEEPER is gone is found out
// by listen.
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

// members returns what is alive of a group, or of everything if group is zero.
func (l *link) members(group uint32, cookie string) []keeper.Member {
	return l.ask(func(b []byte, seq uint32) []byte { return keeper.AppendMembers(b, seq, group, cookie) })
}

// ask sends a request that is answered with a list of members. The answer is nil
// when KEEPER is gone.
func (l *link) ask(build func(b []byte, seq uint32) []byte) []keeper.Member {
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
	case <-l.over:
		return nil
	}
}

// closed does nothing: KEEPER knows by its children what there is of a group.
func (l *link) closed(uint32) {}

// finish ends KEEPER if it has no child, and else returns what is alive; nil
// means that KEEPER is gone.
func (l *link) finish() []keeper.Member {
	return l.ask(keeper.AppendFinish)
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

// signalPids signals processes as far as they are still below KEEPER.
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

// end tells KEEPER to kill everything but keep and waits until it is gone.
func (l *link) end(keep []keeper.Member) {
	l.request(func(b []byte) []byte { return keeper.AppendEnd(b, pids(keep)) })
	<-l.over
}

// environs knows which environments KEEPER remembers. An environment is known
// by where its list begins: callers share lists and do not change them.
type environs struct {
	places [keeper.Environs]*string
	next   uint32
}

// find returns the place of env. Place 0 is the empty one.
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

// add sends env, if it is still unknown; l.send is held.
func (e *environs) add(l *link, env []string) error {
	if _, known := e.find(env); known {
		return nil
	}
	if unsendable(env...) {
		return syscall.EINVAL
	}
	e.next = e.next%(keeper.Environs-1) + 1
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
