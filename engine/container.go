package engine

import (
	"fmt"
	"time"

	"github.com/weftrun/weft/schema"
	"github.com/weftrun/weft/schema/diag"
)

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
