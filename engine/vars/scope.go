package vars

import (
	"context"
	"slices"
	"sort"

	"github.com/weftrun/weft/schema"
)

// view is where a text stands: it sees the definitions before a position and,
// if bound is set, what loops bind.
type view struct {
	before int
	bound  *Scope
}

// end is the view of the task's texts.
func (s *Scope) end() view { return view{before: s.work().top, bound: s} }

// binding returns what With bound to name.
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

// lookup returns the value of name as seen from a view; ok is false when there
// is none.
func (f *frame) lookup(ctx context.Context, name string, from view) (v any, ok bool, err error) {
	if v, ok := from.bound.binding(name); ok {
		f.work().dep |= ofTask | ofHigh
		return v, true, nil
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

// Get returns the value of name; ok tells whether it has one.
func (s *Scope) Get(ctx context.Context, name string) (v any, ok bool, err error) {
	s.note(&tmpl{refs: refs{names: []string{name}}}, s.end())
	return s.lookup(ctx, name, s.end())
}

// Defined reports whether any level defines name, be it as null, without
// computing it.
func (s *Scope) Defined(name string) bool {
	if _, ok := s.binding(name); ok || s.find(name, s.work().top) >= 0 || isSpecial(name) {
		return true
	}
	_, ok := s.r.osEnv()[name]
	return ok
}

// everything returns the names of all definitions before a view, and with all
// set those of the process and the special variables as well.
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
		if pos == w.atMatch && f.call.Task != nil {
			add("MATCH")
			continue
		}
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

// note remembers that t was expanded for the task.
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

// Uses returns the variables that the texts expanded so far referred to, with
// their values, sorted by name; without those of the process and the special
// ones when a text referred to all. What With bound is not among them, nor what
// has no value.
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
			// It has been computed already, or failed to be.
			if v, ok, err := s.lookup(context.Background(), name, from); ok && err == nil {
				out = append(out, Binding{name, v})
			}
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Name < out[j].Name })
	return out
}

// Mention counts a template among the texts expanded so far, for Uses: it will be, when
// it is too late to ask.
func (s *Scope) Mention(template string) {
	s.note(s.r.templates.get(template, false), s.end())
}

// Given returns those of Uses that the command line gives a value.
func (s *Scope) Given() []Binding {
	if len(s.r.o.CLI) == 0 {
		return nil
	}
	return slices.DeleteFunc(s.Uses(), func(b Binding) bool { return s.r.o.CLI.Index(b.Name) < 0 })
}

// BindCall returns what a call passes on: values and references are computed
// here, in the caller's scope; the command of a dynamic variable is expanded
// here and runs in the callee's. References do not see what With bound, as in
// the format's own runner.
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
