package plan

import (
	"context"
	"fmt"
	"reflect"
	"sort"
	"strings"

	"github.com/weftrun/weft/engine/vars"
	"github.com/weftrun/weft/schema"
)

// item is one iteration of a loop. key is set when a map is looped over.
type item struct {
	value any
	key   string
	keyed bool
}

// eachItem calls f once for every iteration of c's loop with the loop's
// variables in scope, or once when c has none.
func (e *expansion) eachItem(ctx context.Context, s *Step, c *schema.Command, f func(*vars.Scope) error) error {
	if c.For == nil {
		return f(s.Scope)
	}
	items, err := e.items(ctx, s, c.For)
	if err != nil {
		return err
	}
	as := c.For.As
	if as == "" {
		as = "ITEM"
	}
	for _, it := range items {
		bindings := []vars.Binding{{Name: as, Value: it.value}}
		if it.keyed {
			bindings = append(bindings, vars.Binding{Name: "KEY", Value: it.key})
		}
		if err := f(s.Scope.With(bindings...)); err != nil {
			return err
		}
	}
	return nil
}

func (e *expansion) items(ctx context.Context, s *Step, f *schema.For) ([]item, error) {
	switch {
	case f.List != nil:
		return plain(f.List), nil
	case f.Var != "":
		items, err := varItems(ctx, s, f)
		if s.Scope.Secret(f.Var) {
			for _, it := range items {
				s.Scope.TellPart(f.Var, it.value)
			}
		}
		return items, err
	case f.Matrix != nil:
		return matrixItems(ctx, s, f)
	case f.From == "sources":
		return e.fileItems(ctx, s, s.Sources())
	case f.From == "generates":
		return e.fileItems(ctx, s, s.Generates())
	}
	return nil, nil
}

func plain(values []any) []item {
	items := make([]item, len(values))
	for i, v := range values {
		items[i].value = v
	}
	return items
}

func (e *expansion) fileItems(ctx context.Context, s *Step, globs []Glob) ([]item, error) {
	dir, err := s.Scope.Dir(ctx)
	if err != nil {
		return nil, err
	}
	files, err := e.x.o.Host.Files(ctx, dir, globs, e.gitignore(s))
	if err != nil {
		return nil, err
	}
	items := make([]item, len(files))
	for i, f := range files {
		items[i].value = f
	}
	return items, nil
}

func varItems(ctx context.Context, s *Step, f *schema.For) ([]item, error) {
	v, _, err := s.Scope.Get(ctx, f.Var)
	if err != nil {
		return nil, err
	}
	switch v := v.(type) {
	case nil:
		return nil, nil
	case string:
		parts := strings.Fields(v)
		if f.Split != "" {
			parts = strings.Split(v, f.Split)
		}
		items := make([]item, len(parts))
		for i, p := range parts {
			items[i].value = p
		}
		return items, nil
	}
	if list, ok := asList(v); ok {
		return plain(list), nil
	}
	if m := reflect.ValueOf(v); m.Kind() == reflect.Map {
		items := make([]item, 0, m.Len())
		for _, k := range m.MapKeys() {
			items = append(items, item{m.MapIndex(k).Interface(), fmt.Sprint(k.Interface()), true})
		}
		sort.Slice(items, func(i, j int) bool { return items[i].key < items[j].key })
		return items, nil
	}
	return nil, &LoopError{Task: s.Name, Pos: f.Pos, What: "loop var must be a delimiter-separated string, list or a map"}
}

// matrixItems is the Cartesian product of the rows, the first one slowest.
func matrixItems(ctx context.Context, s *Step, f *schema.For) ([]item, error) {
	combos := []map[string]any{{}}
	for _, row := range f.Matrix {
		values := row.Items
		if row.Ref != "" {
			v, err := s.Scope.Ref(ctx, row.Ref)
			if err != nil {
				return nil, &LoopError{Task: s.Name, Pos: row.Pos, What: err.Error()}
			}
			list, ok := asList(v)
			if !ok {
				return nil, &LoopError{Task: s.Name, Pos: row.Pos, What: fmt.Sprintf("matrix reference %q must resolve to a list", row.Ref)}
			}
			values = list
		}
		next := make([]map[string]any, 0, len(combos)*len(values))
		if len(combos)*len(values) > maxSteps {
			return nil, &LoopError{Task: s.Name, Pos: f.Pos, What: fmt.Sprintf("matrix has more than %d combinations", maxSteps)}
		}
		for _, c := range combos {
			for _, v := range values {
				m := make(map[string]any, len(c)+1)
				for k, x := range c {
					m[k] = x
				}
				m[row.Name] = v
				next = append(next, m)
			}
		}
		combos = next
	}
	items := make([]item, len(combos))
	for i, c := range combos {
		items[i].value = c
	}
	return items, nil
}

// asList returns the elements of any kind of slice.
func asList(v any) ([]any, bool) {
	if list, ok := v.([]any); ok {
		return list, true
	}
	r := reflect.ValueOf(v)
	if r.Kind() != reflect.Slice && r.Kind() != reflect.Array {
		return nil, false
	}
	list := make([]any, r.Len())
	for i := range list {
		list[i] = r.Index(i).Interface()
	}
	return list, true
}
