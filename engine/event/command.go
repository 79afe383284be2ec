package event

import (
	"os"
	"time"
)

// CommandStarted announces one command of a step, before its first output.
type CommandStarted struct {
	Time    time.Time
	Step    StepID
	Command int    // index within the step, from 0
	Text    string // as shown: secrets masked
	Dir     string
	Silent  bool // the command is not to be announced (unless verbose)
	DryRun  bool // nothing follows: it is only shown
	Relayed bool // its output arrives as Output events, not on our own streams
	// Attempt is the number of the try, from 1, of at most Attempts.
	Attempt, Attempts int
}

func (ev *CommandStarted) fields(v visitor) {
	beginCommand(v, "command_started", &ev.Time, &ev.Step, &ev.Command)
	v.text("text", &ev.Text)
	textOrNone(v, "dir", &ev.Dir)
	flag(v, "silent", &ev.Silent)
	flag(v, "dry_run", &ev.DryRun)
	flag(v, "relayed", &ev.Relayed)
	numberOrOne(v, "attempts", &ev.Attempts, ev.Attempts != 1)
	numberOrOne(v, "attempt", &ev.Attempt, ev.Attempts != 1)
}

// GroupLines follows [CommandStarted] where the style "group" shows lines around the
// output of the command. They are templates of the workflow, which only the engine expands.
type GroupLines struct {
	Time       time.Time
	Step       StepID
	Command    int
	Begin, End string // without newline; "" means none
}

func (ev *GroupLines) fields(v visitor) {
	beginCommand(v, "group_lines", &ev.Time, &ev.Step, &ev.Command)
	textOrNone(v, "begin", &ev.Begin)
	textOrNone(v, "end", &ev.End)
}

// Stream is the origin of an output chunk.
type Stream uint8

const (
	Stdout Stream = 1
	Stderr Stream = 2
	Merged Stream = 3 // both, on one pipe, in exact order
)

// String returns the stream's name as it stands in event files, or "".
func (s Stream) String() string {
	switch s {
	case Stdout:
		return "stdout"
	case Stderr:
		return "stderr"
	case Merged:
		return "merged"
	}
	return ""
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
	// Partial tells, with no Data, that nothing more has come for a moment: what was
	// held back to the end of its line may be a question.
	Partial bool
}

func (ev *Output) fields(v visitor) {
	beginCommand(v, "output", &ev.Time, &ev.Step, &ev.Command)
	named(v, "stream", &ev.Stream)
	v.data(&ev.Data)
	flag(v, "partial", &ev.Partial)
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

func (ev *CommandEnded) fields(v visitor) {
	beginCommand(v, "command_ended", &ev.Time, &ev.Step, &ev.Command)
	number(v, "code", &ev.Code)
	failure(v, &ev.Err)
	v.seconds("seconds", &ev.Duration)
	usage(v, &ev.Usage)
	objects(v, "members", &ev.Members, fieldsOfMember)
}

// Member is how a member of a pipe ended.
type Member struct {
	Name string // its program, or its task
	Code int    // exit status, whether it counts as a failure or not; 0 is success
}

func fieldsOfMember(v visitor, m *Member) {
	v.text("name", &m.Name)
	number(v, "code", &m.Code)
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

// CommandSkipped tells that a command of a step does not run.
type CommandSkipped struct {
	Time    time.Time
	Step    StepID
	Command int
	Text    string // as CommandStarted would show it
	Reason  Reason
}

func (ev *CommandSkipped) fields(v visitor) {
	beginCommand(v, "command_skipped", &ev.Time, &ev.Step, &ev.Command)
	textOrNone(v, "text", &ev.Text)
	ev.Reason = Reason(v.word("reason", string(ev.Reason)))
}

// AttemptFailed tells that a command has failed and is tried again.
type AttemptFailed struct {
	Time     time.Time
	Step     StepID
	Command  int
	Attempt  int // the one that failed, from 1, of at most Attempts
	Attempts int
	Code     int       // exit status, or 0
	Signal   os.Signal // the one that ended its program, or nil
	Err      error
	Duration time.Duration // of this attempt
	Delay    time.Duration // before the next one
}

func (ev *AttemptFailed) fields(v visitor) {
	beginCommand(v, "attempt_failed", &ev.Time, &ev.Step, &ev.Command)
	number(v, "attempt", &ev.Attempt)
	number(v, "attempts", &ev.Attempts)
	number(v, "code", &ev.Code)
	if v.has("signal", ev.Signal != nil) {
		signal(v, &ev.Signal)
	}
	failure(v, &ev.Err)
	v.seconds("seconds", &ev.Duration)
	v.seconds("delay", &ev.Delay)
}

// StopFailed tells that the command which stops another one failed. Step is 0 where
// a task is only looked at.
type StopFailed struct {
	Time time.Time
	Step StepID
	Task string // display name
	Text string // the command
	Err  error
}

func (ev *StopFailed) fields(v visitor) {
	v.begin("stop_failed", &ev.Time)
	numberOrNone(v, "step", &ev.Step)
	v.text("task", &ev.Task)
	v.text("text", &ev.Text)
	failure(v, &ev.Err)
}
