//go:build linux && (amd64 || arm64)

package keeper

import (
	"syscall"
	"unsafe"
)

// child is a program that was started on request and is not reaped.
type child struct {
	id, group uint32
	pid, pgid int32
	outlives  bool
}

// news is what became of a process that is none of the children: an orphan, or
// one whose start has not returned yet.
type news struct {
	pid    int32
	status uint32
	usage  syscall.Rusage
}

// leftGroup is a process group whose known members have all ended, while it
// still had others.
type leftGroup struct {
	group uint32
	pgid  int32
}

// keeper is the state of the process. The lock guards what both threads use;
// slices keep their memory and grow to the most that was ever needed.
type keeper struct {
	lock     spin
	children []child
	early    []news
	left     []leftGroup

	started bell // a child is there, or will be: the reaper looks again
	reaped  bell // something has ended: who sweeps looks again

	// Of the thread that serves requests.
	spawn    spawn
	environs [Environs]environ
	pointers []*byte
	out      []byte
	walk     walk
}

// environ is a base environment: its texts, and where each begins.
type environ struct {
	texts    []byte // mapped
	pointers []*byte
}

var k keeper

// serve is KEEPER. It returns only by ending the process.
func serve() {
	prepare()
	go k.reap()
	in := make([]byte, MaxMessage+4096)
	var rights [64]byte
	for {
		n, files, ok := receive(in, &rights)
		if !ok {
			k.sweep(nil)
		}
		k.handle(in[:n], files)
		for _, fd := range files {
			closeFD(int(fd))
		}
	}
}

// receive returns the size of the next request and the descriptors that came
// with it. It is not ok when ENGINE is gone.
func receive(in []byte, rights *[64]byte) (n int, files []int32, ok bool) {
	iov := syscall.Iovec{Base: &in[0]}
	iov.SetLen(len(in))
	h := syscall.Msghdr{Iov: &iov, Iovlen: 1, Control: &rights[0]}
	for {
		h.SetControllen(len(rights))
		r, _, e := syscall.RawSyscall(syscall.SYS_RECVMSG, Control, uintptr(unsafe.Pointer(&h)), syscall.MSG_CMSG_CLOEXEC)
		if e == syscall.EINTR {
			continue
		}
		if e != 0 || r == 0 {
			return 0, nil, false
		}
		n = int(r)
		break
	}
	if h.Controllen >= syscall.SizeofCmsghdr {
		c := (*syscall.Cmsghdr)(unsafe.Pointer(&rights[0]))
		if c.Level == syscall.SOL_SOCKET && c.Type == syscall.SCM_RIGHTS {
			count := (int(c.Len) - syscall.SizeofCmsghdr) / 4
			files = unsafe.Slice((*int32)(unsafe.Pointer(&rights[syscall.SizeofCmsghdr])), count)
		}
	}
	return n, files, true
}

