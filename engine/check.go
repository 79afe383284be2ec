package engine

import (
	"fmt"
	"strings"
	"time"

	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/engine/remote"
	"github.com/weftrun/weft/engine/shell"
	"github.com/weftrun/weft/engine/vars"
	"github.com/weftrun/weft/schema"
	"github.com/weftrun/weft/schema/diag"
)

// Check reports the errors of a workflow that can be found without running anything, beyond those
// of loading it: see [schema.Check], [vars.CheckTemplates] and [plan.CheckRuntimeRefs]; unreadable
// dotenv files; unknown shell options; tasks that are to run elsewhere and cannot; as warnings, scripts
// that only bash runs correctly; and, as hints, undeclared environment variables used by tasks with
// sources.
func Check(w *schema.Workflow) diag.List {
	list := schema.Check(w)
	list.Append(vars.CheckTemplates(w))
	list.Append(plan.CheckRuntimeRefs(w))
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
	for _, t := range w.Tasks {
		if _, told := w.Elsewhere(t); told {
			for _, why := range remote.Refusals(t) {
				list.Add(&diag.Diagnostic{Pos: t.Pos, Kind: diag.Suspicious, What: fmt.Sprintf("task %q: runs here: %s", t.Name, why)})
			}
		}
	}
	hintUndeclared(w, &list)
	return list
}

// bashCheck warns of scripts that weft's own interpreter does not run correctly. Scripts for
// another interpreter are not checked, since the user chose it for its features.
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
		fix = "run it with bash -c" // no shell key applies
		if p.Var == nil {
			about += p.What() + ": "
		}
	}
	declared := func(name string) bool { // in the environment, by the files
		t := p.Task
		return c.w.Env.Index(name) >= 0 || c.w.Vars.Index(name) >= 0 || t != nil && (t.Env.Index(name) >= 0 || t.Vars.Index(name) >= 0)
	}
	for _, b := range shell.CheckScript(text.S, declared) {
		where := ""
		if strings.Contains(strings.TrimSpace(text.S), "\n") {
			where = fmt.Sprintf(" (line %d of the script)", b.Line)
		}
		c.list.Add(&diag.Diagnostic{Pos: text.Pos, Severity: diag.Warning, Kind: diag.Suspicious,
			What: fmt.Sprintf("%s%s needs bash%s", about, b.What, where), Why: b.Why, Fix: fix})
	}
}

// warnOfGrace warns of tasks whose grace period exceeds Options.StopWithin.
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
		if grace > e.o.StopWithin {
			e.warn(&diag.Diagnostic{Pos: t.Pos, Severity: diag.Warning, Kind: diag.Suspicious, What: fmt.Sprintf("task %q may take %s to end", t.Name, grace),
				Why: fmt.Sprintf("everything must end within %s of a signal, so that weft is not killed before", e.o.StopWithin),
				Fix: "shorten stop.grace; or increase the container's own limit, usually ten seconds, and set WEFT_STOP_WITHIN a little below that"})
		}
	}
}
