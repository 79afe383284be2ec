package plan

import (
	"github.com/weftrun/weft/schema"
	"github.com/weftrun/weft/schema/diag"
)

// CheckOutputs reports the texts of a workflow that name outputs of tasks where
// there can be none, each once.
func CheckOutputs(w *schema.Workflow) (list diag.List) {
	seen := map[diag.Pos]bool{} // a file may be included more than once
	check := func(p schema.Place, text schema.Text) {
		if len(outputRefs(&p, text.S)) == 0 {
			return
		}
		if d := misplaced(&p, text); d != nil && !seen[d.Pos] {
			seen[d.Pos] = true
			list.Add(d)
		}
	}
	schema.EachSharedText(w, check)
	for _, t := range w.Tasks {
		schema.EachText(t, check)
	}
	return list
}
