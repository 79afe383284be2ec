package executor

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/engine/sched"
	"github.com/weftrun/weft/engine/shell"
)

// timeoutCode stands for a time-out wherever an exit status is asked for.
const timeoutCode = 124

func now() time.Time { return time.Now() }

// deferred is a `defer` entry that was reached.
type deferred struct {
	index int
	cmd   *plan.Command
}

// body runs the step's commands in order, then what they deferred, last first.
func (r *run) body(ctx context.Context) (err error) {
	var defers []deferred
	for i, c := range r.step.Commands() {
		if c.Defer {
			defers = append(defers, deferred{i, c})
			continue
		}
		if err = r.command(ctx, i, c); err == nil {
			continue
		}
		if c.IgnoreError && isExit(err) && ctx.Err() == nil {
			r.emit(&event.ErrorIgnored{Time: now(), Step: r.id(), Err: err})
			err = nil
			continue
		}
		break
	}
	if len(defers) > 0 || err != nil && !isCancelled(ctx, err) {
		r.emit(&event.BodyEnded{Time: now(), Step: r.id(), Err: err})
	}
	r.runDeferred(ctx, defers, err)
	return err
}

// runDeferred runs what was deferred whatever has happened to the step: its
// context does not reach them, only the user's insistence does.
func (r *run) runDeferred(ctx context.Context, defers []deferred, cause error) {
	ctx = context.WithoutCancel(ctx)
	code := ""
	if n := ExitCode(cause); n != 0 {
		code = strconv.Itoa(n)
	}
	for i := len(defers) - 1; i >= 0; i-- {
		d := defers[i]
		cmd, err := r.step.BindDeferred(ctx, d.cmd, code)
		if err == nil {
			err = r.command(ctx, d.index, cmd)
		}
		if err != nil {
			r.emit(&event.DeferFailed{Time: now(), Step: r.id(), Err: err})
		}
	}
}

// limited runs one command: its condition, its platforms, its announcement,
// then itself.
func (r *run) limited(ctx context.Context, i int, c *plan.Command, n *attempt) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if c.If != "" {
		if err := r.condition(ctx, c.If); err != nil {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			r.emit(&event.CommandSkipped{Time: now(), Step: r.id(), Command: i, Text: c.Shown, Reason: event.ByIf})
			return nil
		}
	}
	if c.Empty() {
		return nil
	}
	if c.Kind == plan.TaskCall {
		return r.call(ctx, c, r.ends)
	}
	if !c.Here() {
		r.emit(&event.CommandSkipped{Time: now(), Step: r.id(), Command: i, Text: c.Shown, Reason: event.ByPlatform})
		return nil
	}
	return r.announced(ctx, i, c, n)
}

// announced announces and runs a command.
func (r *run) announced(ctx context.Context, i int, c *plan.Command, n *attempt) error {
	x := r.x
	relayed := x.o.Relay && (!r.step.Task.Interactive || x.o.RelayInteractive)
	started := &event.CommandStarted{Time: now(), Step: r.env.ID, Command: i, Text: x.o.Secrets.Mask(c.Shown), Dir: r.dir, Attempt: n.number, Attempts: n.of,
		Silent: c.Silent || r.step.Silent, DryRun: x.o.Dry, Relayed: relayed}
	lines, err := r.groupLines(ctx, i, relayed)
	if err != nil {
		return err
	}
	r.env.Emit(started)
	if x.o.Dry {
		return nil
	}
	if lines != nil {
		r.env.Emit(lines)
	}
	if !relayed && (!started.Silent || x.o.Verbose) {
		// The command writes to the same terminal itself: the announcement
		// must be there first.
		x.o.Flush()
	}
	r.used = event.Usage{}
	err = r.perform(ctx, i, c, r.ends, relayed)
	r.env.Emit(&event.CommandEnded{Time: now(), Step: r.env.ID, Command: i, Code: ExitCode(err), Err: err, Duration: now().Sub(started.Time), Usage: r.used, Members: r.takeMembers()})
	return err
}

