package vars

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"regexp/syntax"
	"strings"

	"github.com/go-task/template"
	"mvdan.cc/sh/v3/expand"
	shsyntax "mvdan.cc/sh/v3/syntax"

	"github.com/weftrun/weft/internal/limit"
)

// function returns a function of templates, bound to x, or nil for one of the engine's
// own: what multiplies a text, makes a list or goes through all of a value first says to
// x how much that is. A function that is not in own is bound by its type.
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

// bound returns f, which says to x what it goes through.
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

// parse counts what is made of a text in JSON or YAML: a value of it takes two bytes
// there and a hundred in memory.
func (x *execution) parse(text string) {
	x.items(strings.Count(text, ",") + strings.Count(text, "[") + strings.Count(text, "{") + strings.Count(text, "\n"))
	x.make(len(text))
}

// own returns the functions that say more exactly what they make than by their type.
func (x *execution) own() template.FuncMap {
	fs := functions()
	var (
		repeat      = fs["repeat"].(func(int, string) string)
		indent      = fs["indent"].(func(int, string) string)
		nindent     = fs["nindent"].(func(int, string) string)
		replace     = fs["replace"].(func(string, string, string) string)
		join        = fs["join"].(func(string, any) string)
		until       = fs["until"].(func(int) []int)
		untilStep   = fs["untilStep"].(func(int, int, int) []int)
		seq         = fs["seq"].(func(...int) string)
		splitList   = fs["splitList"].(func(string, string) []string)
		split       = fs["split"].(func(string, string) map[string]string)
		splitn      = fs["splitn"].(func(string, int, string) map[string]string)
		splitLines  = fs["splitLines"].(func(string) []string)
		concat      = fs["concat"].(func(...any) any)
		uniq        = fs["uniq"].(func(any) []any)
		mustUniq    = fs["mustUniq"].(func(any) ([]any, error))
		findAll     = fs["regexFindAll"].(func(string, string, int) []string)
		mustFindAll = fs["mustRegexFindAll"].(func(string, string, int) ([]string, error))
		resplit     = fs["regexSplit"].(func(string, string, int) []string)
		mustResplit = fs["mustRegexSplit"].(func(string, string, int) ([]string, error))
	)
	// indented counts what indent makes.
	indented := func(n int, s string) int {
		if n > limit.Text {
			panic(errText)
		}
		return len(s) + 1 + max(n, 0)*(strings.Count(s, "\n")+1)
	}
	// at most as many as a list may have, and one, so that what has more is found out
	most := func(n int) int {
		if n < 0 || n > limit.Passes {
			return limit.Passes + 1
		}
		return n
	}
	return template.FuncMap{
		"repeat": func(n int, s string) string {
			if n > 0 && len(s) > limit.Text/n {
				panic(errText)
			}
			x.make(max(n, 0) * len(s))
			return repeat(n, s)
		},
		"indent":  func(n int, s string) string { x.make(indented(n, s)); return x.text(indent(n, s)) },
		"nindent": func(n int, s string) string { x.make(indented(n, s)); return x.text(nindent(n, s)) },
		"replace": func(from, to, s string) string {
			x.spend(len(s))
			x.make(replaced(len(s), strings.Count(s, from), len(to)))
			return x.text(replace(from, to, s))
		},
		"join": func(sep string, v any) string {
			n := measure(reflect.ValueOf(v))
			x.make(replaced(n, length(v), len(sep)))
			return x.text(join(sep, v))
		},
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
		"expandenv": func(s string) string {
			n := len(s)
			return x.text(os.Expand(s, func(name string) string {
				v := os.Getenv(name)
				if n += len(v); n > limit.Text {
					panic(errText)
				}
				x.make(len(v))
				return v
			}))
		},
		"regexMatch":     x.matching(fs["regexMatch"]),
		"mustRegexMatch": x.matching(fs["mustRegexMatch"]),
		"regexFind":      x.matching(fs["regexFind"]),
		"mustRegexFind":  x.matching(fs["mustRegexFind"]),
		"regexFindAll": func(re, s string, n int) []string {
			x.match(re, s)
			return x.list(findAll(re, s, most(n)))
		},
		"mustRegexFindAll": func(re, s string, n int) ([]string, error) {
			x.match(re, s)
			list, err := mustFindAll(re, s, most(n))
			return x.list(list), err
		},
		"regexSplit": func(re, s string, n int) []string {
			x.match(re, s)
			return x.list(resplit(re, s, most(n)))
		},
		"mustRegexSplit": func(re, s string, n int) ([]string, error) {
			x.match(re, s)
			list, err := mustResplit(re, s, most(n))
			return x.list(list), err
		},
		"regexReplaceAll":            x.replacing(fs["regexReplaceAll"]),
		"mustRegexReplaceAll":        x.replacing(fs["mustRegexReplaceAll"]),
		"regexReplaceAllLiteral":     x.replacing(fs["regexReplaceAllLiteral"]),
		"mustRegexReplaceAllLiteral": x.replacing(fs["mustRegexReplaceAllLiteral"]),
		"splitArgs":                  x.splitArgs,
		"output":                     x.output,
		shown: func(v reflect.Value) reflect.Value {
			if n := measure(v); n > limit.Text {
				panic(errText)
			} else {
				x.make(n)
			}
			return v
		},
		// The engine's own.
		"print":   func(vs ...any) string { x.make(written(vs)); return x.text(fmt.Sprint(vs...)) },
		"println": func(vs ...any) string { x.make(written(vs)); return x.text(fmt.Sprintln(vs...)) },
		"printf": func(format string, vs ...any) string {
			x.make(formatted(format, vs))
			return x.text(fmt.Sprintf(format, vs...))
		},
		"html":     func(vs ...any) string { x.make(6 * written(vs)); return x.text(template.HTMLEscaper(vs...)) },
		"js":       func(vs ...any) string { x.make(6 * written(vs)); return x.text(template.JSEscaper(vs...)) },
		"urlquery": func(vs ...any) string { x.make(3 * written(vs)); return x.text(template.URLQueryEscaper(vs...)) },
	}
}

