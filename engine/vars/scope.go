package vars

import (
	"context"
	"slices"
	"sort"

	"github.com/weftrun/weft/schema"
)

// view is the place of a text: the text sees the definitions before a position and, if bound
// is set, bindings of loops.
type view struct {
	before int
	bound  *Scope
}

// end is the view of the task's texts.
func (s *Scope) end() view { return view{before: s.work().top, bound: s} }

// binding returns the value that With bound to name.
//
//go:noinline
func (s *Scope) binding(name string) (any, bool) {
	for ; s != nil; s = s.outer {
		for i := len(s.bound) - 1; i >= 0; i-- {
			if s.bound[i].Name == name {
				return s.bound[i].Value, true
			}
		}
	}
	return nil, false
}

// lookup returns the value of name, seen from a view. ok is false if there is none.
func (f *frame) lookup(ctx context.Context, name string, from view) (v any, ok bool, err error) {
	if v, ok := from.bound.binding(name); ok {
		f.work().dep |= ofTask | ofHigh
		return v, true, nil
	}
	if f.secretNames && from.bound != nil && f.secret(name, from) {
		return nameOf(name), true, nil
	}
	if pos := f.find(name, from.before); pos >= 0 {
		c, err := f.eval(ctx, pos)
		return c.v, !c.absent && err == nil, err
	}
	if v, ok := f.special(name); ok {
		return v, true, nil
	}
	if v, ok := f.r.osEnv()[name]; ok {
		return v, true, nil
	}
	return nil, false, nil
}

// Get returns the value of name. ok is false if it has none.
func (s *Scope) Get(ctx context.Context, name string) (v any, ok bool, err error) {
	s.note(&tmpl{refs: refs{names: []string{name}}}, s.end())
	return s.lookup(ctx, name, s.end())
}

// Defined reports whether any level defines name, even as null. It does not compute the
// value.
func (s *Scope) Defined(name string) bool {
	if _, ok := s.binding(name); ok || s.find(name, s.work().top) >= 0 || isSpecial(name) {
		return true
	}
	_, ok := s.r.osEnv()[name]
	return ok
}

// everything returns the names of all definitions before a view. With all set, it includes
// the process environment and the special variables.
func (f *frame) everything(from view, all bool) []string {
	w := f.work()
	var names []string
	seen := map[string]bool{}
	add := func(name string) {
		if !seen[name] {
			seen[name] = true
			names = append(names, name)
		}
	}
	for pos := range min(from.before, w.top) {
		v, _, _ := f.at(pos)
		add(v.Name)
	}
	for s := from.bound; s != nil; s = s.outer {
		for i := range s.bound {
			add(s.bound[i].Name)
		}
	}
	if !all {
		return names
	}
	for _, name := range specialNames {
		add(name)
	}
	add("WEFT_VERSION")
	for name := range f.r.osEnv() {
		add(name)
	}
	return names
}

// note records that t was expanded for the task.
func (f *frame) note(t *tmpl, from view) {
	w := f.work()
	if from.bound == nil || from.before != w.top || len(t.names) == 0 && !t.all {
		return
	}
	for i := len(w.texts) - 1; i >= max(0, len(w.texts)-16); i-- {
		if w.texts[i] == t {
			return
		}
	}
	w.texts = append(w.texts, t)
}

// Uses returns the variables that the texts expanded so far refer to, with their values and
// sorted by name. It leaves out special variables, bindings of With and variables without a
// value; and for a text that refers to all variables, the process environment.
func (s *Scope) Uses() []Binding {
	if s.w == nil || len(s.w.texts) == 0 {
		return nil
	}
	from := view{before: s.w.top}
	seen := map[string]bool{}
	var out []Binding
	for _, t := range s.w.texts {
		names := t.names
		if t.all {
			names = s.everything(from, false)
		}
		for _, name := range names {
			if seen[name] || isSpecial(name) {
				continue
			}
			seen[name] = true
			if _, bound := s.binding(name); bound {
				continue
			}
			// This has been computed before, or has failed.
			if v, ok, err := s.lookup(context.Background(), name, from); ok && err == nil {
				out = append(out, Binding{name, v})
			}
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Name < out[j].Name })
	return out
}

// AddUses makes Uses include a template that will be expanded later.
func (s *Scope) AddUses(template string) {
	s.note(s.r.templates.get(template, false), s.end())
}

// CommandLineUses returns those of Uses that are set on the command line.
func (s *Scope) CommandLineUses() []Binding {
	if len(s.r.o.CLI) == 0 {
		return nil
	}
	return slices.DeleteFunc(s.Uses(), func(b Binding) bool { return s.r.o.CLI.Index(b.Name) < 0 })
}

// BindCall returns the variables of a call with their values. Values and references are
// computed in the caller's scope s; the command of a dynamic variable is expanded in s and
// run in the callee's scope. As in the reference, references do not see bindings of With.
func (s *Scope) BindCall(ctx context.Context, vs schema.Vars) (schema.Vars, error) {
	if len(vs) == 0 {
		return nil, nil
	}
	out := make(schema.Vars, len(vs))
	for i := range vs {
		out[i] = vs[i]
		v := &out[i]
		var err error
		switch v.Kind {
		case schema.Static:
			v.Value, err = s.Value(ctx, v.Value)
		case schema.Ref:
			v.Kind, v.Text = schema.Static, ""
			v.Value, err = s.Ref(ctx, vs[i].Text)
		case schema.Dynamic:
			v.Text, err = s.Expand(ctx, schema.Text{S: v.Text, Pos: v.Pos})
		}
		if err != nil {
			return nil, located(err, v.Pos)
		}
	}
	return out, nil
}
