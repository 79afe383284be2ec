package vars

import (
	"context"

	"github.com/weftrun/weft/schema"
)

// Definitions returns the variables that the files, the command line and the task define, to
// be shown: each once, at the place of its first definition and with its last. A static
// variable or a reference has its value, a dynamic variable its expanded command, and a
// secret one a mask. Nothing is run. The scope must be in fast mode.
func (s *Scope) Definitions(ctx context.Context) schema.Vars {
	w := s.work()
	list := make(schema.Vars, 0, w.top)
	at := make(map[string]int, w.top)
	for pos := range w.top {
		definition, _, _ := s.at(pos)
		v := *definition
		v = shownVar(v, func() (any, error) {
			c, err := s.eval(ctx, pos)
			return c.v, err
		}, func() (string, error) { return s.text(ctx, v.Text, view{before: pos}) })
		if i, ok := at[v.Name]; ok {
			list[i] = v
			continue
		}
		at[v.Name] = len(list)
		list = append(list, v)
	}
	return list
}

// DeclaredVars is Definitions for the environment that the files, the dotenv files and the
// task declare. The error is that of reading a dotenv file.
func (s *Scope) DeclaredVars(ctx context.Context) (schema.Vars, error) {
	from := view{before: s.work().top}
	declared, err := s.declarations(ctx)
	if err != nil {
		return nil, err
	}
	list := make(schema.Vars, len(declared))
	for i := range declared {
		v := *declared[i].v
		list[i] = shownVar(v, func() (any, error) {
			if v.Kind == schema.Ref {
				return s.ref(ctx, v.Text, from)
			}
			return s.value(ctx, v.Value, from)
		}, func() (string, error) { return s.text(ctx, v.Text, from) })
	}
	return list, nil
}

// shownVar returns v with its value, or the text of its command. If that fails, v stays as it
// is written.
func shownVar(v schema.Var, value func() (any, error), text func() (string, error)) schema.Var {
	switch {
	case v.Secret:
		v.Kind, v.Value = schema.Static, mask
	case v.Kind == schema.Dynamic:
		if expanded, err := text(); err == nil {
			v.Text = expanded
		}
	default:
		x, err := value()
		if err == nil || v.Kind == schema.Ref {
			v.Value = x
		}
		v.Kind = schema.Static
	}
	return v
}
