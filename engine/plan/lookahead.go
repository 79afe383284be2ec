package plan

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/weftrun/weft/engine/vars"
	"github.com/weftrun/weft/schema"
)

// foreseenCall is everything that determines what is evaluated for a call: the task,
// the names of the variables passed to it, and whether it is included as the step is.
type foreseenCall struct {
	task     *schema.Task
	passed   string
	included bool
}

// foresee evaluates the variables of files that calls of s refer to: the tasks that it
// calls, and in turn those that these call, need and read. A call whose task is only
// known when it is reached is left out.
func (e *expansion) foresee(ctx context.Context, s *Step) error {
	if !s.facts.calls || !e.x.dynamic() {
		return nil
	}
	l := lookahead{e: e, from: s.Task.Include, seen: map[foreseenCall]bool{}}
	apart := &Step{Task: s.Task, Name: s.Name, Scope: s.Scope.Untracked(), facts: s.facts}
	if s.UsesRuntimeValues() {
		if err := l.commands(ctx, apart, s.Task.Cmds); err != nil {
			return err
		}
	}
	for _, c := range s.Commands() {
		if err := l.bound(ctx, apart, c); err != nil {
			return err
		}
	}
	e.x.mu.Lock()
	defer e.x.mu.Unlock()
	maps.Copy(e.x.foreseen, l.seen)
	return nil
}

// lookahead is one walk over the tasks that a step calls.
type lookahead struct {
	e    *expansion
	from *schema.Include // of the step
	seen map[foreseenCall]bool
}

// bound inspects a bound command of the task of s.
func (l *lookahead) bound(ctx context.Context, s *Step, c *Command) error {
	if !c.MatchesPlatform() {
		return nil
	}
	for i := range c.Members {
		if err := l.bound(ctx, s, &c.Members[i]); err != nil {
			return err
		}
	}
	switch {
	case c.Kind != TaskCall:
		return nil
	case c.Defer:
		return l.call(ctx, s, &s.Task.Cmds[c.entry])
	}
	return l.task(ctx, c.Text, c.Vars)
}

// commands inspects commands, or needs, of the task of s.
func (l *lookahead) commands(ctx context.Context, s *Step, cs []schema.Command) error {
	for i := range cs {
		c := &cs[i]
		if !matchesPlatform(c.Platforms) {
			continue
		}
		if c.Kind == schema.Call {
			if err := l.call(ctx, s, c); err != nil {
				return err
			}
		}
		if err := l.commands(ctx, s, c.Members); err != nil {
			return err
		}
	}
	return nil
}

// call inspects a call that is not bound.
func (l *lookahead) call(ctx context.Context, s *Step, c *schema.Command) error {
	if c.For != nil && c.For.From != "" {
		return nil // the files may have changed by then
	}
	var problem error
	err := l.e.eachCall(ctx, s, c, func(name string, args schema.Vars) error {
		problem = l.task(ctx, name, args)
		return problem
	})
	if err != problem && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return problem // reported when it is reached
}

// task inspects a called task.
func (l *lookahead) task(ctx context.Context, name string, args schema.Vars) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	x := l.e.x
	t, match, err := x.o.Workflow.Lookup(name)
	if err != nil || !matchesPlatform(t.Platforms) {
		return nil // reported when it is called
	}
	c := foreseenCall{task: t, passed: passed(args), included: t.Include == l.from}
	x.mu.Lock()
	known := x.foreseen[c]
	x.mu.Unlock()
	if known || l.seen[c] {
		return nil
	}
	l.seen[c] = true
	call := vars.Call{Task: t, Name: ResolveStars(t.Name, match), Alias: name, Match: match, Vars: args}
	f := x.factsOf(t)
	if err := x.o.Resolver.Scope(call, vars.Full).Precompute(ctx, x.refsOf(f), l.from); err != nil {
		return err
	}
	if len(t.Deps) == 0 && len(f.details.streams) == 0 && !f.calls {
		return nil
	}
	s := &Step{Task: t, Name: call.Name, Scope: x.o.Resolver.Scope(call, vars.Fast), bound: &bound{}}
	for _, in := range f.details.streams {
		if err := l.call(ctx, s, &schema.Command{Kind: schema.Call, Text: in.Text, Vars: in.Vars, CommandOptions: &noOptions}); err != nil {
			return err
		}
	}
	if err := l.commands(ctx, s, t.Deps); err != nil {
		return err
	}
	return l.commands(ctx, s, t.Cmds)
}

// noOptions are the options of an inspected call.
var noOptions schema.CommandOptions

// passed are the names of variables, as one text.
func passed(vs schema.Vars) string {
	if len(vs) == 0 {
		return ""
	}
	names := make([]string, len(vs))
	for i := range vs {
		names[i] = vs[i].Name
	}
	slices.Sort(names)
	return strings.Join(names, "\x00")
}
