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
// # Who starts, signals and reaps
//
// On Linux a process of its own does, KEEPER (package keeper): it is the parent
// of everything, and ends everything should weft be killed. A Table asks it by
// messages, which it handles in order, and one goroutine takes up what it
// reports; there is no thread or goroutine per child. A process id means
// something only until its process is reaped, so only KEEPER signals: requests
// name groups and processes by numbers of ours. Elsewhere weft starts programs
// itself and signals their process groups (local_unix.go), or ends their job
// objects (local_windows.go).
//
// # What a step leaves behind
//
// Processes whose parents are gone belong to KEEPER. They are found again by
// their parents, their process group, or the cookie in their environment. What a
// stopped group left is killed when it is closed, all else by [Table.Close].
package proc

import (
	"io/fs"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/weftrun/weft/engine/clock"
	"github.com/weftrun/weft/engine/keeper"
)

// Options configure a Table. The zero value is usable: no terminal, real time.
type Options struct {
	// Terminal is weft's standard input if that is a terminal, else nil.
	// Groups with Terminal set then run in its foreground.
	Terminal *os.File
	// Clock is that of the stop ladder; it stands still while weft is suspended.
	// Nil means one that nobody else has.
	Clock *clock.Clock
	// After is used instead of the Clock's, if it is not nil.
	After func(d time.Duration) <-chan time.Time
	// OnInterrupt is called when a program that had the terminal's foreground
	// died of SIGINT (or exited 130): the kernel told only that program, so it
	// counts as the user's Ctrl-C. It is called once for all programs running at
	// that moment, from any goroutine, with no lock held; not at all where weft was
	// started with SIGINT ignored. It may be nil.
	// died tells that the signal itself was the end.
	OnInterrupt func(died bool)
	// Environ is weft's own environment, for the identities of an outer weft.
	Environ []string
	// Run is the identity of the run, which KEEPER shows; "" shows none.
	Run string
	// OnLost is called when the process that keeps all others was killed. What
	// it kept is dead by then. It may be nil.
	OnLost func()
}

// Table is all processes of a run. It may be used concurrently.
type Table struct {
	clock     *clock.Clock
	run       string
	after     func(d time.Duration) <-chan time.Time
	null      nullDevice
	session   func() string // weft's, see SessionVariable
	onLost    func()
	groupIDs  atomic.Uint32
	open      atomic.Int32 // groups that have started something and are not closed
	outerRun  string       // ends with a colon, or is empty
	outerStep string
	term      terminal
	strangers []int // children weft had before it started anything

	connecting sync.Once
	begun      atomic.Bool // there is a host, or will be
	host       host        // nil until something is started
	hostErr    error       // why nothing can be

	mu     sync.Mutex // guards the fields below
	live   []*Group   // groups with processes; Group.index is the place
	left   []uint32   // closed groups that left something behind
	kept   []*Group   // closed groups whose processes go on after the run
	nohup  []*Group   // groups that use nohup, where all programs ignore SIGHUP
	closed bool
}

// host starts and signals programs and tells their Process what becomes of
// them. There are two: KEEPER's, and where there is no KEEPER weft itself.
type host interface {
	// start asks for a program; what becomes of it is reported to p. fds are its
	// descriptors 0, 1 and 2; the further ones are in s.
	start(p *Process, s *Spec, argv []string, fds [3]uintptr, flags keeper.StartFlags) error
	signal(s keeper.Signal)
	// continues returns how many requests so far were to continue something.
	continues() uint32
	// members returns what is alive of a group, or of everything if it is zero.
	members(group uint32, cookie string) []keeper.Member
	// signalPids signals members.
	signalPids(s syscall.Signal, ms []keeper.Member)
	// nextOrphan returns a channel that is closed when something has ended
	// that was not started on request.
	nextOrphan() <-chan struct{}
	// closed is told that a group was closed and starts nothing more.
	closed(group uint32)
	// finish ends the host if nothing is left, and returns nil; else it returns
	// what is alive.
	finish() []keeper.Member
	// takeOver ends a host that cannot do its work, from now on until it is gone.
	takeOver()
	// end kills everything but keep and returns when it is gone.
	end(keep []keeper.Member)
}

// connect returns the table's host. The first call makes it.
func (t *Table) connect() (host, error) {
	t.connecting.Do(func() {
		t.begun.Store(true)
		t.host, t.hostErr = newHost(t)
	})
	return t.host, t.hostErr
}

// NewTable returns an empty table. It makes no system call.
func NewTable(o Options) *Table {
	t := &Table{after: o.After, clock: o.Clock, run: o.Run, onLost: o.OnLost}
	if t.clock == nil {
		t.clock = new(clock.Clock)
	}
	if t.after == nil {
		t.after = t.clock.After
	}
	t.session = sync.OnceValue(session)
	t.outerRun, t.outerStep = outer(o.Environ, RunVariable), outer(o.Environ, StepVariable)
	t.term.stdin, t.term.interrupted = o.Terminal != nil, o.OnInterrupt
	return t
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
	// Main sends it to the programs that were started alone, not to all of
	// their process groups.
	Main bool
}

// DefaultGrace is how long programs that were told to end have by default before they
// are killed.
const DefaultGrace = 5 * time.Second

// rank orders signals by force: a stop may become harder, never softer.
func rank(s syscall.Signal) uint8 {
	switch s {
	case syscall.SIGINT, syscall.SIGPIPE:
		return 1
	case syscall.SIGKILL:
		return 4
	case syscall.SIGQUIT:
		return 3
	}
	return 2
}

// nullDevice is what programs get that have no stream, opened once.
type nullDevice struct {
	once sync.Once
	f    *os.File
	err  error
}

func (n *nullDevice) open() (*os.File, error) {
	n.once.Do(func() { n.f, n.err = os.OpenFile(os.DevNull, os.O_RDWR, 0) })
	return n.f, n.err
}

// close ends it for good.
func (n *nullDevice) close() {
	n.once.Do(func() { n.err = fs.ErrClosed })
	if n.f != nil {
		n.f.Close()
	}
}
