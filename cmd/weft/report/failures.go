package report

import (
	"bytes"
	"time"

	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/internal/tail"
	"github.com/weftrun/weft/schema/diag"
)

const (
	tailBytes  = 4 << 10 // relayed output kept per running command
	mostFailed = 10      // failures kept; further ones are only counted
	mostCalls  = 64      // calling tasks kept per failure
)

// failures collects the root failures of a run, the first one first, and the flaky steps. Failures
// caused by other steps are omitted.
type failures struct {
	o      Options
	found  func(*failure) // called with each failure at once; may be nil
	failed []*failure
	more   int     // number of failures beyond mostFailed
	flaky  []flaky // at most mostFailed
	flakes int     // number of all flaky steps

	steps      map[event.StepID]*progress // running ones
	free       []*progress                // zeroed, for reuse
	tails      map[command]*output        // output of running commands
	others     map[command]*event.CommandStarted
	background map[command]*failedCommand // commands their steps do not wait for
}

// progress is the known state of a running step.
type progress struct {
	started      *event.StepStarted    // nil if it did not start
	last         *event.CommandStarted // last command started and still running; failures.others has earlier ones
	broken       *failedCommand        // command that would make it fail
	service      bool                  // it may fail although its command did not
	precondition string                // message of the failed precondition
	lines        int                   // lines of output of ended commands
	attempt      int                   // number of the attempt after the last failed one, or 0
	attempts     int
}

// output is the end of a command's output and its number of lines.
type output struct {
	tail.Buffer
	lines int
}

// broke is the command that made a step fail.
type failedCommand struct {
	command command
	started *event.CommandStarted // nil if unknown
	output  *output               // nil: no output
	members []event.Member        // of a pipe
	final   bool                  // only deferred commands follow
}

// failure is a root failure of a step, or of a command that its step did not wait for.
type failure struct {
	step         event.StepID
	what         event.Failure
	duration     time.Duration
	pos          diag.Pos // of the command, else of the task
	by           failedCommand
	precondition string
	lines        int // lines of output of the step
	oom          bool
	maxRSS       int64
	key          string
	calls        []called     // the task, then its caller or dependent, and so on
	next         event.StepID // next step for calls once it has ended; 0: none
}

// called is a task with its callable and its displayed name.
type called struct {
	name, label string
	part        bool // internal, or called with variables by another task
}

// flaky is a step that succeeded after an attempt that failed.
type flaky struct {
	label             string
	attempt, attempts int
}

func newFailures(o Options) failures {
	return failures{o: o, steps: map[event.StepID]*progress{}, tails: map[command]*output{}, others: map[command]*event.CommandStarted{}, background: map[command]*failedCommand{}}
}

func (s *failures) handle(ev event.Event) {
	switch ev := ev.(type) {
	case *event.StepStarted:
		s.step(ev.Step).started = ev
	case *event.Output:
		s.remember(ev)
	case *event.CommandStarted:
		s.started(ev)
	case *event.CommandEnded:
		s.ended(ev)
	case *event.BackgroundEnded:
		s.backgroundEnded(ev)
	case *event.ErrorIgnored:
		s.step(ev.Step).broken = nil
	case *event.AttemptFailed:
		p := s.step(ev.Step)
		p.attempt, p.attempts = ev.Attempt+1, ev.Attempts
		if c := (command{ev.Step, ev.Command}); s.background[c] != nil {
			s.background[c] = nil
		} else {
			p.broken = nil
		}
	case *event.PreconditionFailed:
		s.step(ev.Step).precondition = ev.Message
	case *event.Ready:
		s.step(ev.Step).service = true
	case *event.Stopping:
		s.step(ev.Step).service = true
	case *event.Restarted:
		p := s.step(ev.Step)
		p.service = true
		if b := p.broken; b != nil && b.output != nil {
			s.tails[b.command] = b.output
		}
		p.broken = nil
	case *event.BodyEnded:
		if b := s.step(ev.Step).broken; b != nil {
			b.final = true
		}
	case *event.StepSettled:
		s.settled(ev)
	}
}

// step returns the progress of a step, which may not have started: its condition is checked before.
//
//go:noinline
func (s *failures) step(id event.StepID) *progress {
	p := s.steps[id]
	if p == nil {
		if n := len(s.free); n > 0 {
			p, s.free = s.free[n-1], s.free[:n-1]
		} else {
			p = new(progress)
		}
		s.steps[id] = p
	}
	return p
}

