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

// hostile is a name of everything that a terminal would obey, and of a line that is not
// weft's.
const hostile = "n\x1b]0;t\x07\x1b[2J\r\x08\u009b1m\u202eb\u2066c\u200f\u2028\x9b\x7f\nFORGED"

// TestHostileNames: whatever names, paths and errors hold, no message of any style gives it
// to the terminal, or lets it begin a line.
func TestHostileNames(t *testing.T) {
	styles := map[string]func(o Options) Reporter{
		"interleaved": func(o Options) Reporter { return New("interleaved", o) },
		"group":       func(o Options) Reporter { return New("group", o) },
		"prefixed":    func(o Options) Reporter { return New("prefixed", o) },
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

// obeyed reports whether a terminal does something at r, or shows other text in another
// order for it.
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
	add(&event.DiagnosticFound{})
	add(&event.Snapshot{})
	add(&event.StillRunning{})
	add(&event.Leftover{})
	add(&event.Leftover{Kept: true})
	add(&event.WatchStarted{})
	add(&event.WatchTriggered{})
	add(&event.WatchEnded{})
	all = append(all, &event.WatchEnded{Task: hostile, Trigger: []string{hostile}})
	add(&event.WatchFailed{})
	all = append(all, &event.SignalReceived{Signal: syscall.SIGINT, Count: 1})
	add(&event.StepSettled{Step: 1, Outcome: event.Failed, Code: 1})
	for _, outcome := range []event.Outcome{event.Fresh, event.Succeeded, event.Cancelled} {
		all = append(all, &event.StepStarted{Step: 2, Task: hostile, Name: hostile}, &event.StepSettled{Step: 2, Task: hostile, Name: hostile, Prefix: hostile, Outcome: outcome})
	}
	add(&event.RunFinished{})
	return all
}

// fill puts the hostile name into every text of v that has none. Texts that may have
// several lines, and errors, get it without its newline.
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
