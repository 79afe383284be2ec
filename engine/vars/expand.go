package vars

import (
	"context"

	"github.com/weftrun/weft/schema"
)

// Expand expands a text of the task. In fast mode a text that fails is returned as it is
// written. The error is a [*TemplateError], a [*CommandError], or that of the context.
func (s *Scope) Expand(ctx context.Context, t schema.Text) (string, error) {
	if !schema.IsTemplate(t.S) {
		return t.S, nil
	}
	out, err := s.text(ctx, t.S, s.end())
	if err != nil {
		if s.mode == Fast {
			return t.S, nil
		}
		return "", located(err, t.Pos)
	}
	return out, nil
}

// mask replaces the value of a secret variable when it is shown.
const mask = "*****"

// Show expands a text that will be shown: like Expand, but it masks the values of secret
// variables that the text itself names. A text that cannot be expanded with the masks is
// returned as it is written.
func (s *Scope) Show(ctx context.Context, t schema.Text) (string, error) {
	if !schema.IsTemplate(t.S) {
		return t.S, nil
	}
	from := s.end()
	parsed := s.r.templates.get(t.S, false)
	names := parsed.names
	if parsed.all {
		names = s.everything(from, false)
	}
	masked := map[string]any(nil)
	for _, name := range names {
		if s.secret(name, from) {
			if masked == nil {
				masked = map[string]any{}
			}
			masked[name] = mask
		}
	}
	if masked == nil {
		return s.Expand(ctx, t)
	}
	parsed.compile()
	data, err := s.data(ctx, parsed, from)
	if err != nil {
		return t.S, nil
	}
	for name, m := range masked {
		data[name] = m
	}
	out, err := parsed.execute(ctx, data, s.runtime)
	if err != nil {
		return t.S, nil
	}
	return out, nil
}

// Value expands all strings in v: the items of lists and the values of maps. A value without
// templates is returned without copying it.
func (s *Scope) Value(ctx context.Context, v any) (any, error) {
	out, err := s.value(ctx, v, s.end())
	if err != nil && s.mode == Fast {
		return v, nil
	}
	return out, err
}

// Ref evaluates a template expression and returns its value, of any type. It sees
// the binding of WithVar, but not those of With. In fast mode the value of an expression that fails is nil.
func (s *Scope) Ref(ctx context.Context, expr string) (any, error) {
	w := s.work()
	from := view{before: w.top, bound: w.ofRefs}
	s.note(s.r.templates.get("{{"+expr+"}}", true), s.end())
	v, err := s.ref(ctx, expr, from)
	if err != nil && s.mode == Fast {
		return nil, nil
	}
	return v, err
}

// text expands a text, seen from from.
func (f *frame) text(ctx context.Context, text string, from view) (string, error) {
	if !schema.IsTemplate(text) {
		return text, nil
	}
	t := f.r.templates.get(text, false)
	if from.bound != nil {
		from.bound.note(t, from)
	}
	if t.pieces != nil {
		var err error
		out, ok, large := join(t.pieces, func(name string) (v any) {
			if err == nil {
				v, _, err = f.lookup(ctx, name, from)
			}
			return v
		})
		switch {
		case err != nil:
			return "", err
		case large != nil:
			return "", &TemplateError{Err: large}
		case ok:
			return out, nil
		}
		t.compile()
	}
	if t.err != nil {
		return "", clone(t.err)
	}
	data, err := f.data(ctx, t, from)
	if err != nil {
		return "", err
	}
	return t.execute(ctx, data, f.runtime)
}

// ref evaluates the expression of a reference, seen from from.
func (f *frame) ref(ctx context.Context, expr string, from view) (any, error) {
	if expr == "" {
		return nil, nil
	}
	t := f.r.templates.get("{{"+expr+"}}", true)
	if t.err != nil {
		return nil, clone(t.err)
	}
	data, err := f.data(ctx, t, from)
	if err != nil {
		return nil, err
	}
	return t.resolve(ctx, data)
}

// data returns the variables that t refers to.
func (f *frame) data(ctx context.Context, t *tmpl, from view) (map[string]any, error) {
	names := t.names
	if t.all {
		names = f.everything(from, true)
	}
	if t.chance {
		f.work().dep |= ofTask | ofHigh
	}
	data := make(map[string]any, len(names))
	for _, name := range names {
		v, ok, err := f.lookup(ctx, name, from)
		if err != nil {
			return nil, err
		}
		if !ok {
			continue
		}
		if t.mutates {
			v = f.own(name, v, from)
		}
		data[name] = v
	}
	return data, nil
}

// own copies v, the value of name, for this scope, because a template may change it in place.
// As in the reference, later texts of the scope see the change; other scopes do not.
func (f *frame) own(name string, v any, from view) any {
	switch v.(type) {
	case map[string]any, []any:
	default:
		return v
	}
	if _, bound := from.bound.binding(name); bound {
		return deepCopy(v)
	}
	pos := f.find(name, from.before)
	if pos < 0 || f.w.owned[pos] {
		return v
	}
	v = deepCopy(v)
	if f.w.owned == nil {
		f.w.owned = map[int]bool{}
	}
	f.w.owned[pos] = true
	f.keep(pos, cell{v: v, dep: ofTask})
	return v
}

func deepCopy(v any) any {
	switch v := v.(type) {
	case map[string]any:
		m := make(map[string]any, len(v))
		for k, x := range v {
			m[k] = deepCopy(x)
		}
		return m
	case []any:
		l := make([]any, len(v))
		for i, x := range v {
			l[i] = deepCopy(x)
		}
		return l
	}
	return v
}

// value expands the strings inside v.
func (f *frame) value(ctx context.Context, v any, from view) (any, error) {
	if s, ok := v.(string); ok {
		return f.text(ctx, s, from)
	}
	if !hasTemplate(v) {
		return v, nil
	}
	var err error
	switch v := v.(type) {
	case []string:
		out := make([]string, len(v))
		for i, x := range v {
			if out[i], err = f.text(ctx, x, from); err != nil {
				return nil, err
			}
		}
		return out, nil
	case []any:
		out := make([]any, len(v))
		for i, x := range v {
			if out[i], err = f.value(ctx, x, from); err != nil {
				return nil, err
			}
		}
		return out, nil
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, x := range v { // keys are not templates
			if out[k], err = f.value(ctx, x, from); err != nil {
				return nil, err
			}
		}
		return out, nil
	}
	return v, nil
}

// hasTemplate reports whether a string anywhere in v is a template.
func hasTemplate(v any) (has bool) {
	schema.EachString(v, func(s string) { has = has || schema.IsTemplate(s) })
	return has
}
