//go:build linux && (amd64 || arm64)

package proc

import (
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// mayNap is how long KEEPER has before weft looks after it: hearing of stops costs more
// than all else at the start of a short run.
const mayNap = 100 * time.Millisecond

// keepAwake continues KEEPER whenever somebody has stopped it, until it is gone:
// without it nothing can be started, told to end, or known to have ended. If weft
// is stopped, too, that is when weft goes on; if weft is gone, the kernel does it.
func (l *link) keepAwake() {
	news := make(chan os.Signal, 1)
	signal.Notify(news, syscall.SIGCHLD)
	defer signal.Stop(news)
	for {
		l.withKeeper(func(pid int) {
			// Its end is not asked for: that is listen's.
			var info unix.Siginfo
			if unix.Waitid(unix.P_PID, pid, &info, unix.WSTOPPED|unix.WNOHANG, nil) == nil && info.Signo != 0 {
				syscall.Kill(pid, syscall.SIGCONT)
			}
		})
		select {
		case <-news:
		case <-l.over:
			return
		}
	}
}

// withKeeper calls f with KEEPER's process id, unless that may be another's by now.
func (l *link) withKeeper(f func(pid int)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.reaped {
		f(l.pid)
	}
}

// answerWithin is how long KEEPER may take to answer, on a busy machine, before it
// is looked at why it does not.
const answerWithin = 2 * time.Second

// takeOver sees to it that a run which is being stopped does not wait for a KEEPER
// that cannot go on: one that is traced, or stopped again and again. It is killed,
// and what it kept is weft's to end.
func (l *link) takeOver() {
	for {
		answered := make(chan struct{})
		go func() {
			l.members(nobody, "")
			close(answered)
		}()
		for waits := true; waits; {
			select {
			case <-answered:
				waits = false
			case <-time.After(answerWithin):
				l.withKeeper(func(pid int) {
					if s, _ := statOf(pid); s.State == 'T' || s.State == 't' {
						syscall.Kill(pid, syscall.SIGKILL)
					}
				})
			}
		}
		select {
		case <-l.over:
			return
		case <-time.After(answerWithin):
		}
	}
}

// nobody is the number of no group.
const nobody = ^uint32(0)
