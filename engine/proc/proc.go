// Package proc starts and stops operating-system processes: it owns signals, process
// trees, the stop ladder and the terminal's foreground. It knows nothing of tasks,
// commands or shells, and its callers know nothing of process ids.
//
// A [Table] holds the processes of a run, a [Group] those of one step:
//
//	        Start                last process reaped
//	idle ───────────▶ running ───────────────────────▶ idle
//	  │                  │ Stop(cause, ladder)           │
//	  └──────────────────┴───────────────┬───────────────┘
//	                                     ▼
//	                                  refused   (sticky: Start returns cause)
//	                                     │ signal; SIGKILL after Grace
//	                                     ▼
//	                                   Close    kills leftovers
//
// # Who starts, signals and reaps
//
// On Linux a separate process does, KEEPER (package keeper). It is the parent of all
// programs and ends them if weft is killed. A Table sends it requests, which KEEPER
// handles in order, and one goroutine reads its reports: there is no thread or goroutine
// for each child. A process id is valid only until the process is reaped, so only KEEPER
// sends signals: requests refer to groups and processes by numbers of this package. On
// other systems weft itself starts programs and signals their process groups
// (local_unix.go), or terminates their job objects (local_windows.go).
//
// # Leftovers
//
// A process whose parent has ended becomes a child of KEEPER. It is recognised by its
// ancestors, its process group, or the cookie in its environment. [Group.Close] kills the
// leftovers of a stopped group, [Table.Close] all others.
package proc

import (
	"cmp"
	"errors"
	"io/fs"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/weftrun/weft/engine/clock"
	"github.com/weftrun/weft/engine/keeper"
)

// Options configures a Table. The zero value is usable: no terminal, and real time.
type Options struct {
	// Terminal is weft's standard input if that is a terminal. If it is nil, groups with
	// Terminal set do not get the foreground.
	Terminal *os.File
	// Clock measures the stop ladder; it pauses while weft is suspended. Nil means a
	// clock of its own.
	Clock *clock.Clock
	// After replaces the Clock's After, if it is not nil.
	After func(d time.Duration) <-chan time.Time
	// OnInterrupt is called when a program in the terminal's foreground was killed by
	// SIGINT, in which case died is true, or exited with 130. The terminal sends SIGINT
	// only to the foreground, so that counts as the user's Ctrl-C. It is called once for
	// all programs running at that moment, from any goroutine and without a lock; but
	// never if weft was started with SIGINT ignored. It may be nil.
	OnInterrupt func(died bool)
	// OnForeground is called before a program that was stopped because it needs the terminal gets
	// the foreground. step is that of its [Cookie]. It must not call back. It may be nil.
	OnForeground func(step int)
	// OnTerminalUse is called before anything uses the terminal, weft included, and the returned
	// function when nothing does any more. step is that of the first user. Both must not call back.
	// It may be nil.
	OnTerminalUse func(step int) (ended func())
	// BeforeFirst is called once, before the first program is started. It may block, and must not
	// call back. It may be nil.
	BeforeFirst func()
	// Environ is weft's own environment. It holds the identities of an outer weft.
	Environ []string
	// Run is the identity of the run, which is shown in KEEPER's environment; "" means
	// none.
	Run string
	// OnLost is called when KEEPER was killed and its processes are dead. It may be nil.
	OnLost func()
}

// Table holds all processes of a run. It is safe for concurrent use.
type Table struct {
	clock     *clock.Clock
	run       string
	after     func(d time.Duration) <-chan time.Time
	null      nullDevice
	session   func() string // weft's session, see SessionVariable
	onLost    func()
	before    func()                       // see Options.BeforeFirst
	forAll    atomic.Pointer[[]Descriptor] // see Inherit; nil: nothing
	groupIDs  atomic.Uint32
	open      atomic.Int32 // groups that have started something and are not closed
	outerRun  string       // with a colon at the end, or empty
	outerStep string
	term      terminal
	end       atomic.Pointer[time.Time] // see SetStopDeadline; nil means never
	inherited []int                     // children that weft had before it started anything

	connecting sync.Once
	begun      atomic.Bool // there is a host, or there will be
	host       host        // nil until something is started
	hostErr    error       // why nothing can be started

	mu            sync.Mutex // guards the fields below
	live          []*Group   // groups with programs; Group.index is the place
	withLeftovers []uint32   // closed groups that have leftovers
	kept          []*Group   // closed groups whose processes continue after the run
	nohup         []*Group   // groups that use nohup, if all programs ignore SIGHUP
	closed        bool
}

