package plan

import (
	"context"
	"errors"
	"slices"

	"github.com/weftrun/weft/engine/vars"
	"github.com/weftrun/weft/internal/limit"
	"github.com/weftrun/weft/schema"
)

// bindCommand binds entry i of the task's cmds and appends the commands: several for a
// loop, none for a loop over nothing.
func (e *expansion) bindCommand(ctx context.Context, s *Step, i int) error {
	c := &s.Task.Cmds[i]
	if c.Defer {
		b := commandBinder{facts: s.facts}
		s.bound.commands = append(s.bound.commands, Command{})
		b.entry(i, &s.bound.commands[len(s.bound.commands)-1])
		return nil
	}
	first := true
	return e.eachItem(ctx, s, c, func(scope *vars.Scope, n int) error {
		b := commandBinder{binder: binder{ctx: ctx, scope: scope}, facts: s.facts}
		if first {
			if err := limit.Grow(int64(len(s.bound.commands)+n) * commandBytes); err != nil {
				return &LoopError{Task: s.Name, Pos: c.Pos, What: err.Error()}
			}
			s.bound.commands, first = slices.Grow(s.bound.commands, n), false
		}
		s.bound.commands = append(s.bound.commands, Command{})
		cmd := &s.bound.commands[len(s.bound.commands)-1]
		b.entry(i, cmd)
		if err := limit.Grow(int64(len(cmd.Text) + len(cmd.Shown))); err != nil && b.err == nil {
			return &LoopError{Task: s.Name, Pos: c.Pos, What: err.Error()}
		}
		return b.err
	})
}

// commandBytes is the approximate memory of a command without its texts.
const commandBytes = 256

// BindDeferred binds c, a deferred command of s, just before it runs. exitCode is the
// value of EXIT_CODE; "" if no command failed. If a template fails, it and all texts
// after it stay as they are written, so that cleanup still runs; other errors are returned.
func (s *Step) BindDeferred(ctx context.Context, c *Command, exitCode string) (*Command, error) {
	if s.bound == nil {
		return c, nil
	}
	scope := s.Scope
	if exitCode != "" {
		scope = scope.With(vars.Binding{Name: "EXIT_CODE", Value: exitCode})
	}
	b := commandBinder{binder: binder{ctx: ctx, scope: scope}, facts: s.facts}
	out := &Command{}
	b.entry(int(c.entry), out)
	var bad *vars.TemplateError
	if !errors.As(b.err, &bad) {
		return out, b.err
	}
	if out.Vars == nil && c.Vars != nil {
		out.Vars = c.Vars
	}
	return out, nil
}

// noTexts is shared by most static tasks; it is never modified.
var noTexts bound

// asWritten returns f with the texts of a static task, bound on the first call; it is safe for
// concurrent use.
func (f *facts) asWritten() *facts {
	f.making.Do(func() {
		t, b := f.task, commandBinder{facts: f}
		f.written = &noTexts
		if t.Method.S != "" || len(t.Sources)+len(t.Generates)+len(t.Status)+len(t.Prompt)+len(t.Preconditions)+len(t.Outputs) > 0 || t.Running != nil {
			f.written = &bound{}
			b.files(t, f.written)
			b.body(t, f.written)
		}
		f.commands = make([]Command, len(t.Cmds))
		for i := range f.commands {
			b.entry(i, &f.commands[i])
		}
	})
	return f
}

// commandBinder makes commands of one task complete.
type commandBinder struct {
	binder
	facts *facts // of the task
}

// entry binds entry i of the task's cmds into out.
func (b *commandBinder) entry(i int, out *Command) {
	t := b.facts.task
	b.command(nil, &t.Cmds[i], out)
	out.IgnoreError = out.IgnoreError || t.IgnoreError
	out.entry = int32(i)
}

// noCommandOptions is shared by all commands without options.
var noCommandOptions CommandOptions

