package event

import (
	"encoding/json"
	"errors"
	"fmt"
	"sync"
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
	w        writer
}

// Encode appends ev to b, as one line of JSON with its newline. Times and durations are
// cut to microseconds; of a file that a position is in, what stays is its name.
func (e *Encoder) Encode(b []byte, ev Event) []byte {
	if started, ok := ev.(*RunStarted); ok {
		e.w.run = started.Run
	}
	e.w.describe = e.Describe
	e.w.b = append(b, '{')
	ev.fields(&e.w)
	b, e.w.b = append(e.w.b, '}', '\n'), nil
	return b
}

// VersionError tells of an event file of another version.
type VersionError struct{ Version int64 }

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
	var r reader
	if err := json.Unmarshal(line, &r.fields); err != nil {
		return nil, err
	}
	made := kinds()[r.word("event", "")]
	if r.err != nil || made == nil {
		return nil, r.err
	}
	ev := made()
	ev.fields(&r)
	if r.err != nil {
		return nil, r.err
	}
	return ev, nil
}

// kinds makes an event of the kind that event files call so.
var kinds = sync.OnceValue(func() map[string]func() Event {
	return map[string]func() Event{
		"run_started":         kind[RunStarted],
		"planned":             kind[Planned],
		"var_computed":        kind[VarComputed],
		"step_started":        kind[StepStarted],
		"task_skipped":        kind[TaskSkipped],
		"precondition_failed": kind[PreconditionFailed],
		"prompt_assumed":      kind[PromptAssumed],
		"status_checked":      kind[StatusChecked],
		"waiting":             kind[Waiting],
		"command_started":     kind[CommandStarted],
		"group_lines":         kind[GroupLines],
		"output":              kind[Output],
		"command_ended":       kind[CommandEnded],
		"command_skipped":     kind[CommandSkipped],
		"attempt_failed":      kind[AttemptFailed],
		"stop_failed":         kind[StopFailed],
		"error_ignored":       kind[ErrorIgnored],
		"body_ended":          kind[BodyEnded],
		"defer_failed":        kind[DeferFailed],
		"suspended":           kind[Suspended],
		"resumed":             kind[Resumed],
		"step_settled":        kind[StepSettled],
		"watch_started":       kind[WatchStarted],
		"watch_triggered":     kind[WatchTriggered],
		"watch_ended":         kind[WatchEnded],
		"watch_failed":        kind[WatchFailed],
		"diagnostic":          kind[DiagnosticFound],
		"signal_received":     kind[SignalReceived],
		"snapshot":            kind[Snapshot],
		"still_running":       kind[StillRunning],
		"leftover":            kind[Leftover],
		"run_finished":        kind[RunFinished],
	}
})

func kind[T any, P interface {
	*T
	Event
}]() Event {
	return P(new(T))
}
