package schema

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/weftrun/weft/schema/diag"
)

// sharedFiles warns of files that two tasks write: which of them was last is left to
// chance. Names that are patterns or templates are passed over.
func (c *checker) sharedFiles() {
	owner := map[string]*Task{}
	told := map[string]bool{}
	for _, t := range c.w.Tasks {
		c.rewritten(t)
		if isTemplate(t.Dir.S) || strings.Contains(t.Name, "*") {
			continue
		}
		eachMade(t, func(name Text) {
			if name.S == "" || isTemplate(name.S) || strings.ContainsAny(name.S, "*?[{$~") {
				return
			}
			path := name.S
			for _, dir := range []string{t.Dir.S, c.w.Dir} {
				if !filepath.IsAbs(path) {
					path = filepath.Join(dir, path)
				}
			}
			other := owner[path]
			switch {
			case other == nil:
				owner[path] = t
			case other != t && !told[path]:
				told[path] = true
				c.add(diag.Warning, diag.Suspicious, name.Pos, fmt.Sprintf("task %q writes %s, as task %q does (%s)", t.Name, name.S, other.Name, other.Pos), "",
					"write another file, or let one task need the other's")
			}
		})
	}
}

// rewritten warns of a file for the output of a task, which more than one of its
// commands would write.
func (c *checker) rewritten(t *Task) {
	if t.Processes == nil {
		return
	}
	n := 0
	for i := range t.Cmds {
		cmd := &t.Cmds[i]
		switch own := cmd.CommandOptions; {
		case cmd.Kind == Call || cmd.Defer || own != nil && own.Processes != nil && own.Processes.Stdout != nil:
		case own != nil && own.For != nil:
			n += 2
		default:
			n++
		}
	}
	for _, s := range t.Processes.Stdout {
		if n > 1 && s.Kind == SinkFile && !s.Append {
			c.add(diag.Warning, diag.Suspicious, s.File.Pos, fmt.Sprintf("task %q: each of its commands writes all of %s anew", t.Name, s.File.S), "",
				"append: true keeps what the others wrote")
		}
	}
}

// eachMade calls f with the files that t says it writes.
func eachMade(t *Task, f func(Text)) {
	for _, g := range t.Generates {
		if !g.Exclude {
			f(g.Pattern)
		}
	}
	processes := func(p *Processes) {
		if p == nil {
			return
		}
		for _, sinks := range [...][]Sink{p.Stdout, p.Stderr} {
			for _, s := range sinks {
				if s.Kind == SinkFile && !s.Append {
					f(s.File)
				}
			}
		}
	}
	processes(t.Processes)
	var commands func(cs []Command)
	commands = func(cs []Command) {
		for i := range cs {
			if cs[i].CommandOptions != nil {
				processes(cs[i].Processes)
				commands(cs[i].Members)
			}
		}
	}
	commands(t.Cmds)
}
