package report

import (
	"bytes"
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
	// rerun returns the command line that runs a task again, or "".
	rerun func(task string) string

	tails  map[command]*tail.Buffer // of what running commands wrote
	failed []*failure
	more   int                     // failures beyond mostFailed
	broken map[event.StepID]*broke // by which command a running step would fail
}

// broke is the command that a step fails by.
type broke struct {
	tail    string         // the end of what it wrote
	members []event.Member // of a pipe
	final   bool           // only deferred commands follow
}

// failure is one step that failed of its own.
type failure struct {
	*event.StepSettled
	by broke
}

// NewSummary returns a Summary; rerun may be nil.
func NewSummary(o Options, rerun func(task string) string) *Summary {
	return &Summary{o: o, rerun: rerun, tails: map[command]*tail.Buffer{}, broken: map[event.StepID]*broke{}}
}

// Handle implements Reporter.
func (s *Summary) Handle(ev event.Event) {
	switch ev := ev.(type) {
	case *event.Output:
		s.remember(ev)
		release(ev)
	case *event.CommandEnded:
		s.ended(ev)
	case *event.ErrorIgnored:
		delete(s.broken, ev.Step)
	case *event.AttemptFailed:
		delete(s.broken, ev.Step)
	case *event.BodyEnded:
		if b := s.broken[ev.Step]; b != nil {
			b.final = true
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

// ended notes by which command its step fails, if nothing is made of that.
func (s *Summary) ended(ev *event.CommandEnded) {
	c := command{ev.Step, ev.Command}
	t := s.tails[c]
	delete(s.tails, c)
	if b := s.broken[ev.Step]; ev.Err == nil || b != nil && b.final {
		return
	}
	b := &broke{members: ev.Members}
	if t != nil {
		b.tail = lastLines(t.Bytes(), tailLines)
	}
	s.broken[ev.Step] = b
}

func (s *Summary) settled(ev *event.StepSettled) {
	by := s.broken[ev.Step]
	delete(s.broken, ev.Step)
	switch {
	case ev.Outcome != event.Failed || ev.Cause != 0:
	case len(s.failed) == mostFailed:
		s.more++
	case by == nil:
		s.failed = append(s.failed, &failure{StepSettled: ev})
	default:
		s.failed = append(s.failed, &failure{ev, *by})
	}
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
	text := fmt.Sprintf("%s: %q failed: %s%s", s.o.Name, f.Name, s.o.errorText(f.Err), memberCodes(f.by.members))
	b.WriteString(s.o.Palette.Text(Red, s.o.Stderr.masked(text)))
	if f.Duration >= shortEnough {
		fmt.Fprintf(b, " after %s", f.Duration.Round(shortEnough))
	}
	if s.rerun != nil {
		if line := s.rerun(f.Name); line != "" {
			fmt.Fprintf(b, "; run it again with: %s", diag.Printable(s.o.Stderr.masked(line)))
		}
	}
	b.WriteByte('\n')
	if f.by.tail != "" {
		b.WriteString("  | " + strings.ReplaceAll(f.by.tail, "\n", "\n  | ") + "\n")
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
