//go:build linux && (amd64 || arm64)

package keeper

import (
	"runtime"
	"sync/atomic"
	"syscall"
	"unsafe"
)

// child is a program that was not reaped yet.
type child struct {
	id, group uint32
	pid, pgid int32
	announce  bool // report when exec has succeeded
	launch    *launch
}

// leftover is a process group whose programs have all ended, and which had other members.
type leftover struct {
	group uint32
	pgid  int32
}

// keeper is the state of the process. Slices keep their memory for reuse.
type keeper struct {
	lock      mutex // guards the next three
	children  []child
	leftovers []leftover
	continues uint32 // signals that continued programs

	started notifier // when a child was made, for the reaper
	reaped  notifier // when a child has changed, for sweep
	idle    idle

	// Used by the reaper alone.
	waited siginfo // the child that has changed

	// Used by the thread that serves requests alone.
	launches []*launch
	noClone3 bool   // the kernel, or a filter, refuses clone3
	mask     uint64 // signals that are blocked when a program starts
	environs [MaxEnvirons]environ
	out      []byte
	walk     walk
}

// environ is a base environment: its texts, and pointers to each of them.
type environ struct {
	texts    []byte // mapped
	pointers []*byte
}

var k keeper

// serve is the main function of KEEPER. It never returns.
func serve() {
	prepare()
	k.idle.prepare()
	go k.reap()
	k.blockSignals()
	useShortSlices()
	var rights rights
	for {
		l := k.free()
		n, files, ok := k.receive(l.request, &rights)
		if !ok {
			k.sweep(nil)
		}
		k.handle(l, l.request[:n], files)
		for _, fd := range files {
			closeFD(int(fd))
		}
	}
}

// rights is the control message of a request. It holds the descriptors of a program, and
// perhaps those of the file cgroup.procs and of a file with its texts.
type rights struct {
	header syscall.Cmsghdr
	files  [maxFiles + 2]int32
}

// receive reads a request into in. It returns its size and the descriptors sent with it; ok is
// false when ENGINE has ended.
func (k *keeper) receive(in []byte, rights *rights) (n int, files []int32, ok bool) {
	iov := syscall.Iovec{Base: &in[0]}
	iov.SetLen(len(in))
	h := syscall.Msghdr{Iov: &iov, Iovlen: 1, Control: (*byte)(unsafe.Pointer(rights))}
	for {
		h.SetControllen(int(unsafe.Sizeof(*rights)))
		r, _, e := syscall.RawSyscall(syscall.SYS_RECVMSG, Control, uintptr(unsafe.Pointer(&h)), syscall.MSG_CMSG_CLOEXEC)
		if e == syscall.EINTR {
			continue
		}
		if e == syscall.EAGAIN {
			k.idle.untilRequest()
			continue
		}
		if e != 0 || r == 0 {
			return 0, nil, false
		}
		n = int(r)
		break
	}
	if c := &rights.header; h.Controllen >= syscall.SizeofCmsghdr && c.Level == syscall.SOL_SOCKET && c.Type == syscall.SCM_RIGHTS {
		files = rights.files[:(int(c.Len)-syscall.SizeofCmsghdr)/4]
	}
	return n, files, true
}

// handle handles a request. It ignores a malformed one: both sides are the same binary.
func (k *keeper) handle(l *launch, b []byte, files []int32) {
	switch {
	case b[0] == reqStart && len(b) >= startFixed:
		k.handleStart(l, b, files)
	case b[0] == reqEnviron && len(b) >= environFixed:
		k.setEnviron(b, files)
	case b[0] == reqSignal && len(b) > 16:
		k.signal(&Signal{Scope: Scope(b[1]), Signal: b[2], Cont: b[3] != 0, Target: get32(b[4:]), Only: int32(get32(b[8:])), Skip: int32(get32(b[12:]))}, b[16:])
	case b[0] == reqMembers && len(b) > 9:
		k.members(get32(b[1:]), get32(b[5:]), b[9:])
	case b[0] == reqFinish && len(b) >= 5:
		if k.childless() {
			exit()
		}
		k.members(get32(b[1:]), 0, []byte{0})
	case b[0] == reqPids && len(b) >= 6:
		k.walk.from(0, nil)
		for i := 6; i+4 <= len(b); i += 4 {
			if p := int32(get32(b[i:])); k.walk.found(p) {
				kill(p, b[1])
			}
		}
	case b[0] == reqEnd && len(b) >= 6:
		keep := make([]int32, 0, 16)
		for i := 6; i+4 <= len(b); i += 4 {
			keep = append(keep, int32(get32(b[i:])))
		}
		k.sweep(keep)
	}
}

