package engine

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/weftrun/weft/engine/shell"
	"github.com/weftrun/weft/engine/vars"
	"github.com/weftrun/weft/schema"
	"github.com/weftrun/weft/schema/diag"
)

// Undeclared returns the sorted names of the environment variables that the scripts of a task use
// without a declaration, and the position of the first use: whether the task is up to date does not
// depend on them. There are none if a dotenv file has a name that is unknown before a run.
func Undeclared(w *schema.Workflow, t *schema.Task) (names []string, at diag.Pos) {
	type use struct {
		name string
		pos  diag.Pos
	}
	var uses []use
	schema.EachText(t, func(p schema.Place, text schema.Text) {
		if p.Command == nil || p.Need || p.Key != schema.KeyCmd && p.Key != schema.KeyIf || !runByShell(p.Interpreter(w)) {
			return
		}
		for _, name := range shell.Inherited(text.S) {
			uses = append(uses, use{name, text.Pos})
		}
	})
	if uses == nil {
		return nil, at
	}
	declared := declaredNames(w, t)
	for _, u := range uses {
		if declared == nil || declared[u.name] || slices.Contains(names, u.name) {
			continue
		}
		if names == nil {
			at = u.pos
		}
		names = append(names, u.name)
	}
	return names, at
}

// declaredNames returns the declared environment variables of t; nil if they are unknown before a
// run.
func declaredNames(w *schema.Workflow, t *schema.Task) map[string]bool {
	names := map[string]bool{}
	for _, vs := range [...]schema.Vars{w.Env, t.Env} {
		for i := range vs {
			names[vs[i].Name] = true
		}
	}
	if w.Cached(t) {
		for _, c := range [...]*schema.Cache{w.Cache, t.Cache} {
			if c != nil {
				for _, name := range c.Env {
					names[name] = true
				}
			}
		}
	}
	if !addDotenv(names, w.Dir, w.Dotenv) || !addDotenv(names, taskDir(w, t), t.Dotenv) {
		return nil
	}
	return names
}

// runByShell reports whether the scripts of an interpreter are shell scripts.
func runByShell(in *schema.Interpreter) bool {
	if in == nil {
		return true
	}
	switch filepath.Base(in.Argv[0]) {
	case "sh", "bash", "dash", "ash", "ksh", "zsh":
		return true
	}
	return false
}

// taskDir returns the directory of a task; "" if it is unknown before a run.
func taskDir(w *schema.Workflow, t *schema.Task) string {
	switch dir := t.Dir.S; {
	case strings.ContainsAny(dir, "{$`~\\"):
		return ""
	case filepath.IsAbs(dir):
		return dir
	default:
		return filepath.Join(w.Dir, dir)
	}
}

// addDotenv adds the names in dotenv files; it returns false if they are unknown.
func addDotenv(names map[string]bool, dir string, files []schema.Text) bool {
	for _, f := range files {
		path := f.S
		switch {
		case strings.ContainsAny(path, "{$`~\\"), dir == "":
			return false
		case !filepath.IsAbs(path):
			path = filepath.Join(dir, path)
		}
		values, err := vars.ReadDotenv(context.Background(), path, f.S)
		if err != nil {
			return false
		}
		for name := range values {
			names[name] = true
		}
	}
	return true
}

// hintUndeclared adds hints about undeclared environment variables of tasks with sources.
func hintUndeclared(w *schema.Workflow, list *diag.List) {
	told := map[diag.Pos]bool{} // a file that is included twice has its tasks twice
	for _, t := range w.Tasks {
		if len(t.Sources) == 0 || t.Service() != nil || told[t.Pos] {
			continue
		}
		told[t.Pos] = true
		names, at := Undeclared(w, t)
		if len(names) == 0 {
			continue
		}
		fix := fmt.Sprintf("declare them: env: {%s: '{{.%[1]s}}'}", names[0])
		if t.Vars.Index(names[0]) >= 0 || w.Vars.Index(names[0]) >= 0 {
			fix = fmt.Sprintf("for the variable of the Taskfile write {{.%s}}", names[0])
		}
		list.Add(&diag.Diagnostic{Pos: at, Severity: diag.Hint, Kind: diag.Suspicious,
			What: fmt.Sprintf("task %q uses %s from the environment without declaring it", t.Name, dollars(names)),
			Why:  "so a change of them does not make it out of date", Fix: fix})
	}
}

// dollars lists variables in shell notation.
func dollars(names []string) string { return "$" + strings.Join(names, ", $") }
