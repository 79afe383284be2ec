//go:build linux && (amd64 || arm64)

package proc

import (
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// watchDelay is when weft begins to watch KEEPER: watching for stops is the most expensive part of
// starting a short run.
const watchDelay = 100 * time.Millisecond

// keepRunning continues KEEPER whenever it is stopped, until it is gone: without KEEPER no program
// can be started or signalled, and no end is reported. If weft is stopped as well, KEEPER is
// continued together with weft; if weft is gone, by the kernel.
func (l *link) keepRunning() {
	children := make(chan os.Signal, 1)
	signal.Notify(children, syscall.SIGCHLD)
	defer signal.Stop(children)
	for {
		l.withKeeper(func(pid int) {
			// listen waits for its end.
			var info unix.Siginfo
			if unix.Waitid(unix.P_PID, pid, &info, unix.WSTOPPED|unix.WNOHANG, nil) == nil && info.Signo != 0 {
				syscall.Kill(pid, syscall.SIGCONT)
			}
		})
		select {
		case <-children:
		case <-l.done:
			return
		}
	}
}

// withKeeper calls f with KEEPER's process id, unless that may belong to another process by
// now.
func (l *link) withKeeper(f func(pid int)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.reaped {
		f(l.pid)
	}
}

// answerLimit is how long KEEPER may take to answer on a busy machine, before weft checks
// whether it is stopped.
const answerLimit = 2 * time.Second

// takeOver kills a KEEPER that does not answer because it is traced, or stopped repeatedly. A run
// that is being stopped must not wait for it: weft itself ends KEEPER's children then. takeOver
// returns when KEEPER is gone.
func (l *link) takeOver() {
	for {
		answered := make(chan struct{})
		go func() {
			l.members(noGroup, "")
			close(answered)
		}()
		for waiting := true; waiting; {
			select {
			case <-answered:
				waiting = false
			case <-time.After(answerLimit):
				l.withKeeper(func(pid int) {
					if s, _ := statOf(pid); s.State == 'T' || s.State == 't' {
						syscall.Kill(pid, syscall.SIGKILL)
					}
				})
			}
		}
		select {
		case <-l.done:
			return
		case <-time.After(answerLimit):
		}
	}
}

// noGroup is the number of no group.
const noGroup = ^uint32(0)
