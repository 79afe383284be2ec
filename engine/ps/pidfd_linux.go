package ps

import (
	"time"

	"golang.org/x/sys/unix"
)

// held is a process that will be signalled: a descriptor ensures that no other process with
// the same id is. Where the system refuses such descriptors, as in some sandboxes, the
// process is checked again before each signal.
type held struct {
	pid int
	fd  int // -1: there is none
	is  func(*process) bool
}

// hold returns the process with this id, if there is one and is returns true for it.
func hold(pid int, is func(*process) bool) (*held, bool) {
	h := &held{pid: pid, fd: -1, is: is}
	if fd, err := unix.PidfdOpen(pid, 0); err == nil {
		h.fd = fd
	}
	if !h.there() {
		h.release()
		return nil, false
	}
	return h, true
}

func (h *held) release() {
	if h.fd >= 0 {
		unix.Close(h.fd)
	}
}

// there reports whether the process has not ended.
func (h *held) there() bool {
	p := look(h.pid)
	return p != nil && h.is(p)
}

func (h *held) signal(s unix.Signal) error {
	if h.fd >= 0 {
		if err := unix.PidfdSendSignal(h.fd, s, nil, 0); err == nil || err == unix.ESRCH {
			return err
		}
	}
	// That was refused, or the process may not be signalled: kill(2) tells.
	if !h.there() {
		return unix.ESRCH
	}
	return unix.Kill(h.pid, s)
}

// pollInterval is how often a process without a descriptor is checked for its end.
const pollInterval = 10 * time.Millisecond

// ended waits until the process has ended, and reports whether it has before the limit.
func (h *held) ended(limit time.Duration) bool {
	for end := time.Now().Add(limit); ; {
		remaining := time.Until(end)
		if h.fd >= 0 {
			n, err := unix.Poll([]unix.PollFd{{Fd: int32(h.fd), Events: unix.POLLIN}}, int(max(0, remaining.Milliseconds())))
			if err != unix.EINTR {
				return n > 0
			}
			continue
		}
		if !h.there() {
			return true
		}
		if remaining <= 0 {
			return false
		}
		time.Sleep(min(pollInterval, remaining))
	}
}
