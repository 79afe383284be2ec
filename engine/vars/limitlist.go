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

// listFunctions are those that make lists and maps.
func (x *execution) listFunctions() template.FuncMap {
	fs := functions()
	var (
		until      = fs["until"].(func(int) []int)
		untilStep  = fs["untilStep"].(func(int, int, int) []int)
		seq        = fs["seq"].(func(...int) string)
		splitList  = fs["splitList"].(func(string, string) []string)
		split      = fs["split"].(func(string, string) map[string]string)
		splitn     = fs["splitn"].(func(string, int, string) map[string]string)
		splitLines = fs["splitLines"].(func(string) []string)
		concat     = fs["concat"].(func(...any) any)
		uniq       = fs["uniq"].(func(any) []any)
		mustUniq   = fs["mustUniq"].(func(any) ([]any, error))
	)
	return template.FuncMap{
		"until":     func(n int) []int { x.steps(0, n, 1, 0); return until(n) },
		"untilStep": func(from, to, step int) []int { x.steps(from, to, step, 0); return untilStep(from, to, step) },
		"seq": func(ns ...int) string {
			switch len(ns) {
			case 1:
				x.steps(1, ns[0], 1, 1)
			case 2:
				x.steps(ns[0], ns[1], 1, 1)
			case 3:
				x.steps(ns[0], ns[2], ns[1], 1)
			}
			return seq(ns...)
		},
		"splitList":  func(sep, s string) []string { x.parts(s, sep); return splitList(sep, s) },
		"split":      func(sep, s string) map[string]string { x.parts(s, sep); return split(sep, s) },
		"splitn":     func(sep string, n int, s string) map[string]string { x.parts(s, sep); return splitn(sep, n, s) },
		"splitLines": func(s string) []string { x.parts(s, "\n"); return splitLines(s) },
		"concat": func(lists ...any) any {
			n := 0
			for _, l := range lists {
				n += length(l)
			}
			x.items(n)
			return concat(lists...)
		},
		"uniq": func(list any) []any {
			if out, ok := uniqScalars(list); ok {
				return out
			}
			x.compare(length(list), length(list))
			return uniq(list)
		},
		"mustUniq": func(list any) ([]any, error) {
			if out, ok := uniqScalars(list); ok {
				return out, nil
			}
			x.compare(length(list), length(list))
			return mustUniq(list)
		},
		"splitArgs": x.splitArgs,
	}
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

// steps counts the items of a list of numbers: as many as there are steps from one to
// the other, and more.
func (x *execution) steps(from, to, step, more int) {
	const most = 1 << 53 // beyond that they are no numbers for templates, and sums of them overflow
	if int64(max(from, to, step)) > most || int64(min(from, to, step)) < -most {
		panic(errItems)
	}
	step = max(step, -step, 1)
	x.items((max(to-from, from-to)+step-1)/step + more)
}

// parts counts the parts of a text that is split.
func (x *execution) parts(s, sep string) {
	x.spend(len(s))
	x.items(strings.Count(s, sep) + 1)
}

// uniqScalars is what uniq makes of a list of scalars, in linear time. ok is false for
// any other.
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
