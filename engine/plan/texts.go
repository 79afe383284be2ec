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

// phase is the time at which a text of a task is expanded.
type phase uint8

const (
	unused      phase = iota // not in a run: descriptions, and items that are not templates
	referred                 // when something refers to it: variables
	environment              // with the step's directory and environment
	needed                   // for a need: its name and its variables
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
	case schema.KeyStdinTask, schema.KeyStdinVars, schema.KeyIPCTo, schema.KeyIPCVars:
		return needed
	case schema.KeyLabel, schema.KeyPrefix, schema.KeyRun, schema.KeyMethod, schema.KeySources, schema.KeyGenerates, schema.KeyDepfile,
		schema.KeyPort, schema.KeyAfter, schema.KeyRequiredName, schema.KeyRequiredEnum, schema.KeyForVar, schema.KeyForMatrixRef:
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

// runtimeRefs are the outputs and ports of tasks that a text names.
func runtimeRefs(p *schema.Place, text string) []vars.RuntimeRef {
	if !strings.Contains(text, "output") && !strings.Contains(text, "port") {
		return nil
	}
	return vars.RuntimeRefs(template(p, text))
}

// fingerprinted reports whether mentioning CHECKSUM and TIMESTAMP in the text at p defines them.
func fingerprinted(p *schema.Place) bool {
	return slices.Contains([]schema.Key{schema.KeyStatus, schema.KeyPrecondition, schema.KeyPreconditionMsg}, p.Key) ||
		p.Key != schema.KeyForVar && (p.Command != nil || p.Key.OfProcesses())
}

// changing are the template functions whose results differ every time.
var changing = []string{"now", "uuid", "randInt", "randIntN"}

// VolatileFunction returns the template function for which a command of s, by its number
// from 1, or a variable, by its name, differs every time; "" if there is none. kind is "command" or
// "var".
func (s *Step) VolatileFunction(kind, name string) (function string) {
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

// calls returns the first of functions that occurs in an action of a template.
func calls(text string, functions []string) string {
	for _, part := range strings.Split(text, "{{")[1:] {
		action, _, _ := strings.Cut(part, "}}")
		// Words are names, fields (.NAME) and variables ($name).
		for _, word := range strings.FieldsFunc(fields.Replace(action), func(r rune) bool {
			return !strings.ContainsRune(".$_", r) && !unicode.IsLetter(r) && !unicode.IsDigit(r)
		}) {
			if slices.Contains(functions, word) {
				return word
			}
		}
	}
	return ""
}

// fields puts a space before each field and variable: now.Unix calls now.
var fields = strings.NewReplacer(".", " .", "$", " $")

// systemic are the template functions whose results are those of the machine that weft runs on.
var systemic = []string{"OS", "ARCH", "numCPU", "exeExt", "ExeExt"}

// OfSystem returns what in the work of t depends on the machine that weft runs on: "OS in command 1", or
// "ARCH in the variable NAME", if used, the names of variables, has it; "" for nothing. What is evaluated
// before the work does not count.
func OfSystem(w *schema.Workflow, t *schema.Task, used func(f func(name string))) (what string) {
	schema.EachText(t, func(p schema.Place, text schema.Text) {
		switch p.Key {
		case schema.KeyDesc, schema.KeySummary, schema.KeyLabel, schema.KeyPrefix, schema.KeyPrompt, schema.KeyStatus, schema.KeyPrecondition, schema.KeyPreconditionMsg, schema.KeyVars:
			return
		}
		if what != "" || p.Need || p.Key == schema.KeyIf && p.Command == nil {
			return
		}
		function := calls(template(&p, text.S), systemic)
		if function == "" {
			return
		}
		what = function + " in a text of the task"
		for i := range t.Cmds {
			if c := &t.Cmds[i]; p.Command == c || len(p.Groups) > 0 && p.Groups[0] == c {
				what = fmt.Sprintf("%s in command %d", function, i+1)
			}
		}
	})
	used(func(name string) {
		for _, vs := range [...]schema.Vars{t.Vars, w.Vars} {
			i := vs.Index(name)
			if i < 0 || what != "" {
				continue
			}
			note := func(text string) {
				if f := calls(text, systemic); f != "" {
					what = fmt.Sprintf("%s in the variable %s", f, name)
				}
			}
			schema.EachString(vs[i].Value, note)
			note("{{" + vs[i].Text + "}}")
		}
	})
	return what
}
