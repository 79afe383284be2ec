package plan

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/weftrun/weft/engine/vars"
	"github.com/weftrun/weft/schema"
)

// phase is when a text of a task is expanded.
type phase uint8

const (
	unused      phase = iota // not in a run: descriptions, and items that are no templates
	referred                 // when something refers to it: variables
	environment              // with the step's directory and environment
	needed                   // for a need: its name and what is passed to it
	planned                  // with the step, before its needs run
	body                     // with the commands; when the needs have run, if it names their outputs
	afterwards               // with a deferred command, when others have run
)

func phaseOf(p *schema.Place) phase {
	switch p.Key {
	case schema.KeyDesc, schema.KeySummary, schema.KeyFor, schema.KeyForMatrix:
		return unused
	case schema.KeyEnv, schema.KeyDir, schema.KeyDotenv:
		return environment
	case schema.KeyStdinTask, schema.KeyStdinVars:
		return needed
	case schema.KeyLabel, schema.KeyPrefix, schema.KeyRun, schema.KeyMethod, schema.KeySources, schema.KeyGenerates,
		schema.KeyRequiredName, schema.KeyRequiredEnum, schema.KeyForVar, schema.KeyForMatrixRef:
		return planned
	}
	switch c := p.Command; {
	case p.Need:
		return needed
	case c == nil && p.Key == schema.KeyVars:
		return referred
	case c == nil && p.Key == schema.KeyIf:
		return planned
	case c != nil && c.Defer:
		return afterwards
	}
	return body
}

// template is a text as the template that it is: an expression in braces, the name of a
// variable as a reference to it.
func template(p *schema.Place, text string) string {
	switch p.Kind() {
	case schema.TextExpression:
		return "{{" + text + "}}"
	case schema.TextVariable:
		return "{{index . " + strconv.Quote(text) + "}}"
	}
	return text
}

// outputRefs are the outputs of tasks that a text names.
func outputRefs(p *schema.Place, text string) []vars.OutputRef {
	if !strings.Contains(text, "output") {
		return nil
	}
	return vars.OutputRefs(template(p, text))
}

// fingerprinted reports whether CHECKSUM and TIMESTAMP are defined for being mentioned
// in the text at p.
func fingerprinted(p *schema.Place) bool {
	switch p.Key {
	case schema.KeyStatus, schema.KeyPrecondition, schema.KeyPreconditionMsg:
		return true
	case schema.KeyForVar:
		return false
	}
	return p.Command != nil || p.Key.OfProcesses()
}

// changing are the template functions that give something else every time.
var changing = []string{"now", "uuid", "randInt", "randIntN"}

// NeverSame returns the template function for which a command of s, by its number
// from 1, or a variable, by its name, is something else every time; "" if there is
// none. kind is "command" or "var".
func (s *Step) NeverSame(kind, name string) (function string) {
	note := func(text string) { function = cmp.Or(function, calls(text, changing)) }
	switch kind {
	case "command":
		n, commands := 0, s.commands()
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