// handle does what a request asks. A malformed one is dropped: both ends are
// the same binary.
func (k *keeper) handle(b []byte, files []int32) {
	switch {
	case b[0] == reqStart && len(b) >= startFixed:
		k.handleStart(b, files)
	case b[0] == reqEnviron && len(b) >= environFixed:
		k.remember(b, files)
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

// texts takes count texts that end with zero bytes off b. It returns where
// each begins, appended to to, and the rest; to is nil if b is too short.
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

// handleStart starts a program.
func (k *keeper) handleStart(b []byte, files []int32) {
	s := &k.spawn
	flags := StartFlags(b[1])
	c := child{id: get32(b[2:]), group: get32(b[6:]), outlives: flags&Outlives != 0}
	base := &k.environs[get32(b[10:])%Environs]
	argc, extra := int(get32(b[14:])), int(get32(b[18:]))
	b = b[startFixed:]
	if flags&Spilled != 0 && len(files) == 4 {
		b = mapped(int(files[3]))
		defer unmap(b)
	}
	if len(files) < 3 {
		return
	}
	p, b := texts(k.pointers[:0], b, 2+argc)
	if p == nil {
		k.failed(c.id, syscall.EINVAL)
		return
	}
	p = append(p, nil)
	env := len(p)
	p = append(p, base.pointers...)
	if p, _ = texts(p, b, extra); p == nil {
		k.failed(c.id, syscall.EINVAL)
		return
	}
	p = append(p, nil)
	k.pointers = p
	s.path, s.dir, s.argv, s.envp = p[0], p[1], &p[2], &p[env]
	if *s.dir == 0 {
		s.dir = nil
	}
	s.files = [3]int32(files[:3])
	s.foreground, s.outlives = flags&Foreground != 0, c.outlives

	s.pgid = k.groupOf(c.group)
	pid, errno := s.start()
	if errno == syscall.EPERM && pid != 0 && !s.joined {
		// The process group was gone just then.
		k.adopt(child{pid: pid})
		s.pgid = 0
		pid, errno = s.start()
	}
	if errno != 0 {
		if pid != 0 {
			k.adopt(child{pid: pid})
		}
		k.failed(c.id, errno)
		return
	}
	c.pid, c.pgid = pid, s.pgid
	if c.pgid == 0 {
		c.pgid = pid
	}
	if flags&WantStarted != 0 {
		k.out = put32(put32(put32(append(k.out[:0], RepStarted), c.id), uint32(c.pid)), uint32(c.pgid))
		send(k.out)
	}
	k.adopt(c)
}

// groupOf returns a process group of group that is sure to exist, or 0. It is
// called right before a start: news from before that is not of what starts.
func (k *keeper) groupOf(group uint32) int32 {
	k.lock.lock()
	defer k.lock.unlock()
	k.early = k.early[:0]
	for i := len(k.children) - 1; i >= 0; i-- {
		if k.children[i].group == group {
			return k.children[i].pgid
		}
	}
	return 0
}

// adopt enters c among the children, unless it has ended already. A child
// without an id is reaped without a word.
func (k *keeper) adopt(c child) {
	k.lock.lock()
	defer k.lock.unlock()
	kept := k.early[:0]
	stop, over := uint32(0), false
	for i := range k.early {
		e := &k.early[i]
		switch w := syscall.WaitStatus(e.status); {
		case e.pid != c.pid:
			kept = append(kept, *e)
		case w.Stopped():
			stop = uint32(w.StopSignal())
		case w.Continued():
			stop = 0
		default:
			over = true
			if c.id != 0 {
				k.out = reportEnd(k.out[:0], &c, e.status, &e.usage, kill(-c.pgid, 0) == 0)
				send(k.out)
			}
		}
	}
	k.early = kept
	if over {
		return
	}
	if stop != 0 && c.id != 0 {
		k.out = put32(put32(append(k.out[:0], RepStopped), c.id), stop)
		send(k.out)
	}
	k.children = append(k.children, c)
	k.started.ring()
}

func (k *keeper) failed(id uint32, errno syscall.Errno) {
	k.out = put32(put32(append(k.out[:0], RepFailed), id), uint32(errno))
	send(k.out)
}

func reportEnd(b []byte, c *child, status uint32, u *syscall.Rusage, left bool) []byte {
	b = put32(append(b, RepEnded), c.id)
	b = put32(put32(put32(b, uint32(c.pid)), uint32(c.pgid)), status)
	b = put64(put64(b, micros(u.Utime)), micros(u.Stime))
	b = put64(b, uint64(u.Maxrss))
	if left {
		return append(b, 1)
	}
	return append(b, 0)
}

func micros(t syscall.Timeval) uint64 { return uint64(t.Sec)*1e6 + uint64(t.Usec) }

// send sends a report. Nobody listening is found out by receive.
func send(b []byte) {
	for {
		_, _, e := syscall.RawSyscall6(syscall.SYS_SENDTO, Control, uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), syscall.MSG_NOSIGNAL, 0, 0)
		if e != syscall.EINTR {
			return
		}
	}
}

// remember keeps a base environment.
func (k *keeper) remember(b []byte, files []int32) {
	e := &k.environs[get32(b[2:])%Environs]
	count := int(get32(b[6:]))
	src := b[environFixed:]
	if StartFlags(b[1])&Spilled != 0 && len(files) == 1 {
		src = mapped(int(files[0]))
		defer unmap(src)
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

// mapped returns the content of a file.
func mapped(fd int) []byte {
	const seekEnd = 2
	size, _, e := syscall.RawSyscall(syscall.SYS_LSEEK, uintptr(fd), 0, seekEnd)
	if e != 0 || size == 0 {
		return nil
	}
	return mmap(int(size), syscall.MAP_PRIVATE, fd)
}

// anonymous returns n bytes that do not count for the garbage collector.
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
