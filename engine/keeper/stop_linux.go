//go:build linux && (amd64 || arm64)

package keeper

import (
	"syscall"
	"unsafe"
)

// signal handles the request s. cookie ends with a zero byte.
func (k *keeper) signal(s *Signal, cookie []byte) {
	cookie = cookie[:len(cookie)-1]
	if s.Scope == TreeScope {
		k.walk.from(s.Target, cookie)
		for i := range k.walk.processes {
			k.walk.signal(&k.walk.processes[i], s.Signal)
		}
	}
	if s.Scope == OutsideScope {
		k.signalOutside(s.Signal)
		return
	}
	hasLeftovers := false
	k.lock.lock() // so that each stop is collected either before or after
	if s.Continues() {
		k.continues++
	}
	for i := range k.children {
		c := &k.children[i]
		switch {
		case s.Scope == ProcessScope && c.id == s.Target:
			kill(c.pid, s.Signal)
		case s.Scope == GroupScope && c.group == s.Target && k.first(i) && (s.Only == 0 || c.pgid == s.Only) && (s.Skip == 0 || c.pgid != s.Skip):
			s.sendTo(c.pgid)
		}
	}
	for _, l := range k.leftovers {
		hasLeftovers = hasLeftovers || s.Scope == GroupScope && s.Only == 0 && l.group == s.Target
	}
	k.lock.unlock()
	if hasLeftovers {
		k.signalLeftovers(s)
	}
}

// sendTo signals a process group.
func (s *Signal) sendTo(pgid int32) {
	kill(-pgid, s.Signal)
	if s.Cont {
		kill(-pgid, uint8(syscall.SIGCONT))
	}
}

// signalOutside signals the processes that are in no child's process group.
func (k *keeper) signalOutside(sig uint8) {
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

// first reports whether children[i] is the first of its process group. The caller holds
// k.lock.
func (k *keeper) first(i int) bool {
	for _, c := range k.children[:i] {
		if c.pgid == k.children[i].pgid {
			return false
		}
	}
	return true
}

// signalLeftovers signals the process groups whose programs have all ended, if they still
// have a process below KEEPER. It removes the others.
func (k *keeper) signalLeftovers(s *Signal) {
	k.walk.from(0, nil)
	k.lock.lock()
	defer k.lock.unlock()
	kept := k.leftovers[:0]
	for _, l := range k.leftovers {
		alive := false
		for i := range k.walk.processes {
			alive = alive || k.walk.processes[i].pgid == l.pgid
		}
		if !alive {
			continue
		}
		kept = append(kept, l)
		if l.group == s.Target {
			s.sendTo(l.pgid)
		}
	}
	k.leftovers = kept
}

const (
	sysPidfdOpen       = 434
	sysPidfdSendSignal = 424
)

// signal signals p. Only KEEPER reaps its own children, but a process further below may be
// reaped by its parent, and its process id reused. So signal opens a descriptor first
// and then checks whether p is still the same, by its parent. If the system refuses such
// descriptors, or none is free, that check must suffice.
func (w *walk) signal(p *process, sig uint8) {
	fd, _, e := syscall.RawSyscall(sysPidfdOpen, uintptr(p.pid), 0, 0)
	if e == syscall.ESRCH {
		return
	}
	opened := e == 0
	if now, alive := w.readProcess(p.pid); alive && (now.ppid == p.ppid || now.pgid == p.pgid && now.sid == p.sid) {
		if opened {
			_, _, e = syscall.RawSyscall6(sysPidfdSendSignal, fd, uintptr(sig), 0, 0, 0, 0)
		}
		if e != 0 && e != syscall.ESRCH {
			kill(p.pid, sig)
		}
	}
	if opened {
		closeFD(int(fd))
	}
}

// members reports the living processes of a group, or all if group is 0. It cuts a list
// that does not fit into a datagram: ENGINE repeats the request when these processes have ended.
func (k *keeper) members(seq, group uint32, cookie []byte) {
	w := &k.walk
	w.from(group, cookie[:len(cookie)-1])
	b := put32(append(k.out[:0], RepMembers), seq)
	for i := range w.processes {
		p := &w.processes[i]
		if len(b) > MaxMessage/2 {
			break
		}
		b = put32(b, uint32(p.pid), uint32(p.pgid), uint32(p.sid))
		b = append(append(b, w.classify(p)), p.name[:]...)
	}
	k.out = b
	send(b)
}

// maxWaits is the maximum number of waits of sweep in which no killed process ends.
// A process in an uninterruptible system call, or of another user, is given up.
const maxWaits = 200

var sweepEvery = syscall.Timespec{Nsec: 10e6}

// sweep kills all processes below KEEPER except keep, and exits when the kernel reports
// that there are none. The children of a killed process become KEEPER's own, so it is enough
// to kill children.
func (k *keeper) sweep(keep []int32) {
	w := &k.walk
	if w.text == nil {
		w.text, w.dirents = make([]byte, scratch), make([]byte, 8<<10)
	}
	for waits := 0; waits < maxWaits && !k.childless(); {
		seen := k.reaped.count()
		found := false
		for _, pid := range w.childrenOf(0) {
			if !contains(keep, pid) {
				found = true
				k.lock.lock() // keeps it from being reaped
				kill(pid, uint8(syscall.SIGKILL))
				k.lock.unlock()
			}
		}
		if !found {
			break
		}
		k.reaped.wait(seen, &sweepEvery, rawCall)
		if k.reaped.count() == seen {
			waits++
		} else {
			waits = 0
		}
	}
	exit()
}

func exit() { syscall.RawSyscall(syscall.SYS_EXIT_GROUP, 0, 0, 0) }

// childless reports whether KEEPER has no child, dead or alive, and so no process below it.
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
