package report

import (
	"cmp"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/schema/diag"
)

// messages shows everything but output: what every style has in common. Each
// message is one write, so that lines of other writers do not fall into it.
type messages struct {
	o        Options
	buf      []byte
	steps    map[event.StepID]step // those that run
	prefixed bool                  // "up to date" names the prefix
}

// step is what messages have to know of a running step.
type step struct {
	*event.StepStarted
	said bool // verbose: its start was shown
	done bool // verbose: its end was shown
}

func newMessages(o Options) messages {
	return messages{o: o, steps: map[event.StepID]step{}}
}

// say writes one message to w. Texts among args are escaped so that they stay in their
// line, unless they are a paragraph.
func (m *messages) say(w *Out, c Color, format string, args ...any) {
	for i, arg := range args {
		if text, ok := arg.(string); ok {
			args[i] = inLine(text)
		}
	}
	m.raw(w, c, m.o.Name+": "+fmt.Sprintf(format, args...)+"\n")
}

// paragraph is a text of a message that may have several lines.
type paragraph string

// inLine is a text of a message that belongs into its line: %s and %v escape it, %q
// quotes it as any other string.
type inLine string

// Format implements fmt.Formatter.
func (s inLine) Format(f fmt.State, verb rune) {
	if verb == 'q' {
		io.WriteString(f, strconv.Quote(string(s)))
		return
	}
	io.WriteString(f, diag.Printable(string(s)))
}

// raw writes text to w.
func (m *messages) raw(w *Out, c Color, text string) {
	m.buf = m.o.Palette.Append(m.buf[:0], c, w.masked(text))
	w.Write(m.buf)
}

func (m *messages) handle(ev event.Event) {
	switch ev := ev.(type) {
	case *event.StepStarted:
		m.begun(ev.Parent) // one that calls a task runs
		m.steps[ev.Step] = step{StepStarted: ev}
	case *event.CommandStarted:
		m.begun(ev.Step)
		if m.o.Verbose || !ev.Silent {
			m.announce(ev)
		}
	case *event.StepSettled:
		m.settled(ev)
	case *event.SignalReceived:
		m.signal(ev)
	case *event.Snapshot:
		m.snapshot(ev)
	case *event.StillRunning:
		if !m.o.DropIn {
			m.say(m.o.Stderr, Yellow, "still running: %s (Ctrl-C again to kill)", list(ev.Tasks, 5))
		}
	case *event.Leftover:
		if ev.Kept {
			m.say(m.o.Stderr, Yellow, "%s (pid %d) goes on after this run", ev.Name, ev.Pid)
		} else {
			m.say(m.o.Stderr, Yellow, "stopped %s (pid %d), which a command had left in the background", ev.Name, ev.Pid)
		}
	case *event.WatchStarted:
		if m.o.DropIn {
			m.say(m.o.Stderr, Green, "Started watching for tasks: %s", strings.Join(ev.Tasks, ", "))
		} else {
			keys := ""
			if m.o.Keys {
				keys = " (Enter: run again, l: list tasks, c: clear, q: quit)"
			}
			m.say(m.o.Stderr, Green, "watching for %s%s", strings.Join(ev.Tasks, ", "), keys)
		}
	case *event.WatchTriggered:
		m.triggered(ev)
	case *event.WatchEnded:
		m.watchEnded(ev)
	case *event.WatchFailed:
		m.say(m.o.Stderr, Red, "%s", m.o.errorText(ev.Err))
	case *event.DiagnosticFound:
		m.raw(m.o.Stderr, Yellow, "warning: "+ev.Diagnostic.Error()+"\n")
	default:
		m.notice(ev)
	}
}

// announce shows a command before it runs. It is the hot path of a run with
// many small commands, hence no formatting.
func (m *messages) announce(ev *event.CommandStarted) {
	b := m.buf[:0]
	if m.o.Palette.On {
		b = append(b, "\x1b["...)
		b = append(b, m.o.Palette.code(Green)...)
		b = append(b, 'm')
	}
	b = append(b, m.o.Name...)
	b = append(b, ": ["...)
	b = diag.AppendPrintable(b, m.label(ev.Step))
	b = append(b, "] "...)
	b = diag.AppendPrintableText(b, ev.Text)
	if ev.Attempt > 1 {
		b = fmt.Appendf(b, " (attempt %d of %d)", ev.Attempt, ev.Attempts)
	}
	b = append(b, '\n')
	if m.o.Palette.On {
		b = append(b, "\x1b[0m"...)
	}
	m.buf = b
	m.o.Stderr.Write(b)
}

// begun shows in verbose mode that the step was started, once. It comes before
// anything else of the step but a word of its condition or platform: a step
// ended by these never started.
func (m *messages) begun(id event.StepID) {
	if !m.o.Verbose {
		return
	}
	if s, ok := m.steps[id]; ok && !s.said {
		s.said = true
		m.steps[id] = s
		m.say(m.o.Stderr, Magenta, "%q started", s.Name)
	}
}

func (m *messages) settled(ev *event.StepSettled) {
	if ev.Outcome != event.Skipped && ev.Outcome != event.Cancelled {
		m.begun(ev.Step)
	}
	done := m.steps[ev.Step].done
	delete(m.steps, ev.Step)
	switch {
	case ev.Outcome == event.Fresh || ev.Outcome == event.Restored:
		if m.o.Verbose || !ev.Silent {
			name := ev.Task
			if m.prefixed {
				name = ev.Prefix
			}
			m.say(m.o.Stderr, Magenta, "Task %q is up to date", name)
		}
	case m.o.Verbose && !done && ev.Outcome == event.Succeeded:
		m.ended(ev.Name, nil)
	}
}

// ended is the verbose line of a step that ran.
func (m *messages) ended(name string, err error) {
	if err != nil {
		m.say(m.o.Stderr, Red, "%q failed: %s", name, m.o.errorText(err))
		return
	}
	m.say(m.o.Stderr, Magenta, "%q finished", name)
}

// started is how the running step id was started, or nothing.
func (m *messages) started(id event.StepID) *event.StepStarted {
	if s, ok := m.steps[id]; ok {
		return s.StepStarted
	}
	return new(event.StepStarted)
}

// label is how the running step id is shown.
func (m *messages) label(id event.StepID) string { return m.started(id).Task }

// list joins names, the first most of them.
func list(names []string, most int) string {
	s := strings.Join(names[:min(len(names), most)], ", ")
	if n := len(names) - most; n > 0 {
		s += fmt.Sprintf(" and %d more", n)
	}
	return s
}

// Err returns the first error of standard output, else of standard error.
func (m *messages) Err() error { return cmp.Or(m.o.Stdout.Err(), m.o.Stderr.Err()) }
