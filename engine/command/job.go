package command

import (
	"context"
	"time"

	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/executor"
	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/engine/sched"
)

// job is one command of a step, or one member of a group, with all that it depends on. A
// member's job is a copy of its group's with ends of its own.
type job struct {
	s       *step
	c       *plan.Command
	index   int    // the place of the step's command, for events
	relayed bool   // its output is sent as events, as far as its keys leave that open
	calls   *calls // of the pipe that it is in, which are made together; nil: none are
	*ends          // not changed once it begins
}

// ends are what a command is connected to from around it.
type ends struct {
	executor.Ends
	// Nobody else has the files: whoever hands them on may close them.
	ownIn, ownOut bool
	inGroup       bool // of a group, which as a whole is captured or is not
	// For the report, how it ended: of a tee or merge, each of its members. Nil: it is no
	// member of a pipe.
	report []event.Member
}

// noEnds are those of a command that nothing is connected to, which most are.
var noEnds ends

// closeOwn closes what the command alone has, when somebody else has a copy.
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
	s.job = job{s: s, c: c, index: i, relayed: s.o.Relay && (!s.Step.Task.Interactive || s.o.RelayInteractive), ends: &noEnds}
	if s.Ends != (executor.Ends{}) {
		s.job.ends = &ends{Ends: s.Ends}
	}
	return s.job.attempts(ctx)
}

// of returns the job of a member, with ends of its own that are e.
func (j *job) of(c *plan.Command, e ends) *job {
	m := *j
	m.c, m.ends = c, &e
	return &m
}

// captured reports whether somebody may ask for what the command writes.
func (j *job) captured() bool { return j.s.Capture && !j.inGroup }

// within does something within the time limit of the command.
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

// reach runs a command of the step when its turn has come, if its condition and its platforms
// allow that.
func (j *job) reach(ctx context.Context) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if j.c.If != "" && j.s.test(ctx, j.c.If) != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		j.skipped(event.ByIf)
		return nil
	}
	switch {
	case j.c.Empty():
		return nil
	case j.c.Kind == plan.TaskCall:
		return j.call(ctx)
	case !j.c.Here():
		j.skipped(event.ByPlatform)
		return nil
	}
	return j.announce(ctx)
}

func (j *job) skipped(reason event.Reason) {
	j.s.Emit(&event.CommandSkipped{Time: time.Now(), Step: j.s.ID, Command: j.index, Text: j.c.Shown, Reason: reason})
}

// announce announces the command and runs it.
func (j *job) announce(ctx context.Context) error {
	s, o := j.s, &j.s.o
	started := &event.CommandStarted{Time: time.Now(), Step: s.ID, Command: j.index, Text: o.Secrets.Mask(j.c.Shown), Dir: s.Dir, Attempt: s.try.number, Attempts: s.try.of,
		Silent: j.c.Silent || s.Step.Silent, DryRun: o.Dry, Relayed: j.relayed}
	lines, err := j.groupLines(ctx)
	if err != nil {
		return err
	}
	s.Emit(started)
	if o.Dry {
		return nil
	}
	if lines != nil {
		s.Emit(lines)
	}
	if !j.relayed && (!started.Silent || o.Verbose) {
		// The command writes to the same terminal itself: the announcement must be
		// there first.
		o.Flush()
	}
	s.try.usage = event.Usage{} // that of the condition is none of the command
	err = j.perform(ctx)
	s.Emit(&event.CommandEnded{Time: time.Now(), Step: s.ID, Command: j.index, Code: executor.ExitCode(err), Err: err, Duration: time.Since(started.Time), Usage: s.try.usage, Members: s.try.members})
	return err
}

// groupLines are the lines around the output of the command, or nil if there are none.
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
