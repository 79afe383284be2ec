//go:build linux && (amd64 || arm64)

package keeper

import (
	"syscall"
	"unsafe"
)

// signal does what s asks; cookie ends with a zero byte.
func (k *keeper) signal(s *Signal, cookie []byte) {
	cookie = cookie[:len(cookie)-1]
	if s.Scope == TreeScope {
		k.walk.from(s.Target, cookie)
		for i := range k.walk.processes {
			k.walk.signal(&k.walk.processes[i], s.Signal)
		}
	}
	if s.Scope == BeyondScope {
		k.signalBeyond(s.Signal)
		return
	}
	left := false
	k.lock.lock() // a stop is seen before, or after
	if s.Continues() {
		k.continues++
	}
	for i := range k.children {
		c := &k.children[i]
		switch {
		case s.Scope == ProcessScope && c.id == s.Target:
			kill(c.pid, s.Signal)
		case s.Scope == GroupScope && c.group == s.Target && k.first(i) && (s.Only == 0 || c.pgid == s.Only) && (s.Skip == 0 || c.pgid != s.Skip):
			kill(-c.pgid, s.Signal)
			if s.Cont {
				kill(-c.pgid, uint8(syscall.SIGCONT))
			}
		}
	}
	for _, l := range k.left {
		left = left || s.Scope == GroupScope && s.Only == 0 && l.group == s.Target
	}
	k.lock.unlock()
	if left {
		k.signalLeft(s)
	}
}

// signalBeyond signals what is in none of the children's process groups.
func (k *keeper) signalBeyond(sig uint8) {
	w := &k.walk
	w.from(0, nil)
	for i := range w.processes {
		p := &w.processes[i]
		k.lock.lock()
		known := false
		for j := range k.children {
			known = known || k.children[j].pgid == p.pgid
		}
		k.lock.unlock()
		if !known {
			w.signal(p, sig)
		}
	}
}

// first reports whether children[i] is the first of its process group; k.lock
// is held.
func (k *keeper) first(i int) bool {
	for _, c := range k.children[:i] {
		if c.pgid == k.children[i].pgid {
			return false
		}
	}
	return true
}

// signalLeft signals the process groups that have no known member any more, as
// far as a process below KEEPER proves that they are still ours.
func (k *keeper) signalLeft(s *Signal) {
	k.walk.from(0, nil)
	k.lock.lock()
	defer k.lock.unlock()
	kept := k.left[:0]
	for _, l := range k.left {
		alive := false
		for i := range k.walk.processes {
			alive = alive || k.walk.processes[i].pgid == l.pgid
		}
		if !alive {
			continue
		}
		kept = append(kept, l)
		if l.group == s.Target {
			kill(-l.pgid, s.Signal)
			if s.Cont {
				kill(-l.pgid, uint8(syscall.SIGCONT))
			}
		}
	}
	k.left = kept
}

const (
	sysPidfdOpen       = 434
	sysPidfdSendSignal = 424
)

// signal signals p. Only KEEPER reaps its own children, but a process further
// down may be reaped by its parent, and its number taken: a descriptor is
// opened first and p looked at again, by its parent. Where the calls for that are
// refused, or there are no descriptors left, the second look has to do.
func (w *walk) signal(p *process, sig uint8) {
	fd, _, e := syscall.RawSyscall(sysPidfdOpen, uintptr(p.pid), 0, 0)
	if e == syscall.ESRCH {
		return
	}
	held := e == 0
	if now, alive := w.look(p.pid); alive && (now.ppid == p.ppid || now.pgid == p.pgid && now.sid == p.sid) {
		if held {
			_, _, e = syscall.RawSyscall6(sysPidfdSendSignal, fd, uintptr(sig), 0, 0, 0, 0)
		}
		if e != 0 && e != syscall.ESRCH {
			kill(p.pid, sig)
		}
	}
	if held {
		closeFD(int(fd))
	}
}

// members reports what is alive of a group, or of all. A list that does not fit
// into a datagram is cut: whoever asks asks again once these are gone.
func (k *keeper) members(seq, group uint32, cookie []byte) {
	w := &k.walk
	w.from(group, cookie[:len(cookie)-1])
	b := put32(append(k.out[:0], RepMembers), seq)
	for i := range w.processes {
		p := &w.processes[i]
		if len(b) > MaxMessage/2 {
			break
		}
		b = put32(put32(put32(b, uint32(p.pid)), uint32(p.pgid)), uint32(p.sid))
		b = append(append(b, w.judge(p)), p.name[:]...)
	}
	k.out = b
	send(b)
}

// giveUpAfter is how long processes that were killed may take to be gone, in
// waits of sweepEvery: one in an uninterruptible system call, or of another user,
// is left.
const giveUpAfter = 200

var sweepEvery = syscall.Timespec{Nsec: 10e6}

// sweep kills everything below KEEPER but keep, until the kernel says that
// nothing is left, and ends the process. What a killed process leaves becomes
// KEEPER's own child, so looking at these is enough.
func (k *keeper) sweep(keep []int32) {
	w := &k.walk
	if w.text == nil {
		w.text, w.dirents = make([]byte, scratch), make([]byte, 8<<10)
	}
	for waits := 0; waits < giveUpAfter && !k.childless(); {
		seen := k.reaped.count()
		w.pids = w.pids[:0]
		w.childrenOf(0)
		alive := 0
		for _, pid := range w.pids {
			if !contains(keep, pid) {
				alive++
				k.lock.lock() // not reaped meanwhile
				kill(pid, uint8(syscall.SIGKILL))
				k.lock.unlock()
			}
		}
		if alive == 0 {
			break
		}
		k.reaped.wait(seen, &sweepEvery, syscall.RawSyscall6)
		if k.reaped.count() == seen {
			waits++
		} else {
			waits = 0
		}
	}
	exit()
}

func exit() { syscall.RawSyscall(syscall.SYS_EXIT_GROUP, 0, 0, 0) }

// childless reports whether KEEPER has no child, dead or alive, and so nothing
// below it.
func (k *keeper) childless() bool {
	var info siginfo
	_, _, e := syscall.RawSyscall6(syscall.SYS_WAITID, pAll, 0, uintptr(unsafe.Pointer(&info)), wExited|wNohang|wNowait, 0, 0)
	return e == syscall.ECHILD
}

func contains(list []int32, pid int32) bool {
	for _, p := range list {
		if p == pid {
			return true
		}
	}
	return false
}
