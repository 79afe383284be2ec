package engine

import (
	"fmt"
	"strings"
	"time"

	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/engine/shell"
	"github.com/weftrun/weft/engine/vars"
	"github.com/weftrun/weft/schema"
	"github.com/weftrun/weft/schema/diag"
)

// Check reports everything that can be known to be wrong with a workflow
// without running anything, beyond what loading it reports: see [schema.Check],
// [vars.CheckTemplates] and [plan.CheckOutputs]; dotenv files that cannot be read; options of the
// shell that there are not; and, as warnings, what only bash runs right.
func Check(w *schema.Workflow) diag.List {
	list := schema.Check(w)
	list.Append(vars.CheckTemplates(w))
	list.Append(plan.CheckOutputs(w))
	list.Append(vars.CheckDotenv(w))
	told := map[diag.Pos]bool{} // a file that is included twice has its tasks twice
	options := func(pos diag.Pos, about string, set, shopt []string) {
		problems := shell.CheckOptions(set, shopt)
		if len(problems) == 0 || told[pos] {
			return
		}
		told[pos] = true
		for _, err := range problems {
			list.Add(&diag.Diagnostic{Pos: pos, Kind: diag.Other, What: about + err.Error()})
		}
	}
	options(w.Pos, "", w.Set, w.Shopt)
	for _, t := range w.Tasks {
		about := fmt.Sprintf("task %q: ", t.Name)
		options(t.Pos, about, t.Set, t.Shopt)
		schema.EachCommand(t.Cmds, func(c *schema.Command) { options(c.Pos, about, c.Set, c.Shopt) })
	}
	b := bashCheck{list: &list, w: w, seen: map[schema.Text]bool{}}
	schema.EachSharedText(w, b.text)
	for _, t := range w.Tasks {
		schema.EachText(t, b.text)
	}
	return list
}

// bashCheck warns of scripts that the interpreter in weft itself does not run right.
// Who chose another one knows which features it has: also that it runs no conditions and
// no variables.
type bashCheck struct {
	list *diag.List
	w    *schema.Workflow
	seen map[schema.Text]bool // a file that is included twice has its texts twice
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

// containerGrace is how long container runtimes wait for the first process before they
// kill everything.
const containerGrace = 10 * time.Second

// warnOfGrace tells, in the first process of a container, of tasks that may take longer
// to end than the container has.
func (e *Engine) warnOfGrace() {
	for _, t := range e.o.Workflow.Tasks {
		grace := time.Duration(0)
		if t.Processes != nil {
			grace = t.Processes.Stop.Grace
		}
		schema.EachCommand(t.Cmds, func(c *schema.Command) {
			if c.HasOptions() && c.Processes != nil {
				grace = max(grace, c.Processes.Stop.Grace)
			}
		})
		if grace >= containerGrace {
			e.warn(&diag.Diagnostic{Pos: t.Pos, Severity: diag.Warning, Kind: diag.Suspicious, What: fmt.Sprintf("task %q may take %s to end", t.Name, grace),
				Why: "a container that is stopped has ten seconds, mostly", Fix: "shorten stop.grace, or lengthen the container's own limit"})
		}
	}
}
