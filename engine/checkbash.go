package engine

import (
	"fmt"
	"strings"

	"github.com/weftrun/weft/engine/shell"
	"github.com/weftrun/weft/schema"
	"github.com/weftrun/weft/schema/diag"
)

// bashCheck warns of scripts that the interpreter in weft itself does not run right.
// Who chose another one knows which features it has: also that it runs no conditions and
// no variables.
type bashCheck struct {
	list *diag.List
	w    *schema.Workflow
	seen map[schema.Text]bool // a file that is included twice has its texts twice
}

func (c *bashCheck) all() {
	schema.EachSharedText(c.w, c.text)
	for _, t := range c.w.Tasks {
		schema.EachText(t, c.text)
	}
}

func (c *bashCheck) text(p schema.Place, text schema.Text) {
	if kind := p.Kind(); kind != schema.TextScript && kind != schema.TextCondition || c.seen[text] || p.Interpreter(c.w) != nil {
		return
	}
	c.seen[text] = true
	about, fix := p.About(), "write shell: bash"
	if p.Key != schema.KeyCmd {
		fix = "run it by bash -c" // no key shell is about it
		if p.Var == nil {
			about += p.What() + ": "
		}
	}
	for _, b := range shell.CheckScript(text.S, func(name string) bool { return c.declared(p.Task, name) }) {
		where := ""
		if strings.Contains(strings.TrimSpace(text.S), "\n") {
			where = fmt.Sprintf(" (line %d of the script)", b.Line)
		}
		c.list.Add(&diag.Diagnostic{Pos: text.Pos, Severity: diag.Warning, Kind: diag.Suspicious,
			What: fmt.Sprintf("%s%s needs bash%s", about, b.What, where), Why: b.Why, Fix: fix})
	}
}

// declared reports whether the files put a variable into the environment of t, which is
// nil outside of all tasks.
func (c *bashCheck) declared(t *schema.Task, name string) bool {
	return c.w.Env.Index(name) >= 0 || c.w.Vars.Index(name) >= 0 || t != nil && (t.Env.Index(name) >= 0 || t.Vars.Index(name) >= 0)
}
