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

// sources are the files that one step of a target reads, and their contents.
type sources struct {
	engine.Sources
	bases    []fswatch.Dir // the directories that they are in
	contents map[string]glob.Digest
}

// prepare finds the sources of all targets, and watches them and the workflow's own files.
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
			t.policy = task.OnChange()
			if task.Dir.S == "" {
				dirs = w.addDotenv(dirs, task.Dotenv)
			}
		}
	}
	w.fixed = dirs
	w.refresh(ctx, w.targets)
}

// refresh finds the sources of some targets again, and watches them. A step that was known
// before keeps its old contents, so that a change in the meantime still counts. Files that a
// run has discovered keep the contents that the run read.
func (w *Watcher) refresh(ctx context.Context, targets []*target) {
	for _, t := range targets {
		before := t.sources
		t.sources = nil
		r, err := w.newRun(ctx, w.workflow)
		var found []engine.Sources
		if err == nil {
			found, err = r.Sources(ctx, t.call)
			r.Close()
		}
		if err != nil {
			w.failed(ctx, err)
		}
		for _, f := range found {
			s := &sources{Sources: f}
			if i := slices.IndexFunc(before, func(b *sources) bool { return b.Step == f.Step }); i >= 0 {
				w.discover(ctx, s, before[i])
				before = slices.Delete(before, i, i+1)
			}
			s.bases = bases(s.Sources)
			t.sources = append(t.sources, s)
		}
	}
	dirs := slices.Clip(w.fixed)
	for _, t := range w.targets {
		for _, s := range t.sources {
			dirs = append(dirs, s.bases...)
		}
	}
	w.changes.Watch(dirs)
	for _, t := range targets {
		for _, s := range t.sources {
			if s.contents == nil {
				s.contents, _ = w.digests(ctx, s)
			}
		}
	}
}

// discover gives s the contents that the same step had before, as far as they are still its
// sources.
func (w *Watcher) discover(ctx context.Context, s, before *sources) {
	s.contents = before.contents
	if s.contents == nil {
		return
	}
	for p, d := range before.Discovered {
		switch _, still := s.Discovered[p]; {
		case still:
		case s.Unsure: // it failed, so it may not have named all its sources
			if s.Discovered == nil {
				s.Discovered = map[string]glob.Digest{}
			}
			s.Discovered[p] = d
		default:
			delete(s.contents, p)
		}
	}
	for p, d := range s.Discovered {
		if _, known := s.contents[p]; known {
			continue
		}
		if d == (glob.Digest{}) {
			d = w.files.DigestOf(ctx, p)
		}
		if d != (glob.Digest{}) {
			s.contents[p] = d
		}
	}
}

// digests returns the contents of the sources of s as they are now.
func (w *Watcher) digests(ctx context.Context, s *sources) (map[string]glob.Digest, error) {
	now, err := w.files.Digests(ctx, s.Dir, s.Patterns, s.Gitignore)
	if err != nil {
		return nil, err
	}
	for p := range s.Discovered {
		if _, known := now[p]; known {
			continue
		}
		if d := w.files.DigestOf(ctx, p); d != (glob.Digest{}) {
			now[p] = d
		}
	}
	return now, nil
}

// addDotenv adds the dotenv files whose names contain no variables, and their directories.
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
	for p := range s.Discovered {
		dirs = append(dirs, fswatch.Dir{Path: filepath.Dir(p)})
	}
	return dirs
}

// base is the directory that contains all matches of a pattern.
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

// look returns the steps of a target whose sources have changed, and the paths that changed.
func (w *Watcher) look(ctx context.Context, t *target, b fswatch.Batch) (stale, paths []string) {
	for _, s := range t.sources {
		near := s.inDirectories(b.Paths)
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

// inDirectories returns the paths that are in the directories of the sources.
//
//go:noinline
func (s *sources) inDirectories(paths []string) (near []string) {
	for _, p := range paths {
		if slices.ContainsFunc(s.bases, func(b fswatch.Dir) bool {
			return p == b.Path || filepath.Dir(p) == b.Path || b.Deep && strings.HasPrefix(p, strings.TrimSuffix(b.Path, "/")+"/")
		}) {
			near = append(near, p)
		}
	}
	return near
}

// compare returns the sources of s whose content has changed, and remembers the new content.
// It looks at paths only, or at all sources if all is set or one of the paths was no source
// before.
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
	now, err := w.digests(ctx, s)
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

// shown returns paths relative to the user's directory where they are below it.
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
