package vars

import (
	"maps"
	"reflect"
	"strings"

	"github.com/go-task/template"

	"github.com/weftrun/weft/internal/limit"
)

// A template must not make or go through more than package limit allows. So its
// functions are wrapped: what multiplies a text, makes a list or goes through all of a
// value first tells the execution how much that is, most by their types, the others one
// by one.

// function returns a function of templates that counts for x what it does, or nil for
// one of the engine's own that cannot do much.
func (x *execution) function(name string) any {
	if f := x.special[name]; f != nil {
		return f
	}
	if f := functions()[name]; f != nil {
		return x.bound(name, f)
	}
	return nil
}

// growth is how many bytes a function may make of one of its arguments, where that is
// more than one.
var growth = map[string]int{
	"quote": 10, "shellQuote": 4, "q": 4, "b64enc": 2, "b32enc": 2, "regexQuoteMeta": 2, "upper": 2, "lower": 2, "title": 2,
	"toJson": 6, "mustToJson": 6, "toPrettyJson": 8, "mustToPrettyJson": 8, "toRawJson": 6, "mustToRawJson": 6,
	"toYaml": 6, "mustToYaml": 6, "spew": 8, "toString": 2, "squote": 2, "cat": 2,
}

// bound returns f wrapped by its type: it tells x what it goes through and makes.
func (x *execution) bound(name string, f any) any {
	grow := max(1, growth[name])
	size := func(vs ...any) int {
		n := 0
		for _, v := range vs {
			if n += measure(reflect.ValueOf(v)); n > limit.Text {
				panic(errText)
			}
		}
		return n * grow
	}
	switch f := f.(type) {
	case func(string) string:
		return func(a string) string { x.make(len(a) * grow); return x.text(f(a)) }
	case func(string) (string, error):
		return func(a string) (string, error) {
			x.make(len(a) * grow)
			s, err := f(a)
			return x.text(s), err
		}
	case func(string, string) string:
		return func(a, b string) string { x.spend(len(a) + len(b)); return f(a, b) }
	case func(string, string) (string, error):
		return func(a, b string) (string, error) { x.spend(len(a) + len(b)); return f(a, b) }
	case func(string, string) bool:
		return func(a, b string) bool { x.spend(len(a) + len(b)); return f(a, b) }
	case func(...string) string:
		return func(a ...string) string { x.make(lengths(a)); return x.text(f(a...)) }
	case func(string, ...string) (string, error):
		return func(a string, b ...string) (string, error) {
			x.make(len(a) + lengths(b))
			s, err := f(a, b...)
			return x.text(s), err
		}
	case func(...any) string:
		return func(a ...any) string { x.make(size(a...)); return x.text(f(a...)) }
	case func(any) string:
		return func(a any) string { x.make(size(a)); return x.text(f(a)) }
	case func(any) (string, error):
		return func(a any) (string, error) {
			x.make(size(a))
			s, err := f(a)
			return x.text(s), err
		}
	case func(any) []string:
		return func(a any) []string { x.items(length(a)); x.make(size(a)); return f(a) }
	case func(any) []any:
		return func(a any) []any { x.items(length(a)); return f(a) }
	case func(any) ([]any, error):
		return func(a any) ([]any, error) { x.items(length(a)); return f(a) }
	case func(any, any) []any:
		return func(a, b any) []any { x.items(length(a) + 1); return f(a, b) }
	case func(any, any) ([]any, error):
		return func(a, b any) ([]any, error) { x.items(length(a) + 1); return f(a, b) }
	case func(any, any) bool: // has, deepEqual
		return func(a, b any) bool { x.spend(size(a) + size(b)); return f(a, b) }
	case func(any, any) (bool, error):
		return func(a, b any) (bool, error) { x.spend(size(a) + size(b)); return f(a, b) }
	case func(any, ...any) []any: // without
		return func(a any, b ...any) []any { x.compare(length(a), len(b)); return f(a, b...) }
	case func(any, ...any) ([]any, error):
		return func(a any, b ...any) ([]any, error) { x.compare(length(a), len(b)); return f(a, b...) }
	case func(int, any) [][]any: // chunk
		return func(n int, a any) [][]any { x.items(length(a)); return f(n, a) }
	case func(int, any) ([][]any, error):
		return func(n int, a any) ([][]any, error) { x.items(length(a)); return f(n, a) }
	case func(map[string]any) []any:
		return func(m map[string]any) []any { x.items(len(m)); return f(m) }
	case func(...map[string]any) []string:
		return func(ms ...map[string]any) []string { x.items(entries(ms)); return f(ms...) }
	case func(string, ...map[string]any) []any:
		return func(key string, ms ...map[string]any) []any { x.items(len(ms)); return f(key, ms...) }
	case func(map[string]any, ...string) map[string]any: // pick, omit
		return func(m map[string]any, keys ...string) map[string]any {
			x.items(4*len(m) + len(keys))
			return f(m, keys...)
		}
	case func(map[string]any, ...map[string]any) map[string]any: // merge
		return func(m map[string]any, ms ...map[string]any) map[string]any {
			x.items(4*len(m) + 4*entries(ms))
			return f(m, ms...)
		}
	case func(string) any: // fromJson, fromYaml
		return func(a string) any { x.parse(a); return f(a) }
	case func(string) (any, error):
		return func(a string) (any, error) { x.parse(a); return f(a) }
	}
	return f
}

// specialFunctions returns the functions that tell x more exactly what they make than
// their types do.
func (x *execution) specialFunctions() template.FuncMap {
	fs := template.FuncMap{"output": x.output}
	for _, some := range [...]template.FuncMap{x.textFunctions(), x.listFunctions(), x.regexpFunctions(), x.printFunctions()} {
		maps.Copy(fs, some)
	}
	return fs
}

func lengths(list []string) (n int) {
	for _, s := range list {
		n += len(s) + 1
	}
	return n
}

func entries(ms []map[string]any) (n int) {
	for _, m := range ms {
		n += len(m)
	}
	return n
}

// length returns how many items v has, if it is a list.
func length(v any) int {
	switch r := reflect.ValueOf(v); r.Kind() {
	case reflect.Slice, reflect.Array:
		return r.Len()
	}
	return 1
}

// compare counts that each of n items is compared with each of m.
func (x *execution) compare(n, m int) {
	x.items(n)
	x.spend(32 * n * m)
}

// parse counts what is made of a text in JSON or YAML: a value of it takes two bytes
// there and a hundred in memory.
func (x *execution) parse(text string) {
	x.items(strings.Count(text, ",") + strings.Count(text, "[") + strings.Count(text, "{") + strings.Count(text, "\n"))
	x.make(len(text))
}
