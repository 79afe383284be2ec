package affected

import (
	"fmt"

	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/engine/vars"
	"github.com/weftrun/weft/schema"
)

// texts compares the texts of tasks with their earlier ones.
type texts struct {
	now, before *side // before is nil if nothing has changed
	all         string
	known       map[*schema.Task]string
}

// side is one of the two states of the Taskfiles.
type side struct {
	workflow *schema.Workflow
	resolver *vars.Resolver
	expander *plan.Expander
	shared   vars.Refs
}

func newSide(w *schema.Workflow) *side {
	s := &side{workflow: w, resolver: vars.New(vars.Options{Workflow: w})}
	s.expander = plan.NewExpander(plan.Options{Workflow: w, Resolver: s.resolver})
	s.shared = s.expander.SharedReferences()
	return s
}

func newTexts(o *Options) *texts {
	t := &texts{known: map[*schema.Task]string{}}
	switch {
	case o.Unknown != "":
		t.all = o.Unknown
	case o.Before != nil:
		t.now, t.before = newSide(o.Workflow), newSide(o.Before)
		if key := schema.SharedDifference(o.Before, o.Workflow); key != "" {
			t.all = fmt.Sprintf("%s has changed for all tasks: %s", o.Workflow.File.Name, key)
		}
	}
	return t
}

// difference returns how the text of a task differs from its earlier one; "" if it does not.
func (t *texts) difference(task *schema.Task) string {
	if t.all != "" || t.before == nil {
		return t.all
	}
	why, known := t.known[task]
	if !known {
		why = t.compare(task)
		t.known[task] = why
	}
	return why
}

func (t *texts) compare(task *schema.Task) string {
	old := t.before.workflow.Task(task.Name)
	if old == nil {
		return "the task is new"
	}
	if key := schema.Difference(old, task); key != "" {
		return fmt.Sprintf("its definition in %s has changed: %s", task.Pos.File.Name, key)
	}
	for _, shared := range [...]bool{false, true} {
		if name, same := schema.SameVars(t.before.behind(old, shared), t.now.behind(task, shared)); !same {
			return fmt.Sprintf("the variable %s has changed", name)
		}
	}
	return ""
}

// behind returns the definitions that the texts of a task refer to, or those that all tasks
// share.
func (s *side) behind(task *schema.Task, shared bool) []*schema.Var {
	refs := s.shared
	if !shared {
		refs = s.expander.References(task)
	}
	return s.resolver.Scope(vars.Call{Task: task, Name: task.Name}, vars.Full).Dependencies(refs)
}
