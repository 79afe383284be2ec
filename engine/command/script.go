package command

import (
	"context"
	"strings"

	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/engine/shell"
)

// script runs a script or a program with its streams.
func (j *job) script(ctx context.Context) error {
	s, c := j.s, j.c
	sc := shell.Script{Text: c.Text, Argv: argv(c), Dir: s.Dir, Env: s.Environ, Set: c.Set, Shopt: c.Shopt, Session: c.TTY}
	if s.Step.Task.Interactive {
		select {
		case s.terminal <- struct{}{}:
			defer func() { <-s.terminal }()
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
	err = j.located(ctx, s.start(ctx, &sc, c.Process))
	j.reported(err)
	s.CloseInput(c.Stdin)
	return w.finish(accepted(err, c.Accept))
}

// located is the error of a script, with the command's position if it is not how that ended.
func (j *job) located(ctx context.Context, err error) error {
	if err == nil || ctx.Err() != nil {
		return err
	}
	if _, ok := err.(*shell.ExitError); ok {
		return err
	}
	return &plan.CommandError{Pos: j.c.Pos, Err: err}
}

// plain reports whether nothing but the output style says where the streams of a script lead,
// and nobody looks at what it writes.
func (j *job) plain() bool {
	p := j.c.Process
	wired := p.Stdin != nil || p.Stdout != nil || p.Stderr != nil || p.TTY || j.Connected()
	watched := p.IdleTimeout > 0 || p.Retry.Max > 0 || j.Activity != nil || j.captured()
	return !wired && !watched
}

// asUsual runs a script whose streams lead where the output style says.
func (j *job) asUsual(ctx context.Context, sc *shell.Script) error {
	s, o := j.s, &j.s.o
	if s.Stdin || s.Step.Task.Interactive {
		sc.Stdin = o.Stdin
	}
	if !j.relayed {
		sc.Stdout, sc.Stderr = o.Stdout, o.Stderr
		return s.start(ctx, sc, j.c.Process)
	}
	stream := event.Merged
	if o.Apart {
		stream = event.Stdout
	}
	out, err := s.openRelay(j.index, stream)
	if err != nil {
		return err
	}
	defer out.finish()
	sc.Stdout, sc.Stderr = out.W, out.W
	if o.Apart {
		errs, err := s.openRelay(j.index, event.Stderr)
		if err != nil {
			return err
		}
		defer errs.finish()
		sc.Stderr = errs.W
	}
	return s.start(ctx, sc, j.c.Process)
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
