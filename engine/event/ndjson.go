package event

import (
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"
)

// Version is that of the format of event files, which schema/events.schema.json
// describes. Within a version events and fields are added, never changed.
const Version = 2

// Failure is an error in words: what the events of a recorded run hold for errors.
type Failure struct {
	Text  string
	Shown string // as a message of weft shows it
}

// Error returns f's Text.
func (f *Failure) Error() string { return f.Text }

// Encoder turns the events of one run after the other into lines of JSON. The zero
// Encoder is ready to use. It is not safe for concurrent use.
type Encoder struct {
	// Describe puts an error into words; nil means that its text is all there is.
	Describe func(error) Failure
	c        coder
}

// Encode appends ev to b, as one line of JSON with its newline. Times and durations are
// cut to microseconds; of a file that a position is in, what stays is its name.
func (e *Encoder) Encode(b []byte, ev Event) []byte {
	if started, ok := ev.(*RunStarted); ok {
		e.c.run = started.Run
	}
	e.c.describe = e.Describe
	e.c.b = append(b, '{')
	ev.code(&e.c)
	b, e.c.b = append(e.c.b, '}', '\n'), nil
	return b
}

// VersionError tells of an event file of another version.
type VersionError struct{ Version int }

func (e *VersionError) Error() string {
	return fmt.Sprintf("version %d of the format of events; this weft reads version %d", e.Version, Version)
}

var errNotUTF8 = errors.New("not UTF-8")

// Decode returns the event on one line of an event file, with or without its newline. It
// returns nil for an event that only a later weft knows. Fields that it does not know
// are ignored. For an error the event holds a [*Failure]. Decode keeps nothing of line.
func Decode(line []byte) (Event, error) {
	if !utf8.Valid(line) {
		return nil, errNotUTF8
	}
	var c coder
	if err := json.Unmarshal(line, &c.fields); err != nil {
		return nil, err
	}
	var kind string
	c.reading = true
	c.text("event", &kind)
	ev := ofKind(kind)
	if c.err != nil || ev == nil {
		return nil, c.err
	}
	ev.code(&c)
	if c.err != nil {
		return nil, c.err
	}
	return ev, nil
}

// ofKind returns a new event of the kind that event files call so, or nil.
func ofKind(kind string) Event {
	switch kind {
	case "run_started":
		return new(RunStarted)
	case "planned":
		return new(Planned)
	case "var_computed":
		return new(VarComputed)
	case "step_started":
		return new(StepStarted)
	case "task_skipped":
		return new(TaskSkipped)
	case "precondition_failed":
		return new(PreconditionFailed)
	case "prompt_assumed":
		return new(PromptAssumed)
	case "status_checked":
		return new(StatusChecked)
	case "waiting":
		return new(Waiting)
	case "command_started":
		return new(CommandStarted)
	case "group_lines":
		return new(GroupLines)
	case "output":
		return new(Output)
	case "command_ended":
		return new(CommandEnded)
	case "command_skipped":
		return new(CommandSkipped)
	case "attempt_failed":
		return new(AttemptFailed)
	case "stop_failed":
		return new(StopFailed)
	case "error_ignored":
		return new(ErrorIgnored)
	case "body_ended":
		return new(BodyEnded)
	case "defer_failed":
		return new(DeferFailed)
	case "suspended":
		return new(Suspended)
	case "resumed":
		return new(Resumed)
	case "step_settled":
		return new(StepSettled)
	case "watch_started":
		return new(WatchStarted)
	case "watch_triggered":
		return new(WatchTriggered)
	case "watch_ended":
		return new(WatchEnded)
	case "watch_failed":
		return new(WatchFailed)
	case "diagnostic":
		return new(DiagnosticFound)
	case "signal_received":
		return new(SignalReceived)
	case "snapshot":
		return new(Snapshot)
	case "still_running":
		return new(StillRunning)
	case "leftover":
		return new(Leftover)
	case "run_finished":
		return new(RunFinished)
	}
	return nil
}
