package report

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"unicode/utf8"

	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/schema/diag"
)

// hostile is a name with every kind of terminal control and a forged line.
const hostile = "n\x1b]0;t\x07\x1b[2J\r\x08\u009b1m\u202eb\u2066c\u200f\u2028\x9b\x7f\nFORGED"

// TestHostileNames: names, paths and errors with control characters never reach the terminal
// unescaped or begin a line, in any style.
func TestHostileNames(t *testing.T) {
	styles := map[string]func(o Options) Reporter{
		"interleaved": func(o Options) Reporter { return New("interleaved", o) },
		"group":       func(o Options) Reporter { return New("group", o) },
		"prefixed":    func(o Options) Reporter { return New("prefixed", o) },
		"ci":          func(o Options) Reporter { o.CI = GitHub; return New("ci", o) },
		"summary":     func(o Options) Reporter { return NewSummary(o, func(task string) string { return task }) },
	}
	for style, reporter := range styles {
		for _, o := range []Options{{}, {DropIn: true}, {Verbose: true}, {Verbose: true, DropIn: true}} {
			var out bytes.Buffer
			o.Name, o.Stdout, o.Stderr = "weft", NewOut(&out), NewOut(&out)
			r := reporter(o)
			for _, ev := range hostileEvents() {
				r.Handle(ev)
			}
			r.Close()
			shown := out.String()
			if shown == "" {
				t.Errorf("%s %+v: nothing is shown", style, o)
			}
			if at := strings.IndexFunc(shown, obeyed); at >= 0 || !utf8.ValidString(shown) {
				t.Errorf("%s: %q holds what a terminal obeys", style, shown)
			}
			if strings.Contains(shown, "\nFORGED") {
				t.Errorf("%s: a name begins a line: %q", style, shown)
			}
		}
	}
}

// obeyed reports whether r controls a terminal or changes the order of shown text.
func obeyed(r rune) bool {
	return r < ' ' && r != '\n' && r != '\t' || r >= 0x7f && r <= 0x9f || r == 0x61c || r == 0x200e || r == 0x200f ||
		r >= 0x2028 && r <= 0x202e || r >= 0x2066 && r <= 0x2069
}

// hostileEvents are a run in which every text is hostile.
func hostileEvents() []event.Event {
	var all []event.Event
	add := func(ev event.Event) {
		fill(reflect.ValueOf(ev).Elem())
		all = append(all, ev)
	}
	add(&event.RunStarted{})
	add(&event.StepStarted{Step: 1})
	for attempt := 1; attempt <= 2; attempt++ {
		add(&event.CommandStarted{Step: 1, Relayed: true, Attempt: attempt, Attempts: 2})
		all = append(all, &event.Output{Step: 1, Data: []byte("output\n")})
		add(&event.CommandEnded{Step: 1, Code: 1})
	}
	add(&event.AttemptFailed{Step: 1, Attempt: 1, Attempts: 2})
	add(&event.VarComputed{})
	add(&event.TaskSkipped{Step: 1, Reason: event.ByIf})
	add(&event.TaskSkipped{Step: 1, Reason: event.ByPlatform})
	add(&event.PreconditionFailed{Step: 1})
	add(&event.PromptAssumed{Step: 1})
	add(&event.StatusChecked{Step: 1})
	add(&event.Waiting{Step: 1, For: event.Lock})
	add(&event.CommandSkipped{Step: 1, Reason: event.ByIf})
	add(&event.CommandSkipped{Step: 1, Reason: event.ByPlatform})
	add(&event.GroupLines{Step: 1, Command: 1})
	add(&event.StopFailed{Step: 1})
	add(&event.ErrorIgnored{Step: 1})
	add(&event.BodyEnded{Step: 1})
	add(&event.DeferFailed{Step: 1})
	add(&event.Ready{Step: 1})
	add(&event.Ready{Step: 1, Kept: true})
	for _, why := range []event.Change{event.ByExit, event.ByAlive} {
		add(&event.Stopping{Step: 1, Why: why})
		add(&event.Restarted{Step: 1, Why: why})
	}
	add(&event.Stopped{Step: 1})
	add(&event.DiagnosticFound{})
	add(&event.Snapshot{})
	add(&event.StillRunning{})
	add(&event.Leftover{})
	add(&event.Leftover{Kept: true})
	all = append(all, &event.SignalReceived{Signal: syscall.SIGINT, Count: 1})
	add(&event.CommandStarted{Step: 1, Command: 2, Background: true})
	add(&event.StepSettled{Step: 1, Outcome: event.Failed, Code: 1})
	add(&event.BackgroundEnded{Step: 1, Command: 2, Code: 1})
	for _, outcome := range []event.Outcome{event.Fresh, event.Succeeded, event.Cancelled} {
		all = append(all, &event.StepStarted{Step: 2, Task: hostile, Name: hostile}, &event.StepSettled{Step: 2, Task: hostile, Name: hostile, Prefix: hostile, Outcome: outcome})
	}
	add(&event.RunFinished{})
	add(&event.WatchStarted{})
	add(&event.WatchTriggered{})
	add(&event.WatchEnded{})
	all = append(all, &event.WatchEnded{Task: hostile, Trigger: []string{hostile}})
	add(&event.WatchFailed{})
	return all
}

// fill sets every empty text of v to the hostile name. Multi-line texts and errors get it without
// its newline.
func fill(v reflect.Value) {
	block := strings.ReplaceAll(hostile, "\n", "")
	for i := range v.NumField() {
		f, name := v.Field(i), v.Type().Field(i).Name
		if !f.CanSet() {
			continue
		}
		switch f.Interface().(type) {
		case string:
			f.SetString(hostile)
			if name == "Text" || name == "Begin" || name == "End" || name == "Message" {
				f.SetString(block)
			}
		case []string:
			f.Set(reflect.ValueOf([]string{hostile, hostile}))
		case *diag.Diagnostic:
			f.Set(reflect.ValueOf(&diag.Diagnostic{Pos: diag.Pos{File: &diag.File{Path: hostile}, Line: 1, Column: 1}, What: block, Why: block, Fix: block}))
		case error, nil:
			if f.Type() == reflect.TypeFor[error]() {
				f.Set(reflect.ValueOf(errors.New(block)))
			}
		case []event.Running:
			f.Set(reflect.ValueOf([]event.Running{{Task: hostile, Processes: []event.Process{{Pid: 1, Name: hostile}}}, {Task: hostile}}))
		}
	}
}
