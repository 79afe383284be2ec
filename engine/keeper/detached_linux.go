//go:build linux && (amd64 || arm64)

package keeper

import (
	"syscall"
	"unsafe"

	"github.com/weftrun/weft/internal/procstat"
)

// classify returns the flags of a process. A daemon has a session of its own, or ignores
// SIGHUP, as nohup arranges; a process that is starting may yet become one. The programs of
// another weft within this run are not daemons if that weft was killed: its keeper, which has
// become our child, kills them, and counts as starting, so that it is waited for.
func (w *walk) classify(p *process) (flags byte) {
	if w.orphanedKeeper(p) {
		return isStarting
	}
	own, _, _ := syscall.RawSyscall(syscall.SYS_GETSID, 0, 0, 0)
	// One read gives its state and its session: a daemon that has left ours since the walk is no
	// longer starting. The ignored signals are read after that.
	s, ok := procstat.Parse(w.file(p.pid, "/stat\x00"))
	if !ok || s.Dead() {
		return isStarting // it has ended since the walk, and may have left a child that is not in it
	}
	if starting(&s) {
		flags |= isStarting
	}
	if s.Session != int32(own) {
		flags |= isDetached
	}
	if w.ignoresHangup(p.pid) {
		flags |= hasHangupIgnored
		if action(syscall.SIGHUP).handler != ignored {
			flags |= isDetached
		}
	}
	return flags
}

// orphanedKeeper reports whether a process is the keeper of a weft that has ended.
func (w *walk) orphanedKeeper(p *process) bool {
	own, _, _ := syscall.RawSyscall(syscall.SYS_GETPID, 0, 0, 0)
	if p.ppid != int32(own) || string(p.name[:len(Name)+1]) != Name+"\x00" {
		return false
	}
	k.lock.lock()
	defer k.lock.unlock()
	return k.find(p.pid) < 0
}

// ignoresHangup reports whether a process ignores SIGHUP.
func (w *walk) ignoresHangup(pid int32) bool {
	b := w.file(pid, "/status\x00")
	const field = "\nSigIgn:\t"
	for i := 0; i+len(field)+16 <= len(b); i++ {
		if string(b[i:i+len(field)]) == field {
			// A hexadecimal number, in which SIGHUP is the lowest bit.
			low := b[i+len(field)+15]
			return low >= '0' && low <= '9' && (low-'0')&1 != 0 || low >= 'a' && low <= 'f' && (low-'a'+10)&1 != 0
		}
	}
	return false
}

const (
	forkedOnly = 0x40 // PF_FORKNOEXEC
	// youngTicks is the age, in hundredths of a second, up to which a process is starting.
	youngTicks = 10
)

// starting reports whether a process is younger than a tenth of a second, or has hardly run
// since and still has the program of its parent, or one that starts daemons.
func starting(s *procstat.Stat) bool {
	const bootTime = 7
	var now syscall.Timespec
	syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, bootTime, uintptr(unsafe.Pointer(&now)), 0)
	if uint64(now.Sec)*100+uint64(now.Nsec)/10_000_000 < s.Started+youngTicks {
		return true
	}
	daemonizes := false
	switch string(s.Name) {
	case "nohup", "setsid", "daemonize", "start-stop-daem":
		daemonizes = true
	}
	return (s.State == 'R' || s.State == 'D') && s.CPU <= 1 && (s.Flags&forkedOnly != 0 || daemonizes)
}
