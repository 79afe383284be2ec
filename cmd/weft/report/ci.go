package report

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/schema/diag"
)

const (
	openHead  = 200  // lines of a log that is shown open at the end: the first ones
	openTail  = 1800 // and the last ones
	openMany  = 3    // number of logs shown in full; others are shortened
	openShort = 100  // lines of a shortened log
	mostTitle = 200  // runes of a title
)

// ci writes the output of a run to the log of a CI system. The output of each step, with its
// announcements, is one section under a title that contains the result. A step that runs alone is
// shown as it runs; output of concurrent steps is held back until they end, so that steps do not
// mix. At the end the logs of failed steps follow once more, unfolded. Everything goes to standard
// output.
type ci struct {
	messages
	system   System
	out      *Out // the log itself; the Outs of messages write to to
	to       *ciStep
	run      string // prefix of section names
	alone    map[event.StepID]bool
	limit    int // maximum number of concurrent steps, as far as known
	active   map[event.StepID]*ciStep
	open     *ciStep // step whose section is open
	failed   []*ciStep
	logs     Logs // of steps that were shown as they ran
	services *prefixed
	serving  map[command]bool
	last     event.StepID // step of the last output, if nothing followed it
	midLine  bool         // the last line shown is not terminated
	served   bool         // a service wrote the last line
	silence  silence
}

// ciStep is a step whose output is shown.
type ciStep struct {
	*event.StepStarted
	streams bool // shown as it runs
	held    held // its output, unless it streams; that of a failed step is kept until the end of the run
	part    int  // number of its sections so far
	name    string
	settled *event.StepSettled
	begun   time.Time // start of the section
	midLine bool      // the last held line is not terminated
	line    []byte    // its last line, or the end of it
}

func newCI(o Options) *ci {
	c := &ci{system: o.CI, out: o.Stdout, alone: map[event.StepID]bool{}, active: map[event.StepID]*ciStep{}, serving: map[command]bool{}}
	c.silence.next = firstSilence
	through := func(w io.Writer) Options {
		out := NewOut(w)
		out.Mask(o.Stdout.masked)
		o := o
		o.Stdout, o.Stderr = out, out
		return o
	}
	c.messages = newMessages(through(ciWriter{c}))
	c.services = newPrefixed(through(ciServiceWriter{c}))
	c.services.steps = c.messages.steps
	return c
}

// ciWriter receives weft's own messages.
type ciWriter struct{ c *ci }

func (w ciWriter) Write(p []byte) (int, error) {
	w.c.write(w.c.to, []byte(EscapeMarkers(string(p))))
	return len(p), w.c.out.Err()
}

// ciServiceWriter receives the lines of services, which are shown between others without a section.
type ciServiceWriter struct{ c *ci }

func (w ciServiceWriter) Write(p []byte) (int, error) {
	if !w.c.served {
		w.c.line(nil)
	}
	w.c.emit(p)
	w.c.served = true
	return len(p), w.c.out.Err()
}

// Wants implements Reporter.
func (c *ci) Wants() event.Wants { return event.Wants{Graph: true} }

// Err implements Reporter.
func (c *ci) Err() error { return c.out.Err() }

// Handle implements Reporter.
func (c *ci) Handle(ev event.Event) {
	c.to = c.active[about(ev)]
	switch ev := ev.(type) {
	case *event.RunStarted:
		c.run, c.limit = ev.Run[:min(8, len(ev.Run))], ev.Limit
	case *event.Planned:
		for _, s := range ev.Graph {
			if s.Alone && !s.Service {
				c.alone[s.Step] = true
			}
		}
	case *event.StepStarted:
		c.to = &ciStep{StepStarted: ev, streams: c.alone[ev.Step] || c.limit == 1}
		c.active[ev.Step] = c.to
	case *event.CommandStarted:
		if ev.Service {
			c.serving[command{ev.Step, ev.Command}] = true
		} else if !ev.Relayed && !ev.DryRun && c.to != nil && !c.to.streams {
			c.show(c.to)
			c.to.streams = true // it writes directly to the log
		}
	case *event.Output:
		c.output(ev)
		return
	case *event.CommandEnded:
		if k := (command{ev.Step, ev.Command}); c.serving[k] {
			delete(c.serving, k)
			c.services.Handle(ev)
			return
		}
	case *event.GroupLines, *event.Progress:
		return
	case *event.Suspended:
		if c.to != nil {
			c.show(c.to) // output of the called step separates this part from the rest
		}
	case *event.StepSettled:
		c.settled(ev)
		return
	case *event.RunFinished:
		c.finished()
	}
	c.handle(ev)
}

