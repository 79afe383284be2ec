package schema

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/weftrun/weft/schema/diag"
)

const defaultInterval = 100 * time.Millisecond

// included applies what an included file's root keys mean for its tasks.
func (doc *Document) included(list *diag.List) {
	if len(doc.Dotenv) > 0 {
		list.Add(&diag.Diagnostic{Pos: doc.Dotenv[0].Pos, What: "Included Taskfiles can't have dotenv declarations. Please, move the dotenv declaration to the main Taskfile",
			Fix: "or give each task its own dotenv"})
	}
	for _, t := range doc.Tasks {
		if doc.Silent && t.Silent == Unset {
			t.Silent = True
		}
		if doc.UseGitignore != Unset && t.UseGitignore == Unset {
			t.UseGitignore = doc.UseGitignore
		}
	}
}

// clone returns a copy that merging may change; tasks are shared until then.
func (doc *Document) clone() *Document {
	c := *doc
	c.Vars, c.Env = slices.Clone(doc.Vars), slices.Clone(doc.Env)
	c.Tasks = slices.Clone(doc.Tasks)
	return &c
}

// merge takes the tasks and variables of sub into doc.
func (doc *Document) merge(sub *Document, inc *include, at *place, list *diag.List) {
	if sub.Output.Style != "" {
		doc.Output = sub.Output
	}
	doc.Vars = mergeVars(doc.Vars, sub.Vars, inc, at)
	doc.Env = mergeVars(doc.Env, sub.Env, inc, at)
	m := merger{inc: inc, at: at, fileVars: doc.Vars, shared: map[*Include]*Include{}}
	m.names = make(map[string]bool, len(doc.Tasks))
	for _, t := range doc.Tasks {
		m.names[t.Name] = true
	}
	for _, t := range sub.Tasks {
		if m.excluded(t.Name) {
			continue
		}
		n := m.task(t)
		if inc.flatten && m.names[n.Name] {
			list.Add(&diag.Diagnostic{Pos: inc.pos, Kind: diag.Conflict,
				What: fmt.Sprintf("Found multiple tasks (%s) included by %q\"", n.Name, inc.name),
				Fix:  "rename one of them, or exclude it with `excludes`"})
			continue
		}
		if t.Name == "default" && !inc.flatten && !m.names[inc.name] {
			n.Aliases = append(append(n.Aliases, inc.name), inc.aliases...)
		}
		doc.Tasks = append(doc.Tasks, n)
	}
}

// mergeVars puts vs into dst: an existing name keeps its place and takes the
// new value. The commands of an advanced include run in its directory.
func mergeVars(dst, vs Vars, inc *include, at *place) Vars {
	for _, v := range vs {
		if inc.advanced {
			v.Dir = at.dir
		}
		if i := dst.Index(v.Name); i >= 0 {
			dst[i] = v
			continue
		}
		dst = append(dst, v)
	}
	return dst
}

// merger renames the tasks of one include.
type merger struct {
	inc      *include
	at       *place
	fileVars Vars
	names    map[string]bool
	shared   map[*Include]*Include // what the tasks of one inner include get
}

func (m *merger) excluded(name string) bool {
	for _, x := range m.inc.excludes {
		if ns, ok := strings.CutSuffix(x, ":*"); ok && ns != "" {
			if strings.HasPrefix(name, ns+":") {
				return true
			}
			continue
		}
		if x == name {
			return true
		}
	}
	return false
}

// task returns t under its name in the including file.
func (m *merger) task(t *Task) *Task {
	n := *t
	n.Internal = t.Internal || m.inc.internal
	n.Include = m.include(t.Include)
	if m.inc.advanced {
		n.Dir = joinDir(m.at.dir, t.Dir)
	}
	if m.inc.flatten {
		n.Aliases = slices.Clone(t.Aliases)
		return &n
	}
	n.Name = m.inc.name + ":" + t.Name
	n.Namespace = m.inc.name
	if t.Namespace != "" {
		n.Namespace += ":" + t.Namespace
	}
	n.Aliases = make([]string, 0, len(t.Aliases))
	for _, a := range t.Aliases {
		n.Aliases = append(n.Aliases, m.inc.name+":"+a)
	}
	for _, al := range m.inc.aliases {
		n.Aliases = append(n.Aliases, al+":"+t.Name)
		for _, a := range t.Aliases {
			n.Aliases = append(n.Aliases, al+":"+a)
		}
	}
	n.Deps, n.Cmds = m.calls(t.Deps), m.calls(t.Cmds)
	return &n
}

// include is what tasks that had inner get from this include as well.
func (m *merger) include(inner *Include) *Include {
	if known := m.shared[inner]; known != nil {
		return known
	}
	n := &Include{Namespace: m.inc.name, Advanced: m.inc.advanced}
	if inner != nil {
		*n = *inner
		n.Advanced = n.Advanced || m.inc.advanced
	}
	if m.inc.advanced {
		n.Dir = m.at.dir
		n.Vars = mergeVars(slices.Clone(n.Vars), m.inc.vars, m.inc, m.at)
		n.FileVars = slices.Clone(m.fileVars)
	}
	m.shared[inner] = n
	return n
}

// calls prefixes the names of called tasks; a leading colon is used up instead.
func (m *merger) calls(cs []Command) []Command {
	var out []Command
	for i, c := range cs {
		if c.Kind != Call {
			continue
		}
		if out == nil {
			out = slices.Clone(cs)
		}
		if name, ok := strings.CutPrefix(c.Text.S, ":"); ok {
			out[i].Text.S = name
		} else {
			out[i].Text.S = m.inc.name + ":" + c.Text.S
		}
	}
	if out == nil {
		return cs
	}
	return out
}

// joinDir is a task's directory below that of its include, unless it is
// absolute or says itself where it is.
func joinDir(base string, dir Text) Text {
	for _, name := range [...]string{".ROOT_DIR", ".TASKFILE_DIR", ".USER_WORKING_DIR"} {
		if strings.Contains(dir.S, name) {
			return dir
		}
	}
	if filepath.IsAbs(dir.S) {
		return dir
	}
	dir.S = filepath.Join(base, dir.S)
	return dir
}

// index builds the look-up tables.
func (w *Workflow) index() {
	w.ByName = make(map[string]*Task, len(w.Tasks))
	w.ByAlias = map[string][]*Task{}
	duplicates := false
	for _, t := range w.Tasks {
		_, again := w.ByName[t.Name]
		duplicates = duplicates || again
		w.ByName[t.Name] = t
	}
	if duplicates {
		kept := maps.Clone(w.ByName)
		w.Tasks = slices.DeleteFunc(w.Tasks, func(t *Task) bool { return kept[t.Name] != t })
	}
	for _, t := range w.Tasks {
		wild := strings.Contains(t.Name, "*")
		for _, a := range t.Aliases {
			wild = wild || strings.Contains(a, "*")
			if ts := w.ByAlias[a]; len(ts) == 0 || ts[len(ts)-1] != t {
				w.ByAlias[a] = append(ts, t)
			}
		}
		if wild {
			w.Wildcards = append(w.Wildcards, t)
		}
	}
}
