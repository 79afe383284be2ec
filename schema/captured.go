package schema

import (
	"regexp"
	"strings"
	"sync"

	"github.com/weftrun/weft/schema/diag"
)

// captured are the names of tasks whose output some text or stdin asks for.
type captured struct {
	once  sync.Once
	names map[string]bool
	all   bool // some are only known when they are asked for
}

// Captured reports whether something in the workflow may ask for what t writes to
// its standard output, once it has ended. It is safe for concurrent use.
func (w *Workflow) Captured(t *Task) bool {
	c := &w.captured
	c.once.Do(func() { c.find(w) })
	if c.all {
		return true
	}
	return c.names != nil && (c.names[t.Name] || c.names[t.LocalName] || c.names[t.Label.S] || isTemplate(t.Label.S) || strings.Contains(t.Name, "*"))
}

func (c *captured) find(w *Workflow) {
	name := func(s string) {
		c.all = c.all || isTemplate(s)
		if c.names == nil {
			c.names = map[string]bool{}
		}
		c.names[s] = true
	}
	processes := func(p *Processes) {
		if p != nil && p.Stdin != nil && p.Stdin.Kind == StdinOutput {
			name(p.Stdin.Text.S)
		}
	}
	var commands func(cs []Command)
	commands = func(cs []Command) {
		for i := range cs {
			if cs[i].CommandOptions != nil && cs[i].CommandOptions != &noCommandOptions {
				processes(cs[i].Processes)
				commands(cs[i].Members)
			}
		}
	}
	seen := map[*diag.File]bool{}
	for _, t := range w.Tasks {
		processes(t.Processes)
		commands(t.Cmds)
		if !seen[t.File] {
			seen[t.File] = true
			for _, n := range outputCalls(t.File.Source) {
				name(n)
			}
		}
	}
}

// outputCalls returns the names in {{output "name"}}, wherever a file has them.
func outputCalls(src string) (names []string) {
	if !strings.Contains(src, "output") || !strings.Contains(src, "{{") {
		return nil
	}
	call := regexp.MustCompile("\\boutput\\s+\\\\?[\"`]([^\"`\\\\]+)")
	for _, m := range call.FindAllStringSubmatch(src, -1) {
		names = append(names, m[1])
	}
	return names
}
