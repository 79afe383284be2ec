package schema

import (
	"fmt"
	"path/filepath"
	"slices"
	"sort"
	"strings"

	"github.com/weftrun/weft/internal/limit"
	"github.com/weftrun/weft/schema/diag"
)

// How merging works. Files are merged from the innermost outwards, so that a file is
// complete before it is added to those that include it. A file that includes two others
// takes the one first that the other one includes, and else the one it names first. The
// reference reads files at the same time and takes those that do not depend on each other in
// the order in which it happened to finish them.

// maxTasks bounds the number of tasks, which nested includes can multiply.
const maxTasks = 1_000_000

// mergeAll adds every file to those that include it.
func (l *loader) mergeAll() {
	at := make(map[*document]int, len(l.order))
	total := make(map[*document]int, len(l.order)) // tasks once it is merged
	for i, doc := range l.order {
		doc.includes = slices.DeleteFunc(doc.includes, func(e *includeEntry) bool { return e.doc == nil })
		at[doc], total[doc] = i, len(doc.Tasks)
		for _, e := range doc.includes {
			if total[doc] += total[e.doc]; total[doc] > maxTasks {
				l.list.Add(&diag.Diagnostic{Pos: e.pos, What: fmt.Sprintf("includes add up to more than %d tasks", maxTasks),
					Fix: "include fewer files several times"})
				return
			}
		}
	}
	for _, doc := range l.order {
		entries := slices.Clone(doc.includes)
		sort.SliceStable(entries, func(i, j int) bool { return at[entries[i].doc] < at[entries[j].doc] })
		for _, e := range entries {
			if err := limit.Grow(e.size()); err != nil {
				l.list.Add(&diag.Diagnostic{Pos: e.pos, What: err.Error(), Fix: "nest includes less deeply"})
				return
			}
			doc.add(e, &l.list)
			if e.doc.includers--; e.doc.includers == 0 {
				e.doc.Tasks, e.doc.names = nil, nameTable{} // in a chain of includes, the tasks of all files together would be too many
			}
		}
	}
}

// size returns roughly how many bytes the tasks of e take when they are added.
func (e *includeEntry) size() (n int64) {
	for _, t := range e.doc.Tasks {
		n += 512 + 2*int64(len(e.name)+len(t.Name))
	}
	return n
}

// add merges the file of e into doc.
func (doc *document) add(e *includeEntry, list *diag.List) {
	sub := e.doc
	if sub.Output.Style != "" {
		doc.Output = sub.Output
	}
	doc.addPools(sub.Pools, list)
	doc.Vars = e.mergeVars(doc.Vars, sub.Vars)
	doc.Env = e.mergeVars(doc.Env, sub.Env)
	a := adder{e: e, doc: doc, gives: map[*Include]*Include{}}
	if e.advanced {
		a.fileVars = slices.Clone(doc.Vars)
	}
	taken := doc.Task(e.name) != nil
	for _, t := range sub.Tasks {
		if e.excluded(t.Name) {
			continue
		}
		n := t
		if sub.includers > 1 {
			own := *t // what they share is not changed
			n = &own
		}
		isDefault := t.Name == "default"
		a.rename(n)
		a.inherit(n)
		if isDefault && !e.flatten && !taken {
			n.setAliases(append(append(n.Aliases, e.name), e.aliases...))
		}
		if first := doc.Add(n); first != nil {
			list.Add(&diag.Diagnostic{Pos: e.pos, Kind: diag.Conflict,
				What: fmt.Sprintf("Found multiple tasks (%s) included by %q\"", n.Name, e.name),
				Why:  "another one is at " + first.Pos.String(),
				Fix:  "rename one of them, or exclude one with excludes"})
			return
		}
	}
}

// mergeVars adds vs to dst. Commands of an advanced include run in its directory.
//
//go:noinline
func (e *includeEntry) mergeVars(dst, vs Vars) Vars {
	for _, v := range vs {
		if e.advanced {
			v.Dir = e.tasks
		}
		dst = dst.with(v)
	}
	return dst
}

// with adds v to vs: a name that is there keeps its place and takes the new value.
func (vs Vars) with(v Var) Vars {
	if i := vs.Index(v.Name); i >= 0 {
		vs[i] = v
		return vs
	}
	return append(vs, v)
}

// excluded reports whether the task of that name is left out: "name" leaves
// out that task, "ns:*" all below ns.
func (e *includeEntry) excluded(name string) bool {
	return slices.ContainsFunc(e.excludes, func(x string) bool {
		if ns, ok := strings.CutSuffix(x, ":*"); ok && ns != "" {
			return strings.HasPrefix(name, ns+":")
		}
		return x == name
	})
}

// adder turns the tasks of an included file into tasks of the includer.
type adder struct {
	e        *includeEntry
	doc      *document
	fileVars Vars
	gives    map[*Include]*Include // what tasks had so far → what they have now
}

// inherit adds to t the settings of the include and of the included file for all tasks.
func (a *adder) inherit(t *Task) {
	sub := a.e.doc
	t.Internal = t.Internal || a.e.internal
	if sub.Shell != nil {
		o, p := *t.TaskOptions, merged(&Processes{Shell: sub.Shell}, t.Processes)
		o.Processes, t.TaskOptions = &p, &o
	}
	if sub.Jobserver && (t.Running == nil || t.Running.Jobserver == Unset) {
		o, r := *t.TaskOptions, Running{}
		if o.Running != nil {
			r = *o.Running
		}
		r.Jobserver = True
		o.Running, t.TaskOptions = &r, &o
	}
	if t.Silent == Unset && sub.Silent {
		t.Silent = True
	}
	if t.UseGitignore == Unset {
		t.UseGitignore = sub.UseGitignore
	}
	if a.e.advanced {
		t.Dir = joinDir(a.e.tasks, t.Dir)
	}
	if had := t.Include; a.gives[had] == nil {
		a.gives[had] = a.include(had)
	}
	t.Include = a.gives[t.Include]
}

// include returns the new Include of tasks that have one so far, from inner includes; had is that
// Include, or nil.
func (a *adder) include(had *Include) *Include {
	n := &Include{}
	if had != nil {
		*n = *had
	}
	if !a.e.flatten {
		n.Namespace = strings.TrimSuffix(a.e.name+":"+n.Namespace, ":")
	}
	if a.e.advanced {
		n.Dir = a.e.tasks
		n.Vars = slices.Clone(n.Vars)
		for _, v := range a.e.vars {
			n.Vars = n.Vars.with(v)
		}
		n.FileVars = a.fileVars
	}
	return n
}

// joinDir returns a task's directory, below that of its include unless it is absolute or a
// template that names a directory.
func joinDir(base string, dir Text) Text {
	for _, name := range [...]string{".ROOT_DIR", ".TASKFILE_DIR", ".USER_WORKING_DIR"} {
		if strings.Contains(dir.S, name) {
			return dir
		}
	}
	if !filepath.IsAbs(dir.S) {
		dir.S = filepath.Join(base, dir.S)
	}
	return dir
}
