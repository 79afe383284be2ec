package proc

import (
	"bytes"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// watch looks for stopped children at every SIGCHLD, until Close. Only those
// waited for by pidfd need it, and only a terminal makes stops that concern us.
func (t *Table) watch() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return
	}
	quit := make(chan struct{})
	t.quit = quit
	chld := make(chan os.Signal, 1)
	signal.Notify(chld, syscall.SIGCHLD)
	go func() {
		defer signal.Stop(chld)
		for {
			select {
			case <-quit:
				return
			case <-chld:
				t.scan()
			}
		}
	}()
}

// scan takes up the stops of polled processes.
func (t *Table) scan() {
	var info unix.Siginfo
	err := unix.Waitid(unix.P_ALL, 0, &info, unix.WSTOPPED|unix.WNOHANG|unix.WNOWAIT, nil)
	if err != nil || info.Signo == 0 {
		return // the usual case: something ended, nothing stopped
	}
	continueStrays()
	t.mu.Lock()
	polled := append([]*Process(nil), t.polled...)
	t.mu.Unlock()
	for _, p := range polled {
		p.reap()
	}
	for _, p := range polled {
		t.term.stopped(t, p)
	}
}

// continueStrays continues children that were stopped before they became a
// program. A child between its fork and its exec still belongs to weft's own
// process group or has just left it: a Ctrl-Z for weft stops it too, nobody
// would continue it, and the thread that forked waits for it.
func continueStrays() {
	self, err := os.ReadFile("/proc/self/cmdline")
	if err != nil {
		return
	}
	lists, _ := filepath.Glob("/proc/self/task/*/children")
	for _, list := range lists {
		children, _ := os.ReadFile(list)
		for _, child := range strings.Fields(string(children)) {
			// It shares weft's memory until then.
			if line, err := os.ReadFile("/proc/" + child + "/cmdline"); err != nil || !bytes.Equal(line, self) {
				continue
			}
			if stat, _ := os.ReadFile("/proc/" + child + "/stat"); bytes.Contains(stat, []byte(") T ")) {
				pid, _ := strconv.Atoi(child)
				syscall.Kill(pid, syscall.SIGCONT)
			}
		}
	}
}

// stopped acts on the news that p was stopped, if there is any.
func (m *terminal) stopped(t *Table, p *Process) {
	p.g.mu.Lock()
	s := p.stopped
	p.stopped = 0
	p.g.mu.Unlock()
	switch s {
	case syscall.SIGTTIN, syscall.SIGTTOU:
		m.want(p.g, p.pgid)
	case syscall.SIGTSTP:
		m.suspend(t, p)
	}
}

// suspend follows the Ctrl-Z that stopped the terminal's owner: the rest of the
// run stops, then weft itself; when it is continued, all go on.
func (m *terminal) suspend(t *Table, p *Process) {
	groups := t.groups()
	m.mu.Lock()
	defer m.mu.Unlock()
	g := p.g
	if m.file.Load() == nil || m.owner != g || m.pgid != p.pgid {
		return // not the terminal's: somebody sent it this signal, and may continue it
	}
	mode, _ := unix.IoctlGetTermios(m.fd, unix.TCGETS)
	m.set(m.own, m.saved)
	for _, other := range groups {
		if other != g {
			other.each(syscall.SIGSTOP)
		}
	}
	m.owner, m.pgid = nil, 0
	m.stopSelf(syscall.SIGTSTP)
	for _, other := range groups {
		if other != g {
			other.each(syscall.SIGCONT)
		}
	}
	if m.foreground() && g.runs(p.pgid) {
		m.set(p.pgid, mode)
		m.owner, m.pgid = g, p.pgid
	}
	g.each(syscall.SIGCONT)
}

// stopSelf stops weft's own process group, as the kernel does, and returns when
// it was continued. It reports false if the signal had no effect: nobody could
// continue it (a session leader), or it is ignored.
func (m *terminal) stopSelf(s syscall.Signal) bool {
	cont := make(chan os.Signal, 1)
	signal.Notify(cont, syscall.SIGCONT)
	defer signal.Stop(cont)
	m.forking.Lock() // not while a child is between fork and exec
	syscall.Kill(0, s)
	m.forking.Unlock()
	// The signal may reach another thread a little later. Time passes while
	// stopped, so a second look follows the first.
	for range 2 {
		select {
		case <-cont:
			return true
		case <-time.After(50 * time.Millisecond):
		}
	}
	return false
}

// runs reports whether a process of g in that process group is still there.
func (g *Group) runs(pgid int) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.has(pgid)
}

// resume continues a process group of g.
func (g *Group) resume(pgid int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.has(pgid) {
		syscall.Kill(-pgid, syscall.SIGCONT)
	}
}

// hangUp does to a stopped process group what the kernel does to an orphaned one.
func (g *Group) hangUp(pgid int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.has(pgid) {
		signalGroup(pgid, syscall.SIGHUP)
	}
}

// tell notes that the Ctrl-C which killed p was seen by all that run beside it,
// and reports whether that is news.
func (g *Group) tell(p *Process) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if p.told || g.cause != nil {
		return false
	}
	for _, q := range g.procs {
		if q.pgid == p.pgid {
			q.told = true
		}
	}
	return true
}
