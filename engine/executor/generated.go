package executor

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/weftrun/weft/engine/cache"
	"github.com/weftrun/weft/engine/glob"
	"github.com/weftrun/weft/engine/plan"
)

// generated are the files that a step may generate, by its patterns.
type generated struct {
	root      string // directory of the workflow
	dir       string // patterns are relative to it
	patterns  []glob.Pattern
	taskfiles []string // absolute paths, never outputs, even if a pattern matches
}

func (e *entry) generated() *generated {
	return &generated{root: e.fresh.root, dir: e.b.Dir, patterns: Patterns(e.b.Step.Writes()), taskfiles: e.Taskfiles}
}

// isTaskfile reports whether a path from the root is one of the Taskfiles of the run, also on a
// file system that ignores case.
func (g *generated) isTaskfile(p string) bool {
	name := path.Base(p)
	return slices.ContainsFunc(g.taskfiles, func(t string) bool {
		return strings.EqualFold(filepath.Base(t), name) && strings.EqualFold(t, g.path(p))
	})
}

// made are the existing files.
type made struct {
	paths     []string      // of files, links and empty directories, relative to the root, with slashes
	unmatched *glob.Pattern // a pattern without matches; may be nil
	outside   string        // a file outside the root, or ""
}

// find finds the existing files. A link to a directory counts as itself, not as its contents.
func (g *generated) find(ctx context.Context, tree *glob.Tree) (*made, error) {
	found, err := tree.FindGenerated(ctx, g.dir, g.patterns)
	if err != nil {
		return nil, err
	}
	links, empty := g.noFiles()
	declared, err := g.declared(ctx, links, empty)
	if err != nil {
		return nil, err
	}
	no := func(p string) bool { return !declared(p) }
	links, empty = slices.DeleteFunc(links, no), slices.DeleteFunc(empty, no)
	m := &made{paths: slices.Concat(links, empty)}
	for i, p := range found.Unmatched {
		if !tree.IsDirectory(g.dir, p.Glob) {
			m.unmatched = &found.Unmatched[i]
			break
		}
	}
	for _, f := range found.Files {
		prefix, name := f.Place(g.root)
		switch p := prefix + name; {
		case strings.HasPrefix(p, "../"), path.IsAbs(p):
			m.outside = f.Path()
		case g.isTaskfile(p):
		case !through(links, p):
			m.paths = append(m.paths, p)
		}
	}
	return m, nil
}

// through reports whether a path contains one of links.
func through(links []string, p string) bool {
	return slices.ContainsFunc(links, func(l string) bool { return strings.HasPrefix(p, l) && len(p) > len(l) && p[len(l)] == '/' })
}

// outputs returns the paths of everything the step has generated. It is an error if something is
// missing.
func (g *generated) outputs(ctx context.Context, tree *glob.Tree) ([]string, error) {
	m, err := g.find(ctx, tree)
	switch {
	case err != nil:
		return nil, err
	case m.unmatched != nil:
		return nil, fmt.Errorf("generates %q matched no file", m.unmatched.Glob)
	case m.outside != "":
		return nil, fmt.Errorf("it has written %s, which is outside of the root directory", m.outside)
	}
	return m.paths, nil
}

// checkSinks returns an error if a command of b writes a stream to a file that no pattern matches:
// it would be missing when the step is restored.
func (g *generated) checkSinks(ctx context.Context, b *Bound) error {
	var files []string
	var collect func(c *plan.Command)
	collect = func(c *plan.Command) {
		if c.Process != nil {
			for _, sink := range slices.Concat(c.Stdout, c.Stderr) {
				if sink.Kind == plan.SinkFile {
					files = append(files, strings.TrimSuffix(glob.Relative(g.root, b.Path(sink.File)+"/"), "/"))
				}
			}
		}
		for i := range c.Members {
			collect(&c.Members[i])
		}
	}
	for _, c := range b.Step.Commands() {
		collect(c)
	}
	if len(files) == 0 {
		return nil
	}
	declared, err := g.declared(ctx, files, nil)
	if err != nil {
		return err
	}
	for _, f := range files {
		if !declared(f) {
			return fmt.Errorf("it writes %s, which its generates do not match", f)
		}
	}
	return nil
}

// noFiles returns links to directories and empty directories that patterns may match, in and below
// the directories that they name without wildcards. Unreadable directories are omitted.
func (g *generated) noFiles() (links, empty []string) {
	add := func(list *[]string, name string) {
		if rel, err := filepath.Rel(g.root, name); err == nil && filepath.IsLocal(rel) && rel != "." {
			*list = append(*list, filepath.ToSlash(rel))
		}
	}
	var visit func(name string, mode fs.FileMode)
	visit = func(name string, mode fs.FileMode) {
		switch {
		case mode.IsDir():
			entries, err := os.ReadDir(name)
			if len(entries) == 0 && err == nil {
				add(&empty, name)
			}
			for _, e := range entries {
				visit(filepath.Join(name, e.Name()), e.Type())
			}
		case mode&fs.ModeSymlink != 0:
			if st, err := os.Stat(name); err == nil && st.IsDir() {
				add(&links, name)
			}
		}
	}
	for _, p := range g.patterns {
		if p.Exclude {
			continue
		}
		for _, one := range glob.Alternatives(p.Glob) {
			literal, _, wild := strings.Cut(one, "**")
			if strings.ContainsAny(literal, `*?[{$~\`) || wild && literal != "" && !strings.HasSuffix(literal, "/") {
				continue
			}
			top := join(g.dir, literal)
			if st, err := os.Lstat(top); err == nil {
				visit(top, st.Mode())
			}
		}
	}
	return links, empty
}

// declared returns a function that reports whether patterns match a path, existing or not: files
// and links, and empty directories.
func (g *generated) declared(ctx context.Context, files, directories []string) (func(path string) bool, error) {
	names := make([]string, 0, len(files)+len(directories))
	for _, p := range files {
		names = append(names, g.path(p))
	}
	for _, p := range directories {
		names = append(names, g.path(p)+inDirectory)
	}
	found, err := glob.NewNameTree(names, nil).FindGenerated(ctx, g.dir, g.patterns)
	if err != nil {
		return nil, err
	}
	matched := make(map[string]bool, len(found.Files))
	for _, f := range found.Files {
		matched[f.Path()] = true
	}
	return func(p string) bool { return (matched[g.path(p)] || matched[g.path(p)+inDirectory]) && !g.isTaskfile(p) }, nil
}

// inDirectory is a file in a directory: a pattern that matches it matches the directory.
const inDirectory = "/x"

// path returns the absolute form of a path from the root.
func (g *generated) path(p string) string { return filepath.Join(g.root, filepath.FromSlash(p)) }

// declaredIn is declared for the outputs of a result, which may come from anyone: it is an error if one
// is never allowed.
func (g *generated) declaredIn(ctx context.Context, r *cache.ActionResult) (func(path string) bool, error) {
	if err := r.Check(nil); err != nil {
		return nil, err
	}
	var files, directories []string
	for i := range r.Files {
		files = append(files, r.Files[i].Path)
	}
	for i := range r.Symlinks {
		files = append(files, r.Symlinks[i].Path)
	}
	for i := range r.Directories {
		directories = append(directories, r.Directories[i].Path)
	}
	return g.declared(ctx, files, directories)
}
