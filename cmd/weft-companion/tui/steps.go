package tui

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/weftrun/weft/cmd/weft/report"
	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/schema/diag"
)

const (
	maxLines = 10_000  // kept lines per step
	maxBytes = 4 << 20 // of these
)

// step is a step of the run.
type step struct {
	id       event.StepID
	rerunArg string // argument that reruns it: its task, or its number if it was given variables
	label    string
	state    string
	since    time.Time // of the state
	duration time.Duration
	service  bool
	restarts int
	failed   bool
	command  string // the last started one
	pos      diag.Pos
	reasons  []string
	log      log
}

// log is the end of a step's output.
type log struct {
	lines   []string
	bytes   int
	dropped int // number of lines before these
	filters map[int]*report.LineFilter
}

// write adds output of a command.
func (l *log) write(command int, data []byte) {
	if l.filters == nil {
		l.filters = map[int]*report.LineFilter{}
	}
	f := l.filters[command]
	if f == nil {
		f = report.NewLineFilter()
		l.filters[command] = f
	}
	l.add(f.Write(data))
}

// end adds the rest of the output of an ended command.
func (l *log) end(command int) {
	if f := l.filters[command]; f != nil {
		l.add(f.End())
		delete(l.filters, command)
	}
}

func (l *log) add(text []byte) {
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSuffix(line, "\n")
		line = strings.ReplaceAll(line, "\a", "")
		l.lines = append(l.lines, strings.ReplaceAll(line, "\t", "    "))
		l.bytes += len(line)
	}
	n := 0
	for n < len(l.lines) && (len(l.lines)-n > maxLines || l.bytes > maxBytes) {
		l.bytes -= len(l.lines[n])
		n++
	}
	l.dropped += n
	l.lines = l.lines[n:]
}

// run is the state of the run.
type run struct {
	title   string
	steps   []*step // in order of their start
	byID    map[event.StepID]*step
	watched []string
	failed  int
	ended   bool
}

// handle updates the state from an event.
func (r *run) handle(ev event.Event) {
	switch ev := ev.(type) {
	case *event.StepStarted:
		s := &step{id: ev.Step, rerunArg: ev.Name, label: ev.Task, state: "running", since: ev.Time, pos: ev.Pos, reasons: ev.Reasons}
		if ev.GivenVars || ev.Internal {
			s.rerunArg = fmt.Sprint(ev.Step)
		}
		r.byID[ev.Step] = s
		// A step that runs again replaces the last one, and keeps its log.
		i := slices.IndexFunc(r.steps, func(old *step) bool { return old.label == s.label && old.duration > 0 })
		if i < 0 {
			r.steps = append(r.steps, s)
			break
		}
		s.log, s.restarts = r.steps[i].log, r.steps[i].restarts
		if r.steps[i].failed {
			r.failed--
		}
		delete(r.byID, r.steps[i].id)
		r.steps[i] = s
	case *event.CommandStarted:
		if s := r.byID[ev.Step]; s != nil {
			s.command, s.pos = ev.Text, ev.Pos
			if ev.Service {
				s.service = true
				s.set("starting", ev.Time)
			}
		}
	case *event.Output:
		if s := r.byID[ev.Step]; s != nil {
			s.log.write(ev.Command, ev.Data)
		}
	case *event.CommandEnded:
		if s := r.byID[ev.Step]; s != nil {
			s.log.end(ev.Command)
		}
	case *event.Ready:
		if s := r.byID[ev.Step]; s != nil {
			s.restarts = ev.Restarts
			s.set("ready", ev.Time)
		}
	case *event.Restarted:
		if s := r.byID[ev.Step]; s != nil {
			s.restarts = ev.Restarts
			s.set("restarting", ev.Time)
		}
	case *event.Stopping:
		if s := r.byID[ev.Step]; s != nil {
			s.set("stopping", ev.Time)
		}
	case *event.StepSettled:
		s := r.byID[ev.Step]
		if s == nil {
			break
		}
		s.set(ev.Outcome.String(), ev.Time)
		if s.duration = max(ev.Duration, 1); ev.Outcome == event.Failed {
			s.failed = true
			r.failed++
			if ev.Code != 0 {
				s.state = fmt.Sprintf("exit %d", ev.Code)
			}
		}
	case *event.WatchStarted:
		r.watched = ev.Tasks
	case *event.RunFinished:
		r.ended = r.watched == nil
	}
}

func (s *step) set(state string, at time.Time) { s.state, s.since = state, at }

// done reports whether the step has ended.
func (s *step) done() bool { return s.duration > 0 }

// mark returns one character for the state; in ASCII if plain is set.
func (s *step) mark(plain bool) string {
	i := 0
	switch {
	case s.failed:
		i = 1
	case s.state == "ready" || s.state == "succeeded":
		i = 2
	case s.done():
		i = 3
	}
	if plain {
		return string("~!*-"[i])
	}
	return string([]rune("◐✗●·")[i])
}

// age returns how long the step has been in its state, or took.
func (s *step) age(now time.Time) string {
	d := s.duration
	if !s.done() {
		d = now.Sub(s.since)
	}
	return max(d, 0).Round(time.Second).String()
}
