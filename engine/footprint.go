package engine

import (
	"context"
	"maps"
	"slices"

	"github.com/weftrun/weft/engine/executor"
	"github.com/weftrun/weft/engine/glob"
	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/schema"
)

// Footprint is the set of inputs of one call of a task and of other tasks that it uses, as far as
// they are known before it runs, whatever its conditions; see [plan.Footprint].
type Footprint struct {
	Task               *schema.Task
	Name               string         // full name, with each star replaced by its match
	Dir                string         // base of patterns, absolute
	Sources, Generates []glob.Pattern // as written, after templates; the depfile is generated
	Gitignore          bool           // files ignored by git are not sources
	Dotenv             []string       // absolute paths; the files may be missing
	// Discovered are the paths in the depfile of its last success here. Unsure means that it has a
	// depfile, but these are unknown.
	Discovered []string
	Unsure     bool
	Unset      []string    // required variables without a value
	Calls      []plan.Call // tasks that it needs, reads, sends messages to or calls
	Commands   bool        // it has commands of its own
	Incomplete error       // why Calls may be incomplete; may be nil
}

// Footprints returns a function that returns the footprint of a call, for one goroutine at a time.
// It runs only the dynamic variables that determine files and other tasks of the call.
func (e *Engine) Footprints() func(context.Context, plan.Call) (*Footprint, error) {
	l := footprinter{engine: e, x: plan.NewExpander(e.expanderOptions())}
	return l.footprint
}

// footprinter computes footprints, for one goroutine at a time.
type footprinter struct {
	engine *Engine
	x      *plan.Expander
	look   *inspector // nil until a task has a depfile
}

func (l *footprinter) footprint(ctx context.Context, c plan.Call) (*Footprint, error) {
	f, err := l.x.Footprint(ctx, c)
	if err != nil {
		return nil, err
	}
	s := f.Step
	dir, err := s.Scope.Dir(ctx)
	if err != nil {
		return nil, err
	}
	dotenv, err := s.Scope.DotenvFiles(ctx)
	if err != nil {
		return nil, err
	}
	out := &Footprint{Task: s.Task, Name: s.Name, Dir: dir, Sources: executor.Patterns(s.Sources()), Generates: executor.Patterns(s.Writes()),
		Gitignore: s.Gitignore(), Dotenv: dotenv, Unset: f.Unset, Calls: f.Calls, Commands: f.Commands, Incomplete: f.Incomplete}
	if s.Depfile() != nil {
		if l.look == nil {
			l.look = l.engine.inspector(l.engine.resolver)
		}
		var found map[string]glob.Digest
		if found, out.Unsure, err = l.look.Discovered(ctx, s); err != nil {
			return nil, err
		}
		out.Discovered = slices.Sorted(maps.Keys(found))
	}
	return out, nil
}
