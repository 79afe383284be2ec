//go:build linux && (amd64 || arm64)

package keeper

import (
	"syscall"
	"unsafe"

	"github.com/weftrun/weft/internal/procstat"
)

// process is a living process below KEEPER.
type process struct {
	pid, ppid, pgid, sid int32
	name                 [memberName]byte
}

// walk finds processes below KEEPER, in /proc. It keeps its memory for reuse.
type walk struct {
	processes []process
	pids      []int32
	path      []byte
	text      []byte
	dirents   []byte
	scans     bool // the kernel has no lists of children
}

const scratch = 64 << 10

// from fills w.processes: with all processes below KEEPER if group is 0, or else with the
// group's programs, orphans that have its cookie or are in one of its process groups, and all
// descendants of these. A process whose parent ends during the walk becomes a child of
// KEEPER and may be missed, so the walk is repeated until none was.
func (w *walk) from(group uint32, cookie []byte) {
	if w.text == nil {
		w.text, w.dirents = make([]byte, scratch), make([]byte, 8<<10)
	}
	const most = 16
	for range most {
		w.once(group, cookie)
		if !w.missed(group, cookie) {
			return
		}
	}
}

// missed reports whether the walk has missed a child of KEEPER.
func (w *walk) missed(group uint32, cookie []byte) bool {
	for _, pid := range w.childrenOf(0) {
		if w.found(pid) {
			continue
		}
		if p, alive := w.readProcess(pid); alive && (group == 0 || w.belongs(&p, group, cookie)) {
			return true
		}
	}
	return false
}

func (w *walk) once(group uint32, cookie []byte) {
	w.processes = w.processes[:0]
	for _, pid := range w.childrenOf(0) {
		p, alive := w.readProcess(pid)
		if alive && (group == 0 || w.belongs(&p, group, cookie)) {
			w.processes = append(w.processes, p)
		}
	}
	for i := 0; i < len(w.processes); i++ {
		for _, pid := range w.childrenOf(w.processes[i].pid) {
			if p, alive := w.readProcess(pid); alive && !w.found(pid) {
				w.processes = append(w.processes, p)
			}
		}
	}
}

func (w *walk) found(pid int32) bool {
	for i := range w.processes {
		if w.processes[i].pid == pid {
			return true
		}
	}
	return false
}

// belongs reports whether a child of KEEPER belongs to the group.
func (w *walk) belongs(p *process, group uint32, cookie []byte) bool {
	k.lock.lock()
	is, known := false, false
	if at := k.find(p.pid); at >= 0 {
		is, known = k.children[at].group == group, true
	}
	for _, l := range k.leftovers {
		is = is || !known && l.pgid == p.pgid && l.group == group
	}
	k.lock.unlock()
	return is || !known && len(cookie) > 0 && w.carries(p.pid, cookie)
}

// childrenOf returns the children of pid, until the next call. 0 means KEEPER.
func (w *walk) childrenOf(pid int32) []int32 {
	w.pids = w.pids[:0]
	w.appendChildren(pid)
	return w.pids
}

// appendChildren appends the children of pid to w.pids.
func (w *walk) appendChildren(pid int32) {
	if w.scans {
		w.scan(pid)
		return
	}
	w.path = append(w.path[:0], "/proc/"...)
	if pid == 0 {
		w.path = append(w.path, "self"...)
	} else {
		w.path = appendInt(w.path, pid)
	}
	w.path = append(w.path, "/task/"...)
	base := len(w.path)
	w.path = append(w.path, 0)
	dir := openAt(&w.path[0], syscall.O_DIRECTORY)
	if dir < 0 {
		return
	}
	w.eachNumber(dir, func(name []byte) {
		w.path = append(append(w.path[:base], name...), "/children\x00"...)
		w.appendPids()
	})
	closeFD(dir)
	if pid == 0 && w.scans {
		w.scan(0)
	}
}

// scan is appendChildren for kernels without lists of children: it looks at all processes.
func (w *walk) scan(parent int32) {
	if parent == 0 {
		r, _, _ := syscall.RawSyscall(syscall.SYS_GETPID, 0, 0, 0)
		parent = int32(r)
	}
	dir := openAt(unsafe.StringData("/proc\x00"), syscall.O_DIRECTORY)
	if dir < 0 {
		return
	}
	w.eachNumber(dir, func(name []byte) {
		var pid int32
		for _, c := range name {
			pid = pid*10 + int32(c-'0')
		}
		if p, _ := w.readProcess(pid); p.ppid == parent {
			w.pids = append(w.pids, pid)
		}
	})
	closeFD(dir)
}