// remember keeps the end of a command's output.
func (s *failures) remember(ev *event.Output) {
	if len(ev.Data) == 0 {
		return
	}
	c := command{ev.Step, ev.Command}
	t := s.tails[c]
	if t == nil {
		t = &output{Buffer: tail.Buffer{Max: tailBytes}}
		s.tails[c] = t
	}
	t.Write(ev.Data)
	t.lines += bytes.Count(ev.Data, []byte{'\n'})
}

func (s *failures) started(ev *event.CommandStarted) {
	p := s.step(ev.Step)
	if last := p.last; last != nil && last.Command != ev.Command {
		s.others[command{last.Step, last.Command}] = last
	}
	p.last = ev
	if ev.Background {
		s.background[command{ev.Step, ev.Command}] = nil
	}
}

// ended records the command that makes its step fail, unless the failure is ignored or retried.
func (s *failures) ended(ev *event.CommandEnded) {
	c := command{ev.Step, ev.Command}
	p := s.step(ev.Step)
	started := s.others[c]
	if p.last != nil && p.last.Command == ev.Command {
		started, p.last = p.last, nil
	} else if started != nil {
		delete(s.others, c)
	}
	out := s.tails[c]
	if out != nil {
		delete(s.tails, c)
		p.lines += out.lines
	}
	_, background := s.background[c]
	if !background && (ev.Err == nil && !p.service || p.broken != nil && p.broken.final) {
		return
	}
	by := &failedCommand{command: c, started: started, output: out, members: ev.Members}
	if background {
		s.background[c] = by
		return
	}
	p.broken = by
}

// backgroundEnded records a failure of a background command.
func (s *failures) backgroundEnded(ev *event.BackgroundEnded) {
	c := command{ev.Step, ev.Command}
	by := s.background[c]
	delete(s.background, c)
	if ev.Err == nil {
		return
	}
	f := &failure{step: ev.Step, what: s.o.failure(ev.Err), duration: ev.Duration, calls: []called{{ev.Name, ev.Name, ev.Internal}}}
	if by != nil {
		f.by = *by
		if by.output != nil {
			f.lines = by.output.lines
		}
	}
	s.add(f)
}

func (s *failures) settled(ev *event.StepSettled) {
	p := s.step(ev.Step)
	delete(s.steps, ev.Step)
	for _, f := range s.failed {
		if f.next == ev.Step {
			f.call(p.called(ev), ev.Parent)
		}
	}
	switch {
	case ev.Outcome == event.Succeeded && p.attempt > 0:
		if s.flakes++; s.flakes <= mostFailed {
			s.flaky = append(s.flaky, flaky{ev.Task, p.attempt, p.attempts})
		}
	case ev.Outcome == event.Failed && ev.Cause == 0:
		f := &failure{step: ev.Step, what: s.o.failure(ev.Err), duration: ev.Duration, precondition: p.precondition, lines: p.lines, oom: ev.OOM, maxRSS: ev.Usage.MaxRSS}
		if p.broken != nil {
			f.by = *p.broken
		}
		if p.started != nil {
			f.pos, f.key = p.started.Pos, p.started.Key
		}
		f.call(p.called(ev), ev.Parent)
		for f.next != 0 && s.steps[f.next] != nil && s.steps[f.next].started != nil { // still running
			caller := s.steps[f.next].started
			f.call(called{caller.Name, caller.Task, caller.Internal || caller.GivenVars}, caller.Parent)
		}
		s.add(f)
	}
	if *p = (progress{}); len(s.free) < 64 {
		s.free = append(s.free, p)
	}
}

// add adds a failure.
func (s *failures) add(f *failure) {
	if len(s.failed) == mostFailed {
		s.more++
		return
	}
	if c := f.by.started; c != nil && c.Pos.IsValid() {
		f.pos = c.Pos
	}
	s.failed = append(s.failed, f)
	if s.found != nil {
		s.found(f)
	}
}

// called returns the task of an ending step.
func (p *progress) called(ev *event.StepSettled) called {
	return called{ev.Name, ev.Task, ev.Internal || p.started != nil && p.started.GivenVars}
}

// call adds a caller to f; next is the caller or dependent of that one.
func (f *failure) call(c called, next event.StepID) {
	f.calls = append(f.calls, c)
	if f.next = next; len(f.calls) == mostCalls {
		f.next = 0
	}
}
