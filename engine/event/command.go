package event

import (
	"os"
	"time"

	"github.com/weftrun/weft/schema/diag"
)

// CommandStarted announces one command of a step, before its first output.
type CommandStarted struct {
	fact    `event:"command_started"`
	Time    time.Time
	Step    StepID   `event:"step"`
	Command int      `event:"command"`       // index within the step, from 0
	Text    string   `event:"text"`          // as shown: secrets masked
	Argv    []string `event:"argv,omitzero"` // the program and its arguments, secrets masked; nil where a shell reads Text
	Dir     string   `event:"dir,omitzero"`
	Pos     diag.Pos `event:"position,omitzero"` // of the command
	Silent  bool     `event:"silent,omitzero"`   // not announced unless verbose
	DryRun  bool     `event:"dry_run,omitzero"`  // only shown, not run
	Relayed bool     `event:"relayed,omitzero"`  // its output arrives as Output events instead of going to our own streams
	Service bool     `event:"service,omitzero"`  // it is a service: its output is shown as it arrives
	// Background means that the next command starts at once: further events of this one may come after
	// [StepSettled], and the last is [BackgroundEnded].
	Background bool `event:"background,omitzero"`
	// Replayed means that the command does not run: its output comes from the cache.
	Replayed bool `event:"replayed,omitzero"`
	Attempts int  `event:"attempts,one=Attempts"`
	// Attempt is the number of the attempt, from 1, of at most Attempts.
	Attempt int `event:"attempt,one=Attempts"`
}

func (ev *CommandStarted) encode(e *Encoder, b []byte) []byte {
	b = e.begin(b, `{"event":"command_started","time":"`, ev.Time)
	b = e.step(b, ev.Step)
	b = e.whole(b, `,"command":`, int64(ev.Command))
	b = text(b, `,"text":`, ev.Text)
	b = textsIf(b, `,"argv":`, ev.Argv)
	x := e.expects()
	if ev.Dir != x.command.Dir {
		e.incomplete = e.incomplete || ev.Dir == ""
		b = e.dir.append(append(b, `,"dir":`...), ev.Dir)
	}
	b = e.places.append(b, `,"position":`, ev.Pos)
	b = e.flagUnless(b, `,"silent":true`, ev.Silent, x.command.Silent)
	b = flagIf(b, `,"dry_run":true`, ev.DryRun)
	b = flagIf(b, `,"relayed":true`, ev.Relayed)
	b = flagIf(b, `,"service":true`, ev.Service)
	b = flagIf(b, `,"background":true`, ev.Background)
	b = flagIf(b, `,"replayed":true`, ev.Replayed)
	if ev.Attempts != 1 || ev.Attempt != 1 {
		b = number(b, `,"attempts":`, int64(ev.Attempts))
		b = number(b, `,"attempt":`, int64(ev.Attempt))
	}
	return b
}

// GroupLines follows [CommandStarted] if the style "group" shows lines around the output of the
// command. They are templates of the workflow, which only the engine expands.
type GroupLines struct {
	fact    `event:"group_lines"`
	Time    time.Time
	Step    StepID `event:"step"`
	Command int    `event:"command"`
	Begin   string `event:"begin,omitzero"` // without newline; "" for none
	End     string `event:"end,omitzero"`   // without newline; "" for none
}

// Stream is the origin of an output chunk.
type Stream uint8

const (
	Stdout Stream = 1
	Stderr Stream = 2
	Merged Stream = 3 // both, through one pipe, in exact order
)

var streamNames = [...]string{"", "stdout", "stderr", "merged"}

// String returns the stream's name in event files, or "".
func (s Stream) String() string { return nameAt(streamNames[:], int(s)) }

// Output is bytes a relayed command wrote. The receiver owns Data until it calls Release, exactly
// once, and must not keep Data after that. If the output of a recorded run is in a separate file,
// Data is nil, and Offset and Length locate it in that file.
type Output struct {
	fact    `event:"output"`
	Time    time.Time
	Step    StepID `event:"step"`
	Command int    `event:"command"`
	Stream  Stream `event:"stream"`
	Data    []byte `event:"data"`
	Release func()
	// Partial is set, without Data, when no more output has arrived for a moment: the incomplete line
	// that was held back may be a question.
	Partial bool  `event:"partial,omitzero"`
	Offset  int64 `event:"offset,omitzero"`
	Length  int64 `event:"length,omitzero"` // in bytes; 0 if Data is set
}

func (ev *Output) encode(e *Encoder, b []byte) []byte {
	b = e.begin(b, `{"event":"output","time":"`, ev.Time)
	b = number(b, `,"step":`, int64(ev.Step))
	b = number(b, `,"command":`, int64(ev.Command))
	b = text(b, `,"stream":`, ev.Stream.String())
	if ev.Length == 0 {
		b = appendData(b, ev.Data)
	}
	b = flagIf(b, `,"partial":true`, ev.Partial)
	b = numberIf(b, `,"offset":`, ev.Offset)
	b = numberIf(b, `,"length":`, ev.Length)
	return b
}

