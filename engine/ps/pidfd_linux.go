package ps

import (
	"time"

	"golang.org/x/sys/unix"
)

// held is a process that is to be signalled, and can become no other one's number
// meanwhile. Where descriptors of processes are refused, as in some sandboxes, it
// is looked at again before each signal instead.
type held struct {
	pid int
	fd  int // -1: there is none
	is  func(*process) bool
}

// hold returns a process if it is there and is what it should be.
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

// lookAgain is how often a process is looked at that nothing tells the end of.
const lookAgain = 10 * time.Millisecond

// ended waits until the process has ended.
func (h *held) ended(patience time.Duration) bool {
	for end := time.Now().Add(patience); ; {
		left := time.Until(end)
		if h.fd >= 0 {
			n, err := unix.Poll([]unix.PollFd{{Fd: int32(h.fd), Events: unix.POLLIN}}, int(max(0, left.Milliseconds())))
			if err != unix.EINTR {
				return n > 0
			}
			continue
		}
		if !h.there() {
			return true
		}
		if left <= 0 {
			return false
		}
		time.Sleep(min(lookAgain, left))
	}
}
