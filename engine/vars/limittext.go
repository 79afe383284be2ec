package vars

import (
	"os"
	"reflect"
	"strings"

	"github.com/go-task/template"

	"github.com/weftrun/weft/internal/limit"
)

// textFunctions are those that make one text of another.
func (x *execution) textFunctions() template.FuncMap {
	fs := functions()
	var (
		repeat  = fs["repeat"].(func(int, string) string)
		indent  = fs["indent"].(func(int, string) string)
		nindent = fs["nindent"].(func(int, string) string)
		replace = fs["replace"].(func(string, string, string) string)
		join    = fs["join"].(func(string, any) string)
	)
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
	}
}

// indented is how many bytes indent makes.
func indented(n int, s string) int {
	if n > limit.Text {
		panic(errText)
	}
	return len(s) + 1 + max(n, 0)*(strings.Count(s, "\n")+1)
}

// replaced is how many bytes there are when each of count places of n bytes becomes
// one of to bytes.
func replaced(n, count, to int) int {
	if to > 0 && count > 4*limit.Text/to {
		panic(errText)
	}
	return n + count*to
}