// eachNumber calls visit with each name in a directory that is a number.
func (w *walk) eachNumber(dir int, visit func(name []byte)) {
	for {
		n, _, e := syscall.RawSyscall(syscall.SYS_GETDENTS64, uintptr(dir), uintptr(unsafe.Pointer(&w.dirents[0])), uintptr(len(w.dirents)))
		if e != 0 || n == 0 {
			return
		}
		for b := w.dirents[:n]; len(b) > 19; {
			size := int(b[16]) | int(b[17])<<8
			name := b[19:size]
			end := 0
			for name[end] >= '0' && name[end] <= '9' {
				end++
			}
			if end > 0 && name[end] == 0 {
				visit(name[:end])
			}
			b = b[size:]
		}
	}
}

// appendPids appends the numbers in the file w.path.
func (w *walk) appendPids() {
	fd := openAt(&w.path[0], 0)
	if fd < 0 {
		// The threads of KEEPER itself do not end.
		w.scans = w.scans || fd == -int(syscall.ENOENT) && w.path[len("/proc/")] == 's'
		return
	}
	var pid int32
	for {
		n := read(fd, w.text)
		if n <= 0 {
			break
		}
		for _, c := range w.text[:n] {
			if c >= '0' && c <= '9' {
				pid = pid*10 + int32(c-'0')
			} else if pid != 0 {
				w.pids = append(w.pids, pid)
				pid = 0
			}
		}
	}
	if pid != 0 {
		w.pids = append(w.pids, pid)
	}
	closeFD(fd)
}

// file reads the beginning of /proc/PID/name; name ends with a zero byte.
func (w *walk) file(pid int32, name string) []byte {
	w.path = append(appendInt(append(w.path[:0], "/proc/"...), pid), name...)
	fd := openAt(&w.path[0], 0)
	if fd < 0 {
		return nil
	}
	n := max(read(fd, w.text), 0)
	closeFD(fd)
	return w.text[:n]
}

// readProcess returns the process with this id. A zombie is not alive.
func (w *walk) readProcess(pid int32) (p process, alive bool) {
	s, ok := procstat.Parse(w.file(pid, "/stat\x00"))
	if !ok {
		return p, false
	}
	p = process{pid: pid, ppid: s.Parent, pgid: s.Group, sid: s.Session}
	copy(p.name[:memberName-1], s.Name)
	return p, !s.Dead()
}

const stepVariable = "WEFT_STEP_ID="

// carries reports whether the process has the cookie in its environment: in a list with one
// element for each weft around it.
func (w *walk) carries(pid int32, cookie []byte) bool {
	w.path = append(appendInt(append(w.path[:0], "/proc/"...), pid), "/environ\x00"...)
	fd := openAt(&w.path[0], 0)
	if fd < 0 {
		return false
	}
	defer closeFD(fd)
	const (
		name  = iota // comparing the name; at is how much is equal
		skip         // in another variable
		value        // comparing an element
		other        // in another element
	)
	state, at := name, 0
	for {
		n := read(fd, w.text)
		if n <= 0 {
			return state == value && at == len(cookie)
		}
		for _, c := range w.text[:n] {
			switch {
			case c == 0:
				if state == value && at == len(cookie) {
					return true
				}
				state, at = name, 0
			case state == name && c == stepVariable[at]:
				if at++; at == len(stepVariable) {
					state, at = value, 0
				}
			case state == name:
				state = skip
			case c == ':' && (state == value || state == other):
				if state == value && at == len(cookie) {
					return true
				}
				state, at = value, 0
			case state == value && at < len(cookie) && c == cookie[at]:
				at++
			case state == value:
				state = other
			}
		}
	}
}

func appendInt(b []byte, n int32) []byte {
	var digits [10]byte
	i := len(digits)
	for {
		i--
		digits[i] = byte('0' + n%10)
		if n /= 10; n == 0 {
			return append(b, digits[i:]...)
		}
	}
}
