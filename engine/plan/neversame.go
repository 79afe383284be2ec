package plan

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/weftrun/weft/schema"
)

// changing are the template functions that give something else every time.
var changing = []string{"now", "uuid", "randInt", "randIntN"}

// NeverSame returns the template function for which a command of s, by its number
// from 1, or a variable, by its name, is something else every time; "" if there is
// none. kind is "command" or "var".
func (s *Step) NeverSame(kind, name string) (function string) {
	note := func(text string) { function = cmp.Or(function, calls(text, changing)) }
	switch kind {
	case "command":
		n, commands := 0, s.texts().commands
		if fmt.Sscan(name, &n); n < 1 || n > len(commands) {
			return ""
		}
		entry := &s.Task.Cmds[commands[n-1].entry]
		schema.EachText(s.Task, func(p schema.Place, text schema.Text) {
			if (p.Command == entry || len(p.Groups) > 0 && p.Groups[0] == entry) && p.Key != schema.KeyStopCmd {
				note(template(&p, text.S))
			}
		})
	case "var":
		for _, vs := range [...]schema.Vars{s.Task.Vars, s.facts.workflow.Vars} {
			if i := vs.Index(name); i >= 0 {
				schema.EachString(vs[i].Value, note)
				note("{{" + vs[i].Text + "}}")
			}
		}
	}
	return function
}

// calls returns the first of functions that stands in an action of a template.
func calls(text string, functions []string) string {
	for _, part := range strings.Split(text, "{{")[1:] {
		action, _, _ := strings.Cut(part, "}}")
		for _, word := range strings.FieldsFunc(fields.Replace(action), notWord) {
			if slices.Contains(functions, word) {
				return word
			}
		}
	}
	return ""
}

// fields sets a field apart from what it is a field of: now.Unix calls now.
var fields = strings.NewReplacer(".", " .", "$", " $")

// notWord tells whether r ends a name, a field (.NAME) or a variable ($name).
func notWord(r rune) bool {
	return !strings.ContainsRune(".$_", r) && !unicode.IsLetter(r) && !unicode.IsDigit(r)
}