// output handles output of a command.
func (c *ci) output(ev *event.Output) {
	defer release(ev)
	if len(ev.Data) == 0 {
		return
	}
	if c.serving[command{ev.Step, ev.Command}] {
		shared := *ev
		shared.Release = nil
		c.logs.Handle(&shared)
		c.services.Handle(&shared)
		return
	}
	if c.to != nil {
		c.to.remember(ev.Data)
	}
	c.write(c.to, ev.Data)
}

// remember keeps the last line of a step for the heartbeat.
func (s *ciStep) remember(p []byte) {
	p = bytes.TrimRight(p, "\r\n")
	p = p[bytes.LastIndexByte(p, '\n')+1:]
	if len(p) > 0 {
		s.line = append(s.line[:0], p[max(0, len(p)-lastKept):]...)
	}
}

// write shows p, or holds it back until s has ended. s is nil for output that belongs to no step.
func (c *ci) write(s *ciStep, p []byte) {
	switch {
	case len(p) == 0:
	case s == nil:
		c.close()
		c.emit(p)
	case s.streams:
		if c.open != s {
			c.close()
			c.begin(s)
		}
		c.emit(p)
		c.logs.Handle(&event.Output{Step: s.Step, Data: p})
		c.last = s.Step
	default:
		s.held.add(c.out.stamps, p)
		s.midLine = p[len(p)-1] != '\n'
	}
}

// emit shows p.
func (c *ci) emit(p []byte) {
	c.last = 0
	c.silence.broken = true
	c.served = false
	c.midLine = p[len(p)-1] != '\n'
	c.out.Write(p)
}

// line shows a line of weft's own, on a new line.
func (c *ci) line(p []byte) {
	if c.midLine {
		c.out.Write([]byte{'\n'})
		c.midLine = false
	}
	c.out.Write(p)
}

// begin opens a section for the output of a step.
func (c *ci) begin(s *ciStep) {
	s.part++
	s.begun = s.Time
	s.name = fmt.Sprintf("weft_%s_%d", sectionWord(c.run), s.Step)
	if s.part > 1 {
		s.name += fmt.Sprintf("_%d", s.part)
		s.begun = time.Now()
	}
	c.open = s
	c.line(c.system.open(nil, c.section(s)))
}

// section returns the section of s that is open or about to be opened.
func (c *ci) section(s *ciStep) section {
	g := section{title: s.Task, name: s.name, from: s.begun, until: s.begun, folded: c.system == Buildkite}
	if e := s.settled; e != nil {
		g.until = e.Time
		g.title, g.folded = settledTitle(e, c.o.failure), e.Outcome != event.Failed
	}
	g.title = c.title(g.title)
	return g
}

// title returns text as the title of a section: masked and shortened.
func (c *ci) title(text string) string {
	r := []rune(diag.Printable(c.out.masked(text)))
	if len(r) > mostTitle {
		r = append(r[:mostTitle], []rune(cutMark)...)
	}
	return string(r)
}

// settledTitle describes in one line how a step ended.
func settledTitle(e *event.StepSettled, describe func(error) event.Failure) string {
	title := e.Task
	switch e.Outcome {
	case event.Failed:
		f := failure{what: describe(e.Err)}
		title += "  FAILED " + f.reason()
	case event.Cancelled:
		title += "  cancelled"
	case event.Restored:
		title += "  restored from the cache"
	}
	if e.Duration >= shortEnough {
		title += "  " + FormatDuration(e.Duration)
	}
	return title
}

// sectionWord returns s as part of a section name.
func sectionWord(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, s)
}

// close closes the open section.
func (c *ci) close() {
	s := c.open
	if s == nil {
		return
	}
	c.open = nil
	g := c.section(s)
	if s.settled == nil {
		g.until = time.Now()
	} else {
		g.title = c.title(s.Task) // the title it was opened with
	}
	c.line(c.system.close(nil, g))
}