// command binds c and its members into out. group is the entry of cmds that c is a
// member of, at any depth; nil if c is an entry itself.
func (b *commandBinder) command(group, c *schema.Command, out *Command) {
	*out = Command{Kind: c.Kind, Pos: c.Pos, Silent: c.Silent, IgnoreError: c.IgnoreError, Defer: c.Defer, CommandOptions: &noCommandOptions}
	o := c.CommandOptions
	if c.HasOptions() {
		out.CommandOptions = &CommandOptions{If: b.text(o.If), Platforms: o.Platforms, Timeout: o.Timeout, Mode: o.Mode, EarlyClose: o.EarlyClose, Background: o.Background}
	} else if len(c.Vars) > 0 {
		out.CommandOptions = &CommandOptions{}
	}
	switch c.Kind {
	case schema.Shell, schema.Call:
		out.Text, out.Shown = b.text(c.Text), b.shown(c.Text)
	case schema.Exec:
		out.Argv = b.texts(o.Argv)
		shown := each(o.Argv, func(word *schema.Text) string { return b.shown(*word) })
		out.Text, out.Shown = schema.CommandLine(out.Argv), schema.CommandLine(shown)
	default:
		b.members(group, c, out)
	}
	if len(c.Vars) > 0 {
		out.Vars = b.variables(c.Vars)
	}
	out.Process = b.process(group, c)
}

// members binds the members of c, a group, into out.
func (b *commandBinder) members(group, c *schema.Command, out *Command) {
	if group == nil {
		group = c
	}
	var texts, shown []string
	for i := range c.Members {
		var m Command
		if b.command(group, &c.Members[i], &m); m.Empty() {
			continue // the pipe skips it
		}
		out.Members = append(out.Members, m)
		texts, shown = append(texts, m.Text), append(shown, m.Shown)
	}
	out.Text, out.Shown = schema.GroupLine(c.Kind, texts), schema.GroupLine(c.Kind, shown)
}

// ownProcess returns the Process of the task's commands without own keys. None of its texts is a
// template.
func (f *facts) ownProcess() *Process {
	b := commandBinder{facts: f}
	return b.process(nil, &schema.Command{CommandOptions: &noOptions})
}

// process merges the keys of the workflow, the task, the group of c and c itself about its
// processes. This is the only place where the levels are merged.
func (b *commandBinder) process(group, c *schema.Command) *Process {
	f, t := b.facts, b.facts.task
	says := c.Processes != nil || len(c.Set) > 0 || len(c.Shopt) > 0
	if group != nil {
		says = says || t.Processes != nil || group.Processes != nil
	}
	if !says && f.process != nil {
		return f.process
	}
	merged := t.ProcessesOf(c)
	if group != nil {
		merged = t.ProcessesOfMember(group, c)
	}
	p := b.merged(f.workflow, &merged)
	p.Set = union(f.workflow.Set, t.Set, c.Set)
	p.Shopt = union(f.workflow.Shopt, t.Shopt, c.Shopt)
	if p.Stdin != nil {
		p.Stdin.PerCommand = c.Processes != nil && c.Processes.Stdin != nil
	}
	return p
}

// merged binds the texts of p; the workflow supplies missing values.
func (b *commandBinder) merged(w *schema.Workflow, p *schema.Processes) *Process {
	out := &Process{
		Stdout: b.sinks(p.Stdout), Stderr: b.sinks(p.Stderr), Accept: p.Accept, TTY: p.TTY == schema.True,
		IdleTimeout: p.IdleTimeout, Leftover: p.Leftover, Signals: p.Signals, User: b.text(p.User), Limits: p.Limits, IPC: b.ipc(p.IPC),
		Stop: Stop{Signal: p.Stop.Signal, Grace: p.Stop.Grace, Command: b.text(p.Stop.Command), Main: p.Stop.Main},
	}
	switch {
	case p.Shell != nil:
		out.Interpreter = *p.Shell
	case w.Shell != nil:
		out.Interpreter = *w.Shell
	}
	if (out.TTY || out.User != "") && out.Interpreter.Argv == nil {
		// A terminal belongs to one program, and weft's own shell cannot run as another user.
		out.Interpreter = schema.Interpreter{Name: "sh", Argv: []string{"sh", "-c"}}
	}
	if p.Stdin != nil {
		out.Stdin = &Stdin{Kind: p.Stdin.Kind, Text: b.text(p.Stdin.Text), Vars: b.variables(p.Stdin.Vars)}
	}
	if p.Retry != nil {
		out.Retry = *p.Retry
	}
	return out
}

func (b *commandBinder) sinks(sinks []schema.Sink) []Sink {
	return each(sinks, func(s *schema.Sink) Sink {
		return Sink{Kind: s.Kind, File: b.text(s.File), Append: s.Append, InPlace: s.InPlace, Max: s.Max, Overflow: s.Overflow, Rotate: s.Rotate}
	})
}

// union joins the options of three levels. It allocates only if two of them have some.
func union(a, b, c []string) []string {
	switch {
	case len(b) == 0 && len(c) == 0:
		return a
	case len(a) == 0 && len(c) == 0:
		return b
	}
	return slices.Concat(a, b, c)
}
