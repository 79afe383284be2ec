package report

import (
	"fmt"
	"time"

	"github.com/weftrun/weft/engine/event"
)

// service identifies a service of a run, or across runs in watch mode: then its step may be 0.
type service struct {
	step event.StepID
	task string
}

// service shows a state change of a service in one line. Normal changes of a silent task are not
// shown.
func (m *messages) service(ev event.Event) {
	if m.o.DropIn {
		return
	}
	switch ev := ev.(type) {
	case *event.Ready:
		delete(m.stopping, service{ev.Step, ev.Task})
		switch {
		case ev.Kept:
			if m.o.Verbose {
				m.say(m.o.Stderr, Magenta, "%q keeps running", ev.Task)
			}
		case m.shows(ev.Step):
			m.say(m.o.Stderr, Green, "%q is ready%s", ev.Task, after(ev.Duration))
		}
	case *event.Restarted:
		delete(m.stopping, service{ev.Step, ev.Task})
		m.restarted(ev)
	case *event.Stopping:
		m.stopping[service{ev.Step, ev.Task}] = ev.Err != nil
		if ev.Err != nil {
			m.say(m.o.Stderr, Yellow, "%q stopping: %s", ev.Task, m.o.inner(ev.Err))
		} else if m.shows(ev.Step) {
			m.say(m.o.Stderr, Magenta, "%q stopping", ev.Task)
		}
	case *event.Stopped:
		failed, stopping := m.stopping[service{ev.Step, ev.Task}]
		delete(m.stopping, service{ev.Step, ev.Task})
		how := "ended"
		if stopping {
			how = "stopped"
		}
		switch {
		case ev.Err != nil && !failed:
			m.say(m.o.Stderr, Red, "%q %s: %s", ev.Task, how, m.o.inner(ev.Err))
		case failed || m.shows(ev.Step):
			m.say(m.o.Stderr, Magenta, "%q %s", ev.Task, how)
		}
	}
}

// restarted shows why and when a service is restarted.
func (m *messages) restarted(ev *event.Restarted) {
	how, when := "", "starts again"
	if ev.Why == event.ByExit {
		how = "ended; "
		if ev.Err != nil {
			how = "ended: " + string(m.o.inner(ev.Err)) + "; "
		}
	}
	if ev.Delay > 0 {
		when += " in " + ev.Delay.Round(time.Millisecond).String()
	}
	if ev.Attempts > 0 {
		when += fmt.Sprintf(" (%d of %d)", ev.Attempt, ev.Attempts)
	}
	m.say(m.o.Stderr, Yellow, "%q %s%s", ev.Task, paragraph(how), when)
}

// shows reports whether normal events of a step are shown.
func (m *messages) shows(id event.StepID) bool { return m.o.Verbose || !m.started(id).Silent }

// after formats a duration, if long enough to mention.
func after(d time.Duration) string {
	if d < shortEnough {
		return ""
	}
	return " after " + FormatDuration(d)
}