// groupLines are the lines around the output of a command, or nil if there are none.
func (r *run) groupLines(ctx context.Context, i int, relayed bool) (*event.GroupLines, error) {
	begin, end := r.x.o.Begin, r.x.o.End
	if !relayed || begin.S == "" && end.S == "" {
		return nil, nil
	}
	lines := &event.GroupLines{Time: now(), Step: r.env.ID, Command: i}
	var err error
	if lines.Begin, err = r.step.Scope.Expand(ctx, begin); err != nil {
		return nil, err
	}
	lines.End, err = r.step.Scope.Expand(ctx, end)
	return lines, err
}

// script runs a script or a program with its streams.
func (r *run) script(ctx context.Context, i int, c *plan.Command, e ends, relayed bool) error {
	x, p := r.x, c.Process
	sc := shell.Script{Text: c.Text, Argv: argv(c), Dir: r.dir, Env: r.vars, Set: c.Set, Shopt: c.Shopt, Session: c.TTY}
	if r.step.Task.Interactive {
		select {
		case x.terminal <- struct{}{}:
			defer func() { <-x.terminal }()
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	if p.Stdin == nil && p.Stdout == nil && p.Stderr == nil && p.IdleTimeout == 0 && p.Retry.Max == 0 && !p.TTY && ctx.Value(idleKey{}) == nil && e.in == nil && e.out == nil && e.err == nil && (e.member || !r.captured()) {
		return accepted(r.asUsual(ctx, i, &sc, p, relayed), p.Accept)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	w, err := r.wire(ctx, i, p, e, relayed, cancel)
	if err != nil {
		return err
	}
	sc.Stdin, sc.Stdout, sc.Stderr = w.in, w.out, w.err
	err = r.start(ctx, &sc, p)
	e.reported(err)
	r.closeInput(p.Stdin)
	return w.finish(accepted(err, p.Accept))
}

// asUsual runs a script whose streams lead where the output style says.
func (r *run) asUsual(ctx context.Context, i int, sc *shell.Script, p *plan.Process, relayed bool) error {
	if r.env.Stdin || r.step.Task.Interactive {
		sc.Stdin = r.x.o.Stdin
	}
	if !relayed {
		sc.Stdout, sc.Stderr = r.x.o.Stdout, r.x.o.Stderr
		return r.start(ctx, sc, p)
	}
	if !r.x.o.Apart {
		both, err := r.x.openRelay(r.env, i, event.Merged)
		if err != nil {
			return err
		}
		sc.Stdout, sc.Stderr = both.W, both.W
		err = r.start(ctx, sc, p)
		both.finish()
		return err
	}
	out, err := r.x.openRelay(r.env, i, event.Stdout)
	if err != nil {
		return err
	}
	errs, err := r.x.openRelay(r.env, i, event.Stderr)
	if err != nil {
		out.finish()
		return err
	}
	sc.Stdout, sc.Stderr = out.W, errs.W
	err = r.start(ctx, sc, p)
	out.finish()
	errs.finish()
	return err
}

// argv is the program that runs c, with its arguments; nil for a script that weft
// runs itself.
func argv(c *plan.Command) []string {
	in := &c.Interpreter
	if c.Argv != nil || in.Argv == nil {
		return c.Argv
	}
	var options strings.Builder
	switch in.Name {
	case "sh", "bash", "zsh":
		for _, o := range c.Set {
			if len(o) == 1 {
				options.WriteString("set -" + o + "\n")
			} else {
				options.WriteString("set -o " + o + "\n")
			}
		}
		for _, o := range c.Shopt {
			if in.Name == "bash" {
				options.WriteString("shopt -s " + o + "\n")
			}
		}
	}
	return append(in.Argv[:len(in.Argv):len(in.Argv)], options.String()+c.Text)
}

// isExit reports whether err is a command's non-zero exit or a time-out: what
// ignore_error covers.
func isExit(err error) bool {
	var exit *shell.ExitError
	var late *sched.TimedOut
	var refused *NotAcceptedError
	var stream *StreamError
	return errors.As(err, &exit) || errors.As(err, &late) || errors.As(err, &refused) || errors.As(err, &stream)
}

// ExitCode returns the exit status behind err: that of the command that failed,
// 124 for a time-out, else 0.
func ExitCode(err error) int {
	var exit *shell.ExitError
	if errors.As(err, &exit) {
		return exit.Code
	}
	var late *sched.TimedOut
	if errors.As(err, &late) {
		return timeoutCode
	}
	var refused *NotAcceptedError
	if errors.As(err, &refused) {
		return 1
	}
	return 0
}
