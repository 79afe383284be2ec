package vars

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/go-task/template"

	"github.com/weftrun/weft/internal/limit"
)

// printFunctions are those that write values out: what a template shows goes through
// the first, the others are the engine's own.
func (x *execution) printFunctions() template.FuncMap {
	return template.FuncMap{
		shown: func(v reflect.Value) reflect.Value {
			if n := measure(v); n > limit.Text {
				panic(errText)
			} else {
				x.make(n)
			}
			return v
		},
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
