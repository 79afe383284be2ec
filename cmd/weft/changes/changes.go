// Package changes finds, by git, the changes in a working tree since some commit: the files, and
// their earlier content. It also finds that commit, and knows nothing of tasks.
//
// # The base
//
// Without a name the base is the merge base of HEAD and the branch that the change is for: the one
// that a CI system names, else origin/HEAD, else main or master.
//
// # Commands
//
// The number of commands of git does not depend on the number of files: one finds the repository,
// two or three find the base, and three that run at the same time list the differences between the
// base and the working tree, untracked files, and symbolic links. A submodule that has changed
// costs three more. If Taskfiles have changed, one more reads their old content.
package changes

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/weftrun/weft/engine/affected"
)

// Options configure Since. Dir is required.
type Options struct {
	Dir     string   // of the root Taskfile, absolute
	Base    string   // a revision; with "..." at its end its merge base with HEAD; "" is the default
	Environ []string // the environment: for git, and to detect the CI system
}

// Changes are all differences between the base and the working tree: what is committed, staged,
// not staged, and untracked. It must be closed.
type Changes struct {
	affected.Changes
	Base   string // the commit, its full name
	Named  string // its source, such as origin/main
	IsHead bool   // it is the commit that is checked out

	entries map[string]entry // by absolute path
	before  *before          // nil until it is needed
	git     *git
	top     string
}

// repository is a working tree.
type repository struct {
	git     *git
	environ []string
	top     string // its directory, without symbolic links
	shallow bool
}

// Since returns the changes. Errors are for users, and contain advice.
func Since(ctx context.Context, o Options) (*Changes, error) {
	g, err := newGit(o.Environ)
	if err != nil {
		return nil, err
	}
	c, err := since(ctx, g, o)
	if err != nil {
		g.close()
	}
	return c, err
}

func since(ctx context.Context, g *git, o Options) (*Changes, error) {
	r, err := open(ctx, g, o)
	if err != nil {
		return nil, err
	}
	b, err := r.findBase(ctx, o.Base)
	if err != nil {
		return nil, err
	}
	c := &Changes{Base: b.commit, Named: b.name, IsHead: b.commit == b.head, entries: map[string]entry{}, git: g, top: r.top}
	c.Root = logicalRoot(o.Dir, r.top)
	l := lister{git: g, c: c}
	if err := l.list(ctx, r.top, c.Root, b.commit); err != nil {
		return nil, err
	}
	if real, err := filepath.EvalSymlinks(o.Dir); err == nil && !below(c.Root, o.Dir) {
		l.links = append(l.links, link{o.Dir, real})
	}
	l.follow(r.top, c.Root)
	slices.Sort(c.Dirs)
	c.Dirs = slices.Compact(c.Dirs)
	if !below(c.Root, o.Dir) {
		c.Root = "/"
	}
	c.Files = make(map[string]affected.Change, len(c.entries))
	for p, e := range c.entries {
		c.Files[p] = e.change()
	}
	return c, nil
}

// Close ends running commands of git.
func (c *Changes) Close() {
	if c.before != nil {
		c.before.close()
	}
	c.git.close()
}

// open finds the repository that a directory is in.
func open(ctx context.Context, g *git, o Options) (*repository, error) {
	out, err := g.run(ctx, o.Dir, "", "rev-parse", "--is-shallow-repository", "--show-toplevel")
	var f *failed
	switch {
	case errors.As(err, &f):
		return nil, fmt.Errorf("%s is in no working tree of git that can be used: %w", o.Dir, err)
	case err != nil:
		return nil, err
	}
	shallow, top, ok := strings.Cut(strings.TrimSuffix(out, "\n"), "\n")
	if !ok || !filepath.IsAbs(top) {
		return nil, errForm
	}
	return &repository{git: g, environ: o.Environ, top: filepath.Clean(top), shallow: shallow == "true"}, nil
}

