package engine

import (
	"fmt"
	"strings"

	"github.com/weftrun/weft/engine/shell"
	"github.com/weftrun/weft/schema"
	"github.com/weftrun/weft/schema/diag"
)

// bashCheck warns of scripts that the interpreter in weft itself does not run right.
type bashCheck struct {
	list *diag.List
	w    *schema.Workflow
	seen map[schema.Text]bool // a file that is included twice has its texts twice
	task *schema.Task         // nil outside of any
}

// Where a script stands that has no key shell of its own.
const (
	writeShell = "write shell: bash"
	callBash   = "run it by bash -c"
)

func (c *bashCheck) all() {
	c.vars("", c.w.Vars)
	c.vars("", c.w.Env)
	for _, t := range c.w.Tasks {
		c.task = t
		about := fmt.Sprintf("task %q: ", t.Name)
		c.commands(about, t.Cmds, nil)
		if t.Processes != nil && t.Processes.Shell != nil || c.w.Shell != nil {
			continue // who chose a shell knows which features it has
		}
		c.vars(about, t.Vars)
		c.vars(about, t.Env)
		c.script(about+"if: ", t.If, callBash)
		for _, s := range t.Status {
			c.script(about+"status: ", s, callBash)
		}
		for _, p := range t.Preconditions {
			c.script(about+"precondition: ", p.Cmd, callBash)
		}
	}
}

// commands looks at commands that the interpreter runs; group is what they are
// members of, if anything.
func (c *bashCheck) commands(about string, cs []schema.Command, group *schema.Command) {
	for i := range cs {
		cmd := &cs[i]
		p := c.task.ProcessesOf(cmd)
		if group != nil {
			p = c.task.ProcessesOfMember(group, cmd)
		}
		in := p.Shell
		if in == nil {
			in = c.w.Shell
		}
		if in == nil || in.Argv == nil {
			if cmd.Kind == schema.Shell {
				c.script(about, cmd.Text, writeShell)
			}
			c.script(about+"if: ", cmd.If, callBash)
		}
		outer := group
		if outer == nil {
			outer = cmd
		}
		c.commands(about, cmd.Members, outer)
	}
}

func (c *bashCheck) vars(about string, vs schema.Vars) {
	for i := range vs {
		if v := &vs[i]; v.Kind == schema.Dynamic {
			c.script(fmt.Sprintf("%svariable %q: ", about, v.Name), schema.Text{S: v.Text, Pos: v.Pos}, callBash)
		}
	}
}

func (c *bashCheck) script(about string, text schema.Text, fix string) {
	if text.S == "" || c.seen[text] {
		return
	}
	c.seen[text] = true
	for _, b := range shell.CheckScript(text.S, c.declared) {
		where := ""
		if strings.Contains(strings.TrimSpace(text.S), "\n") {
			where = fmt.Sprintf(" (line %d of the script)", b.Line)
		}
		c.list.Add(&diag.Diagnostic{Pos: text.Pos, Severity: diag.Warning, Kind: diag.Suspicious,
			What: fmt.Sprintf("%s%s needs bash%s", about, b.What, where), Why: b.Why, Fix: fix})
	}
}

// declared reports whether the files put a variable into the environment.
func (c *bashCheck) declared(name string) bool {
	return c.w.Env.Index(name) >= 0 || c.w.Vars.Index(name) >= 0 || c.task != nil && (c.task.Env.Index(name) >= 0 || c.task.Vars.Index(name) >= 0)
}
