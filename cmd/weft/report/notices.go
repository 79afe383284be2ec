package report

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/schema/diag"
)

// notice shows events of a step other than commands, output and its end. Streams and colours are
// part of the format.
func (m *messages) notice(ev event.Event) {
	out, errs := m.o.Stdout, m.o.Stderr
	switch ev := ev.(type) {
	case *event.PreconditionFailed:
		m.begun(ev.Step)
		if !m.o.HasSummary {
			m.say(errs, Magenta, "%s", paragraph(ev.Message))
		}
	case *event.PromptAssumed:
		m.raw(out, Yellow, ev.Text+" [assuming yes]\n")
	case *event.StopFailed:
		m.say(errs, Yellow, "the stop command of %q failed: %v; the signal is sent instead", ev.Task, ev.Err)
	case *event.AttemptFailed:
		m.say(errs, Yellow, "[%s] %s; attempt %d of %d follows in %s", m.label(ev.Step), m.o.inner(ev.Err), ev.Attempt+1, ev.Attempts, ev.Delay.Truncate(time.Microsecond))
	case *event.Waiting:
		if ev.For == event.Lock {
			m.say(errs, Yellow, "[%s] waiting for %s, which runs the same task", m.label(ev.Step), ev.Holder)
		}
	default:
		if m.o.Verbose {
			m.detail(ev)
		}
	}
}

// detail shows the events of verbose mode.
func (m *messages) detail(ev event.Event) {
	out, errs := m.o.Stdout, m.o.Stderr
	switch ev := ev.(type) {
	case *event.VarComputed:
		m.say(errs, Magenta, "dynamic variable: %q result: %q", ev.Text, ev.Result)
	case *event.TaskSkipped:
		name := m.started(ev.Step).Name
		if ev.Reason == event.ByPlatform {
			// The reference ends this one line with a backslash and an n.
			m.raw(out, Yellow, m.o.Name+": \""+diag.Printable(name)+"\" not for current platform - ignored\\n")
		} else {
			m.say(out, Yellow, "if condition not met - skipped: %q", name)
		}
	case *event.CommandSkipped:
		m.begun(ev.Step)
		if ev.Reason == event.ByPlatform {
			m.say(out, Yellow, "[%s] %s not for current platform - ignored", m.label(ev.Step), paragraph(ev.Text))
		} else {
			m.say(out, Yellow, "[%s] if condition not met - skipped", m.label(ev.Step))
		}
	case *event.StatusChecked:
		m.begun(ev.Step)
		if ev.Err == nil {
			m.say(out, Yellow, "status command %s exited zero", paragraph(ev.Text))
		} else {
			m.say(out, Yellow, "status command %s exited non-zero: %s", paragraph(ev.Text), m.o.inner(ev.Err))
		}
	case *event.Message:
		m.begun(ev.Step)
		text := ev.Data
		if len(text) > shownMessage {
			text = text[:shownMessage] + cutMark
		}
		m.say(errs, Magenta, "[%s] message: %s", m.label(ev.Step), text)
	case *event.ErrorIgnored:
		m.begun(ev.Step)
		m.say(errs, Yellow, "[%s] command error ignored: %s", m.label(ev.Step), m.o.inner(ev.Err))
	case *event.DeferFailed:
		m.begun(ev.Step)
		m.say(errs, Yellow, "ignored error in deferred cmd: %s", m.o.inner(ev.Err))
	case *event.BodyEnded:
		m.begun(ev.Step)
		if s, ok := m.steps[ev.Step]; ok {
			s.done = true
			m.steps[ev.Step] = s
			m.ended(s.Name, ev.Err)
		}
	}
}

// shownMessage is the maximum number of bytes shown of a message.
const shownMessage = 1 << 10

// progress shows the progress of a step, except in the style interleaved, in which the command
// itself writes to the terminal.
func (m *messages) progress(ev *event.Progress) {
	if ev.Stage != "" {
		return
	}
	m.begun(ev.Step)
	what := fmt.Sprintf("%d%%", int(ev.Value*100+1e-9))
	switch {
	case ev.Bytes > 0 && ev.Value == 0: // total unknown
		what = size(ev.Bytes)
	case ev.Bytes > 0:
		what += ", " + size(ev.Bytes)
	}
	if ev.Text != "" {
		what += ": " + ev.Text
	}
	m.say(m.o.Stderr, Cyan, "[%s] %s", m.label(ev.Step), what)
}

// signal announces that the run is being stopped, and how to stop it faster.
func (m *messages) signal(ev *event.SignalReceived) {
	name := ev.Signal.String()
	switch {
	case m.o.DropIn:
		m.say(m.o.Stdout, Default, "Signal received: %q", name)
	case ev.Signal == syscall.SIGQUIT || ev.Count > 1 && ev.Signal == syscall.SIGINT:
		m.say(m.o.Stderr, Yellow, "%s: killing %s", name, steps(ev.Running))
	case ev.Count > 1:
	case ev.Running == 0:
		m.say(m.o.Stderr, Yellow, "%s: stopping", name)
	case ev.Signal == syscall.SIGINT:
		m.say(m.o.Stderr, Yellow, "%s: stopping %s, Ctrl-C again to kill", name, steps(ev.Running))
	default:
		m.say(m.o.Stderr, Yellow, "%s: stopping %s", name, steps(ev.Running))
	}
}

// snapshot shows the running steps, one line each.
func (m *messages) snapshot(ev *event.Snapshot) {
	for _, r := range ev.Steps {
		var programs []string
		for _, p := range r.Processes {
			programs = append(programs, fmt.Sprintf("%s (pid %d)", p.Name, p.Pid))
		}
		m.say(m.o.Stderr, Yellow, "running: %s: %s", r.Task, cmp.Or(strings.Join(programs, ", "), "no program"))
	}
}

func steps(n int) string {
	if n == 1 {
		return "1 step"
	}
	return strconv.Itoa(n) + " steps"
}

// ClearScreen clears a terminal and its scrollback, and moves the cursor to the top.
const ClearScreen = "\x1b[H\x1b[2J\x1b[3J"

// shownPaths is the maximum number of changed paths in a message.
const shownPaths = 3

// triggered shows in one line the changed paths and the stale tasks.
func (m *messages) triggered(ev *event.WatchTriggered) {
	if m.o.Clear {
		m.o.Stderr.Write([]byte(ClearScreen))
	}
	if m.o.DropIn {
		return
	}
	what := "something"
	if len(ev.Paths) > 0 {
		what = list(ev.Paths, shownPaths)
	}
	m.say(m.o.Stderr, Cyan, "%s changed: %s", what, list(ev.Tasks, 5))
}

// watchEnded shows the end of a run in watch mode.
func (m *messages) watchEnded(ev *event.WatchEnded) {
	switch {
	case ev.Restarted:
	case ev.Err != nil:
		m.say(m.o.Stderr, Red, "%s", m.o.inner(ev.Err))
	case m.o.DropIn:
		m.say(m.o.Stderr, Green, "task \"%s\" finished running", ev.Task)
	default:
		last := ""
		if len(ev.Trigger) > 0 {
			last = ", last change " + list(ev.Trigger, shownPaths)
		}
		how := "done"
		if ev.Serving {
			how = "up"
		}
		m.say(m.o.Stderr, Green, "%q is %s after %s, waiting for changes since %s%s", ev.Task, how, ev.Duration.Round(time.Millisecond), ev.Time.Format(time.TimeOnly), last)
	}
}
