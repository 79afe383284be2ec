package schema

import (
	"slices"

	"github.com/weftrun/weft/schema/yaml"
)

// Interpreter is the program that runs a script.
type Interpreter struct {
	// Argv is the program and its arguments, to which the script is appended; nil
	// is the interpreter in weft itself.
	Argv []string
	// Name is a known name, or "" if a list was given.
	Name string
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
			d.fail(n, "write a program and its arguments, as in [bash, -euo, pipefail, -c]", "shell has no program")
		}
		return &Interpreter{Argv: argv}
	}
	t := d.text(n)
	in := &Interpreter{Name: t.S}
	switch t.S {
	case "builtin":
	case "sh", "bash", "zsh":
		in.Argv = []string{t.S, "-c"}
	case "pwsh":
		in.Argv = []string{"pwsh", "-NoProfile", "-NonInteractive", "-Command"}
	case "cmd":
		in.Argv = []string{"cmd", "/D", "/C"}
	default:
		d.fail(n, "use builtin, sh, bash, zsh, pwsh, cmd, or a list as in [bash, -euo, pipefail, -c]", "unknown shell %q", t.S)
	}
	return in
}
