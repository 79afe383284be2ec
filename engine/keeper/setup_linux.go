//go:build linux && (amd64 || arm64)

package keeper

import (
	"sync/atomic"
	"syscall"
	"unsafe"
)

// setup is a Setup for the child to use. Its memory does not move until exec.
type setup struct {
	parts    byte
	limits   [MaxLimits]rlimit
	resource [MaxLimits]uint32
	count    int // of limits
	nice     int32
	uid, gid uint32
	groups   *byte // of 4 bytes each, in the request
	ngroups  int
	cgroup   int32 // the file cgroup.procs of a control group to join; -1 means none
	// listenPID is the variable. The child completes it.
	listenPID [len(listenPID) + 12]byte
}

// rlimit is struct rlimit64.
type rlimit struct{ soft, hard uint64 }

const (
	listenPID     = "LISTEN_PID="
	prGetDumpable = 3
	prSetDumpable = 4
	maxSetupCalls = MaxLimits + 6
)

// read reads the output of appendSetup. It reports whether b is complete.
func (s *setup) read(b []byte) bool {
	if len(b) < 6 || b[1] > MaxLimits || len(b) < 6+int(b[1])*limitSize {
		return false
	}
	s.parts, s.count, s.nice = b[0], int(b[1]), int32(get32(b[2:]))
	b = b[6:]
	for i := range s.count {
		s.resource[i], s.limits[i] = get32(b), rlimit{get64(b[4:]), get64(b[12:])}
		b = b[limitSize:]
	}
	if s.parts&setupUser != 0 {
		if len(b) < 12 {
			return false
		}
		s.uid, s.gid, s.ngroups = get32(b), get32(b[4:]), int(get32(b[8:]))
		if b = b[12:]; s.ngroups > MaxGroups || len(b) < 4*s.ngroups {
			return false
		}
		s.groups = unsafe.SliceData(b)
	}
	return true
}

// environ returns the environment with a variable LISTEN_PID that the child completes, in
// place of any other.
func (s *setup) environ(env []*byte) []*byte {
	kept := env[:0]
	for _, kv := range env {
		if !hasPrefix(kv, listenPID) {
			kept = append(kept, kv)
		}
	}
	s.listenPID = [len(s.listenPID)]byte{}
	copy(s.listenPID[:], listenPID)
	return append(kept, &s.listenPID[0])
}

// hasPrefix reports whether a text that ends with a zero byte begins with prefix.
func hasPrefix(text *byte, prefix string) bool {
	for i := range len(prefix) {
		if *(*byte)(unsafe.Add(unsafe.Pointer(text), i)) != prefix[i] {
			return false
		}
	}
	return true
}

// composeSetup adds the calls of the set-up. Limits are set while the child may still raise
// them, and its identity is the last thing to change.
func (l *launch) composeSetup() {
	s := &l.setup
	for i := range s.count {
		l.addStage(StageLimit+Stage(s.resource[i]), syscall.SYS_PRLIMIT64, 0, uintptr(s.resource[i]), uintptr(unsafe.Pointer(&s.limits[i])), 0)
	}
	if s.parts&setupNice != 0 {
		l.addStage(StageNice, syscall.SYS_SETPRIORITY, 0, 0, uintptr(int(s.nice)))
	}
	if s.parts&setupListenPID != 0 {
		// The kernel makes this link lead to the process id in decimal.
		dir := atFDCWD
		value := unsafe.Pointer(&s.listenPID[len(listenPID)])
		l.addStage(StageListenPID, syscall.SYS_READLINKAT, uintptr(dir), uintptr(unsafe.Pointer(unsafe.StringData("/proc/self\x00"))), uintptr(value), uintptr(len(s.listenPID)-len(listenPID)-1))
	}
	if s.parts&setupUser != 0 {
		l.addStage(StageGroups, syscall.SYS_SETGROUPS, uintptr(s.ngroups), uintptr(unsafe.Pointer(s.groups)))
		l.addStage(StageGID, syscall.SYS_SETRESGID, uintptr(s.gid), uintptr(s.gid), uintptr(s.gid))
		l.addStage(StageUID, syscall.SYS_SETRESUID, uintptr(s.uid), uintptr(s.uid), uintptr(s.uid))
	}
}

// addStage adds a call that must succeed.
func (l *launch) addStage(s Stage, number uintptr, args ...uintptr) {
	l.add(must, number, args...)
	l.script[l.calls-1].stage = uintptr(s)
}

// dumpable returns the flag for restoreDumpable.
func (l *launch) dumpable() uintptr {
	if !l.changesUser() {
		return 0
	}
	r, _, _ := syscall.RawSyscall(syscall.SYS_PRCTL, prGetDumpable, 0, 0)
	return r
}

// restoreDumpable makes KEEPER readable in /proc again. A child that takes another identity
// still shares KEEPER's memory until exec. The kernel protects that memory from the other
// user by a flag that stays with KEEPER, and that must not be taken back before the child
// has memory of its own.
func (l *launch) restoreDumpable(flag uintptr) {
	if l.changesUser() {
		l.wait()
		syscall.RawSyscall(syscall.SYS_PRCTL, prSetDumpable, flag, 0)
	}
}

// changesUser reports whether the program runs as another user.
func (l *launch) changesUser() bool { return l.program.hasSetup && l.setup.parts&setupUser != 0 }

// failure returns the stage and the error of a launch that has failed, and makes it free.
// The error is 0 if it has not failed.
func (l *launch) failure() (Stage, syscall.Errno) {
	stage := StageExec
	if atomic.LoadUint32(&l.errno) != 0 {
		first := uintptr(unsafe.Pointer(&l.script))
		stage = Stage(l.script[(l.failed-first)/unsafe.Sizeof(call{})].stage)
	}
	return stage, syscall.Errno(atomic.SwapUint32(&l.errno, 0))
}
