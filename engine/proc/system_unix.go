//go:build unix

package proc

import (
	"bytes"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// prepare must be called before the first child is started. Children do not inherit the
// descriptors above 2 that weft was started with, except those of a make that weft runs
// under. Signals that were ignored at the start stay ignored in children: Go does that for
// SIGINT and SIGHUP; the & of a shell ignores SIGQUIT together with SIGINT, which Go hides.
func prepare() {
	next := 3
	for _, fd := range jobserver(os.Getenv("MAKEFLAGS")) {
		closeOnExec(next, fd-1)
		next = max(next, fd+1)
	}
	closeOnExec(next, -1)
	if signal.Ignored(syscall.SIGINT) {
		signal.Ignore(syscall.SIGQUIT)
	}
}

// jobserver returns the descriptors of make's jobserver, in ascending order.
func jobserver(flags string) []int {
	for f := range strings.FieldsSeq(flags) {
		name, value, _ := strings.Cut(f, "=")
		if name != "--jobserver-auth" && name != "--jobserver-fds" {
			continue
		}
		r, w, _ := strings.Cut(value, ",")
		a, errA := strconv.Atoi(r)
		b, errB := strconv.Atoi(w)
		if errA == nil && errB == nil && a > 2 && b > 2 { // otherwise it is a named pipe, or there is none
			return []int{min(a, b), max(a, b)}
		}
	}
	return nil
}

// statusOf returns the status of a program that has ended.
func statusOf(w syscall.WaitStatus, usage Usage) Status {
	s := Status{Code: w.ExitStatus(), Usage: usage}
	if w.Signaled() {
		s.Signal = w.Signal()
		s.Code = 128 + int(s.Signal)
	}
	return s
}

// session returns the id of weft's session.
func session() string {
	sid, _ := unix.Getsid(0)
	return strconv.Itoa(sid)
}

// hangupIgnored reports whether weft was started with SIGHUP ignored, and so all programs
// ignore it.
var hangupIgnored = sync.OnceValue(func() bool { return signal.Ignored(syscall.SIGHUP) })

// noteNohup records that g uses nohup, if argv or a script in it mentions nohup. That matters
// only if all programs ignore SIGHUP: otherwise a process that nohup has started is
// recognised by that.
func (g *Group) noteNohup(dir string, argv []string) {
	if !hangupIgnored() {
		return
	}
	for _, arg := range argv {
		if strings.Contains(arg, nohup) || mentions(filepath.Join(dir, arg)) || mentions(arg) {
			g.t.mu.Lock()
			g.t.nohup = append(g.t.nohup, g)
			g.t.mu.Unlock()
			return
		}
	}
}

const nohup = "nohup"

// mentions reports whether the first 64 KiB of a script mention nohup.
func mentions(file string) bool {
	info, err := os.Stat(file)
	if err != nil || !info.Mode().IsRegular() {
		return false
	}
	f, err := os.Open(file)
	if err != nil {
		return false
	}
	defer f.Close()
	b, _ := io.ReadAll(io.LimitReader(f, 64<<10))
	return bytes.IndexByte(b, 0) < 0 && bytes.Contains(b, []byte(nohup))
}
