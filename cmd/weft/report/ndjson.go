package report

import (
	"encoding/json"
	"io"
	"time"
	"unicode/utf8"

	"github.com/weftrun/weft/engine/event"
)

// Version is that of the event files; see schema/events.schema.json.
const Version = 2

// NDJSON writes every event as one JSON object a line.
type NDJSON struct {
	w     *Out
	close func() error
	run   string
	mask  func(string) string
	enc   *json.Encoder
}

// NewNDJSON returns a reporter that writes to w and closes it in the end,
// unless close is nil. The texts of errors go through mask, unless that is nil.
func NewNDJSON(w io.Writer, close func() error, mask func(string) string) *NDJSON {
	n := &NDJSON{w: NewOut(w), close: close, mask: mask}
	n.enc = json.NewEncoder(n.w)
	n.enc.SetEscapeHTML(false)
	return n
}

// record is one line. Fields that say nothing about an event are left out.
type record struct {
	Event     string         `json:"event"`
	Version   int            `json:"version,omitempty"` // on the first line
	Time      time.Time      `json:"time"`
	Run       string         `json:"run,omitempty"`
	Step      int32          `json:"step,omitempty"`
	Parent    int32          `json:"parent,omitempty"`
	Cause     int32          `json:"cause,omitempty"`
	Task      string         `json:"task,omitempty"`
	Label     string         `json:"label,omitempty"`
	Prefix    string         `json:"prefix,omitempty"`
	Position  string         `json:"position,omitempty"`
	Tasks     []string       `json:"tasks,omitempty"`
	Steps     *int           `json:"steps,omitempty"`
	Edges     *int           `json:"edges,omitempty"`
	Command   *int           `json:"command,omitempty"`
	Text      string         `json:"text,omitempty"`
	Dir       string         `json:"dir,omitempty"`
	Silent    bool           `json:"silent,omitempty"`
	DryRun    bool           `json:"dry_run,omitempty"`
	Relayed   bool           `json:"relayed,omitempty"`
	Attempt   int            `json:"attempt,omitempty"`
	Paths     []string       `json:"paths,omitempty"`
	Restarted bool           `json:"restarted,omitempty"`
	Attempts  int            `json:"attempts,omitempty"`
	Outputs   map[string]any `json:"outputs,omitempty"`
	Stream    string         `json:"stream,omitempty"`
	Data      *string        `json:"data,omitempty"`   // output that is UTF-8
	Base64    []byte         `json:"base64,omitempty"` // output that is not
	Outcome   string         `json:"outcome,omitempty"`
	Code      *int           `json:"code,omitempty"`
	Error     string         `json:"error,omitempty"`
	Seconds   *float64       `json:"seconds,omitempty"`
	Result    *string        `json:"result,omitempty"`
	Message   *string        `json:"message,omitempty"`
	Reason    string         `json:"reason,omitempty"`
	For       string         `json:"for,omitempty"`
	Holder    string         `json:"holder,omitempty"`
	Delay     *float64       `json:"delay,omitempty"`
	Begin     string         `json:"begin,omitempty"`
	End       string         `json:"end,omitempty"`
	Signal    string         `json:"signal,omitempty"`
	Count     int            `json:"count,omitempty"`
	Running   *int           `json:"running,omitempty"`
	Severity  string         `json:"severity,omitempty"`
	Pid       int            `json:"pid,omitempty"`
	Name      string         `json:"name,omitempty"`
	Kept      *bool          `json:"kept,omitempty"`
	Current   []running      `json:"current,omitempty"`
	User      float64        `json:"user_seconds,omitempty"`
	System    float64        `json:"system_seconds,omitempty"`
	MaxRSS    int64          `json:"max_rss,omitempty"` // in bytes
	Counts    *countsMap     `json:"counts,omitempty"`
	Members   []member       `json:"members,omitempty"`
}

// member is one of a pipe.
type member struct {
	Name string `json:"name"`
	Code int    `json:"code"`
}

// running is a step of a snapshot.
type running struct {
	Task      string    `json:"task"`
	Processes []process `json:"processes,omitempty"`
}

type process struct {
	Pid  int    `json:"pid"`
	Name string `json:"name"`
}

// countsMap is how many steps had each outcome.
type countsMap struct {
	Succeeded int `json:"succeeded"`
	Fresh     int `json:"fresh"`
	Restored  int `json:"restored"`
	Failed    int `json:"failed"`
	Skipped   int `json:"skipped"`
	Cancelled int `json:"cancelled"`
}

