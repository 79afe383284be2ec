package command

import (
	"context"
	"strings"

	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/engine/proc"
	"github.com/weftrun/weft/engine/sched"
	"github.com/weftrun/weft/engine/shell"
)

// script runs a script or a program with its streams.
func (j *job) script(ctx context.Context) error {
	s, c := j.s, j.c
	sc := shell.Script{Text: c.Text, Argv: argv(c), Dir: s.Dir, Env: s.Environ, Set: c.Set, Shopt: c.Shopt, Session: c.TTY}
	if s.Step.Task.Interactive && !j.serves() {
		select {
		case s.terminal <- struct{}{}:
			defer func() { <-s.terminal }()
			if s.o.Screen != nil {
				defer s.o.Screen()()
			}
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	if j.plain() {
		return accepted(j.located(ctx, j.asUsual(ctx, &sc)), c.Accept)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	w, err := j.wire(ctx, c.Process, cancel)
	if err != nil {
		return err
	}
	sc.Stdin, sc.Stdout, sc.Stderr = w.in, w.out, w.err
	err = j.located(ctx, j.start(ctx, &sc))
	j.reported(err)
	s.CloseInput(c.Stdin)
	return w.finish(accepted(err, c.Accept))
}

// located adds the command's position to the error of a script, unless it is an exit status.
func (j *job) located(ctx context.Context, err error) error {
	if err == nil || ctx.Err() != nil || sched.IsCancelled(err) || err == proc.ErrKeeperLost {
		return err
	}
	if _, ok := err.(*shell.ExitError); ok {
		return err
	}
	return &plan.CommandError{Pos: j.c.Pos, Err: err}
}

// plain reports whether only the output style determines the streams of a script, and nothing
// monitors its output.
func (j *job) plain() bool {
	p := j.c.Process
	wired := p.Stdin != nil || p.Stdout != nil || p.Stderr != nil || p.TTY || j.Connected()
	watched := p.IdleTimeout > 0 || p.Retry.Max > 0 || j.Activity != nil || j.captured()
	return !wired && !watched
}

// asUsual runs a script with the streams of the output style.
func (j *job) asUsual(ctx context.Context, sc *shell.Script) error {
	o := &j.s.o
	if j.mayRead() {
		sc.Stdin = o.Stdin
	}
	if !j.relayed {
		sc.Stdout, sc.Stderr = o.Stdout, o.Stderr
		return j.start(ctx, sc)
	}
	stream := event.Merged
	if o.SeparateStderr {
		stream = event.Stdout
	}
	out, err := j.openRelay(stream)
	if err != nil {
		return err
	}
	defer out.finish()
	sc.Stdout, sc.Stderr = out.source.W, out.source.W
	if o.SeparateStderr {
		errs, err := j.openRelay(event.Stderr)
		if err != nil {
			return err
		}
		defer errs.finish()
		sc.Stderr = errs.source.W
	}
	return j.start(ctx, sc)
}

// argv returns the program that runs c, with its arguments; nil for a script that weft interprets
// itself.
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
