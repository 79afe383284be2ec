package engine

import (
	"context"
	"path/filepath"

	"github.com/weftrun/weft/engine/executor"
	"github.com/weftrun/weft/engine/glob"
	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/schema"
)

// Declared are the files that a task declares to read and write, as they are on disk.
type Declared struct {
	Task     *schema.Task
	Label    string          // display name
	Dir      string          // base of its patterns
	Reads    map[string]bool // paths with links resolved
	Writes   map[string]bool // including those of tasks that it calls
	StateDir string          // weft's own files
}

// Declared returns the files declared by the task of a call. The files in its depfile count as
// read, as do Taskfiles, and dotenv files with known names.
func (e *Engine) Declared(ctx context.Context, call plan.Call) (*Declared, error) {
	f := sourceFinder{engine: e, x: plan.NewExpander(e.expanderOptions()), seen: map[string]bool{}}
	p, err := f.x.Expand(ctx, call)
	if err != nil {
		return nil, err
	}
	s := p.Steps[p.Roots[0]]
	d := &Declared{Task: s.Task, Label: s.Label, Reads: map[string]bool{}, Writes: map[string]bool{}}
	if d.Dir, err = s.Scope.Dir(ctx); err != nil {
		return nil, err
	}
	if err := f.step(ctx, s); err != nil {
		return nil, err
	}
	e.tree.MarkDirty()
	sources, err := e.tree.Find(ctx, d.Dir, executor.Patterns(s.Sources()), s.Gitignore())
	if err != nil {
		return nil, err
	}
	for i := range f.made {
		f.made[i].Exclude = !f.made[i].Exclude // there they are excluded from sources
	}
	made, err := e.tree.FindGenerated(ctx, d.Dir, f.made)
	if err != nil {
		return nil, err
	}
	d.add(d.Reads, sources.Files)
	d.add(d.Writes, made.Files)
	if s.Depfile() != nil && len(f.found) > 0 && f.found[0].Depfile {
		for p := range f.found[0].Discovered {
			d.Reads[resolved(p)] = true
		}
	}
	w := e.o.Workflow
	for _, p := range w.Files() {
		d.Reads[resolved(p)] = true
	}
	for _, files := range [...]struct {
		dir   string
		names []schema.Text
	}{{w.Dir, w.Dotenv}, {d.Dir, s.Task.Dotenv}} {
		for _, t := range files.names {
			name := t.S
			if !filepath.IsAbs(name) {
				name = filepath.Join(files.dir, name)
			}
			d.Reads[resolved(name)] = true
		}
	}
	place := StatePlace(e.o.Workflow.Dir, e.o.TempDir, e.o.Environ)
	d.StateDir = resolved(filepath.Join(place.Base, filepath.FromSlash(place.Path)))
	return d, nil
}

// LiteralPattern returns a sources pattern that matches only the path p.
func LiteralPattern(p string) string { return glob.Escaped(p) }

// add adds files, and the targets of links among them.
func (d *Declared) add(to map[string]bool, files []glob.File) {
	for _, f := range files {
		p := f.Path()
		to[p] = true
		to[resolved(p)] = true
	}
}

// resolved returns p with links resolved, or p if it does not exist.
func resolved(p string) string {
	if r, err := filepath.EvalSymlinks(p); err == nil {
		return r
	}
	return p
}
