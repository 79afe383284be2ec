// Package proc owns operating-system processes: it starts them, signals them,
// walks the stop ladder and lends them the terminal. It knows nothing of tasks,
// commands or shells, and its callers know nothing of process ids.
//
// A [Table] holds all processes of a run, a [Group] those of one step:
//
//	        Start                last process reaped
//	idle ───────────▶ running ───────────────────────▶ idle
//	  │                  │ Stop(cause, ladder)           │
//	  └──────────────────┴───────────────┬───────────────┘
//	                                     ▼
//	                                  refused   (sticky: Start returns cause)
//	                                     │ signal, then after Grace: SIGKILL
//	                                     ▼
//	                                   Close    then what is left is killed
//
// # How a process is waited for
//
// Three ways were measured with 1,000 tiny programs from three goroutines on
// two CPUs, against a C loop of posix_spawn with two in flight: a blocking wait
// per child (1.17 of C's wall time, 1.12 of its CPU time), a pidfd in Go's
// poller (1.20, 1.21) and a wait without blocking after every SIGCHLD (1.18,
// 1.21). Blocking is cheapest but costs a thread per child; a pidfd costs no
// thread. So the first few children are waited for by blocking, and those above
// by pidfd: short programs, which run few at a time, get the cheap way, and a
// thousand services do not make a thousand threads. BenchmarkStart keeps the
// figure.
//
// # Who may be signalled
//
// A process id means something only until its process is reaped. Reaping and
// signalling therefore happen under the group's lock, and a process group is
// signalled only while it has a member that was not reaped, or was seen to have
// members left right after its last known one was.
package proc

import (
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Options configure a Table. The zero value is usable: no terminal, real time.
type Options struct {
	// Terminal is weft's standard input if that is a terminal, else nil.
	// Groups with Terminal set then run in its foreground.
	Terminal *os.File
	// After is the clock of the stop ladder; nil means time.After.
	After func(d time.Duration) <-chan time.Time
	// OnInterrupt is called when a program that had the terminal's foreground
	// died of SIGINT (or exited 130): the kernel told only that program, so it
	// counts as the user's Ctrl-C. It is called once for all programs running at
	// that moment, from any goroutine, with no lock held. It may be nil.
	OnInterrupt func()
}

// maxBlocked is how many children are waited for by a blocked thread.
const maxBlocked = 4

// Table is all processes of a run. It may be used concurrently.
type Table struct {
	after   func(d time.Duration) <-chan time.Time
	null    func() (*os.File, error)
	blocked atomic.Int32 // children with a thread of their own
	term    terminal

	mu     sync.Mutex // guards the fields below
	live   []*Group   // groups with processes; Group.index is the place
	polled []*Process // waited for by pidfd; Process.index is the place
	left   []int      // process groups that closed groups left behind
	quit   chan struct{}
	closed bool
}

// NewTable returns an empty table. It makes no system call.
func NewTable(o Options) *Table {
	t := &Table{after: o.After}
	if t.after == nil {
		t.after = time.After
	}
	t.null = sync.OnceValues(func() (*os.File, error) { return os.OpenFile(os.DevNull, os.O_RDWR, 0) })
	t.term.stdin, t.term.interrupted = o.Terminal != nil, o.OnInterrupt
	return t
}

// Close ends what the table runs beside the processes. Groups are closed by
// their owners, before.
func (t *Table) Close() {
	t.mu.Lock()
	quit := t.quit
	t.quit, t.closed = nil, true
	t.mu.Unlock()
	if quit != nil {
		close(quit)
	}
	t.term.close()
}

// StopLeft sends l.Signal to what commands that are over left running in the
// background: a Ctrl-C for the run is for them too. Those that weft started
// itself are also killed after l.Grace, if it is not zero.
func (t *Table) StopLeft(cause error, l Ladder) {
	for _, g := range t.groups() {
		g.mu.Lock()
		over := g.closed
		g.mu.Unlock()
		if over {
			g.Stop(cause, l)
		}
	}
	t.mu.Lock()
	left := t.left
	t.left = nil
	t.mu.Unlock()
	if len(left) == 0 {
		return
	}
	if l.Signal == 0 {
		l.Signal = syscall.SIGTERM
	}
	ours := ourGroups()
	for _, pgid := range left {
		if ours[pgid] {
			signalGroup(pgid, l.Signal)
		}
	}
}

// ourGroups returns the process groups of weft's session: a number from a while
// ago may be another's by now.
func ourGroups() map[int]bool {
	session, err := unix.Getsid(0)
	if err != nil {
		return nil
	}
	groups := make(map[int]bool)
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if sid, err := unix.Getsid(pid); err == nil && sid == session {
			if pgid, err := unix.Getpgid(pid); err == nil {
				groups[pgid] = true
			}
		}
	}
	return groups
}

// leaveBehind remembers process groups that were left behind.
func (t *Table) leaveBehind(pgids ...int) {
	t.mu.Lock()
	t.left = append(t.left, pgids...)
	t.mu.Unlock()
}

// enter notes that g has processes; t.mu is taken, g.mu is held.
func (t *Table) enter(g *Group) {
	t.mu.Lock()
	g.index = int32(len(t.live))
	t.live = append(t.live, g)
	t.mu.Unlock()
}

// leave notes that g has no process any more; t.mu is taken, g.mu is held.
func (t *Table) leave(g *Group) {
	t.mu.Lock()
	last := t.live[len(t.live)-1]
	t.live[g.index], last.index = last, g.index
	t.live[len(t.live)-1] = nil
	t.live = t.live[:len(t.live)-1]
	t.mu.Unlock()
}

// poll adds p to those whose stops are found by SIGCHLD.
func (t *Table) poll(p *Process) {
	t.mu.Lock()
	p.index = len(t.polled)
	t.polled = append(t.polled, p)
	t.mu.Unlock()
}

// unpoll removes p again.
func (t *Table) unpoll(p *Process) {
	t.mu.Lock()
	last := t.polled[len(t.polled)-1]
	t.polled[p.index], last.index = last, p.index
	t.polled[len(t.polled)-1] = nil
	t.polled = t.polled[:len(t.polled)-1]
	t.mu.Unlock()
}

// groups returns the groups that have processes now.
func (t *Table) groups() []*Group {
	t.mu.Lock()
	defer t.mu.Unlock()
	return append([]*Group(nil), t.live...)
}

// Stopper is a cause of cancellation that says how processes are stopped for it.
type Stopper interface {
	error
	StopLadder() Ladder
}

// Ladder says how a group is stopped.
type Ladder struct {
	// Signal is sent first; zero means SIGTERM.
	Signal syscall.Signal
	// Grace is how long the processes may take before they are killed; zero
	// means they are waited for however long it takes.
	Grace time.Duration
}

// rank orders signals by force: a stop may become harder, never softer.
func rank(s syscall.Signal) uint8 {
	switch s {
	case syscall.SIGINT:
		return 1
	case syscall.SIGKILL:
		return 4
	case syscall.SIGQUIT:
		return 3
	}
	return 2
}
