// Package affected finds the tasks that a change affects: those whose source files have changed,
// whose text differs from before, or that need, call or read such a task.
//
// It knows tasks by their footprints, which an engine has, files by their names alone, and the
// earlier state of the Taskfiles as a second [schema.Workflow]. It does not know where a change
// comes from: asking git is the command line's. In doubt a task counts as affected: an unnecessary
// run costs time, a missing run hides a fault.
//
// # What counts
//
// Directly affected is a task
//
//   - whose text differs: a key of its own (but desc, summary and aliases), a variable that
//     its texts refer to, directly or through others, or what the files say for all tasks;
//   - one of whose dotenv files has changed;
//   - one of whose sources has changed, is new or was removed, or a file that its depfile
//     named; if it is not known what that named, any change counts.
//
// A task is affected through others if it needs, reads, sends messages to, or calls such a
// task, or if its sources may match what such a task generates. A task with commands but without
// sources may depend on any file: every change affects it, and the tasks without sources that need
// or call it, but no task with sources, since these declare its files.
package affected

import (
	"context"
	"fmt"
	"path"
	"strings"

	"github.com/weftrun/weft/engine"
	"github.com/weftrun/weft/engine/glob"
	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/schema"
)

// Change is the kind of change of a file.
type Change uint8

const (
	Modified Change = iota // its content or its mode, or it was replaced by something else
	Added
	Removed
)

// String returns c as the end of a sentence about the file.
func (c Change) String() string { return [...]string{"was changed", "is new", "was removed"}[c] }

// Changes holds all changes.
type Changes struct {
	// Root is the directory in which changes are known, absolute; changes outside of it are not
	// known.
	Root string
	// Files are the files that have changed, by absolute path.
	Files map[string]Change
	// Dirs are directories in which anything may have changed, absolute.
	Dirs []string
}

// Any reports whether anything has changed.
func (c *Changes) Any() bool { return len(c.Files)+len(c.Dirs) > 0 }

// Options configure Find. Before, Unknown and Environ may be zero.
type Options struct {
	Workflow   *schema.Workflow
	Footprints func(context.Context, plan.Call) (*engine.Footprint, error)
	Environ    []string // for variables in patterns
	Changes    Changes
	// Before is Workflow as it was before the changes; nil: the Taskfiles have not changed.
	Before *schema.Workflow
	// Unknown is the reason why Before is not known although Taskfiles have changed: then all tasks
	// count as changed. "" means that it is known.
	Unknown string
}

// Task is a task that is affected.
type Task struct {
	Name string // as it was requested
	Why  string // the first cause
}

// Find returns the affected ones of the named tasks, in their order; without names, of all tasks
// that have sources and can be run by their name alone. The error is that of a name that means no
// task, or the cause of ctx.
func Find(ctx context.Context, o Options, names []string) ([]Task, error) {
	if err := engine.Resolve(o.Workflow, calls(names)); err != nil {
		return nil, err
	}
	g := newGraph(&o)
	all := len(names) == 0
	if all {
		for _, t := range o.Workflow.Tasks {
			if len(t.Sources) > 0 && !t.Internal && !strings.Contains(t.Name, "*") {
				names = append(names, t.Name)
			}
		}
	}
	asked := make([]*node, len(names))
	for i, name := range names {
		asked[i] = g.node(plan.Call{Name: name}, nil)
	}
	// Files that a task generates may be read by a task that does not name it.
	for _, t := range o.Workflow.Tasks {
		if len(t.Generates) > 0 && !strings.Contains(t.Name, "*") {
			g.node(plan.Call{Name: t.Name}, nil)
		}
	}
	if err := g.expand(ctx); err != nil {
		return nil, err
	}
	if err := g.judge(ctx); err != nil {
		return nil, err
	}
	var found []Task
	for i, n := range asked {
		if n.why == "" || all && n.footprint != nil && len(n.footprint.Unset) > 0 {
			continue
		}
		found = append(found, Task{Name: names[i], Why: n.why})
	}
	return found, nil
}

func calls(names []string) []plan.Call {
	out := make([]plan.Call, len(names))
	for i, name := range names {
		out[i].Name = name
	}
	return out
}

// directly returns why n is affected by itself; "" if it is not.
func (g *graph) directly(ctx context.Context, n *node) (string, error) {
	f := n.footprint
	if f == nil {
		if !g.o.Changes.Any() {
			return "", nil
		}
		return fmt.Sprintf("its sources cannot be determined: %v", n.err), nil
	}
	if why := g.texts.difference(f.Task); why != "" {
		return why, nil
	}
	if f.Unsure && g.o.Changes.Any() {
		return "the content of its depfile is not known, so any change may affect it", nil
	}
	for _, paths := range [...][]string{f.Dotenv, f.Discovered} {
		for _, p := range paths {
			if change, ok := g.o.Changes.Files[p]; ok {
				return g.shown(p) + " " + change.String(), nil
			}
			if dir := g.within(p); dir != "" {
				return g.shown(dir) + " " + Modified.String(), nil
			}
		}
	}
	if f.Gitignore {
		for _, p := range g.gitignores {
			if dir := path.Dir(p); contains(dir, f.Dir) || contains(f.Dir, dir) {
				return g.shown(p) + " " + g.o.Changes.Files[p].String(), nil
			}
		}
	}
	set, err := g.names.Find(ctx, f.Dir, f.Sources, f.Gitignore)
	if err != nil {
		return "", err
	}
	if len(set.Files) > 0 {
		p := set.Files[0].Path()
		return g.shown(p) + " " + g.o.Changes.Files[p].String(), nil
	}
	for _, s := range f.Sources {
		if s.Exclude {
			continue
		}
		for _, dir := range g.o.Changes.Dirs {
			if meets(fixed(join(f.Dir, s.Glob)), dir) {
				return g.shown(dir) + " " + Modified.String(), nil
			}
		}
	}
	return "", nil
}

// within returns the directory of Changes.Dirs that p is in, or "".
func (g *graph) within(p string) string {
	for _, dir := range g.o.Changes.Dirs {
		if contains(dir, p) {
			return dir
		}
	}
	return ""
}

// shown returns a path relative to the root directory, if it is below that or beside it.
func (g *graph) shown(p string) string {
	dir, name := path.Split(p)
	if !contains(g.o.Changes.Root, p) {
		return p
	}
	return glob.Relative(g.o.Workflow.Dir, dir) + name
}

// undeclared reports whether the files that n depends on are unknown: it has commands but no
// sources, or none where changes are known.
func (g *graph) undeclared(n *node) string {
	f := n.footprint
	switch {
	case f == nil:
		return ""
	case len(f.Sources) > 0:
		for _, s := range f.Sources {
			if !s.Exclude && meets(fixed(join(f.Dir, s.Glob)), g.o.Changes.Root) {
				return ""
			}
		}
		return "its sources are outside of the repository, so any change may affect it"
	case f.Commands || f.Incomplete != nil:
		return "it has no sources, so any change may affect it"
	}
	return ""
}
