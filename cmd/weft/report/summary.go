package report

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/internal/tail"
	"github.com/weftrun/weft/schema/diag"
)

const (
	tailBytes   = 2 << 10 // of each running command's relayed output
	tailLines   = 10      // shown of a failed command
	mostFailed  = 10      // failures shown; the others are counted
	shortEnough = 100 * time.Millisecond
)

// Summary shows, at the end of a run that failed, what failed of its own: the
// first failure last, because it is nearest to the prompt. What was only
// cancelled or dragged along is counted.
type Summary struct {
	o Options
	// again returns the command line that runs a task again, or "".
	again func(task string) string

	tails  map[command]*tail.Buffer // of what running commands wrote
	failed []*failure
	more   int // failures beyond mostFailed
	errs   map[event.StepID][]error
	last   map[event.StepID]string              // the end of what the failed command of a step wrote
	pipes  map[event.StepID]*event.CommandEnded // the last pipe of a step that failed
}

// failure is one step that failed of its own.
type failure struct {
	*event.StepSettled
	tail    string
	members []event.Member // of the pipe that failed
}

// NewSummary returns a Summary; again may be nil.
func NewSummary(o Options, again func(task string) string) *Summary {
	return &Summary{o: o, again: again, tails: map[command]*tail.Buffer{}, errs: map[event.StepID][]error{}, last: map[event.StepID]string{}, pipes: map[event.StepID]*event.CommandEnded{}}
}

// Handle implements Reporter.
func (s *Summary) Handle(ev event.Event) {
	switch ev := ev.(type) {
	case *event.Output:
		s.remember(ev)
		release(ev)
	case *event.CommandEnded:
		c := command{ev.Step, ev.Command}
		if t := s.tails[c]; t != nil && ev.Err != nil {
			s.last[ev.Step] = lastLines(t.Bytes(), tailLines)
		}
		delete(s.tails, c)
		if ev.Err != nil && ev.Members != nil {
			s.pipes[ev.Step] = ev
		}
	case *event.StepSettled:
		s.settled(ev)
	case *event.RunFinished:
		s.finished(ev)
	}
}

// remember keeps the end of what a command wrote.
func (s *Summary) remember(ev *event.Output) {
	c := command{ev.Step, ev.Command}
	t := s.tails[c]
	if t == nil {
		t = &tail.Buffer{Max: tailBytes}
		s.tails[c] = t
	}
	t.Write(ev.Data)
}

func (s *Summary) settled(ev *event.StepSettled) {
	if ev.Outcome == event.Failed {
		if ev.Err != nil {
			s.errs[ev.Parent] = append(s.errs[ev.Parent], ev.Err)
		}
		switch {
		case ev.Cause != 0 || s.dragged(ev):
		case len(s.failed) == mostFailed:
			s.more++
		default:
			f := &failure{StepSettled: ev, tail: s.last[ev.Step]}
			if p := s.pipes[ev.Step]; p != nil && errors.Is(ev.Err, p.Err) {
				f.members = p.Members
			}
			s.failed = append(s.failed, f)
		}
	}
	delete(s.errs, ev.Step)
	delete(s.last, ev.Step)
	delete(s.pipes, ev.Step)
}

// dragged reports whether a step failed because one that it called did.
func (s *Summary) dragged(ev *event.StepSettled) bool {
	for _, err := range s.errs[ev.Step] {
		if errors.Is(ev.Err, err) {
			return true
		}
	}
	return false
}

func (s *Summary) finished(ev *event.RunFinished) {
	if ev.Err == nil || len(s.failed) == 0 || s.o.Stdout.Broken() {
		return
	}
	var b strings.Builder
	if s.more > 0 {
		fmt.Fprintf(&b, "%s: %d more failed\n", s.o.Name, s.more)
	}
	if n := ev.Counts[event.Cancelled]; n > 0 {
		fmt.Fprintf(&b, "%s: %s cancelled\n", s.o.Name, steps(n))
	}
	for i := len(s.failed) - 1; i >= 0; i-- {
		s.failure(&b, s.failed[i])
	}
	s.o.Stderr.Write([]byte(b.String()))
}

func (s *Summary) failure(b *strings.Builder, f *failure) {
	text := fmt.Sprintf("%s: %q failed: %s%s", s.o.Name, f.Name, s.o.errorText(f.Err), memberCodes(f.members))
	b.WriteString(s.o.Palette.Text(Red, s.o.Stderr.masked(text)))
	if f.Duration >= shortEnough {
		fmt.Fprintf(b, " after %s", f.Duration.Round(shortEnough))
	}
	if s.again != nil {
		if line := s.again(f.Name); line != "" {
			fmt.Fprintf(b, "; run it again with: %s", diag.Printable(s.o.Stderr.masked(line)))
		}
	}
	b.WriteByte('\n')
	if f.tail != "" {
		b.WriteString("  | " + strings.ReplaceAll(f.tail, "\n", "\n  | ") + "\n")
	}
}

// memberCodes says how each member of a pipe ended.
func memberCodes(members []event.Member) string {
	parts := make([]string, len(members))
	for i, m := range members {
		parts[i] = fmt.Sprintf("%s %d", diag.Printable(m.Name), m.Code)
	}
	if len(parts) == 0 {
		return ""
	}
	return ": " + strings.Join(parts, " | ")
}

// lastLines returns the last n lines of p, which may begin within a line.
func lastLines(p []byte, n int) string {
	p = bytes.TrimRight(p, "\r\n")
	i := len(p)
	for ; n > 0 && i >= 0; n-- {
		i = bytes.LastIndexByte(p[:i], '\n')
	}
	return strings.ToValidUTF8(string(p[i+1:]), "\uFFFD")
}

// Err implements Reporter.
func (s *Summary) Err() error { return s.o.Stderr.Err() }

// Close implements Reporter.
func (s *Summary) Close() error { return s.Err() }