// CommandEnded closes a command. All its Output events precede it.
type CommandEnded struct {
	fact     `event:"command_ended"`
	Time     time.Time
	Step     StepID        `event:"step"`
	Command  int           `event:"command"`
	Code     int           `event:"code"` // exit status; 0 is success
	Err      error         `event:"error,omitzero"`
	Duration time.Duration `event:"seconds"`
	Usage    Usage         `event:""`
	Members  []Member      `event:"members,omitzero"`  // of a pipe, in source order, including those of its tee and merge
	Signal   os.Signal     `event:"signal,omitzero"`   // signal that ended its program, or nil
	Programs int           `event:"programs,omitzero"` // number of started programs; 0 if a shell needed none, or unknown
}

func (ev *CommandEnded) encode(e *Encoder, b []byte) []byte {
	b = e.begin(b, `{"event":"command_ended","time":"`, ev.Time)
	b = e.step(b, ev.Step)
	b = e.whole(b, `,"command":`, int64(ev.Command))
	b = e.whole(b, `,"code":`, int64(ev.Code))
	if ev.Err != nil {
		b = e.failure(b, ev.Err)
	}
	b = e.lasted(b, `,"seconds":`, ev.Duration)
	b = ev.Usage.encode(b)
	if ev.Members != nil {
		b = e.part(b, "members", &ev.Members)
	}
	if ev.Signal != nil {
		b = e.part(b, "signal", &ev.Signal)
	}
	b = e.numberUnless(b, `,"programs":`, int64(ev.Programs), int64(e.expects().programs))
	return b
}

// Member is the end of a member of a pipe.
type Member struct {
	Name string `event:"name"` // its program, or its task
	Code int    `event:"code"` // exit status, whether it counts as a failure or not; 0 is success
}

// Usage is the resources used by ended programs.
type Usage struct {
	User   time.Duration `event:"user_seconds,omitzero"`   // processor time
	System time.Duration `event:"system_seconds,omitzero"` // processor time
	MaxRSS int64         `event:"max_rss,omitzero"`        // largest memory of any single one, in bytes
}

func (u *Usage) encode(b []byte) []byte {
	b = secondsIf(b, `,"user_seconds":`, u.User)
	b = secondsIf(b, `,"system_seconds":`, u.System)
	b = numberIf(b, `,"max_rss":`, u.MaxRSS)
	return b
}

// Add adds more to u.
func (u *Usage) Add(more Usage) {
	u.User += more.User
	u.System += more.System
	u.MaxRSS = max(u.MaxRSS, more.MaxRSS)
}

// CommandSkipped means that a command of a step does not run.
type CommandSkipped struct {
	fact    `event:"command_skipped"`
	Time    time.Time
	Step    StepID `event:"step"`
	Command int    `event:"command"`
	Text    string `event:"text,omitzero"` // as CommandStarted would show it
	Reason  Reason `event:"reason"`
}

// BackgroundEnded closes a command that its step did not wait for. It follows all attempts, and is
// not sent for a skipped command.
type BackgroundEnded struct {
	fact     `event:"background_ended"`
	Time     time.Time
	Step     StepID        `event:"step"`
	Command  int           `event:"command"`
	Name     string        `event:"task"`              // full, callable task name
	Internal bool          `event:"internal,omitzero"` // only other tasks can call the task
	Code     int           `event:"code"`              // exit status; 0 is success
	Err      error         `event:"error,omitzero"`    // why it makes the run fail; nil if it does not
	Duration time.Duration `event:"seconds"`           // of all attempts
}

// AttemptFailed means that a command failed and will be retried.
type AttemptFailed struct {
	fact     `event:"attempt_failed"`
	Time     time.Time
	Step     StepID        `event:"step"`
	Command  int           `event:"command"`
	Attempt  int           `event:"attempt"` // the failed one, from 1, of at most Attempts
	Attempts int           `event:"attempts"`
	Code     int           `event:"code"`            // exit status, or 0
	Signal   os.Signal     `event:"signal,omitzero"` // signal that ended its program, or nil
	Err      error         `event:"error,omitzero"`
	Duration time.Duration `event:"seconds"` // of this attempt
	Delay    time.Duration `event:"delay"`   // before the next attempt
}

// StopFailed means that the stop command of another command failed. Step is 0 if a task is only
// inspected.
type StopFailed struct {
	fact `event:"stop_failed"`
	Time time.Time
	Step StepID `event:"step,omitzero"`
	Task string `event:"task"` // display name
	Text string `event:"text"` // the command
	Err  error  `event:"error,omitzero"`
}
