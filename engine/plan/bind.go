package plan

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/weftrun/weft/engine/vars"
	"github.com/weftrun/weft/internal/limit"
	"github.com/weftrun/weft/schema"
)

// bind computes everything of s that does not need its needs to have run, in
// the order the format says: files and commands first, then the task's `if`.
func (e *expansion) bind(ctx context.Context, s *Step, f *facts) error {
	if f.mode == modeUnknown {
		return &TaskError{Task: s.Name, Err: &ModeError{Task: s.Name, Mode: runText(e.x.o.Workflow, s.Task)}}
	}
	s.late = f.late
	if e.x.o.TellSecrets {
		s.Scope.TellSecrets(ctx)
	}
	if err := e.bindEnvironment(ctx, s); err != nil {
		return err
	}
	if f.static {
		s.Label, s.Prefix = orName(s.Task.Label.S, s.Name), orName(s.Task.Prefix.S, s.Task.Name)
		return nil
	}
	b := binder{ctx: ctx, scope: s.Scope}
	s.Label = orName(b.text(s.Task.Label), s.Name)
	s.Prefix = orName(b.text(s.Task.Prefix), s.Task.Name)
	s.bound = &bound{
		method:    b.text(s.Task.Method),
		sources:   b.globs(s.Task.Sources),
		generates: b.globs(s.Task.Generates),
	}
	if b.err != nil {
		return b.err
	}
	if _, err := e.bindFingerprint(ctx, s, f); err != nil {
		return err
	}
	b.scope = s.Scope
	if !s.late {
		b.err = e.bindTexts(ctx, s)
	}
	condition := b.text(s.Task.If)
	if b.err != nil {
		return b.err
	}
	return e.checkIf(ctx, s, condition)
}

// bindTexts computes what the step runs.
func (e *expansion) bindTexts(ctx context.Context, s *Step) error {
	b := binder{ctx: ctx, scope: s.Scope}
	s.bound.status = b.texts(s.Task.Status)
	s.bound.prompts = b.texts(s.Task.Prompt)
	for i := range s.Task.Preconditions {
		p := &s.Task.Preconditions[i]
		cmd, msg := b.text(p.Cmd), b.text(p.Msg)
		s.bound.preconditions = append(s.bound.preconditions, Precondition{cmd, message(p, cmd, msg)})
	}
	for i := range s.Task.Cmds {
		if b.err == nil {
			b.err = e.bindCommand(ctx, s, &s.Task.Cmds[i])
		}
	}
	return b.err
}

// BindLate computes what a step runs whose texts name what its needs put out. It
// is called once, before the step is looked at, by who executes it.
func (x *Expander) BindLate(ctx context.Context, s *Step, o vars.Outputs) error {
	if !s.late {
		return nil
	}
	s.Scope.SetOutputs(o)
	e := expansion{x: x}
	return e.bindTexts(ctx, s)
}

func runText(w *schema.Workflow, t *schema.Task) string {
	if t.Run.S != "" {
		return t.Run.S
	}
	return w.Run.S
}

func orName(s, name string) string {
	if s == "" {
		return name
	}
	return s
}

// bindEnvironment computes directory and environment where that can fail or
// run something, so that it happens before anything starts.
func (e *expansion) bindEnvironment(ctx context.Context, s *Step) error {
	if len(s.Task.Env) == 0 && len(s.Task.Dotenv) == 0 && s.Task.Dir.S == "" {
		return nil
	}
	if _, err := s.Scope.Dir(ctx); err != nil {
		return err
	}
	if s.late {
		return nil
	}
	_, err := s.Scope.Environ(ctx)
	return err
}

