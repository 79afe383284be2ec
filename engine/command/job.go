package command

import (
	"context"
	"slices"
	"time"

	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/executor"
	"github.com/weftrun/weft/engine/pipe"
	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/engine/sched"
)

// job is one command of a step, or one member of a group, with everything it depends on. A member's
// job is a copy of its group's with ends of its own.
type job struct {
	s       *step
	c       *plan.Command
	index   int    // index of the step's command, for events
	relayed bool   // its output is sent as events, unless its keys say otherwise
	screen  bool   // its relayed output comes from a pseudo-terminal
	calls   *calls // of its pipe; may be nil
	*launch        // never nil; not changed once it begins
	*ends          // not changed once it begins
}

// launch contains the extra parameters of one start of a service.
type launch struct {
	began        func()          // called when one of its programs runs; may be nil
	inherits     *inherited      // inherited by its programs besides the standard streams; may be nil
	readySignals []chan struct{} // receive a value when a program reports on its channel (ipc) that it is ready, see readySignal
	again        bool            // it was started before
}

// noLaunch is used by commands that are not services.
var noLaunch launch

// ends are the streams to which a command is connected from outside.
type ends struct {
	executor.Streams
	ownIn, ownOut bool // the command owns the files, and may close them
	inGroup       bool // member of a group, which is captured as a whole or not at all
	// The entries of this command, or of the members of a tee or merge, in the report of its pipe. Nil
	// if it is not a member of a pipe.
	report []event.Member
}

// noEnds is used by commands that are not connected to anything.
var noEnds ends

// inPipe reports whether the command is a member of a pipe.
func (e *ends) inPipe() bool { return e.report != nil }

// closeOwn closes the files that the command owns, when others have copies.
func (e *ends) closeOwn() {
	if e.ownIn {
		e.In.Close()
	}
	if e.ownOut {
		e.Out.Close()
	}
}

// run runs the command i.
func (s *step) run(ctx context.Context, i int, c *plan.Command) error {
	s.job = s.newJob(i, c)
	return s.job.attempts(ctx)
}

// mayRead reports whether the command gets weft's standard input by default. A service never does,
// because the step that started it continues.
func (j *job) mayRead() bool {
	return (j.s.Stdin && j.s.o.Screen == nil || j.s.Step.Task.Interactive) && !j.serves()
}

// serves reports whether the command is a service.
func (j *job) serves() bool { return j.s.service != nil }

// newJob returns the job of the command i.
func (s *step) newJob(i int, c *plan.Command) job {
	j := job{s: s, c: c, index: i, relayed: s.relays(), launch: &noLaunch, ends: &noEnds}
	j.screen = j.relayed && s.o.Terminals && !s.Recorded // recorded output is also shown elsewhere
	if s.Streams != (executor.Streams{}) {
		j.ends = &ends{Streams: s.Streams}
	}
	return j
}

// relays decides whether the output of the step goes through weft.
func (s *step) relays() bool {
	switch {
	case s.Recorded:
		return true
	case s.Step.Task.Interactive:
		return s.o.Relay && s.o.RelayInteractive
	case s.o.Relay:
		return true
	}
	return s.o.RelayConcurrent && !s.hasOutputAlone()
}

// hasOutputAlone reports whether nothing else writes while the step does.
func (s *step) hasOutputAlone() bool {
	return s.Stdin && !s.Step.Background() && !s.o.Background.Any() && len(s.o.Services.Up()) == 0
}

// direct reports whether c writes to weft's own streams because of its keys.
func direct(c *plan.Command) bool {
	inherits := func(s plan.Sink) bool { return s.Kind == plan.SinkInherit }
	p := c.Process
	return p != nil && (slices.ContainsFunc(p.Stdout, inherits) || slices.ContainsFunc(p.Stderr, inherits)) ||
		slices.ContainsFunc(c.Members, func(m plan.Command) bool { return direct(&m) })
}

// source returns the source of relayed output of the command.
func (j *job) source() (*pipe.Source, error) {
	if j.screen {
		if s, err := pipe.NewScreen(j.s.o.Clock, j.s.o.Stdout); err == nil {
			return s, nil
		} // fall back to a pipe
	}
	return pipe.NewSource(j.s.o.Clock)
}

// of returns the job of member c with ends e.
func (j *job) of(c *plan.Command, e ends) *job {
	m := *j
	m.c, m.ends = c, &e
	return &m
}

// captured reports whether the output of the command may be needed later.
func (j *job) captured() bool { return j.s.Capture && !j.inGroup }

