package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/weftrun/weft/cmd/weft/report"
	"github.com/weftrun/weft/engine"
	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/schema/diag"
)

// finding lists the undeclared dependencies and effects of one task. Paths are relative to the root
// directory.
type finding struct {
	Task      string   `json:"task"`
	Reads     []string `json:"reads"`     // files that no source matches
	Writes    []string `json:"writes"`    // files that generates does not match
	Variables []string `json:"variables"` // environment variables
	Network   []string `json:"network"`   // addresses it connected to, or tried to
	Sources   []string `json:"sources"`   // sources to add, relative to the directory of the task

	pos diag.Pos
}

func (f *finding) any() bool { return len(f.Reads)+len(f.Writes)+len(f.Variables)+len(f.Network) > 0 }

// auditedWord is the first command-line argument of a run traced by --audit.
const auditedWord = "__audited"

// audit handles --audit: it runs each task under strace, and shows the undeclared files that it
// reads and writes inside the root directory.
func (r *runner) audit(ctx context.Context, calls []plan.Call) error {
	if r.opts.taskfile == "-" {
		return flagError("--audit runs weft again, so the Taskfile cannot come from standard input")
	}
	if err := engine.Resolve(r.workflow, calls); err != nil {
		return err
	}
	root, err := filepath.EvalSymlinks(r.workflow.Dir)
	if err != nil {
		return err
	}
	findings := []*finding{}
	undeclared := false
	for _, c := range calls {
		seen, err := r.trace(ctx, c.Name, root)
		if err != nil {
			return err
		}
		d, err := r.engine.Declared(ctx, c)
		if err != nil {
			return err
		}
		f := compare(d, seen, root)
		variables, _ := engine.Undeclared(r.workflow, d.Task)
		f.Variables = append(f.Variables, variables...)
		undeclared = undeclared || f.any()
		findings = append(findings, f)
	}
	switch {
	case r.opts.json:
		r.writeJSON(struct {
			Version int        `json:"version"`
			Tasks   []*finding `json:"tasks"`
		}{1, findings})
	case r.opts.fix:
		r.showFixes(findings)
	default:
		r.showFindings(findings)
	}
	if undeclared {
		return errCode(exitOther)
	}
	return nil
}

// showFindings shows the findings.
func (r *runner) showFindings(findings []*finding) {
	for _, f := range findings {
		if !f.any() {
			r.paint(r.out, report.Green, fmt.Sprintf("%q declares everything that it uses\n", f.Task))
			continue
		}
		r.paint(r.out, report.Yellow, fmt.Sprintf("%q depends on more than it declares\n", f.Task))
		show := func(what string, things []string) {
			for _, thing := range things {
				r.out.Show("  " + what + " " + diag.Printable(thing) + "\n")
			}
		}
		show("reads", summarized(f.Reads))
		show("writes", summarized(f.Writes))
		show("uses from the environment", f.Variables)
		show("connects to", f.Network)
	}
}

// showFixes shows the sources to add in Taskfile syntax.
func (r *runner) showFixes(findings []*finding) {
	for _, f := range findings {
		if len(f.Sources) == 0 {
			continue
		}
		text := fmt.Sprintf("# %q", f.Task)
		if f.pos.IsValid() {
			text += " at " + f.pos.String()
		}
		text += "\nsources:\n"
		for _, s := range f.Sources {
			text += "  - " + yamlText(s) + "\n"
		}
		r.out.Show(diag.PrintableText(text))
	}
}

// yamlText formats a text for YAML.
func yamlText(s string) string {
	if diag.Printable(s) == s {
		return "'" + strings.ReplaceAll(s, "'", "''") + "'"
	}
	b, _ := json.Marshal(s) // JSON strings are valid YAML
	return string(b)
}

// compare returns the undeclared accesses of a task.
func compare(d *engine.Declared, seen *accesses, root string) *finding {
	f := &finding{Task: d.Label, Reads: []string{}, Writes: []string{}, Variables: []string{}, Network: []string{}, pos: d.Task.Pos}
	f.Network = append(f.Network, slices.Sorted(maps.Keys(seen.network))...)
	inside := func(p, dir string) bool { return p == dir || strings.HasPrefix(p, dir+"/") }
	reads, writes := seen.files(root)
	for _, p := range writes {
		if !d.Writes[p] && !inside(p, d.StateDir) {
			f.Writes = append(f.Writes, relative(root, p))
		}
	}
	var add []string
	dir := d.Dir
	if resolved, err := filepath.EvalSymlinks(dir); err == nil {
		dir = resolved
	}
	for _, p := range reads {
		if d.Reads[p] || d.Writes[p] || inside(p, d.StateDir) {
			continue
		}
		f.Reads = append(f.Reads, relative(root, p))
		if git := filepath.Join(root, ".git"); !inside(p, git) { // not a source: git itself writes to it
			add = append(add, relative(dir, p))
		}
	}
	var avoid []string
	for _, p := range slices.Concat(writes, slices.Collect(maps.Keys(d.Writes))) {
		avoid = append(avoid, relative(dir, p))
	}
	f.Sources = patterns(add, avoid)
	return f
}

