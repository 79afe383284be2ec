package schema

import (
	"fmt"
	"slices"
	"strings"

	"github.com/weftrun/weft/schema/diag"
	"github.com/weftrun/weft/schema/yaml"
)

// Running holds the keys of a task about running beside others.
type Running struct {
	Service   *Service // nil: it is none
	OnChange  OnChange // what a change does while it is watched
	After     []Text   // templates: names of tasks that are waited for if they run, too
	Slots     int32    // how many it takes; 0: it is not given, which means 1
	Pool      Pool
	PoolPos   diag.Pos
	Ports     []Port
	Jobserver Tristate // its programs get make's jobserver; Unset: as the workflow says
}

// AfterProblem returns the problem with name, an expanded text under `after` of t; nil if a task
// has that name or label.
func (w *Workflow) AfterProblem(t *Task, name Text) *diag.Diagnostic {
	label := strings.TrimPrefix(name.S, t.Namespace()+":")
	if w.Partial || w.Has(name.S) || slices.ContainsFunc(w.Tasks, func(t *Task) bool { return t.Label.S != "" && (t.Label.S == label || IsTemplate(t.Label.S)) }) {
		return nil
	}
	p := &diag.Diagnostic{Kind: diag.MissingTask, Pos: name.Pos, What: fmt.Sprintf("no task %q", name.S), Why: fmt.Sprintf("task %q runs after it (line %d)", t.Name, t.Pos.Line)}
	if s := w.Suggest(name.S); s != "" {
		p.Fix = fmt.Sprintf("did you mean %q?", s)
	}
	return p
}

const slotsForm = `{"type":["integer","null"],"minimum":1}`

// positive reads a number of at least 1.
func (d *decoder) positive(n *yaml.Node) int {
	v, ok := d.number(n, 1<<30, d.key+": %q is not a number of at least 1")
	if ok && v == 0 {
		d.fail(n, "write 1 or more", "%s: 0 is not allowed", d.key)
	}
	return max(v, 1)
}