// bindFingerprint defines CHECKSUM or TIMESTAMP where the task mentions it, and
// returns which.
func (e *expansion) bindFingerprint(ctx context.Context, s *Step, f *facts) (name string, err error) {
	method := s.bound.method
	if method == "" {
		method = e.x.o.Workflow.Method.S
	}
	compute := func(dir string) (any, error) { return e.x.o.Host.Checksum(ctx, dir, s.bound.sources, e.gitignore(s)) }
	switch {
	case f.checksum && (method == "" || method == "checksum"):
		name = "CHECKSUM"
	case f.timestamp && method == "timestamp":
		name = "TIMESTAMP"
		compute = func(dir string) (any, error) { return e.x.o.Host.Timestamp(ctx, dir, s.bound.sources, e.gitignore(s)) }
	default:
		return "", nil
	}
	dir, err := s.Scope.Dir(ctx)
	if err != nil {
		return "", err
	}
	value, err := compute(dir)
	if err != nil {
		return "", err
	}
	s.Scope = s.Scope.With(vars.Binding{Name: name, Value: value})
	return name, nil
}

func (e *expansion) gitignore(s *Step) bool {
	return s.Task.UseGitignore.Or(e.x.o.Workflow.UseGitignore.Or(false))
}

// checkIf runs the task's `if`.
func (e *expansion) checkIf(ctx context.Context, s *Step, condition string) error {
	if condition == "" {
		return nil
	}
	dir, err := s.Scope.Dir(ctx)
	if err != nil {
		return err
	}
	env, err := s.Scope.Environ(ctx)
	if err != nil {
		return err
	}
	holds, err := e.x.o.Host.Condition(ctx, condition, dir, env)
	if !holds {
		s.Skip = ByIf
	}
	return err
}

// bindCommand appends what one entry of cmds comes to: several commands for a
// loop, none for one over nothing.
func (e *expansion) bindCommand(ctx context.Context, s *Step, c *schema.Command) error {
	if c.Defer {
		s.bound.commands = append(s.bound.commands, Command{Source: c, Text: c.Text.S, Shown: c.Text.S, Vars: c.Vars, Scope: s.Scope})
		return nil
	}
	first := true
	return e.eachItem(ctx, s, c, func(scope *vars.Scope, n int) error {
		b := binder{ctx: ctx, scope: scope}
		cmd := b.command(s.Task, nil, c)
		if first {
			if err := limit.Grow(int64(len(s.bound.commands)+n) * commandBytes); err != nil {
				return &LoopError{Task: s.Name, Pos: c.Pos, What: err.Error()}
			}
			s.bound.commands, first = slices.Grow(s.bound.commands, n), false
		}
		s.bound.commands = append(s.bound.commands, cmd)
		if err := limit.Grow(int64(len(cmd.Text) + len(cmd.Shown))); err != nil && b.err == nil {
			return &LoopError{Task: s.Name, Pos: c.Pos, What: err.Error()}
		}
		return b.err
	})
}

// commandBytes is about how many bytes a command takes without its texts.
const commandBytes = 256

// BindDeferred binds a deferred command when it runs; exitCode is "" when no
// command failed. From a template that fails on, it stays as it is written: what
// cleans up is not dropped for that.
func BindDeferred(ctx context.Context, c Command, exitCode string) (Command, error) {
	if c.Scope == nil {
		return c, nil
	}
	scope := c.Scope
	if exitCode != "" {
		scope = scope.With(vars.Binding{Name: "EXIT_CODE", Value: exitCode})
	}
	b := binder{ctx: ctx, scope: scope}
	out := b.command(nil, nil, c.Source)
	var bad *vars.TemplateError
	if !errors.As(b.err, &bad) {
		return out, b.err
	}
	if out.Vars == nil {
		out.Vars = c.Source.Vars
	}
	return out, nil
}

// eachNeed calls f with every call that one entry of deps comes to.
func (e *expansion) eachNeed(ctx context.Context, s *Step, d *schema.Command, f func(Call)) error {
	if d.For == nil && len(d.Vars) == 0 && !isTemplate(d.Text.S) {
		f(Call{Name: d.Text.S, Pos: d.Pos, From: s, Silent: d.Silent})
		return nil
	}
	return e.eachItem(ctx, s, d, func(scope *vars.Scope, _ int) error {
		name, err := scope.Expand(ctx, d.Text)
		if err != nil {
			return err
		}
		args, err := scope.BindCall(ctx, d.Vars)
		if err != nil {
			return err
		}
		f(Call{Name: name, Vars: args, Pos: d.Pos, From: s, Silent: d.Silent})
		return nil
	})
}

// binder expands many texts and keeps the first error.
type binder struct {
	ctx   context.Context
	scope *vars.Scope
	err   error
}

