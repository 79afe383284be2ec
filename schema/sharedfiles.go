package schema

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/weftrun/weft/schema/diag"
)

// writer is a task that writes a file.
type writer struct {
	task *Task
	name Text // of the file, as written
	// on are the systems it is written on, one list for each condition; an empty
	// list means all.
	on [2][]Platform
}

// sharedFiles reports files that two tasks write. If some task runs both, the order is random, or
// each makes the other run again: a warning. Tasks that nothing runs together may be alternatives:
// a hint. Names that are patterns or templates are passed over, and so are tasks of which one needs
// or calls the other.
func (c *checker) sharedFiles() {
	writers := map[string][]writer{}
	var paths []string
	for _, t := range c.w.Tasks {
		c.rewritten(t)
		if IsTemplate(t.Dir.S) || strings.Contains(t.Name, "*") {
			continue
		}
		eachMade(t, func(name Text, on []Platform) {
			if name.S == "" || IsTemplate(name.S) || strings.ContainsAny(name.S, "*?[{$~") {
				return
			}
			path := name.S
			for _, dir := range []string{t.Dir.S, c.w.Dir} {
				if !filepath.IsAbs(path) {
					path = filepath.Join(dir, path)
				}
			}
			if len(writers[path]) == 0 {
				paths = append(paths, path)
			}
			writers[path] = append(writers[path], writer{t, name, [2][]Platform{t.Platforms, on}})
		})
	}
	callers := sync.OnceValue(c.callers)
	for _, path := range paths {
		if len(writers[path]) > 1 {
			c.sharedFile(writers[path], callers())
		}
	}
}

// sharedFile reports the first two of ws that some task runs both, or else the
// first two that may be alternatives.
func (c *checker) sharedFile(ws []writer, callers callGraph) {
	var hint *diag.Diagnostic
	ws = ws[:min(len(ws), maxWriters)]
	above := make([]map[*Task]bool, len(ws))
	for i := range ws {
		above[i] = callers.above(ws[i].task)
	}
	for i := range ws {
		for j := range ws[:i] {
			a, b := &ws[j], &ws[i]
			// The task of a file that is included twice is one task.
			if a.task == b.task || a.task.Pos == b.task.Pos || above[i][a.task] || above[j][b.task] || !meet(a, b) {
				continue
			}
			d := &diag.Diagnostic{Severity: diag.Warning, Kind: diag.Suspicious, Pos: b.name.Pos,
				What: fmt.Sprintf("task %q writes %s, and so does task %q (%s)", b.task.Name, b.name.S, a.task.Name, a.task.Pos),
				Fix:  "write another file, or let one task need the other's"}
			if both := common(c.w.Tasks, above[i], above[j]); both != nil {
				d.Why = fmt.Sprintf("task %q runs both (%s)", both.Name, both.Pos)
				c.list.Add(d)
				return
			}
			if hint == nil {
				d.Severity, d.Why, d.Fix = diag.Hint, "no task runs both, but each makes the other out of date", "use platforms if they run on different systems"
				hint = d
			}
		}
	}
	if hint != nil {
		c.list.Add(hint)
	}
}

// maxWriters bounds how many of the tasks that write one file are compared.
const maxWriters = 40

// meet reports whether there is a system on which both write.
func meet(a, b *writer) bool {
	return !slices.ContainsFunc(a.on[:], func(x []Platform) bool {
		return slices.ContainsFunc(b.on[:], func(y []Platform) bool { return !overlap(x, y) })
	})
}

func overlap(x, y []Platform) bool {
	same := func(a, b string) bool { return a == "" || b == "" || a == b }
	return len(x) == 0 || len(y) == 0 || slices.ContainsFunc(x, func(a Platform) bool {
		return slices.ContainsFunc(y, func(b Platform) bool { return same(a.OS, b.OS) && same(a.Arch, b.Arch) })
	})
}

// common returns the first of tasks that is in both sets, or nil.
func common(tasks []*Task, a, b map[*Task]bool) *Task {
	i := slices.IndexFunc(tasks, func(t *Task) bool { return a[t] && b[t] })
	if i < 0 {
		return nil
	}
	return tasks[i]
}

// callGraph are the tasks that always run a task: those that need or call it,
// with no condition on the way.
type callGraph map[*Task][]*Task

// callers returns the graph of all tasks. Names that are templates are passed over.
func (c *checker) callers() callGraph {
	g := callGraph{}
	for _, t := range c.w.Tasks {
		EachText(t, func(p Place, name Text) {
			if p.Kind() != TextTask || p.Key == KeyAfter || IsTemplate(name.S) || p.Command != nil && mayBeSkipped(p.Command) || slices.ContainsFunc(p.Groups, mayBeSkipped) {
				return
			}
			if to, _, err := c.w.find(name.S); err == nil && to != nil && to.If.S == "" && len(to.Platforms) == 0 {
				g[to] = append(g[to], t)
			}
		})
	}
	return g
}

// mayBeSkipped reports whether a command has a condition, or a loop that may be over
// nothing.
func mayBeSkipped(c *Command) bool {
	return c.If.S != "" || len(c.Platforms) > 0 || c.For != nil && len(c.For.List) == 0
}

// above returns the tasks that always run t, directly or not.
func (g callGraph) above(t *Task) map[*Task]bool {
	found := map[*Task]bool{}
	for todo := g[t]; len(todo) > 0; {
		by := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if found[by] {
			continue
		}
		found[by] = true
		todo = append(todo[:len(todo):len(todo)], g[by]...)
	}
	return found
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
		case cmd.Kind == Call || cmd.Kind == Shell && cmd.Text.S == "" || cmd.Defer || own != nil && own.Processes != nil && own.Processes.Stdout != nil:
		case own != nil && own.For != nil:
			n += 2
		default:
			n++
		}
	}
	for _, s := range t.Processes.Stdout {
		if n > 1 && s.Kind == SinkFile && !s.Append {
			c.add(diag.Warning, diag.Suspicious, s.File.Pos, fmt.Sprintf("task %q: each of its commands overwrites %s", t.Name, s.File.S), "",
				"append: true keeps the output of the others")
		}
	}
}

// eachMade calls f with the files that t says it writes, and the platforms of the
// command that writes it, if one does.
func eachMade(t *Task, f func(name Text, on []Platform)) {
	EachText(t, func(p Place, name Text) {
		switch p.Key {
		case KeyGenerates:
			if !t.Generates[p.Index].Exclude {
				f(name, nil)
			}
		case KeyDepfile:
			f(name, nil)
		case KeyStdoutFile, KeyStderrFile:
			sinks := p.Processes().Stdout
			if p.Key == KeyStderrFile {
				sinks = p.Processes().Stderr
			}
			switch {
			case sinks[p.Index].Append:
			case p.Command == nil:
				f(name, nil)
			default:
				f(name, p.Command.Platforms)
			}
		}
	})
}