// within runs do within the time limit of the command.
func (j *job) within(ctx context.Context, do func(*job, context.Context) error) error {
	limit := j.c.Timeout
	if limit <= 0 {
		return do(j, ctx)
	}
	exceeded := &sched.TimedOut{Name: j.s.Step.Label, After: limit}
	ctx, done := sched.WithLimit(ctx, j.s.o.Clock, exceeded)
	defer done()
	err := do(j, ctx)
	if err != nil && context.Cause(ctx) == exceeded {
		return exceeded
	}
	return err
}

// reach runs a command of the step in its turn, if its conditions hold.
func (j *job) reach(ctx context.Context) error {
	switch runs, err := j.holds(ctx); {
	case !runs:
		return err
	case j.c.Kind == plan.TaskCall:
		return j.call(ctx)
	}
	return j.announce(ctx)
}

// holds reports whether the condition and the platforms of a command allow it to run, and it is not
// empty.
func (j *job) holds(ctx context.Context) (bool, error) {
	if ctx.Err() != nil {
		return false, context.Cause(ctx)
	}
	if j.c.If != "" && j.s.test(ctx, j.c.If) != nil {
		if ctx.Err() != nil {
			return false, context.Cause(ctx)
		}
		j.skipped(event.ByIf)
		return false, nil
	}
	switch {
	case j.c.Empty():
		return false, nil
	case j.c.Kind != plan.TaskCall && !j.c.MatchesPlatform():
		j.skipped(event.ByPlatform)
		return false, nil
	}
	return true, nil
}

func (j *job) skipped(reason event.Reason) {
	j.s.Emit(&event.CommandSkipped{Time: time.Now(), Step: j.s.ID, Command: j.index, Text: j.c.Shown, Reason: reason})
}

// announce announces the command and runs it.
func (j *job) announce(ctx context.Context) error {
	s, o := j.s, &j.s.o
	started := j.announcement()
	lines, err := j.groupLines(ctx)
	if err != nil {
		return err
	}
	s.Emit(started)
	if s.announced != nil {
		s.announced()
	}
	if o.Dry {
		return nil
	}
	if lines != nil {
		s.Emit(lines)
	}
	if !started.Relayed && (!started.Silent || o.Verbose || o.Terminals) {
		// The command writes to the same terminal directly: the announcement must precede its output, and
		// the rows must be gone.
		o.Flush()
	}
	s.try.usage, s.try.programs = event.Usage{}, 0 // exclude those of the condition
	err = j.perform(ctx)
	now := time.Now()
	s.Emit(&event.CommandEnded{Time: now, Step: s.ID, Command: j.index, Code: executor.ExitCode(err), Err: err, Duration: now.Sub(started.Time), Usage: s.try.usage, Members: s.try.members, Signal: signalOf(err), Programs: s.try.programs})
	return err
}

// announcement returns the event that announces the command.
func (j *job) announcement() *event.CommandStarted {
	s := j.s
	return &event.CommandStarted{Time: time.Now(), Step: s.ID, Command: j.index, Text: s.o.Secrets.Mask(j.c.Shown), Argv: j.c.Argv, Dir: s.Dir, Pos: j.c.Pos, Attempt: s.try.number, Attempts: s.try.of,
		Silent: j.c.Silent || s.Step.Silent, DryRun: s.o.Dry, Relayed: j.relayed && !direct(j.c), Service: j.serves(), Background: s.announced != nil}
}

// groupLines returns the lines around the output of the command, or nil.
func (j *job) groupLines(ctx context.Context) (*event.GroupLines, error) {
	begin, end := j.s.o.Begin, j.s.o.End
	if !j.relayed || begin.S == "" && end.S == "" {
		return nil, nil
	}
	lines := &event.GroupLines{Time: time.Now(), Step: j.s.ID, Command: j.index}
	var err error
	if lines.Begin, err = j.s.Step.Scope.Expand(ctx, begin); err != nil {
		return nil, err
	}
	lines.End, err = j.s.Step.Scope.Expand(ctx, end)
	return lines, err
}

// perform runs a command of any kind.
func (j *job) perform(ctx context.Context) error {
	switch j.c.Kind {
	case plan.Pipe:
		return j.group(ctx, (*job).pipeline)
	case plan.Parallel:
		return j.group(ctx, (*job).parallel)
	case plan.TaskCall:
		return j.call(ctx)
	}
	return j.script(ctx)
}
