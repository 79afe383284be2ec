package plan

import (
	"slices"

	"github.com/weftrun/weft/schema"
)

// ownProcess returns how the commands of the task are run that say nothing of their
// own. None of its texts is a template.
func (f *facts) ownProcess() *Process {
	b := commandBinder{facts: f}
	return b.process(nil, &schema.Command{CommandOptions: &noOptions})
}

// process merges what the workflow, the task, the group of c and c itself say about its
// processes. This is the only place where the levels meet.
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
		p.Stdin.Own = c.Processes != nil && c.Processes.Stdin != nil
	}
	return p
}

// merged binds the texts of p; the workflow decides what p leaves open.
func (b *commandBinder) merged(w *schema.Workflow, p *schema.Processes) *Process {
	out := &Process{
		Stdout: b.sinks(p.Stdout), Stderr: b.sinks(p.Stderr), Accept: p.Accept, TTY: p.TTY == schema.True,
		IdleTimeout: p.IdleTimeout, Leftover: p.Leftover, Signals: p.Signals,
		Stop: Stop{Signal: p.Stop.Signal, Grace: p.Stop.Grace, Command: b.text(p.Stop.Command), Main: p.Stop.Main},
	}
	switch {
	case p.Shell != nil:
		out.Interpreter = *p.Shell
	case w.Shell != nil:
		out.Interpreter = *w.Shell
	}
	if out.TTY && out.Interpreter.Argv == nil {
		out.Interpreter = schema.Interpreter{Name: "sh", Argv: []string{"sh", "-c"}} // a terminal belongs to one program
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
		return Sink{Kind: s.Kind, File: b.text(s.File), Append: s.Append, InPlace: s.InPlace, Max: s.Max, Overflow: s.Overflow}
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