// texts reads count texts, each with a zero byte at its end, from b. It appends pointers to
// them to to, and returns that and the rest of b. It returns nil if b is too short.
//
//go:noinline
func texts(to []*byte, b []byte, count int) ([]*byte, []byte) {
	for range count {
		end := 0
		for end < len(b) && b[end] != 0 {
			end++
		}
		if end == len(b) {
			return nil, nil
		}
		to = append(to, &b[0])
		b = b[end+1:]
	}
	return to, b
}

// handleStart starts a program with l, which holds the request b.
func (k *keeper) handleStart(l *launch, b []byte, files []int32) {
	flags := StartFlags(b[1])
	c := child{id: get32(b[2:]), group: get32(b[6:]), announce: flags&WantStarted != 0, launch: l}
	base := &k.environs[get32(b[10:])%MaxEnvirons]
	argc, extra := int(get32(b[14:])), int(get32(b[18:]))
	b = b[startFixed:]
	spilled := int32(-1)
	if last := len(files) - 1; flags&Spilled != 0 && last >= 0 {
		files, spilled = files[:last], files[last]
	}
	l.setup.cgroup = -1
	if last := len(files) - 1; flags&InCgroup != 0 && last >= 0 {
		files, l.setup.cgroup = files[:last], files[last]
	}
	if len(files) < 3 || len(files) > maxFiles || len(b) < 4*(len(files)-3) {
		return
	}
	b = l.program.open(files, b)
	if spilled >= 0 {
		l.spilled = mapped(int(spilled))
		b = l.spilled
	}
	p, b := texts(l.pointers[:0], b, 2+argc)
	if p == nil {
		k.failed(c.id, syscall.EINVAL)
		return
	}
	p = append(p, nil)
	env := len(p)
	p = append(p, base.pointers...)
	if p, b = texts(p, b, extra); p == nil {
		k.failed(c.id, syscall.EINVAL)
		return
	}
	if l.program.hasSetup = flags&HasSetup != 0; l.program.hasSetup {
		if !l.setup.read(b) {
			k.failed(c.id, syscall.EINVAL)
			return
		}
		if l.setup.parts&setupListenPID != 0 {
			p = append(p[:env], l.setup.environ(p[env:])...)
		}
	}
	p = append(p, nil)
	l.pointers = p
	l.program.path, l.program.dir, l.program.argv, l.program.envp = p[0], p[1], &p[2], &p[env]
	l.program.pgid, l.program.foreground, l.program.outlives, l.program.session = 0, flags&Foreground != 0, flags&Outlives != 0, flags&Session != 0
	if *p[1] == 0 {
		l.program.dir = nil
	}

	// The lock keeps children from being reaped: a process group that has a child can
	// be joined, and the new child is known before its end is collected.
	dumpable := l.dumpable()
	k.lock.lock()
	if !l.program.session {
		l.program.pgid = k.groupOf(c.group)
	}
	c.pid = l.start(k)
	if c.pid > 0 {
		if c.pgid = c.pid; !l.program.session {
			c.pgid = joinGroup(c.pid, l.program.pgid)
		}
		l.id = c.id
		k.children = append(k.children, c)
	}
	k.lock.unlock()
	if c.pid < 0 {
		k.failed(c.id, syscall.Errno(-c.pid))
		return
	}
	k.started.notify()
	l.restoreDumpable(dumpable)
	if c.announce {
		l.wait()
		if atomic.LoadUint32(&l.errno) == 0 {
			k.lock.lock()
			if at := k.find(c.pid); at >= 0 {
				k.children[at].reportStarted()
			}
			k.lock.unlock()
		}
	}
}

// open sets the program's files. The numbers of further ones are at the beginning of b; open
// returns the rest of b.
func (p *program) open(files []int32, b []byte) []byte {
	p.count = len(files)
	highest := int32(2)
	for i, fd := range files {
		number := int32(i)
		if i > 2 {
			number, b = int32(get32(b)), b[4:]
		}
		p.files[i] = file{fd, number}
		highest = max(highest, number)
	}
	// The child duplicates one after the other, so none may have the number of another's
	// target.
	for i := 3; i < len(files); i++ {
		if files[i] > highest {
			continue
		}
		if fd, _, e := syscall.RawSyscall(syscall.SYS_FCNTL, uintptr(files[i]), syscall.F_DUPFD_CLOEXEC, uintptr(highest+1)); e == 0 {
			closeFD(int(files[i]))
			files[i], p.files[i].fd = int32(fd), int32(fd)
		}
	}
	return b
}

