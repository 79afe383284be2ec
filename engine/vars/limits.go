package vars

import (
	"errors"
	"os"
	"reflect"
	"strings"

	"github.com/go-task/template"
	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/syntax"

	"github.com/weftrun/weft/internal/limit"
)

// A template must not produce or visit more than package limit allows. So its functions are
// wrapped: a function that multiplies a text, makes a list or visits all of a value first reports
// its cost to the execution.

// cost reports to the execution how much a function with these arguments produces and visits.
type cost func(x *execution, a arguments)

// function returns a function of templates whose work is counted by x, or nil for one of the
// engine's own whose work is small.
func (x *execution) function(name string) any {
	if f := x.special[name]; f != nil {
		return f
	}
	f := functions()[name]
	if c := ownCost(name); c != nil {
		return x.counted(f, c)
	}
	grow := growth(name)
	switch f := f.(type) { // the usual ones are called directly, the others by reflection
	case nil:
		return nil
	case func(string) string:
		return func(a string) string {
			x.make(len(a) * grow)
			return x.text(f(a))
		}
	case func(string, string) string:
		return func(a, b string) string {
			x.spend(len(a) + len(b))
			return f(a, b)
		}
	case func(string, string) bool:
		return func(a, b string) bool {
			x.spend(len(a) + len(b))
			return f(a, b)
		}
	}
	return x.counted(f, costOf(f, grow))
}

// counted returns f with its cost, which may be nil.
func (x *execution) counted(f any, c cost) any {
	if c == nil {
		return f
	}
	v := reflect.ValueOf(f)
	call := v.Call
	if v.Type().IsVariadic() {
		call = v.CallSlice
	}
	return reflect.MakeFunc(v.Type(), func(args []reflect.Value) []reflect.Value {
		c(x, args)
		out := call(args)
		switch out[0].Type() {
		case reflect.TypeFor[string]():
			x.text(out[0].String())
		case reflect.TypeFor[[]string]():
			x.items(out[0].Len())
		}
		return out
	}).Interface()
}

// specialFunctions returns the functions that are not those of [functions].
func (x *execution) specialFunctions() template.FuncMap {
	mustUniq := x.uniq(functions()["mustUniq"].(func(any) ([]any, error)))
	return template.FuncMap{
		"output":    x.output,
		"port":      x.port,
		"expandenv": x.expandEnv,
		"splitArgs": x.splitArgs,
		"mustUniq":  mustUniq,
		"uniq": func(list any) []any {
			out, err := mustUniq(list)
			if err != nil {
				panic(err)
			}
			return out
		},
		shown: func(v reflect.Value) reflect.Value {
			n := measure(v)
			if n > limit.Text {
				panic(errText)
			}
			x.make(n)
			return v
		},
	}
}

// arguments are those of a call. Those after the parameters with names are one slice.
type arguments []reflect.Value

// text returns argument i, a string. It is called in many places.
//
//go:noinline
func (a arguments) text(i int) string { return a[i].String() }

func (a arguments) number(i int) int { return int(a[i].Int()) }

// length returns how many items argument i has, if it is a list, and 1 otherwise.
func (a arguments) length(i int) int {
	v := a[i]
	if v.Kind() == reflect.Interface {
		v = v.Elem()
	}
	switch v.Kind() {
	case reflect.Slice, reflect.Array:
		return v.Len()
	}
	return 1
}

// entries returns how many items the maps and lists among the arguments have, and the
// maps and lists in those lists.
func (a arguments) entries() (n int) {
	for _, v := range a {
		switch v.Kind() {
		case reflect.Interface:
			n += arguments{v.Elem()}.entries()
		case reflect.Map:
			n += v.Len()
		case reflect.Slice:
			n += v.Len()
			for i := range v.Len() {
				n += arguments{v.Index(i)}.entries()
			}
		}
	}
	return n
}

// size returns the approximate size of the arguments as text, in bytes.
func (a arguments) size() (n int) {
	for _, v := range a {
		if n += measure(v); n > limit.Text {
			panic(errText)
		}
	}
	return n
}

// expandEnv replaces $NAME in a text by variables of the process.
func (x *execution) expandEnv(s string) string {
	n := len(s)
	return x.text(os.Expand(s, func(name string) string {
		v := os.Getenv(name)
		if n += len(v); n > limit.Text {
			panic(errText)
		}
		x.make(len(v))
		return v
	}))
}

// splitArgs splits a text as a shell does the arguments of a command.
func (x *execution) splitArgs(s string) ([]string, error) {
	x.make(len(s))
	if err := limit.Shell(s); err != nil {
		return nil, err
	}
	var args []string
	for word, err := range syntax.NewParser().WordsSeq(strings.NewReader(s)) {
		if err == nil {
			err = errors.Join(limit.Expansion(word, os.Getenv), limit.Braces(word))
		}
		if err != nil {
			return nil, err
		}
		for arg, err := range expand.FieldsSeq(&expand.Config{Env: expand.FuncEnviron(os.Getenv)}, word) {
			if err != nil {
				return nil, err
			}
			args = append(args, arg)
			if len(args) > limit.Passes {
				panic(errItems)
			}
			x.make(len(arg) + 16)
		}
	}
	return args, nil
}

// uniq returns a function that does what mustUniq does, in linear time for scalars.
func (x *execution) uniq(mustUniq func(any) ([]any, error)) func(any) ([]any, error) {
	return func(list any) ([]any, error) {
		if out, ok := uniqScalars(list); ok {
			return out, nil
		}
		n := arguments{reflect.ValueOf(list)}.length(0)
		x.compare(n, n)
		return mustUniq(list)
	}
}

// uniqScalars is uniq for a list of scalars, in linear time. ok is false for any other list.
func uniqScalars(list any) (out []any, ok bool) {
	r := reflect.ValueOf(list)
	if r.Kind() != reflect.Slice {
		return nil, false
	}
	seen := make(map[any]bool, r.Len())
	out = []any{}
	for i := range r.Len() {
		item := r.Index(i).Interface()
		switch item.(type) {
		case string, bool, int, int64, float64:
		default:
			return nil, false
		}
		if !seen[item] {
			seen[item] = true
			out = append(out, item)
		}
	}
	return out, true
}
