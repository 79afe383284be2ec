// Package event is the closed set of things that can happen in a run.
//
// Events carry facts, not sentences: every display and every report is a
// function of them, so a recorded run can be replayed into any reporter. Per
// step the order is [StepStarted], then its commands, output and notices, then
// [StepSettled]. The package knows nothing of who produces or consumes them.
package event

import (
	"os"
	"time"

	"github.com/weftrun/weft/schema/diag"
)

// StepID numbers the steps of one run from 1; 0 means "no step".
type StepID int32

// Event is one thing that happened. The set of types in this package that
// implement it is closed.
type Event interface{ event() }

// Stream is the origin of an output chunk.
type Stream uint8

const (
	Stdout Stream = 1
	Stderr Stream = 2
	Merged Stream = 3 // both, on one pipe, in exact order
)

// Outcome is how a step ended.
type Outcome uint8

const (
	Succeeded Outcome = iota + 1 // its commands ran
	Fresh                        // nothing to do: up to date
	Restored                     // outputs came from the cache
	Failed
	Skipped   // a condition or platform said no
	Cancelled // stopped, or never started, because of something else
)

var outcomeNames = [...]string{"", "succeeded", "fresh", "restored", "failed", "skipped", "cancelled"}

// String returns the outcome's name as it stands in event files.
func (o Outcome) String() string { return outcomeNames[o] }

// RunStarted opens every run.
type RunStarted struct {
	Time  time.Time
	Run   string   // identity of the run
	Tasks []string // as named on the command line
}

// Planned tells that a plan was added to the run: one per call that is
// expanded, so several in a run whose commands call tasks.
type Planned struct {
	Time   time.Time
	Steps  int
	Edges  int
	Parent StepID // the step whose body made the call, or 0
}

// StepStarted tells that a step left the queue.
type StepStarted struct {
	Time   time.Time
	Step   StepID
	Parent StepID // the step that needs or calls it, or 0
	Task   string // display name: label or name
	Name   string // full task name, as it can be called
	Prefix string // for prefixed output
	Pos    diag.Pos
	Silent bool // neither its commands nor "up to date" are announced
}

// CommandStarted announces one command of a step, before its first output.
type CommandStarted struct {
	Time    time.Time
	Step    StepID
	Command int    // index within the step, from 0
	Text    string // as shown: secrets masked
	Dir     string
	Silent  bool   // the command is not to be announced (unless verbose)
	DryRun  bool   // nothing follows: it is only shown
	Relayed bool   // its output arrives as Output events, not on our own streams
	Begin   string // group output: the rendered begin and end lines, or ""
	End     string
	// Attempt is the number of the try, from 1, of at most Attempts.
	Attempt, Attempts int
}

// Output is bytes a relayed command wrote. The receiver owns Data until it
// calls Release, exactly once, and must not keep Data after that.
type Output struct {
	Time    time.Time
	Step    StepID
	Command int
	Stream  Stream
	Data    []byte
	Release func()
	// Idle tells, with no Data, that nothing more has come for a moment: what was
	// held back to the end of its line may be a question.
	Idle bool
}

// CommandEnded closes a command. All its Output events came before it.
type CommandEnded struct {
	Time     time.Time
	Step     StepID
	Command  int
	Code     int // exit status; 0 is success
	Err      error
	Duration time.Duration
	Usage    Usage
	Members  []Member // of a pipe, as written, those of its tee and merge, too
}

// Member is how a member of a pipe ended.
type Member struct {
	Name string // its program, or its task
	Code int    // exit status, whether it counts as a failure or not; 0 is success
}

// Usage is what programs took of the machine, those that have ended.
type Usage struct {
	User, System time.Duration // processor time
	MaxRSS       int64         // the most memory of any one of them, in bytes
}

// Add makes u what it and more are together.
func (u *Usage) Add(more Usage) {
	u.User += more.User
	u.System += more.System
	u.MaxRSS = max(u.MaxRSS, more.MaxRSS)
}

// NoticeKind classes a [Notice].
type NoticeKind uint8