func (b *binder) text(t schema.Text) string {
	if b.err != nil || !isTemplate(t.S) {
		return t.S
	}
	s, err := b.scope.Expand(b.ctx, t)
	if err != nil {
		b.err = err
		return t.S
	}
	return s
}

// command binds c and its members; t is the task whose keys hold for it, too, or
// nil where none does, and group the one that c is a member of, if any.
func (b *binder) command(t *schema.Task, group, c *schema.Command) Command {
	out := Command{Source: c, If: b.text(c.If)}
	switch {
	case c.Argv != nil:
		shown := make([]string, len(c.Argv))
		for i, word := range c.Argv {
			out.Argv = append(out.Argv, b.text(word))
			shown[i] = b.shown(word)
		}
		out.Text, out.Shown = schema.CommandLine(out.Argv), schema.CommandLine(shown)
	case c.Members != nil:
		var texts, shown []string
		for i := range c.Members {
			m := b.command(t, cmp.Or(group, c), &c.Members[i])
			if m.Empty() {
				continue // a pipe leads past it
			}
			out.Members = append(out.Members, m)
			texts, shown = append(texts, m.Text), append(shown, m.Shown)
		}
		out.Text, out.Shown = schema.GroupLine(c.Kind, texts), schema.GroupLine(c.Kind, shown)
	default:
		out.Text, out.Shown = b.text(c.Text), b.shown(c.Text)
	}
	if c.Kind == schema.Call && b.err == nil && len(c.Vars) > 0 {
		if out.Vars, b.err = b.scope.BindCall(b.ctx, c.Vars); b.err != nil {
			return out
		}
	}
	if t == nil || staticProcesses(t.Processes) && staticProcesses(c.Processes) {
		return out
	}
	p := t.ProcessesOf(c)
	if group != nil {
		p = t.ProcessesOfMember(group, c)
	}
	if p.Stdin != nil {
		stdin := *p.Stdin
		stdin.Text.S = b.text(stdin.Text)
		p.Stdin = &stdin
	}
	p.Stdout, p.Stderr = b.sinks(p.Stdout), b.sinks(p.Stderr)
	out.Processes = &p
	return out
}

func (b *binder) sinks(sinks []schema.Sink) []schema.Sink {
	if sinks == nil {
		return nil
	}
	out := make([]schema.Sink, len(sinks))
	for i, s := range sinks {
		s.File.S = b.text(s.File)
		out[i] = s
	}
	return out
}

func (b *binder) shown(t schema.Text) string {
	if b.err != nil || !isTemplate(t.S) {
		return t.S
	}
	s, err := b.scope.Show(b.ctx, t)
	if err != nil {
		b.err = err
		return t.S
	}
	return s
}

func (b *binder) texts(ts []schema.Text) []string {
	if len(ts) == 0 {
		return nil
	}
	out := make([]string, len(ts))
	for i, t := range ts {
		out[i] = b.text(t)
	}
	return out
}

func (b *binder) globs(gs []schema.Glob) []Glob {
	if len(gs) == 0 {
		return nil
	}
	out := make([]Glob, len(gs))
	for i, g := range gs {
		out[i] = Glob{Pattern: b.text(g.Pattern), Exclude: g.Exclude, Pos: g.Pattern.Pos}
	}
	return out
}

// changeKey is the identity of a `run: when_changed` step: everything it was
// bound to. An argument that nothing refers to makes no difference.
func changeKey(ctx context.Context, s *Step, match []string) (string, error) {
	local := s.Task.LocalName
	if match != nil {
		local = ResolveStars(local, match)
	}
	env, err := s.Scope.DeclaredEnv(ctx)
	if err != nil {
		return "", err
	}
	dir, err := s.Scope.Dir(ctx)
	if err != nil {
		return "", err
	}
	key := fmt.Sprintf("%s\x00%s\x00%#v\x00%#v", local, dir, env, s.Scope.Uses())
	if s.bound == nil {
		return key, nil
	}
	for _, c := range s.bound.commands {
		key += fmt.Sprintf("\x00%q\x00%#v", c.Text, values(c.Vars))
	}
	return key, nil
}
