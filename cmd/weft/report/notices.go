package report

import (
	"fmt"
	"strconv"
	"strings"
	"syscall"

	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/schema/diag"
)

// notice shows the facts about a step that are no command, no output and no
// end. Most show up in verbose mode only. Their streams and colours are part of
// the format.
func (m *messages) notice(ev *event.Notice) {
	out, errs := m.o.Stdout, m.o.Stderr
	switch ev.Kind {
	case event.PreconditionFailed:
		m.begun(ev.Step)
		m.say(errs, Magenta, "%s", paragraph(ev.A))
		return
	case event.PromptAssumed:
		m.raw(out, Yellow, ev.A+" [assuming yes]\n")
		return
	case event.StopFailed:
		m.say(errs, Yellow, "the command that stops %q failed: %v; it gets the signal", ev.Task, ev.Err)
		return
	case event.Retrying:
		m.say(errs, Yellow, "[%s] %s; %s follows in %s", ev.Task, m.o.errorText(ev.Err), ev.A, ev.B)
		return
	case event.WaitingForLock:
		m.say(errs, Yellow, "[%s] waiting for %s, which runs the same task", ev.Task, ev.A)
		return
	}
	if !m.o.Verbose {
		return
	}
	switch ev.Kind {
	case event.VarComputed:
		m.say(errs, Magenta, "dynamic variable: %q result: %q", ev.A, ev.B)
		return
	case event.TaskIfSkipped:
		m.say(out, Yellow, "if condition not met - skipped: %q", m.full(ev))
		return
	case event.PlatformSkipped:
		if ev.A == "" {
			// The reference ends this one line with a backslash and an n.
			m.raw(out, Yellow, m.o.Name+": \""+diag.Printable(m.full(ev))+"\" not for current platform - ignored\\n")
			return
		}
	}
	m.begun(ev.Step)
	switch ev.Kind {
	case event.PlatformSkipped:
		m.say(out, Yellow, "[%s] %s not for current platform - ignored", ev.Task, paragraph(ev.A))
	case event.CommandIfSkipped:
		m.say(out, Yellow, "[%s] if condition not met - skipped", ev.Task)
	case event.StatusChecked:
		if ev.Err == nil {
			m.say(out, Yellow, "status command %s exited zero", paragraph(ev.A))
		} else {
			m.say(out, Yellow, "status command %s exited non-zero: %s", paragraph(ev.A), m.o.errorText(ev.Err))
		}
	case event.ErrorIgnored:
		m.ignored(ev)
	case event.DeferFailed:
		m.say(errs, Yellow, "ignored error in deferred cmd: %s", m.o.errorText(ev.Err))
	case event.BodyEnded:
		if s, ok := m.steps[ev.Step]; ok {
			s.over = true
			m.steps[ev.Step] = s
			m.ended(s.Name, ev.Err)
		}
	case event.Deduplicated:
		m.say(errs, Magenta, "skipping execution of task: %s", ev.A)
	}
}

func (m *messages) ignored(ev *event.Notice) {
	text := m.o.errorText(ev.Err)
	switch ev.A {
	case "task":
		m.say(m.o.Stderr, Yellow, "task error ignored: %s", text)
	case "call":
		m.say(m.o.Stderr, Yellow, "[%s] task error ignored: %s", ev.Task, text)
	default:
		m.say(m.o.Stderr, Yellow, "[%s] command error ignored: %s", ev.Task, text)
	}
}

// full is the full name of the step a notice is about, else its display name.
func (m *messages) full(ev *event.Notice) string {
	if s, ok := m.steps[ev.Step]; ok && s.Name != "" {
		return s.Name
	}
	return ev.Task
}

// signal tells that the run is being stopped, and how to hurry it.
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

// snapshot shows what runs, a line for each step.
func (m *messages) snapshot(ev *event.Snapshot) {
	for _, r := range ev.Steps {
		var programs []string
		for _, p := range r.Processes {
			programs = append(programs, fmt.Sprintf("%s (pid %d)", p.Name, p.Pid))
		}
		if programs == nil {
			programs = []string{"no program"}
		}
		m.say(m.o.Stderr, Yellow, "running: %s: %s", r.Task, strings.Join(programs, ", "))
	}
}

func steps(n int) string {
	if n == 1 {
		return "1 step"
	}
	return strconv.Itoa(n) + " steps"
}