const (
	VarComputed        NoticeKind = iota + 1 // A: command, B: result
	StatusChecked                            // A: command; Err: nil when it exited zero
	TaskIfSkipped                            // a task's `if` said no
	CommandIfSkipped                         // a command's `if` said no
	PlatformSkipped                          // not for this platform; A: the command, "" when it is the task
	PreconditionFailed                       // A: message
	DeferFailed                              // a deferred command failed; Err
	StopFailed                               // the command that stops another one failed; A: command, Err
	ErrorIgnored                             // ignore_error covered Err; A: whose it is: "" the command's, "call", "task"
	Deduplicated                             // A: key; an equal call ran or runs already
	PromptAssumed                            // A: text; --yes answered it
	WaitingForLock                           // A: who holds it
	Retrying                                 // a command failed with Err and is tried again; A: which attempt follows, B: after how long
	BodyEnded                                // the commands have ended, with Err: told where one failed, or deferred ones follow
)

// Notice is a fact that only some reports show.
type Notice struct {
	Time time.Time
	Kind NoticeKind
	Step StepID
	Task string
	A, B string
	Err  error
}

// Suspended tells that a step waits for a task it called; it holds no slot.
type Suspended struct {
	Time time.Time
	Step StepID
}

// Resumed ends a suspension.
type Resumed struct {
	Time time.Time
	Step StepID
}

// StepSettled closes a step.
type StepSettled struct {
	Time     time.Time
	Step     StepID
	Parent   StepID
	Task     string // display name
	Name     string // full task name, as it can be called
	Prefix   string
	Silent   bool
	Outcome  Outcome
	Err      error  // nil unless Failed or Cancelled
	Code     int    // exit status of the command that failed, or 0
	Cause    StepID // whose failure this is, when not its own
	Duration time.Duration
	Usage    Usage
	// Outputs are what it has put out by name, secrets masked: texts, lists and JSON.
	Outputs map[string]any
}

// WatchStarted tells that files are watched, and who is run again for them.
type WatchStarted struct {
	Time  time.Time
	Tasks []string
}

// WatchTriggered tells that files have changed, and which tasks are stale by that.
type WatchTriggered struct {
	Time  time.Time
	Paths []string // relative to where weft was started, if they are below
	Tasks []string
}

// WatchEnded tells how a run of a watched task has ended.
type WatchEnded struct {
	Time      time.Time
	Task      string
	Err       error
	Restarted bool // it was stopped, to be run again or because weft is
	Duration  time.Duration
	Trigger   []string // the paths that made it necessary; none for the first run
}

// WatchFailed tells of a workflow that cannot be run as it is now. What was loaded
// before stays.
type WatchFailed struct {
	Time time.Time
	Err  error
}

// DiagnosticFound carries a warning or error about the workflow.
type DiagnosticFound struct {
	Time       time.Time
	Diagnostic *diag.Diagnostic
}

// SignalReceived tells that weft itself got a signal.
type SignalReceived struct {
	Time    time.Time
	Signal  os.Signal
	Count   int // of this kind, from 1
	Running int // steps that are being stopped
}

// Snapshot is what runs at the moment, which the user asked for by SIGQUIT.
type Snapshot struct {
	Time  time.Time
	Steps []Running
}

// Running is a step that runs, with the processes that belong to it.
type Running struct {
	Task      string
	Processes []Process
}

// Process is one of the operating system's.
type Process struct {
	Pid  int
	Name string // the kernel's, at most 15 bytes
}

// StillRunning reminds, after an interrupt, of what is being waited for.
type StillRunning struct {
	Time  time.Time
	Tasks []string
}

// LeftBehind tells of a process that outlived the command which started it,
// when the run is over: it was stopped, or goes on if it is meant to stay.
type LeftBehind struct {
	Time time.Time
	Pid  int
	Name string // the kernel's, at most 15 bytes
	Kept bool
}

// RunFinished closes every run.
type RunFinished struct {
	Time     time.Time
	Counts   [Cancelled + 1]int // steps by Outcome
	Err      error
	Duration time.Duration
}

func (*RunStarted) event()      {}
func (*Planned) event()         {}
func (*StepStarted) event()     {}
func (*CommandStarted) event()  {}
func (*Output) event()          {}
func (*CommandEnded) event()    {}
func (*Notice) event()          {}
func (*Suspended) event()       {}
func (*Resumed) event()         {}
func (*StepSettled) event()     {}
func (*WatchStarted) event()    {}
func (*WatchTriggered) event()  {}
func (*WatchEnded) event()      {}
func (*WatchFailed) event()     {}
func (*DiagnosticFound) event() {}
func (*SignalReceived) event()  {}
func (*Snapshot) event()        {}
func (*StillRunning) event()    {}
func (*LeftBehind) event()      {}
func (*RunFinished) event()     {}