// splitArgs splits a text as a shell does the arguments of a command.
func (x *execution) splitArgs(s string) ([]string, error) {
	x.make(len(s))
	if err := limit.Shell(s); err != nil {
		return nil, err
	}
	var args []string
	for word, err := range shsyntax.NewParser().WordsSeq(strings.NewReader(s)) {
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

// output is the function output.
func (x *execution) output(task string, name ...string) (any, error) {
	switch {
	case x.outputs == nil:
		return nil, errNoOutputs
	case len(name) > 0:
		return x.outputs(task, name[0])
	}
	return x.outputs(task, "")
}

// replaced is how many bytes there are when each of count places of n bytes becomes
// one of to bytes.
func replaced(n, count, to int) int {
	if to > 0 && count > 4*limit.Text/to {
		panic(errText)
	}
	return n + count*to
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

func (x *execution) list(list []string) []string {
	x.items(len(list))
	return list
}

// written is about how many bytes vs have when they are printed.
func written(vs []any) (n int) {
	for _, v := range vs {
		if n += measure(reflect.ValueOf(v)) + 1; n > limit.Text {
			panic(errText)
		}
	}
	return n
}

// formatted is at least how many bytes printf makes.
func formatted(format string, vs []any) int {
	const (
		widest = 1_000_000 // what fmt allows
		plain  = 400       // of a number, whatever it is
	)
	n, verbs, growth := len(format), strings.Count(format, "%"), 1
	if strings.ContainsAny(format, "qxXU#") {
		growth = 10
	}
	star := 0 // what * may stand for
	for _, v := range vs {
		if r := reflect.ValueOf(v); r.CanInt() {
			star = int(max(int64(star), min(max(r.Int(), -r.Int()), widest)))
		}
	}
	for i, digits := 0, 0; i < len(format) && n <= 4*limit.Text; i++ {
		switch c := format[i]; {
		case c == '*':
			n += star
		case '0' <= c && c <= '9':
			digits = min(10*digits+int(c-'0'), widest)
			continue
		}
		n, digits = n+digits, 0
	}
	size := written(vs)
	if strings.Contains(format, "%[") { // it may write one of them any number of times
		size *= max(1, verbs)
	}
	return n + plain*verbs + growth*size
}

// match counts what it takes to look for re in s.
func (x *execution) match(re, s string) {
	const longest = 64 << 10
	if len(re) > longest {
		panic(limit.Bytes("a regular expression", longest))
	}
	states := len(re)/8 + 1
	if strings.Contains(re, "{") && len(s) > 64 {
		if parsed, err := syntax.Parse(re, syntax.Perl); err == nil {
			if prog, err := syntax.Compile(parsed.Simplify()); err == nil {
				states = len(prog.Inst)/8 + 1
			}
		}
	}
	if len(s) > limit.Work/states {
		panic(errWork)
	}
	x.spend(len(s) * states)
}

// matching returns f, a function that looks for a regular expression.
func (x *execution) matching(f any) any {
	switch f := f.(type) {
	case func(string, string) bool:
		return func(re, s string) bool { x.match(re, s); return f(re, s) }
	case func(string, string) (bool, error):
		return func(re, s string) (bool, error) { x.match(re, s); return f(re, s) }
	case func(string, string) string:
		return func(re, s string) string { x.match(re, s); return f(re, s) }
	case func(string, string) (string, error):
		return func(re, s string) (string, error) { x.match(re, s); return f(re, s) }
	}
	return f
}

// replacing returns f, a function that replaces a regular expression.
func (x *execution) replacing(f any) any {
	count := func(re, s, to string) {
		x.match(re, s)
		groups := strings.Count(to, "$") * len(s) // each writes a part of what was found
		n := len(s) + 1                           // how often it is found
		if most := replaced(len(s), min(n, limit.Passes), len(to)) + groups; n > limit.Passes || most > limit.Text {
			r, err := regexp.Compile(re)
			if err != nil {
				return
			}
			if n = len(r.FindAllStringIndex(s, limit.Passes+1)); n > limit.Passes {
				panic(errItems)
			}
		}
		x.make(replaced(len(s), n, len(to)) + groups)
	}
	switch f := f.(type) {
	case func(string, string, string) string:
		return func(re, s, to string) string { count(re, s, to); return x.text(f(re, s, to)) }
	case func(string, string, string) (string, error):
		return func(re, s, to string) (string, error) {
			count(re, s, to)
			out, err := f(re, s, to)
			return x.text(out), err
		}
	}
	return f
}