// reportStarted reports once that the exec of c has succeeded. The caller holds the
// keeper's lock.
func (c *child) reportStarted() {
	if c.announce {
		c.announce = false
		b := make([]byte, 0, 16)
		send(put32(append(b, RepStarted), c.id, uint32(c.pid), uint32(c.pgid)))
	}
}

// groupOf returns the process group of a child of group, or 0. The caller holds k.lock.
func (k *keeper) groupOf(group uint32) int32 {
	for i := len(k.children) - 1; i >= 0; i-- {
		if k.children[i].group == group {
			return k.children[i].pgid
		}
	}
	return 0
}

// find returns the index of a child, or -1. The caller holds k.lock.
func (k *keeper) find(pid int32) int {
	for i := range k.children {
		if k.children[i].pid == pid {
			return i
		}
	}
	return -1
}

// joinGroup moves a new child to its process group and returns that. The child does the
// same itself, but perhaps only after another child needs to join the group.
func joinGroup(pid, pgid int32) int32 {
	for _, to := range [2]int32{pgid, 0} {
		if _, _, e := syscall.RawSyscall(syscall.SYS_SETPGID, uintptr(pid), uintptr(to), 0); e == 0 {
			if to == 0 {
				return pid
			}
			return to
		}
	}
	// Its exec has succeeded, so it has moved itself.
	r, _, _ := syscall.RawSyscall(syscall.SYS_GETPGID, uintptr(pid), 0, 0)
	return int32(r)
}

func (k *keeper) failed(id uint32, errno syscall.Errno) {
	k.out = reportFailed(k.out[:0], id, StageExec, errno)
	send(k.out)
}

func reportFailed(b []byte, id uint32, stage Stage, errno syscall.Errno) []byte {
	return append(put32(append(b, RepFailed), id, uint32(errno)), byte(stage))
}

func reportEnd(b []byte, c *child, status uint32, u *syscall.Rusage, hasLeftovers bool) []byte {
	b = put32(append(b, RepEnded), c.id, uint32(c.pid), uint32(c.pgid), status)
	b = put64(put64(put64(b, micros(u.Utime)), micros(u.Stime)), uint64(u.Maxrss))
	if hasLeftovers {
		return append(b, 1)
	}
	return append(b, 0)
}

func micros(t syscall.Timeval) uint64 { return uint64(t.Sec)*1e6 + uint64(t.Usec) }

// send sends a report. If ENGINE has ended, receive detects it.
func send(b []byte) {
	for {
		_, _, e := syscall.RawSyscall6(syscall.SYS_SENDTO, Control, uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), syscall.MSG_NOSIGNAL, 0, 0)
		if e != syscall.EINTR {
			return
		}
		runtime.Gosched() // see rawCall
	}
}

// setEnviron stores a base environment.
func (k *keeper) setEnviron(b []byte, files []int32) {
	e := &k.environs[get32(b[2:])%MaxEnvirons]
	count := int(get32(b[6:]))
	src := b[environFixed:]
	if StartFlags(b[1])&Spilled != 0 && len(files) == 1 {
		src = mapped(int(files[0]))
		defer unmap(src)
	}
	for _, l := range k.launches {
		l.wait() // it may use the old one
	}
	unmap(e.texts)
	e.pointers = e.pointers[:0]
	if e.texts = anonymous(len(src)); e.texts == nil {
		return
	}
	copy(e.texts, src)
	if p, _ := texts(e.pointers, e.texts, count); p != nil {
		e.pointers = p
	}
}

// mapped returns the content of a file, by mmap(2).
func mapped(fd int) []byte {
	const seekEnd = 2
	size, _, e := syscall.RawSyscall(syscall.SYS_LSEEK, uintptr(fd), 0, seekEnd)
	if e != 0 || size == 0 {
		return nil
	}
	return mmap(int(size), syscall.MAP_PRIVATE, fd)
}

// anonymous returns n bytes outside of the Go heap.
func anonymous(n int) []byte {
	if n == 0 {
		return nil
	}
	return mmap(n, syscall.MAP_PRIVATE|syscall.MAP_ANON, -1)
}

func mmap(n, flags, fd int) []byte {
	r, _, e := syscall.RawSyscall6(syscall.SYS_MMAP, 0, uintptr(n), syscall.PROT_READ|syscall.PROT_WRITE, uintptr(flags), uintptr(fd), 0)
	if e != 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Add(unsafe.Pointer(nil), r)), n)
}

func unmap(b []byte) {
	if b != nil {
		syscall.RawSyscall(syscall.SYS_MUNMAP, uintptr(unsafe.Pointer(&b[0])), uintptr(cap(b)), 0)
	}
}