// Handle implements Reporter.
func (n *NDJSON) Handle(ev event.Event) {
	if out, ok := ev.(*event.Output); ok && out.Partial {
		return
	}
	r := toRecord(ev)
	if started, ok := ev.(*event.RunStarted); ok {
		n.run = started.Run
		r.Version = Version
	}
	r.Run = n.run
	if r.Error != "" && n.mask != nil {
		r.Error = n.mask(r.Error)
	}
	n.enc.Encode(r)
	if out, ok := ev.(*event.Output); ok {
		release(out)
	}
}

// several is n where there may be more than one attempt, else 0.
func several(n, attempts int) int {
	if attempts > 1 {
		return n
	}
	return 0
}

func toRecord(ev event.Event) *record {
	switch ev := ev.(type) {
	case *event.RunStarted:
		return &record{Event: "run_started", Time: ev.Time, Tasks: ev.Tasks}
	case *event.Planned:
		return &record{Event: "planned", Time: ev.Time, Parent: int32(ev.Parent), Steps: &ev.Steps, Edges: &ev.Edges}
	case *event.StepStarted:
		return &record{Event: "step_started", Time: ev.Time, Step: int32(ev.Step), Parent: int32(ev.Parent), Task: ev.Name,
			Label: label(ev.Task, ev.Name), Prefix: ev.Prefix, Position: ev.Pos.String(), Silent: ev.Silent}
	case *event.CommandStarted:
		return &record{Event: "command_started", Time: ev.Time, Step: int32(ev.Step), Command: &ev.Command, Text: ev.Text, Dir: ev.Dir,
			Silent: ev.Silent, DryRun: ev.DryRun, Relayed: ev.Relayed, Attempt: several(ev.Attempt, ev.Attempts), Attempts: several(ev.Attempts, ev.Attempts)}
	case *event.Output:
		return output(ev)
	case *event.CommandEnded:
		r := &record{Event: "command_ended", Time: ev.Time, Step: int32(ev.Step), Command: &ev.Command, Code: &ev.Code, Error: text(ev.Err), Seconds: seconds(ev.Duration)}
		for _, m := range ev.Members {
			r.Members = append(r.Members, member(m))
		}
		return r.used(ev.Usage)
	case *event.GroupLines:
		return &record{Event: "group_lines", Time: ev.Time, Step: int32(ev.Step), Command: &ev.Command, Begin: ev.Begin, End: ev.End}
	case *event.CommandSkipped:
		return &record{Event: "command_skipped", Time: ev.Time, Step: int32(ev.Step), Command: &ev.Command, Text: ev.Text, Reason: string(ev.Reason)}
	case *event.AttemptFailed:
		r := &record{Event: "attempt_failed", Time: ev.Time, Step: int32(ev.Step), Command: &ev.Command, Attempt: ev.Attempt, Attempts: ev.Attempts, Code: &ev.Code, Error: text(ev.Err), Seconds: seconds(ev.Duration), Delay: seconds(ev.Delay)}
		if ev.Signal != nil {
			r.Signal = ev.Signal.String()
		}
		return r
	case *event.StopFailed:
		return &record{Event: "stop_failed", Time: ev.Time, Step: int32(ev.Step), Task: ev.Task, Text: ev.Text, Error: text(ev.Err)}
	case *event.VarComputed:
		return &record{Event: "var_computed", Time: ev.Time, Text: ev.Command, Result: &ev.Result}
	case *event.TaskSkipped:
		return &record{Event: "task_skipped", Time: ev.Time, Step: int32(ev.Step), Reason: string(ev.Reason)}
	case *event.PreconditionFailed:
		return &record{Event: "precondition_failed", Time: ev.Time, Step: int32(ev.Step), Message: &ev.Message}
	case *event.PromptAssumed:
		return &record{Event: "prompt_assumed", Time: ev.Time, Step: int32(ev.Step), Text: ev.Text}
	case *event.StatusChecked:
		return &record{Event: "status_checked", Time: ev.Time, Step: int32(ev.Step), Text: ev.Text, Error: text(ev.Err)}
	case *event.Waiting:
		return &record{Event: "waiting", Time: ev.Time, Step: int32(ev.Step), For: string(ev.For), Holder: ev.Holder}
	case *event.ErrorIgnored:
		return &record{Event: "error_ignored", Time: ev.Time, Step: int32(ev.Step), Error: text(ev.Err)}
	case *event.BodyEnded:
		return &record{Event: "body_ended", Time: ev.Time, Step: int32(ev.Step), Error: text(ev.Err)}
	case *event.DeferFailed:
		return &record{Event: "defer_failed", Time: ev.Time, Step: int32(ev.Step), Error: text(ev.Err)}
	case *event.Suspended:
		return &record{Event: "suspended", Time: ev.Time, Step: int32(ev.Step)}
	case *event.Resumed:
		return &record{Event: "resumed", Time: ev.Time, Step: int32(ev.Step)}
	case *event.StepSettled:
		return (&record{Event: "step_settled", Time: ev.Time, Step: int32(ev.Step), Parent: int32(ev.Parent), Cause: int32(ev.Cause), Task: ev.Name,
			Label: label(ev.Task, ev.Name), Prefix: ev.Prefix, Silent: ev.Silent, Outcome: ev.Outcome.String(), Code: &ev.Code, Error: text(ev.Err), Seconds: seconds(ev.Duration), Outputs: ev.Outputs}).used(ev.Usage)
	case *event.WatchStarted:
		return &record{Event: "watch_started", Time: ev.Time, Tasks: ev.Tasks}
	case *event.WatchTriggered:
		return &record{Event: "watch_triggered", Time: ev.Time, Tasks: ev.Tasks, Paths: ev.Paths}
	case *event.WatchEnded:
		return &record{Event: "watch_ended", Time: ev.Time, Task: ev.Task, Error: text(ev.Err), Restarted: ev.Restarted, Seconds: seconds(ev.Duration), Paths: ev.Trigger}
	case *event.WatchFailed:
		return &record{Event: "watch_failed", Time: ev.Time, Error: text(ev.Err)}
	case *event.DiagnosticFound:
		d := ev.Diagnostic
		sev := "error"
		if d.Severity != 0 {
			sev = "warning"
		}
		return &record{Event: "diagnostic", Time: ev.Time, Position: d.Pos.String(), Severity: sev, Text: d.Error()}
	case *event.SignalReceived:
		return &record{Event: "signal_received", Time: ev.Time, Signal: ev.Signal.String(), Count: ev.Count, Running: &ev.Running}
	case *event.Snapshot:
		r := &record{Event: "snapshot", Time: ev.Time}
		for _, s := range ev.Steps {
			out := running{Task: s.Task}
			for _, p := range s.Processes {
				out.Processes = append(out.Processes, process{p.Pid, p.Name})
			}
			r.Current = append(r.Current, out)
		}
		return r
	case *event.StillRunning:
		return &record{Event: "still_running", Time: ev.Time, Tasks: ev.Tasks}
	case *event.Leftover:
		return &record{Event: "leftover", Time: ev.Time, Pid: ev.Pid, Name: ev.Name, Kept: &ev.Kept}
	case *event.RunFinished:
		c := ev.Counts
		return &record{Event: "run_finished", Time: ev.Time, Error: text(ev.Err), Seconds: seconds(ev.Duration), Counts: &countsMap{
			Succeeded: c[event.Succeeded], Fresh: c[event.Fresh], Restored: c[event.Restored],
			Failed: c[event.Failed], Skipped: c[event.Skipped], Cancelled: c[event.Cancelled]}}
	}
	return &record{Event: "unknown"}
}

func output(ev *event.Output) *record {
	r := &record{Event: "output", Time: ev.Time, Step: int32(ev.Step), Command: &ev.Command, Stream: streamName(ev.Stream)}
	if utf8.Valid(ev.Data) {
		s := string(ev.Data)
		r.Data = &s
	} else {
		r.Base64 = ev.Data
	}
	return r
}

// used adds what programs took.
func (r *record) used(u event.Usage) *record {
	r.User, r.System, r.MaxRSS = u.User.Seconds(), u.System.Seconds(), u.MaxRSS
	return r
}

// label is the display name where it is not the name.
func label(shown, name string) string {
	if shown == name {
		return ""
	}
	return shown
}

func seconds(d time.Duration) *float64 {
	s := d.Seconds()
	return &s
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func streamName(s event.Stream) string {
	switch s {
	case event.Stdout:
		return "stdout"
	case event.Stderr:
		return "stderr"
	}
	return "merged"
}

// Err implements Reporter.
func (n *NDJSON) Err() error { return n.w.Err() }

// Close implements Reporter.
func (n *NDJSON) Close() error {
	if n.close != nil {
		if err := n.close(); err != nil && n.w.err == nil {
			n.w.err = err
		}
		n.close = nil
	}
	return n.w.Err()
}