// logicalRoot returns the path of the working tree as seen from dir: git returns it without
// symbolic links. If dir leads into the tree by a link below that, it is top itself.
func logicalRoot(dir, top string) string {
	real, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return top
	}
	rel, err := filepath.Rel(top, real)
	if err != nil || !filepath.IsLocal(rel) {
		return top
	}
	if rel == "." {
		return dir
	}
	root, ok := strings.CutSuffix(dir, string(filepath.Separator)+rel)
	if !ok {
		return top
	}
	if real, err := filepath.EvalSymlinks(root); err != nil || real != top {
		return top
	}
	return root
}

// change returns the kind of change of the file.
func (e entry) change() affected.Change {
	switch {
	case e.old == noFile:
		return affected.Added
	case e.new == noFile:
		return affected.Removed
	}
	return affected.Modified
}

// lister collects the changes of a repository and its submodules.
type lister struct {
	git   *git
	c     *Changes
	links []link
}

// list adds the changes in a working tree since a commit. top is its directory, and root its name
// in paths.
func (l *lister) list(ctx context.Context, top, root, commit string) error {
	var diff, untracked, stage string
	jobs := [...]struct {
		out  *string
		args []string
	}{
		{&diff, []string{"-c", "diff.relative=false", "diff", "--raw", "-z", "--no-abbrev", "--no-renames", "--no-color", "--no-ext-diff", "--ignore-submodules=none", commit, "--"}},
		{&untracked, []string{"ls-files", "--others", "--exclude-standard", "-z"}},
		{&stage, []string{"ls-files", "--stage", "-z"}},
	}
	ended := make(chan error, len(jobs))
	for _, job := range jobs {
		go func() {
			var err error
			*job.out, err = l.git.run(ctx, top, "", job.args...)
			ended <- err
		}()
	}
	var first error
	for range jobs {
		if err := <-ended; first == nil {
			first = err
		}
	}
	if first != nil {
		return first
	}
	modules := map[string]entry{}
	err := parseRaw(diff, func(path string, e entry) {
		path = filepath.Join(root, path)
		switch known, again := l.c.entries[path]; {
		case e.old == submodule || e.new == submodule:
			modules[path] = e
		case again && known.old != noFile: // an unmerged path is listed twice
		default:
			l.c.entries[path] = e
			if e.old == linkMode || e.new == linkMode {
				l.changedLink(path)
			}
		}
	})
	if err != nil {
		return err
	}
	if err := parseNames(untracked, func(path string) {
		name, directory := strings.CutSuffix(path, "/") // another repository
		path = filepath.Join(root, name)
		if directory {
			l.c.Dirs = append(l.c.Dirs, path)
			return
		}
		e := entry{old: noFile, new: "100644"}
		if known, ok := l.c.entries[path]; ok {
			e.old, e.blob = known.old, known.blob // it was removed from the index alone
		}
		if st, err := os.Lstat(path); err == nil && st.Mode()&os.ModeSymlink != 0 {
			l.addLink(path)
			l.changedLink(path)
			e.new = linkMode
		}
		l.c.entries[path] = e
	}); err != nil {
		return err
	}
	if err := parseStage(stage, func(path, mode string) {
		if mode == linkMode {
			l.addLink(filepath.Join(root, path))
		}
	}); err != nil {
		return err
	}
	for _, path := range slices.Sorted(maps.Keys(modules)) {
		l.submodule(ctx, top, root, path, modules[path])
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	return nil
}

// submodule adds the changes in a submodule; if they cannot be determined, anything in it may have
// changed.
func (l *lister) submodule(ctx context.Context, top, root, path string, e entry) {
	if e.old == submodule && e.new == submodule {
		dir := top + strings.TrimPrefix(path, root)
		inside, err := l.git.run(ctx, dir, "", "rev-parse", "--show-toplevel")
		if err == nil && strings.TrimSuffix(inside, "\n") == dir && l.list(ctx, dir, path, e.blob) == nil {
			return
		}
	}
	l.c.Dirs = append(l.c.Dirs, path)
	if e.old != submodule && e.old != noFile || e.new != submodule && e.new != noFile {
		l.c.entries[path] = e // it was replaced by a file, or replaces one
	}
}
