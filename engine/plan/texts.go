package plan

import (
	"strconv"
	"strings"

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