// host starts and signals programs, and reports to each Process. There are two: KEEPER, and
// weft itself on systems that have no KEEPER.
type host interface {
	// start requests the start of a program, and reports to p. fds are the descriptors 0,
	// 1 and 2; the further ones are in s.
	start(p *Process, s *Spec, argv []string, fds [3]uintptr, flags keeper.StartFlags) error
	signal(s keeper.Signal)
	// continues returns how many signals so far continued stopped programs.
	continues() uint32
	// members returns the living processes of a group, or all if group is 0.
	members(group uint32, cookie string) []keeper.Member
	// signalPids signals members.
	signalPids(s syscall.Signal, ms []keeper.Member)
	// nextOrphan returns a channel that is closed when a process has ended that weft did
	// not start.
	nextOrphan() <-chan struct{}
	// closed records that a group starts nothing more.
	closed(group uint32)
	// finish ends the host and returns nil if no process is left; otherwise it returns
	// those that are alive.
	finish() []keeper.Member
	// takeOver watches the host until it has ended, and ends it if it cannot work.
	takeOver()
	// end kills all processes but keep, ends the host and returns.
	end(keep []keeper.Member)
}

// connect returns the table's host, which the first call starts.
func (t *Table) connect() (host, error) {
	t.connecting.Do(func() {
		if t.before != nil {
			t.before()
		}
		t.begun.Store(true)
		t.host, t.hostErr = newHost(t)
	})
	return t.host, t.hostErr
}

// NewTable returns an empty Table. It makes no system call.
func NewTable(o Options) *Table {
	t := &Table{after: o.After, clock: cmp.Or(o.Clock, new(clock.Clock)), run: o.Run, onLost: o.OnLost, before: o.BeforeFirst}
	if t.after == nil {
		t.after = t.clock.After
	}
	t.session = sync.OnceValue(session)
	t.outerRun, t.outerStep = outer(o.Environ, RunVariable), outer(o.Environ, StepVariable)
	t.term.stdin, t.term.interrupted, t.term.lending = o.Terminal != nil, o.OnInterrupt, o.OnForeground
	t.term.using = o.OnTerminalUse
	return t
}

// Inherit has every program that is started from now on inherit ds, too, but those numbers
// that its Spec has for other files. The caller owns the files, which must stay open.
func (t *Table) Inherit(ds []Descriptor) { t.forAll.Store(&ds) }

// addLive records that g has programs. It locks t.mu; the caller holds g.mu.
func (t *Table) addLive(g *Group) {
	t.mu.Lock()
	g.index = int32(len(t.live))
	t.live = append(t.live, g)
	t.mu.Unlock()
}

// removeLive records that g has no program left. It locks t.mu; the caller holds g.mu.
func (t *Table) removeLive(g *Group) {
	t.mu.Lock()
	last := t.live[len(t.live)-1]
	t.live[g.index], last.index = last, g.index
	t.live[len(t.live)-1] = nil
	t.live = t.live[:len(t.live)-1]
	t.mu.Unlock()
}

// groups returns the groups that have programs now.
func (t *Table) groups() []*Group {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.live)
}

// Stopper is a cause of cancellation that chooses how processes are stopped.
type Stopper interface {
	error
	StopLadder() Ladder
}

// Ladder describes how a group is stopped.
type Ladder struct {
	// Signal is the first signal; 0 means SIGTERM.
	Signal syscall.Signal
	// Grace is how long the processes may take before they are killed; 0 means that there
	// is no limit.
	Grace time.Duration
	// TermAfter is when SIGTERM follows, unless Signal has ended everything by then;
	// zero means never.
	TermAfter time.Duration
	// Main limits the signal to the programs that weft has started. Otherwise it is sent
	// to their process groups.
	Main bool
}

// DefaultGrace is how long programs have to end, by default, before they are killed.
const DefaultGrace = 5 * time.Second

// LadderOf returns how processes are stopped for a cause: as that says if it is a [Stopper],
// otherwise by SIGTERM and, after [DefaultGrace], SIGKILL.
func LadderOf(cause error) Ladder {
	var how Stopper
	if errors.As(cause, &how) {
		return how.StopLadder()
	}
	return Ladder{Grace: DefaultGrace}
}

// rank orders signals by strength: a stop may become stronger, but never weaker.
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

// nullDevice is the null device, which replaces missing streams. It is opened once.
type nullDevice struct {
	once sync.Once
	f    *os.File
	err  error
}

func (n *nullDevice) open() (*os.File, error) {
	n.once.Do(func() { n.f, n.err = os.OpenFile(os.DevNull, os.O_RDWR, 0) })
	return n.f, n.err
}

// close closes the device; it cannot be opened again.
func (n *nullDevice) close() {
	n.once.Do(func() { n.err = fs.ErrClosed })
	if n.f != nil {
		n.f.Close()
	}
}
