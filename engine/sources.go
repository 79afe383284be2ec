package engine

import (
	"context"
	"path/filepath"

	"github.com/weftrun/weft/engine/executor"
	"github.com/weftrun/weft/engine/glob"
	"github.com/weftrun/weft/engine/plan"
)

// Sources are the files that one step is made from.
type Sources struct {
	Step      string // its label
	Dir       string // that the patterns are relative to
	Patterns  []glob.Pattern
	Gitignore bool // files that git ignores are none
}

// Sources returns what the steps are made from that a call needs or calls, as far as this is
// known before they run. What one of them generates is a source of none.
func (e *Engine) Sources(ctx context.Context, call plan.Call) ([]Sources, error) {
	f := sourceFinder{x: plan.NewExpander(e.expanderOptions()), gitignore: e.o.Workflow.UseGitignore.Or(false), seen: map[string]bool{}}
	err := f.visit(ctx, call)
	for i := range f.found {
		f.found[i].Patterns = append(f.found[i].Patterns, f.made...)
	}
	return f.found, err
}

// sourceFinder walks through what a call needs or calls.
type sourceFinder struct {
	x         *plan.Expander
	gitignore bool            // where a task does not say
	seen      map[string]bool // tasks with their arguments
	found     []Sources
	made      []glob.Pattern // excludes what the steps generate
}

func (f *sourceFinder) visit(ctx context.Context, call plan.Call) error {
	p, err := f.x.Expand(ctx, call)
	if err != nil {
		return err
	}
	for _, s := range p.Steps {
		key := s.Name + "\x00" + s.Arguments()
		if f.seen[key] || s.Skip != plan.NotSkipped {
			continue
		}
		f.seen[key] = true
		if err := f.step(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

func (f *sourceFinder) step(ctx context.Context, s *plan.Step) error {
	dir, err := s.Scope.Dir(ctx)
	if err != nil {
		return err
	}
	if len(s.Task.Sources) > 0 {
		f.found = append(f.found, Sources{Step: s.Label, Dir: dir, Patterns: executor.Patterns(s.Sources()), Gitignore: s.Task.UseGitignore.Or(f.gitignore)})
	}
	for _, p := range executor.Patterns(s.Generates()) {
		if !filepath.IsAbs(p.Glob) {
			p.Glob = dir + "/" + p.Glob
		}
		f.made = append(f.made, glob.Pattern{Glob: p.Glob, Exclude: !p.Exclude})
	}
	if s.NamesOutputs() {
		return nil // its commands are known when it runs
	}
	for _, c := range s.Commands() {
		if c.Kind == plan.TaskCall && !c.Defer {
			f.visit(ctx, plan.Call{Name: c.Text, Vars: c.Vars, Pos: c.Pos, From: s}) // an error is the run's to tell
		}
	}
	return nil
}
