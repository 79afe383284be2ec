package plan

import (
	"context"

	"github.com/weftrun/weft/engine/vars"
	"github.com/weftrun/weft/schema"
)

// start evaluates the variables that are due when s starts, as package vars says.
// Where all texts are bound at once, binding them does that, unless some definition
// can fail on purpose.
func (e *expansion) start(ctx context.Context, s *Step) error {
	if f := s.facts; !f.afterwards && !s.Scope.CanFail(f.fails) {
		return nil
	}
	return s.Scope.Start(ctx, e.x.refsOf(s.facts))
}

// refsOf returns what the texts of a task refer to, but those of its needs, which are
// steps of their own.
func (x *Expander) refsOf(f *facts) vars.Refs {
	if refs := f.refs.Load(); refs != nil {
		return *refs
	}
	var refs vars.Refs
	schema.EachText(f.task, func(p schema.Place, text schema.Text) {
		switch when := phaseOf(&p); {
		case when == unused || when == referred || when == needed:
		case p.Key == schema.KeyRequiredName && f.task.Requires[p.Index].Ref == "" && f.task.Requires[p.Index].Enum == nil:
			// It must be there; what it is makes no difference.
		case p.Expands(text):
			x.o.Resolver.AddRefs(&refs, template(&p, text.S))
		}
	})
	f.refs.Store(&refs)
	return refs
}
