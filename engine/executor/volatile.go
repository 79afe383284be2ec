package executor

import (
	"fmt"
	"strings"
	"unicode"

	"github.com/weftrun/weft/engine/fingerprint"
	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/schema"
)

// volatile are the template functions that give something else every time.
var volatile = []string{"now", "uuid", "randInt", "randIntN"}

// advise explains the reasons that will be there the next time, too: a command
// or a variable whose template calls a volatile function.
func advise(w *schema.Workflow, s *plan.Step, reasons []fingerprint.Reason) []fingerprint.Reason {
	for _, r := range reasons {
		text := ""
		switch r.Kind {
		case "command":
			var n int
			if fmt.Sscan(r.Name, &n); n >= 1 && n <= len(s.Task.Cmds) {
				text = s.Task.Cmds[n-1].Text.S
			}
		case "var":
			for _, vs := range [...]schema.Vars{w.Vars, s.Task.Vars} {
				if i := vs.Index(r.Name); i >= 0 {
					text, _ = vs[i].Value.(string)
					text += "{{" + vs[i].Text + "}}"
				}
			}
		}
		if f := calls(text, volatile); f != "" {
			reasons = append(reasons, fingerprint.Reason{Kind: "never",
				Name: fmt.Sprintf("%s %s calls %s, which is never the same; `fingerprint: %s` looks at the content of sources alone", r.Kind, r.Name, f, schema.FingerprintV3)})
		}
	}
	return reasons
}

// calls returns the first of functions that stands in an action of a template.
func calls(text string, functions []string) string {
	for _, part := range strings.Split(text, "{{")[1:] {
		action, _, _ := strings.Cut(part, "}}")
		for _, word := range strings.FieldsFunc(fields.Replace(action), notWord) {
			for _, f := range functions {
				if word == f {
					return f
				}
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
