//go:build unix && !(linux && (amd64 || arm64))

package proc

import (
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/weftrun/weft/engine/keeper"
)

// local is the host on systems without KEEPER: weft itself is the parent of its programs,
// waits for each in a goroutine, and signals their process groups. It does not know
// processes that leave their process group or outlive weft.
type local struct {
	t     *Table
	conts atomic.Uint32 // signals that continued programs

	mu     sync.Mutex // guards last
	last   uint32
	orphan chan struct{} // never closed
}

func newHost(t *Table) (host, error) { return &local{t: t, orphan: make(chan struct{})}, nil }

func (l *local) start(p *Process, s *Spec, argv []string, fds [3]uintptr, flags keeper.StartFlags) error {
	l.mu.Lock()
	l.last++
	p.id = l.last
	l.mu.Unlock()
	sys := &syscall.SysProcAttr{Setpgid: true, Pgid: p.g.current()}
	if flags&keeper.Foreground != 0 {
		sys.Foreground, sys.Ctty = true, l.t.term.fd
	}
	if s.Session {
		sys = &syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: 1}
	}
	if err := s.Setup.apply(sys); err != nil {
		return err
	}
	env := append(append([]string(nil), s.Env...), s.Extra...)
	pid, err := syscall.ForkExec(s.Path, argv, &syscall.ProcAttr{Dir: s.Dir, Env: env, Files: byNumber(fds, s.Descriptors), Sys: sys})
	if err != nil {
		return err
	}
	// p.g.mu is held.
	p.pid, p.pgid = pid, pid
	if sys.Pgid != 0 {
		p.pgid = sys.Pgid
	}
	p.setReady()
	go l.wait(p)
	return nil
}

// byNumber returns the files of a program by the numbers of its descriptors. Numbers in
// between are closed.
func byNumber(fds [3]uintptr, further []Descriptor) []uintptr {
	files := fds[:]
	for _, d := range further {
		for len(files) <= d.Number {
			files = append(files, ^uintptr(0))
		}
		files[d.Number] = d.File.Fd()
	}
	return files
}

// wait reports stops and the end of p.
func (l *local) wait(p *Process) {
	for {
		var status syscall.WaitStatus
		var usage syscall.Rusage
		_, err := syscall.Wait4(p.pid, &status, syscall.WUNTRACED, &usage)
		switch {
		case err == syscall.EINTR:
		case err != nil:
			p.g.mu.Lock()
			p.failed(err)
			p.g.mu.Unlock()
			return
		case status.Stopped():
			go l.t.term.stopped(l.t, p.g, p.pgid, status.StopSignal(), l.conts.Load())
		default:
			s := statusOf(status, Usage{MaxRSS: maxRSS(int64(usage.Maxrss)), User: time.Duration(usage.Utime.Nano()), System: time.Duration(usage.Stime.Nano())})
			p.g.mu.Lock()
			p.ended(p.pid, p.pgid, s, false)
			p.g.mu.Unlock()
			return
		}
	}
}

// signal implements host. If s is for a program, the caller holds the lock of its group.
func (l *local) signal(s keeper.Signal) {
	if s.Scope == keeper.OutsideScope {
		return // such processes are unknown
	}
	if s.Continues() {
		l.conts.Add(1)
	}
	for _, g := range l.t.groups() {
		if s.Scope != keeper.ProcessScope && g.id != s.Target {
			continue
		}
		for _, p := range g.procs {
			switch {
			case s.Scope == keeper.ProcessScope && p.id == s.Target:
				syscall.Kill(p.pid, syscall.Signal(s.Signal))
			case s.Scope != keeper.ProcessScope && (s.Only == 0 || int(s.Only) == p.pgid) && (s.Skip == 0 || int(s.Skip) != p.pgid):
				syscall.Kill(-p.pgid, syscall.Signal(s.Signal))
				if s.Cont {
					syscall.Kill(-p.pgid, syscall.SIGCONT)
				}
			}
		}
	}
}

func (l *local) continues() uint32                          { return l.conts.Load() }
func (l *local) members(uint32, string) []keeper.Member     { return nil }
func (l *local) signalPids(syscall.Signal, []keeper.Member) {}
func (l *local) nextOrphan() <-chan struct{}                { return l.orphan }
func (l *local) closed(uint32)                              {}
func (l *local) finish() []keeper.Member                    { return nil }
func (l *local) takeOver()                                  {}
func (l *local) end([]keeper.Member)                        {}
