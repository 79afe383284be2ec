package plan

import (
	"cmp"
	"context"
	"fmt"
	"reflect"
	"sort"
	"strings"

	"github.com/weftrun/weft/engine/vars"
	"github.com/weftrun/weft/internal/limit"
	"github.com/weftrun/weft/schema"
)

// item is one iteration of a loop. key is set when a map is looped over.
type item struct {
	value any
	key   string
	keyed bool
}

// items are the iterations of a loop. They are made one by one: there may be very many.
type items struct {
	n  int
	at func(i int) item
}

// eachItem calls f once for every iteration of c's loop with the loop's
// variables in scope and the number of iterations, or once when c has none.
func (e *expansion) eachItem(ctx context.Context, s *Step, c *schema.Command, f func(scope *vars.Scope, n int) error) error {
	if c.For == nil {
		return f(s.Scope, 1)
	}
	items, err := e.items(ctx, s, c.For)
	if err != nil {
		return err
	}
	if items.n > limit.Passes {
		return &LoopError{Task: s.Name, Pos: c.For.Pos, What: limit.Count("the items of the loop", limit.Passes, "passes").Error()}
	}
	as := cmp.Or(c.For.As, "ITEM")
	for i := range items.n {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		it := items.at(i)
		bindings := []vars.Binding{{Name: as, Value: it.value}}
		if it.keyed {
			bindings = append(bindings, vars.Binding{Name: "KEY", Value: it.key})
		}
		if err := f(s.Scope.With(bindings...), items.n); err != nil {
			return err
		}
	}
	return nil
}

func (e *expansion) items(ctx context.Context, s *Step, f *schema.For) (items, error) {
	switch {
	case f.List != nil:
		return plain(f.List), nil
	case f.Var != "":
		items, err := varItems(ctx, s, f)
		if s.Scope.Secret(f.Var) {
			for i := range min(items.n, limit.Passes) {
				s.Scope.ReportSecretPart(f.Var, items.at(i).value)
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
	return items{}, nil
}

func plain[T any](values []T) items {
	return items{len(values), func(i int) item { return item{value: values[i]} }}
}

func (e *expansion) fileItems(ctx context.Context, s *Step, globs []Glob) (items, error) {
	dir, err := s.Scope.Dir(ctx)
	if err != nil {
		return items{}, err
	}
	files, err := e.x.o.Host.Files(ctx, dir, globs, s.Gitignore())
	return plain(files), err
}

func varItems(ctx context.Context, s *Step, f *schema.For) (items, error) {
	v, _, err := s.Scope.Get(ctx, f.Var)
	if err != nil {
		return items{}, err
	}
	switch v := v.(type) {
	case nil:
		return items{}, nil
	case string:
		return plain(parts(v, f.Split)), nil
	}
	if list, ok := asList(v); ok {
		return plain(list), nil
	}
	if m := reflect.ValueOf(v); m.Kind() == reflect.Map {
		all := make([]item, 0, m.Len())
		for _, k := range m.MapKeys() {
			all = append(all, item{m.MapIndex(k).Interface(), fmt.Sprint(k.Interface()), true})
		}
		sort.Slice(all, func(i, j int) bool { return all[i].key < all[j].key })
		return items{len(all), func(i int) item { return all[i] }}, nil
	}
	return items{}, &LoopError{Task: s.Name, Pos: f.Pos, What: "loop var must be a delimiter-separated string, list or a map"}
}

// parts splits a text by a separator, or by white space if that is empty, into not many more parts
// than a loop may have passes.
func parts(s, separator string) []string {
	if separator != "" {
		return strings.SplitN(s, separator, limit.Passes+2)
	}
	var fields []string
	for f := range strings.FieldsSeq(s) {
		if fields = append(fields, f); len(fields) > limit.Passes {
			break
		}
	}
	return fields
}

// matrixItems is the Cartesian product of the rows, the first one slowest.
func matrixItems(ctx context.Context, s *Step, f *schema.For) (items, error) {
	rows := make([][]any, len(f.Matrix))
	n := 1
	for i, row := range f.Matrix {
		rows[i] = row.Items
		if row.Ref != "" {
			v, err := s.Scope.Ref(ctx, row.Ref)
			if err != nil {
				return items{}, &LoopError{Task: s.Name, Pos: row.Pos, What: err.Error()}
			}
			list, ok := asList(v)
			if !ok {
				return items{}, &LoopError{Task: s.Name, Pos: row.Pos, What: fmt.Sprintf("matrix reference %q must resolve to a list", row.Ref)}
			}
			rows[i] = list
		}
		n = min(n*len(rows[i]), limit.Passes+1)
	}
	if n > limit.Passes {
		return items{}, &LoopError{Task: s.Name, Pos: f.Pos, What: fmt.Sprintf("matrix has more than %d combinations", limit.Passes)}
	}
	return items{n, func(i int) item {
		m := make(map[string]any, len(rows))
		for r := len(rows) - 1; r >= 0; r-- {
			m[f.Matrix[r].Name] = rows[r][i%len(rows[r])]
			i /= len(rows[r])
		}
		return item{value: m}
	}}, nil
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
