package engine

import (
	"fmt"

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
	b.all()
	return list
}
