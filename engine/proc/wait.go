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

// ErrKeeperLost is why programs cannot be started, or how they end, when the
// process that keeps them was killed.
var ErrKeeperLost = errors.New("the process that looks after running programs is gone (was " + keeper.Name + " killed?)")

// Process is a started program. Wait must be called, once.
type Process struct {
	g    *Group
	id   uint32 // in requests
	job  string
	path string
	dir  string

	ready chan struct{} // closed when it is a program or cannot be; nil: nobody waits for that
	over  chan struct{} // closed when it has ended, or could not be started

	// guarded by g.mu
	pid, pgid int  // 0 until they are known
	told      bool // got the terminal's Ctrl-C
	status    Status
	err       error // why it is no program, or why nothing is known of it
}

// Status is how a process ended.
type Status struct {
	Code   int            // the exit status, or 128 + Signal
	Signal syscall.Signal // what killed it; 0: it exited
	Usage  Usage
}

// BrokenPipe is the Code of a program that SIGPIPE killed. Shells and weft end with it, too,
// where nobody reads what they write.
const BrokenPipe = 128 + int(syscall.SIGPIPE)

// Usage is what programs took of the machine, those that have ended.
type Usage struct {
	User, System time.Duration // processor time
	MaxRSS       int64         // the most memory of any one of them, in bytes
}

// Wait blocks until the process has ended and returns how, or why it could not
// be started: see [Group.Start]. A process that was stopped because it wanted
// the terminal gets it, as soon as that is free.
func (p *Process) Wait() (Status, error) {
	<-p.over
	p.g.mu.Lock()
	status, err := p.status, p.err
	p.g.mu.Unlock()
	if err != nil {
		return status, p.startError(err)
	}
	p.g.t.term.ended(p, status)
	return status, nil
}

// started takes note that p is a program; p.g.mu is held.
func (p *Process) started(pid, pgid int) {
	p.pid, p.pgid = pid, pgid
	p.isReady()
}

func (p *Process) isReady() {
	if p.ready != nil {
		close(p.ready)
		p.ready = nil
	}
}

// failed takes note of why p could not be started, or why nobody knows how it
// ended; p.g.mu is held.
func (p *Process) failed(err error) {
	p.err = err
	p.g.remove(p, false)
	p.isReady()
	close(p.over)
}

// ended takes note of p's end; left tells that its process group has members
// that were not started on request. p.g.mu is held.
func (p *Process) ended(pid, pgid int, s Status, left bool) {
	p.pid, p.pgid, p.status = pid, pgid, s
	u := &p.g.usage
	u.User += s.Usage.User
	u.System += s.Usage.System
	u.MaxRSS = max(u.MaxRSS, s.Usage.MaxRSS)
	p.g.remove(p, left)
	close(p.over)
}

// startError names what could not be used, if err is an error number: the
// directory, or else the file.
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

// tooMany says more of the error that there are too many processes already.
func tooMany(err error) error {
	if err == syscall.EAGAIN {
		return fmt.Errorf("%w: no more processes and threads are allowed (ulimit -u)", syscall.EAGAIN)
	}
	return err
}
