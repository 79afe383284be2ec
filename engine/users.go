package engine

import (
	"strings"

	"github.com/weftrun/weft/engine/account"
	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/schema"
	"github.com/weftrun/weft/schema/diag"
)

// checkUsers returns an error for each user of a command of p that does not exist, or as whom weft
// may not run it. It also checks the tasks that these commands call, as far as they are known
// before anything runs.
func (e *Engine) checkUsers(p *plan.Plan) error {
	if !e.o.Workflow.Users || e.o.Dry {
		return nil
	}
	c := userCheck{w: e.o.Workflow, tasks: map[*schema.Task]bool{}, texts: map[string]bool{}}
	for _, s := range p.Steps {
		if s.Skip != plan.NotSkipped {
			continue
		}
		c.task(s.Task)
		if s.UsesRuntimeValues() {
			continue // its texts are not known yet
		}
		for _, cmd := range s.Commands() {
			c.bound(cmd)
		}
	}
	c.problems.Sort()
	return c.problems.Err()
}

// userCheck checks the users that tasks name. Conditional commands are skipped, because the
// condition may test weft's own user.
type userCheck struct {
	w        *schema.Workflow
	tasks    map[*schema.Task]bool // checked tasks
	texts    map[string]bool       // checked users
	problems diag.List
}

// task checks t, and the tasks that it names.
func (c *userCheck) task(t *schema.Task) {
	if c.tasks[t] {
		return
	}
	c.tasks[t] = true
	schema.EachText(t, func(p schema.Place, text schema.Text) {
		conditional := p.Command != nil && p.Command.HasOptions() && (p.Command.If.S != "" || len(p.Command.Platforms) > 0)
		if conditional || strings.Contains(text.S, "{{") {
			return
		}
		switch {
		case p.Key == schema.KeyUser && text.S != "":
			c.user(text.S, text.Pos)
		case p.Kind() == schema.TextTask && p.Key != schema.KeyAfter:
			called, _, err := c.w.Lookup(text.S)
			if err == nil && called.If.S == "" && len(called.Platforms) == 0 {
				c.task(called)
			}
		}
	})
}

// bound checks a command whose templates are expanded.
func (c *userCheck) bound(cmd *plan.Command) {
	if cmd.If != "" || cmd.Defer || !cmd.MatchesPlatform() {
		return
	}
	for i := range cmd.Members {
		c.bound(&cmd.Members[i])
	}
	if cmd.Process != nil && cmd.Process.User != "" {
		c.user(cmd.Process.User, cmd.Pos)
	}
}

func (c *userCheck) user(text string, pos diag.Pos) {
	if c.texts[text] {
		return
	}
	c.texts[text] = true
	if _, d := account.Find(text); d != nil {
		d.Pos = pos
		c.problems.Add(d)
	}
}