// show shows the held output of s in its own section.
func (c *ci) show(s *ciStep) {
	if s.streams {
		if c.open == s {
			c.close()
		}
		return
	}
	if s.held.size == 0 {
		return
	}
	c.close()
	c.begin(s)
	c.silence.broken = true
	c.out.asHeld(func() { s.held.copyTo(c.out) })
	c.open, c.midLine, c.last = nil, s.midLine, s.Step
	c.line(c.system.close(nil, c.section(s)))
	if s.settled == nil || !rootFailure(s.settled) {
		s.held.reset()
	}
}

// rootFailure reports whether a step failed itself, not because of another step.
func rootFailure(e *event.StepSettled) bool { return e.Outcome == event.Failed && e.Cause == 0 }

func (c *ci) settled(ev *event.StepSettled) {
	s := c.active[ev.Step]
	delete(c.active, ev.Step)
	delete(c.alone, ev.Step)
	if s != nil {
		s.settled = ev
		c.show(s)
		if rootFailure(ev) {
			if s.streams && c.system == Buildkite && s.part > 0 && c.last == ev.Step {
				c.line([]byte("^^^ +++\n"))
			}
			c.failed = append(c.failed, s)
		} else if c.needless() {
			c.logs.Reset()
		}
	}
	c.to = nil
	c.handle(ev)
}

// needless reports whether no step with a log can still need it.
func (c *ci) needless() bool {
	if len(c.failed) > 0 || len(c.serving) > 0 {
		return false
	}
	for _, s := range c.active {
		if s.streams {
			return false
		}
	}
	return true
}

// finished shows the logs of failed steps once more, the first failure last.
func (c *ci) finished() {
	c.showAll()
	c.failed = slices.DeleteFunc(c.failed, func(s *ciStep) bool { return s.held.size == 0 && c.logs.Size(s.Step) == 0 })
	if len(c.failed) == 1 && !c.system.hides() && c.last == c.failed[0].Step {
		return // its section is open, and the last one
	}
	for i, s := range slices.Backward(c.failed) {
		c.again(s, i)
	}
	c.failed = nil
	c.logs.Reset()
}

// again shows the log of failed step n, counted from the first failure.
func (c *ci) again(s *ciStep, n int) {
	k := &cutLines{head: openHead, tail: openTail}
	if n >= openMany {
		k.head, k.tail = 0, openShort
	}
	if s.held.size > 0 {
		s.held.copyTo(k)
	} else {
		c.logs.Each(s.Step, 0, c.logs.Size(s.Step), LogHead+LogTail, func(x Chunk) error {
			if x.Cut > 0 {
				k.Write(fmt.Appendf(nil, "\n[%d bytes are omitted]\n", x.Cut))
			}
			k.Write(x.Data)
			return nil
		})
	}
	title := c.title(fmt.Sprintf("the log of %q again", s.Name))
	switch c.system {
	case Buildkite:
		c.line([]byte("+++ " + title + "\n"))
	case GitHub, Azure, TeamCity, GitLab:
		c.line([]byte(EscapeMarkers(c.o.Name+": "+title) + "\n"))
	default:
		c.line([]byte("==== " + title + " ====\n"))
	}
	if s.held.size > 0 {
		c.out.asHeld(func() { k.writeTo(c.out) })
	} else {
		k.writeTo(c.out)
	}
	s.held.reset()
}

// Close shows held output of steps that did not end.
func (c *ci) Close() error {
	c.services.Close()
	c.showAll()
	return c.Err()
}

// showAll shows held output of steps that have not ended.
func (c *ci) showAll() {
	for _, s := range c.running() {
		c.show(s)
	}
	c.close()
}

// running returns the steps that have not ended, in start order.
func (c *ci) running() []*ciStep {
	all := slices.Collect(maps.Values(c.active))
	sort.Slice(all, func(i, j int) bool {
		if c := all[i].Time.Compare(all[j].Time); c != 0 {
			return c < 0
		}
		return all[i].Step < all[j].Step
	})
	return all
}

// about returns the step of ev, or 0.
func about(ev event.Event) event.StepID {
	switch ev := ev.(type) {
	case *event.Output:
		return ev.Step
	case *event.CommandEnded:
		return ev.Step
	case *event.StopFailed:
		return ev.Step
	case *event.Suspended:
		return ev.Step
	case *event.PromptAssumed:
		return ev.Step
	}
	return stepOf(ev)
}
