package report

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/schema/diag"
)

const shortEnough = 100 * time.Millisecond

// Summary shows the root failures at the end of a failed run, the first failure last, nearest to
// the prompt. Steps that were cancelled or skipped because of others are only counted. For a
// successful run it lists the flaky steps.
type Summary struct {
	failures
	// rerun returns the command line that runs a task again; may be nil.
	rerun func(task string) string
	last  streak
	// watching is set in watch mode, in which other messages report the end of each run.
	watching bool
	planned  int // steps
}

// streak is the last shown output, uninterrupted by another command.
type streak struct {
	command command
	from    int // lines of the command before it
}

// NewSummary returns a Summary; rerun may be nil.
func NewSummary(o Options, rerun func(task string) string) *Summary {
	s := &Summary{failures: newFailures(o), rerun: rerun}
	if o.CI != "" {
		s.found = s.tellCI
	}
	return s
}

// tellCI reports a failure to the CI system at once, in one line and by an annotation.
func (s *Summary) tellCI(f *failure) {
	o := &s.o
	to := cmp.Or(o.CIOut, o.Stdout)
	if s.planned > 1 { // otherwise the summary follows
		line := o.Name + ": " + f.heading() + f.took()
		if f.pos.IsValid() {
			line += ", at " + f.pos.String()
		}
		o.Stderr.Write(o.Palette.Append(nil, Red, EscapeMarkers(o.Stderr.masked(diag.Printable(line))+"\n")))
	}
	a := Annotation{Line: f.pos.Line, Column: f.pos.Column, Title: to.masked(f.name() + " failed"), Message: to.masked(f.reason()), Key: f.key}
	if o.InCheckout != nil && f.pos.IsValid() {
		a.File = o.InCheckout(f.pos)
	}
	if tail := f.lastLines(fewLines, false); tail != "" {
		a.Message += "\n" + tail
	}
	to.Write(o.CI.Annotate(nil, a))
}

// Wants implements Reporter.
func (s *Summary) Wants() event.Wants { return event.Wants{} }

// Handle implements Reporter.
func (s *Summary) Handle(ev event.Event) {
	if s.watching {
		if out, ok := ev.(*event.Output); ok {
			release(out)
		}
		return
	}
	s.follow(ev)
	s.handle(ev)
	switch ev := ev.(type) {
	case *event.Output:
		release(ev)
	case *event.Planned:
		s.planned += ev.Steps
	case *event.WatchStarted:
		s.watching = true
	case *event.RunFinished:
		s.finished(ev)
	}
}

// follow tracks the last shown output.
func (s *Summary) follow(ev event.Event) {
	switch ev := ev.(type) {
	case *event.Output:
		if len(ev.Data) == 0 {
			return
		}
		c := command{ev.Step, ev.Command}
		switch before := s.tails[c]; {
		case before == nil && s.last.command == c: // of its next attempt
			s.last.from = 0
		case before == nil:
			s.last = streak{command: c}
		case s.last.command != c:
			s.last = streak{command: c, from: before.lines}
		}
	case *event.CommandStarted:
		if announced := !ev.Silent || s.o.Verbose; announced && s.last.command != (command{ev.Step, ev.Command}) {
			s.last = streak{}
		}
	case *event.CommandEnded:
		if c := (command{ev.Step, ev.Command}); s.tails[c] != nil && s.last.command != c {
			s.last = streak{} // grouped output is shown now
		}
	}
}

