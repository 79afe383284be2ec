package vars

import (
	"reflect"
	"regexp"
	"regexp/syntax"
	"strings"

	"github.com/weftrun/weft/internal/limit"
)

// growth returns how many bytes a function may make of one of its arguments.
func growth(name string) int {
	switch name {
	case "quote":
		return 10
	case "toPrettyJson", "mustToPrettyJson", "spew":
		return 8
	case "toJson", "mustToJson", "toRawJson", "mustToRawJson", "toYaml", "mustToYaml", "html", "js":
		return 6
	case "shellQuote", "q":
		return 4
	case "urlquery":
		return 3
	case "b64enc", "b32enc", "regexQuoteMeta", "upper", "lower", "title", "toString", "squote", "cat":
		return 2
	}
	return 1
}

// ownCost returns the cost of a function that makes more, or something else, than its type says, or
// nil if the function makes no more.
func ownCost(name string) cost {
	switch name {
	case "repeat":
		return costOfRepeat
	case "indent", "nindent":
		return costOfIndent
	case "replace":
		return costOfReplace
	case "join":
		return func(x *execution, a arguments) { x.make(replaced(measure(a[1]), a.length(1), len(a.text(0)))) }
	case "until":
		return func(x *execution, a arguments) { x.steps(0, a.number(0), 1, 0) }
	case "untilStep":
		return func(x *execution, a arguments) { x.steps(a.number(0), a.number(1), a.number(2), 0) }
	case "seq":
		return costOfSeq
	case "splitList", "split":
		return func(x *execution, a arguments) { x.parts(a.text(1), a.text(0)) }
	case "splitn":
		return func(x *execution, a arguments) { x.parts(a.text(2), a.text(0)) }
	case "splitLines":
		return func(x *execution, a arguments) { x.parts(a.text(0), "\n") }
	case "concat":
		return costOfConcat
	case "printf":
		return func(x *execution, a arguments) { x.make(formatted(a.text(0), a[1].Interface().([]any))) }
	case "regexMatch", "mustRegexMatch", "regexFind", "mustRegexFind":
		return func(x *execution, a arguments) { x.match(a.text(0), a.text(1)) }
	case "regexFindAll", "mustRegexFindAll", "regexSplit", "mustRegexSplit":
		return costOfMatches
	case "regexReplaceAll", "mustRegexReplaceAll", "regexReplaceAllLiteral", "mustRegexReplaceAllLiteral":
		return costOfRegexReplace
	}
	return nil
}

// costOf returns the cost of a function by its type, or nil if it has none. The function may
// make grow bytes of each byte of its arguments.
func costOf(f any, grow int) cost {
	switch f.(type) {
	case func(string) (string, error), func(...string) string, func(string, ...string) (string, error),
		func(...any) string, func(any) string, func(any) (string, error):
		return func(x *execution, a arguments) { x.make(a.size() * grow) }
	case func(string, string) (string, error), func(any, any) bool, func(any, any) (bool, error): // has, deepEqual
		return func(x *execution, a arguments) { x.spend(a.size()) }
	case func(any) []string:
		return func(x *execution, a arguments) { x.make(a.size()) }
	case func(any) []any, func(any) ([]any, error), func(any, any) []any, func(any, any) ([]any, error):
		return func(x *execution, a arguments) { x.items(a.length(0) + 1) }
	case func(int, any) [][]any, func(int, any) ([][]any, error): // chunk
		return func(x *execution, a arguments) { x.items(a.length(1)) }
	case func(any, ...any) []any, func(any, ...any) ([]any, error): // without
		return func(x *execution, a arguments) { x.compare(a.length(0), a.length(1)) }
	case func(string, ...map[string]any) []any: // pluck
		return func(x *execution, a arguments) { x.items(a.length(1)) }
	case func(map[string]any) []any: // values
		return func(x *execution, a arguments) { x.items(a[0].Len()) }
	case func(...map[string]any) []string: // keys
		return func(x *execution, a arguments) { x.items(a.entries()) }
	case func(map[string]any, ...string) map[string]any, func(map[string]any, ...map[string]any) map[string]any: // pick, omit, merge
		return func(x *execution, a arguments) { x.items(4 * a.entries()) }
	case func(string) any, func(string) (any, error): // fromJson, fromYaml
		return func(x *execution, a arguments) { x.parse(a.text(0)) }
	}
	return nil
}

func costOfRepeat(x *execution, a arguments) {
	n, size := max(a.number(0), 0), len(a.text(1))
	if n > 0 && size > limit.Text/n {
		panic(errText)
	}
	x.make(n * size)
}

func costOfIndent(x *execution, a arguments) {
	n, s := a.number(0), a.text(1)
	if n > limit.Text {
		panic(errText)
	}
	x.make(len(s) + 1 + max(n, 0)*(strings.Count(s, "\n")+1))
}

func costOfReplace(x *execution, a arguments) {
	from, to, s := a.text(0), a.text(1), a.text(2)
	x.spend(len(s))
	x.make(replaced(len(s), strings.Count(s, from), len(to)))
}

func costOfSeq(x *execution, a arguments) {
	switch ns := a[0].Interface().([]int); len(ns) {
	case 1:
		x.steps(1, ns[0], 1, 1)
	case 2:
		x.steps(ns[0], ns[1], 1, 1)
	case 3:
		x.steps(ns[0], ns[2], ns[1], 1)
	}
}

func costOfConcat(x *execution, a arguments) {
	n := 0
	for i := range a[0].Len() {
		n += arguments{a[0].Index(i)}.length(0)
	}
	x.items(n)
}

// costOfMatches limits the number of matches, to detect more than a list may have.
func costOfMatches(x *execution, a arguments) {
	x.match(a.text(0), a.text(1))
	if n := a.number(2); n < 0 || n > limit.Passes {
		a[2] = reflect.ValueOf(limit.Passes + 1)
	}
}

func costOfRegexReplace(x *execution, a arguments) {
	re, s, to := a.text(0), a.text(1), a.text(2)
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

// compare counts that each of n items is compared with each of m.
func (x *execution) compare(n, m int) {
	x.items(n)
	x.spend(32 * n * m)
}

// parse counts the values in a text in JSON or YAML: a value of it takes two bytes
// there and a hundred in memory.
func (x *execution) parse(text string) {
	x.items(strings.Count(text, ",") + strings.Count(text, "[") + strings.Count(text, "{") + strings.Count(text, "\n"))
	x.make(len(text))
}

// steps counts the items of a list of numbers: as many as there are steps from one to
// the other, and more.
func (x *execution) steps(from, to, step, more int) {
	const most = 1 << 53 // beyond that they are not numbers for templates, and sums of them overflow
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

// replaced returns the number of bytes after each of count places of n bytes has become one of to
// bytes.
func replaced(n, count, to int) int {
	if to > 0 && count > 4*limit.Text/to {
		panic(errText)
	}
	return n + count*to
}

// formatted returns a lower bound of the bytes that printf produces.
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
	size := arguments{reflect.ValueOf(vs)}.size()
	if strings.Contains(format, "%[") { // it may write one of them any number of times
		size *= max(1, verbs)
	}
	return n + plain*verbs + growth*size
}

// match counts the work of searching s for re.
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
