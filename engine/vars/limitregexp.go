package vars

import (
	"regexp"
	"regexp/syntax"
	"strings"

	"github.com/go-task/template"

	"github.com/weftrun/weft/internal/limit"
)

// regexpFunctions are those that look for regular expressions.
func (x *execution) regexpFunctions() template.FuncMap {
	fs := functions()
	var (
		findAll     = fs["regexFindAll"].(func(string, string, int) []string)
		mustFindAll = fs["mustRegexFindAll"].(func(string, string, int) ([]string, error))
		resplit     = fs["regexSplit"].(func(string, string, int) []string)
		mustResplit = fs["mustRegexSplit"].(func(string, string, int) ([]string, error))
	)
	return template.FuncMap{
		"regexMatch":     x.matching(fs["regexMatch"]),
		"mustRegexMatch": x.matching(fs["mustRegexMatch"]),
		"regexFind":      x.matching(fs["regexFind"]),
		"mustRegexFind":  x.matching(fs["mustRegexFind"]),
		"regexFindAll": func(re, s string, n int) []string {
			x.match(re, s)
			return x.list(findAll(re, s, atMost(n)))
		},
		"mustRegexFindAll": func(re, s string, n int) ([]string, error) {
			x.match(re, s)
			list, err := mustFindAll(re, s, atMost(n))
			return x.list(list), err
		},
		"regexSplit": func(re, s string, n int) []string {
			x.match(re, s)
			return x.list(resplit(re, s, atMost(n)))
		},
		"mustRegexSplit": func(re, s string, n int) ([]string, error) {
			x.match(re, s)
			list, err := mustResplit(re, s, atMost(n))
			return x.list(list), err
		},
		"regexReplaceAll":            x.replacing(fs["regexReplaceAll"]),
		"mustRegexReplaceAll":        x.replacing(fs["mustRegexReplaceAll"]),
		"regexReplaceAllLiteral":     x.replacing(fs["regexReplaceAllLiteral"]),
		"mustRegexReplaceAllLiteral": x.replacing(fs["mustRegexReplaceAllLiteral"]),
	}
}

// atMost is n, or one more than a list may have, so that what has more is found out.
func atMost(n int) int {
	if n < 0 || n > limit.Passes {
		return limit.Passes + 1
	}
	return n
}

func (x *execution) list(list []string) []string {
	x.items(len(list))
	return list
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
