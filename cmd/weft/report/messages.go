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

// messages shows everything except output, which all styles share. Each message is one write, so
// that lines of other writers do not interrupt it.
type messages struct {
	o        Options
	buf      []byte
	steps    map[event.StepID]step // running steps, and steps with running commands
	stopping map[service]bool      // services being stopped; true: because of an error
	prefixed bool                  // "up to date" names the prefix
	// interrupt ends an unterminated line of output on the terminal of the messages; may be nil.
	interrupt func()
}

// step is the state that messages need of a running step, or of one with running commands.
type step struct {
	*event.StepStarted
	said       bool // verbose: its start was shown
	done       bool // verbose: its end was shown
	background int  // number of background commands
	settled    bool
}

func newMessages(o Options) messages {
	return messages{o: o, steps: map[event.StepID]step{}, stopping: map[service]bool{}}
}

// say writes one message to w. Texts among args are escaped so that they stay in one line, unless
// they are a paragraph.
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

// inLine is a one-line text of a message: %s and %v escape it, %q quotes it.
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
	m.write(w)
}

// Wants implements Reporter. The default events suffice.
func (m *messages) Wants() event.Wants { return event.Wants{} }

func (m *messages) handle(ev event.Event) {
	switch ev := ev.(type) {
	case *event.StepStarted:
		m.begun(ev.Parent) // a calling step is running
		m.steps[ev.Step] = step{StepStarted: ev}
	case *event.CommandStarted:
		m.begun(ev.Step)
		if ev.Background && ev.Attempt <= 1 {
			m.inBackground(ev.Step, 1)
		}
		if m.o.Verbose || !ev.Silent {
			m.announce(ev)
		}
	case *event.StepSettled:
		m.settled(ev)
	case *event.BackgroundEnded:
		m.inBackground(ev.Step, -1)
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
			m.say(m.o.Stderr, Yellow, "%s (pid %d) keeps running after this run", ev.Name, ev.Pid)
		} else {
			m.say(m.o.Stderr, Yellow, "stopped %s (pid %d), which a command had left in the background", ev.Name, ev.Pid)
		}
	case *event.WatchStarted:
		m.o.HasSummary = false
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
		m.say(m.o.Stderr, Red, "%s", m.o.inner(ev.Err))
	case *event.DiagnosticFound:
		if d := ev.Diagnostic; d.Kind == diag.SharedCache {
			if !m.o.DropIn {
				m.say(m.o.Stderr, Yellow, "%s", d.Error())
			}
			return
		}
		m.raw(m.o.Stderr, Yellow, "warning: "+ev.Diagnostic.Error()+"\n")
	case *event.Ready, *event.Restarted, *event.Stopping, *event.Stopped:
		m.service(ev)
	default:
		m.notice(ev)
	}
}

// inBackground counts the background commands of a step.
func (m *messages) inBackground(id event.StepID, more int) {
	s, ok := m.steps[id]
	if !ok {
		return
	}
	if s.background += more; s.settled && s.background <= 0 {
		delete(m.steps, id)
	} else {
		m.steps[id] = s
	}
}

// announce shows a command before it runs. It is the hot path of a run with many small commands,
// hence it formats by hand.
func (m *messages) announce(ev *event.CommandStarted) {
	b := append(m.o.Palette.begin(m.buf[:0], Green), m.o.Name...)
	b = append(b, ": ["...)
	b = diag.AppendPrintable(b, m.label(ev.Step))
	b = append(b, "] "...)
	b = diag.AppendPrintableText(b, ev.Text)
	if ev.Attempt > 1 {
		b = fmt.Appendf(b, " (attempt %d of %d)", ev.Attempt, ev.Attempts)
	}
	if ev.Replayed {
		b = append(b, " (from the cache)"...)
	}
	m.buf = m.o.Palette.endLine(b)
	m.write(m.o.Stderr)
}

// write writes the message in m.buf to w.
func (m *messages) write(w *Out) {
	if m.o.InCI {
		m.buf = append(m.buf[:0], EscapeMarkers(string(m.buf))...)
	}
	if m.interrupt != nil {
		m.interrupt()
	}
	w.Write(m.buf)
}

// begun shows in verbose mode, once, that the step started. It precedes all other messages of the
// step except those about its condition or platform, which mean that it never started.
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
	s := m.steps[ev.Step]
	if s.background > 0 {
		s.settled = true
		m.steps[ev.Step] = s
	} else {
		delete(m.steps, ev.Step)
	}
	switch {
	case ev.Outcome == event.Fresh || ev.Outcome == event.Restored:
		if m.o.Verbose || !ev.Silent {
			name := ev.Task
			if m.prefixed {
				name = ev.Prefix
			}
			what := "is up to date"
			if ev.Outcome == event.Restored {
				what = "was restored from the cache"
			}
			m.say(m.o.Stderr, Magenta, "Task %q %s", name, what)
		}
	case m.o.Verbose && !s.done && ev.Outcome == event.Succeeded:
		m.ended(ev.Name, nil)
	}
}

// ended is the verbose message about the end of a step.
func (m *messages) ended(name string, err error) {
	if err != nil {
		m.say(m.o.Stderr, Red, "%q failed: %s", name, m.o.inner(err))
		return
	}
	m.say(m.o.Stderr, Magenta, "%q finished", name)
}

// started returns the start of running step id, or an empty event.
//
//go:noinline
func (m *messages) started(id event.StepID) *event.StepStarted {
	if s, ok := m.steps[id]; ok {
		return s.StepStarted
	}
	return new(event.StepStarted)
}

// label returns the displayed name of running step id.
//
//go:noinline
func (m *messages) label(id event.StepID) string { return m.started(id).Task }

// list joins at most most names.
func list(names []string, most int) string {
	s := strings.Join(names[:min(len(names), most)], ", ")
	if n := len(names) - most; n > 0 {
		s += fmt.Sprintf(" and %d more", n)
	}
	return s
}

// Err returns the first error of standard output, else of standard error.
func (m *messages) Err() error { return cmp.Or(m.o.Stdout.Err(), m.o.Stderr.Err()) }

// Close returns Err. Nothing is held back.
func (m *messages) Close() error { return m.Err() }