// relative returns p relative to dir, both absolute.
func relative(dir, p string) string {
	if rel, err := filepath.Rel(dir, p); err == nil {
		return filepath.ToSlash(rel)
	}
	return p
}

// manyFiles is the number of files of one kind in a directory, and of directories with files of one
// kind, from which on they become one pattern.
const manyFiles = 3

// kindOf is a directory, "" or with a trailing slash, and the extension of a file in it.
type kindOf struct{ dir, ext string }

func kind(p string) kindOf {
	dir, name := p[:strings.LastIndexByte(p, '/')+1], p[strings.LastIndexByte(p, '/')+1:]
	if strings.HasPrefix(name, ".") {
		return kindOf{dir, ""} // a pattern does not match hidden names unless it begins with a dot
	}
	return kindOf{dir, filepath.Ext(name)}
}

// byKind groups paths by directory and extension.
func byKind(paths []string) map[kindOf][]string {
	groups := map[kindOf][]string{}
	for _, p := range paths {
		groups[kind(p)] = append(groups[kind(p)], p)
	}
	return groups
}

// summarized replaces many paths of one kind in one directory by one text.
func summarized(paths []string) (out []string) {
	for k, files := range byKind(paths) {
		if len(files) <= manyFiles || k.ext == "" && !strings.HasPrefix(k.dir, ".git/") {
			out = append(out, files...)
			continue
		}
		out = append(out, fmt.Sprintf("%s*%s (%d files)", k.dir, k.ext, len(files)))
	}
	slices.Sort(out)
	return out
}

// patterns returns sorted sources that match files: the files themselves; or where a directory has
// many of a kind, all of that kind; and where many directories have such files, all of them below
// their common directory. None matches a path in avoid.
func patterns(files, avoid []string) []string {
	out := []string{}
	avoided := func(below, ext string) bool {
		return slices.ContainsFunc(avoid, func(p string) bool { return strings.HasPrefix(p, below) && kind(p).ext == ext })
	}
	byExt := map[string][]string{} // directories with many files, by extension
	for k, files := range byKind(files) {
		if len(files) < manyFiles || k.ext == "" || slices.ContainsFunc(avoid, func(p string) bool { return kind(p) == k }) {
			for _, p := range files {
				out = append(out, engine.LiteralPattern(p))
			}
			continue
		}
		byExt[k.ext] = append(byExt[k.ext], k.dir)
	}
	for ext, dirs := range byExt {
		common := commonDir(dirs)
		if len(dirs) >= manyFiles && common != "" && !avoided(common, ext) {
			out = append(out, engine.LiteralPattern(common)+"**/*"+engine.LiteralPattern(ext))
			continue
		}
		for _, dir := range dirs {
			out = append(out, engine.LiteralPattern(dir)+"*"+engine.LiteralPattern(ext))
		}
	}
	slices.Sort(out)
	return out
}

// commonDir returns the common parent of directories, with a trailing slash, or "".
func commonDir(dirs []string) string {
	common := slices.MinFunc(dirs, func(a, b string) int { return cmp.Compare(len(a), len(b)) })
	for _, dir := range dirs {
		for !strings.HasPrefix(dir, common) {
			common = common[:strings.LastIndexByte(strings.TrimSuffix(common, "/"), '/')+1]
		}
	}
	if strings.HasSuffix(common, "../") {
		return ""
	}
	return common
}

// accesses are those of a task and of the tasks it calls.
type accesses struct {
	read, written map[string]bool
	network       map[string]bool
}

// files returns the files inside root that were read, except those that the task had written
// before, and the written files that still exist. Both are sorted.
func (a *accesses) files(root string) (reads, writes []string) {
	there := func(p string) bool {
		st, err := os.Lstat(p)
		return err == nil && !st.IsDir() && strings.HasPrefix(p, root+"/")
	}
	for p := range a.written {
		if there(p) {
			writes = append(writes, p)
		}
	}
	for p := range a.read {
		if to, err := filepath.EvalSymlinks(p); err == nil {
			p = to
		}
		if st, err := os.Stat(p); err == nil && !st.IsDir() && there(p) && !a.written[p] {
			reads = append(reads, p)
		}
	}
	slices.Sort(reads)
	slices.Sort(writes)
	return slices.Compact(reads), writes
}
