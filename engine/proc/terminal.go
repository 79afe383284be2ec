//go:build unix

package proc

import (
	"os"
	"runtime"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// terminal knows which group has the terminal. One group owns it at a time; a
// program of another group that reads it is stopped by the kernel (SIGTTIN)
// and goes on as soon as it is free. While nobody owns it, it is weft's own.
type terminal struct {
	mu      sync.Mutex // guards the fields below
	f       *os.File   // nil: there is none
	own     int        // weft's process group
	owner   *Group
	saved   *unix.Termios
	waiting []*Process // stopped because they are not the owner
}

func (t *terminal) init(f *os.File) {
	if f == nil {
		return
	}
	t.f = f
	t.own = syscall.Getpgrp()
}

// foreground reports whether weft itself has the terminal.
func (t *terminal) foreground() bool {
	pgrp, err := unix.IoctlGetInt(int(t.f.Fd()), unix.TIOCGPGRP)
	return err == nil && pgrp == t.own
}

// take makes g the owner if the terminal is free, and reports whether its
// first program is to be put into the foreground.
func (t *terminal) take(g *Group) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.f == nil || t.owner != nil || !t.foreground() {
		return false
	}
	t.owner = g
	t.saved, _ = unix.IoctlGetTermios(int(t.f.Fd()), ioctlGetTermios)
	return true
}

// release takes the terminal back from g, if it has it, and hands it to who
// waits. After a violent end the terminal's modes are restored.
func (t *terminal) release(g *Group, violent bool) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.owner != g {
		return false
	}
	t.owner = nil
	t.setForeground(t.own)
	if violent && t.saved != nil {
		unix.IoctlSetTermios(int(t.f.Fd()), ioctlSetTermios, t.saved)
	}
	if len(t.waiting) > 0 {
		p := t.waiting[0]
		t.waiting = t.waiting[1:]
		t.grant(p)
	}
	return true
}

// grant gives the free terminal to the group of a stopped program.
func (t *terminal) grant(p *Process) {
	t.owner = p.g
	t.saved, _ = unix.IoctlGetTermios(int(t.f.Fd()), ioctlGetTermios)
	t.setForeground(p.pgid)
	syscall.Kill(-p.pgid, syscall.SIGCONT)
}

// setForeground puts a process group into the foreground. The caller is in the
// background when it takes the terminal back, which the kernel answers with
// SIGTTOU unless it is blocked.
func (t *terminal) setForeground(pgrp int) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var block, before unix.Sigset_t
	blockSignal(&block, syscall.SIGTTOU)
	unix.PthreadSigmask(unix.SIG_BLOCK, &block, &before)
	unix.IoctlSetPointerInt(int(t.f.Fd()), unix.TIOCSPGRP, pgrp)
	unix.PthreadSigmask(unix.SIG_SETMASK, &before, nil)
}

// onStop deals with a program that was stopped.
func (t *terminal) onStop(p *Process, sig syscall.Signal) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.f == nil {
		if sig == syscall.SIGTTIN || sig == syscall.SIGTTOU {
			// There is a terminal, but it is not ours to give: reading it
			// can only fail.
			syscall.Kill(-p.pgid, syscall.SIGHUP)
			syscall.Kill(-p.pgid, syscall.SIGCONT)
		}
		return
	}
	switch sig {
	case syscall.SIGTTIN, syscall.SIGTTOU:
		switch {
		case t.owner == p.g:
			t.setForeground(p.pgid)
			syscall.Kill(-p.pgid, syscall.SIGCONT)
		case t.owner != nil:
			t.waiting = append(t.waiting, p)
		case t.foreground():
			t.grant(p)
		default:
			// weft runs in the background: it stops as any job would, and
			// grants the terminal when the user brings it forward.
			syscall.Kill(syscall.Getpid(), syscall.SIGSTOP)
			t.grant(p)
		}
	case syscall.SIGTSTP:
		if t.owner != p.g {
			return
		}
		t.setForeground(t.own)
		syscall.Kill(syscall.Getpid(), syscall.SIGSTOP)
		t.setForeground(p.pgid)
		syscall.Kill(-p.pgid, syscall.SIGCONT)
	}
}
