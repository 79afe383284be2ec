package event

import (
	"os"
	"time"
)

// CommandStarted announces one command of a step, before its first output.
type CommandStarted struct {
	fact     `event:"command_started"`
	Time     time.Time
	Step     StepID `event:"step"`
	Command  int    `event:"command"` // index within the step, from 0
	Text     string `event:"text"`    // as shown: secrets masked
	Dir      string `event:"dir,omitzero"`
	Silent   bool   `event:"silent,omitzero"`  // the command is not to be announced (unless verbose)
	DryRun   bool   `event:"dry_run,omitzero"` // nothing follows: it is only shown
	Relayed  bool   `event:"relayed,omitzero"` // its output arrives as Output events, not on our own streams
	Attempts int    `event:"attempts,one=Attempts"`
	// Attempt is the number of the try, from 1, of at most Attempts.
	Attempt int `event:"attempt,one=Attempts"`
}

// GroupLines follows [CommandStarted] where the style "group" shows lines around the
// output of the command. They are templates of the workflow, which only the engine expands.
type GroupLines struct {
	fact    `event:"group_lines"`
	Time    time.Time
	Step    StepID `event:"step"`
	Command int    `event:"command"`
	Begin   string `event:"begin,omitzero"` // without newline; "" means none
	End     string `event:"end,omitzero"`   // without newline; "" means none
}

// Stream is the origin of an output chunk.
type Stream uint8

const (
	Stdout Stream = 1
	Stderr Stream = 2
	Merged Stream = 3 // both, on one pipe, in exact order
)

var streamNames = [...]string{"", "stdout", "stderr", "merged"}

// String returns the stream's name as it stands in event files, or "".
func (s Stream) String() string { return nameAt(streamNames[:], int(s)) }

// Output is bytes a relayed command wrote. The receiver owns Data until it
// calls Release, exactly once, and must not keep Data after that.
type Output struct {
	fact    `event:"output"`
	Time    time.Time
	Step    StepID `event:"step"`
	Command int    `event:"command"`
	Stream  Stream `event:"stream"`
	Data    []byte `event:"data"`
	Release func()
	// Partial tells, with no Data, that nothing more has come for a moment: what was
	// held back to the end of its line may be a question.
	Partial bool `event:"partial,omitzero"`
}

// CommandEnded closes a command. All its Output events came before it.
type CommandEnded struct {
	fact     `event:"command_ended"`
	Time     time.Time
	Step     StepID        `event:"step"`
	Command  int           `event:"command"`
	Code     int           `event:"code"` // exit status; 0 is success
	Err      error         `event:"error,omitzero"`
	Duration time.Duration `event:"seconds"`
	Usage    Usage         `event:""`
	Members  []Member      `event:"members,omitzero"` // of a pipe, as written, those of its tee and merge, too
}

// Member is how a member of a pipe ended.
type Member struct {
	Name string `event:"name"` // its program, or its task
	Code int    `event:"code"` // exit status, whether it counts as a failure or not; 0 is success
}

// Usage is what programs took of the machine, those that have ended.
type Usage struct {
	User   time.Duration `event:"user_seconds,omitzero"`   // processor time
	System time.Duration `event:"system_seconds,omitzero"` // processor time
	MaxRSS int64         `event:"max_rss,omitzero"`        // the most memory of any one of them, in bytes
}

// Add makes u what it and more are together.
func (u *Usage) Add(more Usage) {
	u.User += more.User
	u.System += more.System
	u.MaxRSS = max(u.MaxRSS, more.MaxRSS)
}

// CommandSkipped tells that a command of a step does not run.
type CommandSkipped struct {
	fact    `event:"command_skipped"`
	Time    time.Time
	Step    StepID `event:"step"`
	Command int    `event:"command"`
	Text    string `event:"text,omitzero"` // as CommandStarted would show it
	Reason  Reason `event:"reason"`
}

// AttemptFailed tells that a command has failed and is tried again.
type AttemptFailed struct {
	fact     `event:"attempt_failed"`
	Time     time.Time
	Step     StepID        `event:"step"`
	Command  int           `event:"command"`
	Attempt  int           `event:"attempt"` // the one that failed, from 1, of at most Attempts
	Attempts int           `event:"attempts"`
	Code     int           `event:"code"`            // exit status, or 0
	Signal   os.Signal     `event:"signal,omitzero"` // the one that ended its program, or nil
	Err      error         `event:"error,omitzero"`
	Duration time.Duration `event:"seconds"` // of this attempt
	Delay    time.Duration `event:"delay"`   // before the next one
}

// StopFailed tells that the command which stops another one failed. Step is 0 where
// a task is only looked at.
type StopFailed struct {
	fact `event:"stop_failed"`
	Time time.Time
	Step StepID `event:"step,omitzero"`
	Task string `event:"task"` // display name
	Text string `event:"text"` // the command
	Err  error  `event:"error,omitzero"`
}
