package proc

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
	"time"

	"github.com/weftrun/weft/engine/keeper"
)

// ErrKeeperLost is the error of programs that cannot be started, or whose end is unknown,
// because KEEPER was killed.
var ErrKeeperLost = errors.New("the process that supervises running programs has ended (was " + keeper.Name + " killed?)")

// Process is a started program. Wait must be called, once.
type Process struct {
	g    *Group
	id   uint32 // the program's number in requests
	job  string
	path string
	dir  string

	ready chan struct{} // closed when exec has succeeded or failed; may be nil
	done  chan struct{} // closed when the program has ended, or could not be started

	// guarded by g.mu
	pid, pgid   int  // 0 until they are known
	interrupted bool // the terminal has sent it SIGINT
	status      Status
	err         error // why it was not started, or why its end is unknown
}

// Status is how a process ended.
type Status struct {
	Code   int            // the exit status, or 128 + Signal
	Signal syscall.Signal // that killed the process; 0 if it exited
	Usage  Usage
}

// BrokenPipe is the Code of a program killed by SIGPIPE. Shells and weft exit with it, too, when
// the reader of their output is gone.
const BrokenPipe = 128 + int(syscall.SIGPIPE)

// Usage is the resources that ended programs have used.
type Usage struct {
	User, System time.Duration // processor time
	MaxRSS       int64         // the largest resident set of one of them, in bytes
}

// Wait waits until the process has ended and returns its status, or why it could not be
// started: see [Group.Start]. A process that the kernel has stopped because it needs the
// terminal gets it when that is free.
func (p *Process) Wait() (Status, error) {
	<-p.done
	p.g.mu.Lock()
	status, err := p.status, p.err
	p.g.mu.Unlock()
	if err != nil {
		return status, p.startError(err)
	}
	p.g.t.term.ended(p, status)
	return status, nil
}

// signal sends s to p alone, and SIGCONT with cont. The caller holds p.g.mu.
func (p *Process) signal(s syscall.Signal, cont bool) {
	p.g.t.host.signal(keeper.Signal{Scope: keeper.ProcessScope, Target: p.id, Signal: uint8(s), Cont: cont})
}

// started records that p has become a program. The caller holds p.g.mu.
func (p *Process) started(pid, pgid int) {
	p.pid, p.pgid = pid, pgid
	p.setReady()
}

func (p *Process) setReady() {
	if p.ready != nil {
		close(p.ready)
		p.ready = nil
	}
}

// failed records why p could not be started, or why its end is unknown. The caller holds
// p.g.mu.
func (p *Process) failed(err error) {
	p.err = err
	p.g.remove(p, false)
	p.setReady()
	close(p.done)
}

// ended records the end of p. hasLeftovers says that its process group has members that weft
// has not started. The caller holds p.g.mu.
func (p *Process) ended(pid, pgid int, s Status, hasLeftovers bool) {
	p.pid, p.pgid, p.status = pid, pgid, s
	u := &p.g.usage
	u.User += s.Usage.User
	u.System += s.Usage.System
	u.MaxRSS = max(u.MaxRSS, s.Usage.MaxRSS)
	p.g.programs++
	p.g.remove(p, hasLeftovers)
	close(p.done)
}

// startError adds to an error number what it is about: the directory if that cannot be
// used, or else the file.
func (p *Process) startError(err error) error {
	if _, ok := err.(syscall.Errno); !ok {
		return err
	}
	if p.dir != "" {
		if _, serr := os.Stat(p.dir); serr != nil {
			var pe *fs.PathError
			if errors.As(serr, &pe) {
				pe.Op = "chdir"
			}
			return serr
		}
	}
	return &fs.PathError{Op: "fork/exec", Path: p.path, Err: tooMany(err)}
}

// tooMany explains the error that there are too many processes.
func tooMany(err error) error {
	if err == syscall.EAGAIN {
		return fmt.Errorf("%w: no more processes and threads are allowed (ulimit -u)", syscall.EAGAIN)
	}
	return err
}
