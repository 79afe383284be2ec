package plan

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/weftrun/weft/engine/vars"
	"github.com/weftrun/weft/schema"
)

// requires checks that the variables a task requires exist, evaluates the variables needed at the
// start, and checks for allowed values.
func (e *expansion) requires(ctx context.Context, s *Step) error {
	if len(s.Task.Requires) == 0 {
		return e.start(ctx, s)
	}
	if err := e.askMissing(ctx, s); err != nil {
		return err
	}
	if err := e.start(ctx, s); err != nil {
		return err
	}
	return checkAllowed(ctx, s)
}

// askMissing prompts for missing required variables.
func (e *expansion) askMissing(ctx context.Context, s *Step) error {
	var missing []*schema.Required
	for i := range s.Task.Requires {
		if r := &s.Task.Requires[i]; !s.Scope.Defined(r.Name) {
			missing = append(missing, r)
		}
	}
	for _, r := range missing {
		v, err := e.x.o.Host.Ask(ctx, r.Name, func() ([]string, error) { return allowed(ctx, s, r) })
		if errors.Is(err, ErrCannotAsk) {
			// Missing variables are found before references are evaluated: an error shows values as
			// they are written.
			return &MissingVarsError{Task: s.Name, Vars: missing}
		}
		if err != nil {
			return err
		}
		s.Scope = s.Scope.WithCallVar(r.Name, v)
	}
	return nil
}

// checkAllowed checks that required variables have allowed values.
func checkAllowed(ctx context.Context, s *Step) error {
	var invalid []InvalidVar
	for i := range s.Task.Requires {
		r := &s.Task.Requires[i]
		enum, err := allowed(ctx, s, r)
		if err != nil {
			return err
		}
		if enum == nil {
			continue
		}
		v, _, err := s.Scope.Get(ctx, r.Name)
		if err != nil {
			return err
		}
		if text, ok := v.(string); ok && !slices.Contains(enum, text) {
			invalid = append(invalid, InvalidVar{Name: r.Name, Value: text, Enum: enum})
		}
	}
	if invalid != nil {
		return &InvalidVarsError{Task: s.Name, Vars: invalid}
	}
	return nil
}

// allowed returns the values a required variable may have; nil means any.
func allowed(ctx context.Context, s *Step, r *schema.Required) ([]string, error) {
	if r.Ref == "" {
		return r.Enum, nil
	}
	v, err := s.Scope.Ref(ctx, r.Ref)
	if err != nil {
		return nil, err
	}
	list, ok := asList(v)
	if !ok {
		return nil, &LoopError{Task: s.Name, What: fmt.Sprintf("enum reference %q must resolve to a list", r.Ref)}
	}
	enum := make([]string, len(list))
	for i, item := range list {
		text, ok := item.(string)
		if !ok {
			return nil, &LoopError{Task: s.Name, What: fmt.Sprintf("enum reference %q must contain only strings", r.Ref)}
		}
		enum[i] = text
	}
	return enum, nil
}

// start evaluates the variables that are needed when s starts; see package vars.
// If all texts are bound at once, binding them does that, unless some definition can fail on
// purpose.
func (e *expansion) start(ctx context.Context, s *Step) error {
	if f := s.facts; !f.afterwards && !s.Scope.CanFail(f.fails) {
		return nil
	}
	return s.Scope.Start(ctx, e.x.refsOf(s.facts))
}

// refsOf returns the references of the texts of a task, except those of its needs, which are
// separate steps.
func (x *Expander) refsOf(f *facts) vars.Refs {
	if refs := f.refs.Load(); refs != nil {
		return *refs
	}
	var refs vars.Refs
	schema.EachText(f.task, func(p schema.Place, text schema.Text) {
		switch when := phaseOf(&p); {
		case when == unused || when == referred || when == needed:
		case p.Key == schema.KeyRequiredName && f.task.Requires[p.Index].Ref == "" && f.task.Requires[p.Index].Enum == nil:
			// It must exist; its value makes no difference.
		case p.Expands(text):
			x.o.Resolver.AddRefs(&refs, template(&p, text.S))
		}
	})
	f.refs.Store(&refs)
	return refs
}
