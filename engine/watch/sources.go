package watch

import (
	"context"
	"path/filepath"
	"slices"
	"strings"

	"github.com/weftrun/weft/engine"
	"github.com/weftrun/weft/engine/fswatch"
	"github.com/weftrun/weft/engine/glob"
	"github.com/weftrun/weft/schema"
)

// sources are the files that one step of a target is made from, and what they say.
type sources struct {
	engine.Sources
	bases    []fswatch.Dir // where they are
	contents map[string]glob.Digest
}

// prepare finds out what the targets are made from, and watches that. Sources of steps that
// were known before keep the contents that they had: what has changed meanwhile is a change.
func (w *Watcher) prepare(ctx context.Context) {
	w.taskfiles, w.dotenv = map[string]bool{}, map[string]bool{}
	var dirs []fswatch.Dir
	for _, f := range w.workflow.Files() {
		w.taskfiles[f] = true
		dirs = append(dirs, fswatch.Dir{Path: filepath.Dir(f)})
	}
	dirs = w.addDotenv(dirs, w.workflow.Dotenv)
	for _, t := range w.targets {
		if task, _, err := w.workflow.Lookup(t.call.Name); err == nil {
			t.policy = task.OnChange
			if task.Dir.S == "" {
				dirs = w.addDotenv(dirs, task.Dotenv)
			}
		}
		before := t.sources
		t.sources = nil
		found, err := w.find(ctx, t)
		if err != nil {
			w.failed(ctx, err)
		}
		for _, f := range found {
			s := &sources{Sources: f, bases: bases(f)}
			if i := slices.IndexFunc(before, func(b *sources) bool { return b.Step == f.Step }); i >= 0 {
				s.contents = before[i].contents
				before = slices.Delete(before, i, i+1)
			}
			t.sources, dirs = append(t.sources, s), append(dirs, s.bases...)
		}
	}
	w.changes.Watch(dirs)
	for _, t := range w.targets {
		for _, s := range t.sources {
			if s.contents == nil {
				s.contents, _ = w.files.Digests(ctx, s.Dir, s.Patterns, s.Gitignore)
			}
		}
	}
}

// find asks an engine what a target is made from.
func (w *Watcher) find(ctx context.Context, t *target) ([]engine.Sources, error) {
	r, err := w.newRun(ctx, w.workflow)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return r.Sources(ctx, t.call)
}

// addDotenv notes the dotenv files of which the names are known, and adds their directories.
func (w *Watcher) addDotenv(dirs []fswatch.Dir, names []schema.Text) []fswatch.Dir {
	for _, t := range names {
		if strings.ContainsAny(t.S, "{$~") {
			continue
		}
		name := t.S
		if !filepath.IsAbs(name) {
			name = filepath.Join(w.workflow.Dir, name)
		}
		name = filepath.Clean(name)
		w.dotenv[name] = true
		dirs = append(dirs, fswatch.Dir{Path: filepath.Dir(name)})
	}
	return dirs
}

// bases returns the directories that sources are in.
func bases(s engine.Sources) (dirs []fswatch.Dir) {
	for _, p := range s.Patterns {
		if !p.Exclude {
			dirs = append(dirs, base(s.Dir, p.Glob))
		}
	}
	return dirs
}

// base is the directory that all files are in which a pattern matches.
func base(dir, glob string) fswatch.Dir {
	fixed, rest := "", glob
	for {
		part, more, found := strings.Cut(rest, "/")
		if !found || strings.ContainsAny(part, `*?[{\$~`) {
			break
		}
		fixed, rest = fixed+part+"/", more
	}
	if !filepath.IsAbs(glob) {
		fixed = filepath.Join(dir, fixed)
	}
	return fswatch.Dir{Path: filepath.Clean(fixed), Deep: strings.Contains(rest, "/") || strings.Contains(rest, "**")}
}

// look returns the steps of a target whose sources are not what they were, and the paths
// that are why.
func (w *Watcher) look(ctx context.Context, t *target, b fswatch.Batch) (stale, paths []string) {
	for _, s := range t.sources {
		near := s.near(b.Paths)
		if len(near) == 0 && !b.Lost {
			continue
		}
		if changed := w.compare(ctx, s, near, b.Lost); len(changed) > 0 {
			stale, paths = append(stale, s.Step), append(paths, changed...)
		}
	}
	slices.Sort(paths)
	paths = slices.Compact(paths)
	for _, p := range paths[:min(len(paths), mostRecent)] {
		w.remember(p)
	}
	return stale, paths
}

// near returns the paths that stand where the sources are.
func (s *sources) near(paths []string) (near []string) {
	for _, p := range paths {
		for _, b := range s.bases {
			if p == b.Path || filepath.Dir(p) == b.Path || b.Deep && strings.HasPrefix(p, strings.TrimSuffix(b.Path, "/")+"/") {
				near = append(near, p)
				break
			}
		}
	}
	return near
}

// compare returns the sources of s that have another content than they had, among paths
// or, with all, among all; from now on they have that. Only paths that were no sources
// make it look at more than them.
func (w *Watcher) compare(ctx context.Context, s *sources, paths []string, all bool) (changed []string) {
	unknown := func(p string) bool {
		_, known := s.contents[p]
		return !known
	}
	if all || slices.ContainsFunc(paths, unknown) {
		return w.compareAll(ctx, s)
	}
	for _, p := range paths {
		if d := w.files.DigestOf(ctx, p); d != s.contents[p] {
			changed = append(changed, p)
			w.files.SetContent(p, d)
			if s.contents[p] = d; d == (glob.Digest{}) {
				delete(s.contents, p)
			}
		}
	}
	return changed
}

// compareAll is compare for all sources of s.
func (w *Watcher) compareAll(ctx context.Context, s *sources) (changed []string) {
	now, err := w.files.Digests(ctx, s.Dir, s.Patterns, s.Gitignore)
	if err != nil {
		return nil
	}
	for p, d := range now {
		if s.contents[p] != d {
			changed = append(changed, p)
		}
	}
	for p := range s.contents {
		if _, there := now[p]; !there {
			changed = append(changed, p)
		}
	}
	s.contents = now
	return changed
}

// shown are paths as the user knows them.
func (w *Watcher) shown(paths []string) []string {
	out := make([]string, len(paths))
	for i, p := range paths {
		out[i] = p
		if rel, err := filepath.Rel(w.o.Engine.UserDir, p); err == nil && !strings.HasPrefix(rel, "..") {
			out[i] = rel
		}
	}
	return out
}
