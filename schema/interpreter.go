package schema

import (
	"slices"

	"github.com/weftrun/weft/schema/yaml"
)

// Interpreter is what runs a script.
type Interpreter struct {
	// Argv is the program and its arguments, to which the script is appended; nil
	// is the interpreter in weft itself.
	Argv []string
	// Name is one of those that are known, or "" where a list was given.
	Name string
}

var interpreters = map[string][]string{
	"builtin": nil,
	"sh":      {"sh", "-c"},
	"bash":    {"bash", "-c"},
	"zsh":     {"zsh", "-c"},
	"pwsh":    {"pwsh", "-NoProfile", "-NonInteractive", "-Command"},
	"cmd":     {"cmd", "/D", "/C"},
}

const interpreterForm = `{"anyOf":[{"enum":["builtin","sh","bash","zsh","pwsh","cmd",null]},{"type":"array","items":{"type":"string"},"minItems":1}]}`

// interpreter reads `shell`: a name, or the beginning of a command line.
func (d *decoder) interpreter(n *yaml.Node) *Interpreter {
	switch {
	case isNull(n):
		return nil
	case n.Kind == yaml.SequenceNode:
		argv := d.strings(n, "words")
		if len(argv) == 0 || slices.Contains(argv[:1], "") {
			d.fail(n, "write a program and its arguments, as in [bash, -euo, pipefail, -c]", "shell names no program")
		}
		return &Interpreter{Argv: argv}
	}
	t := d.text(n)
	argv, ok := interpreters[t.S]
	if !ok {
		d.fail(n, "use builtin, sh, bash, zsh, pwsh, cmd, or a list as in [bash, -euo, pipefail, -c]", "unknown shell %q", t.S)
	}
	return &Interpreter{Argv: argv, Name: t.S}
}