func (s *Summary) finished(ev *event.RunFinished) {
	if s.o.Stdout.Broken() {
		return
	}
	var b strings.Builder
	for _, f := range s.flaky {
		fmt.Fprintf(&b, "%s: %q succeeded in attempt %d of %d\n", s.o.Name, f.label, f.attempt, f.attempts)
	}
	if n := s.flakes - len(s.flaky); n > 0 {
		fmt.Fprintf(&b, "%s: %d more succeeded after a failed attempt\n", s.o.Name, n)
	}
	if ev.Err != nil && len(s.failed) > 0 {
		s.counts(&b, ev)
		if s.more > 0 {
			fmt.Fprintf(&b, "%s: %d more failed\n", s.o.Name, s.more)
		}
		for i := len(s.failed) - 1; i >= 0; i-- {
			s.failure(&b, s.failed[i])
		}
	} else {
		for _, f := range s.failed {
			if f.what.Kind == event.ByPrecondition { // its message was not shown yet
				b.Write(s.o.Palette.Append(nil, Magenta, s.o.Stderr.masked(s.o.Name+": "+f.heading()+"\n")))
			}
		}
	}
	text := b.String()
	if s.o.InCI {
		text = EscapeMarkers(text)
	}
	s.o.Stderr.Write([]byte(text))
}

// counts shows the number of steps by outcome, if there is more than one step.
func (s *Summary) counts(b *strings.Builder, ev *event.RunFinished) {
	n := &ev.Counts
	roots := len(s.failed) + s.more
	all := 0
	for _, n := range n {
		all += n
	}
	if max(all, roots) <= 1 {
		return
	}
	because := "failed because of it"
	if roots > 1 {
		because = "failed because of them"
	}
	fmt.Fprintf(b, "%s: %d failed", s.o.Name, roots)
	for _, c := range [...]struct {
		n    int
		what string
	}{
		{n[event.Failed] - roots, because}, {n[event.Cancelled], "cancelled"}, {n[event.Skipped], "skipped"},
		{n[event.Succeeded], "succeeded"}, {n[event.Restored], "restored from the cache"}, {n[event.Fresh], "up to date"},
	} {
		if c.n > 0 {
			fmt.Fprintf(b, ", %d %s", c.n, c.what)
		}
	}
	if ev.Duration >= shortEnough {
		fmt.Fprintf(b, " in %s", FormatDuration(ev.Duration))
	}
	b.WriteByte('\n')
}

func (s *Summary) failure(b *strings.Builder, f *failure) {
	b.Write(s.o.Palette.Append(nil, Red, s.o.Stderr.masked(s.o.Name+": "+f.heading())))
	b.WriteString(f.took())
	if line := s.again(f); line != "" {
		fmt.Fprintf(b, "; run it again with: %s", diag.Printable(s.o.Stderr.masked(line)))
	}
	b.WriteByte('\n')
	if place := f.place(); place != "" {
		fmt.Fprintf(b, "  %s\n", diag.Printable(s.o.Stderr.masked(place)))
	}
	shown := 0
	if tail := f.lastLines(tailLines, s.o.Palette.On); tail != "" {
		shown = 1 + strings.Count(tail, "\n")
		if !s.justShown(f, shown) {
			b.WriteString("  | " + strings.ReplaceAll(tail, "\n", "\n  | ") + "\n")
		}
	}
	if s.o.Log == nil || f.lines <= cmp.Or(shown, tailLines) {
		return
	}
	if line := s.o.Log(f.name()); line != "" {
		fmt.Fprintf(b, "  complete log, %d lines: %s\n", f.lines, diag.Printable(line))
	}
}

// again returns the command line that reruns the failure: its task, or the nearest task on its path
// that is callable and got no variables from another task.
func (s *Summary) again(f *failure) string {
	if s.rerun == nil {
		return ""
	}
	for _, c := range f.calls {
		if !c.part {
			return s.rerun(c.name)
		}
	}
	return ""
}

// justShown reports whether the last lines of the failed command are the last output on the stream
// of the summary.
func (s *Summary) justShown(f *failure, lines int) bool {
	if s.o.Sections {
		return len(s.failed) == 1 // its whole log was shown
	}
	return len(s.failed) == 1 && s.last.command == f.by.command && f.by.output != nil && f.by.output.lines-s.last.from >= lines && s.o.Stdout.same(s.o.Stderr)
}

// Err implements Reporter.
func (s *Summary) Err() error { return s.o.Stderr.Err() }

// Close implements Reporter.
func (s *Summary) Close() error { return s.Err() }
