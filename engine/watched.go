package engine

import (
	"context"
	"path/filepath"
	"slices"
	"strings"

	"github.com/weftrun/weft/engine/executor"
	"github.com/weftrun/weft/engine/fswatch"
	"github.com/weftrun/weft/engine/glob"
	"github.com/weftrun/weft/engine/plan"
)

// watchedStep is a step with sources.
type watchedStep struct {
	label     string
	dir       string
	sources   []glob.Pattern
	gitignore bool
	bases     []fswatch.Dir // where its sources are
	files     map[string]glob.Digest
}

// findSources returns the steps with sources among all that a call needs or calls.
func (v *watching) findSources(ctx context.Context, e *Engine, call plan.Call) ([]*watchedStep, error) {
	x := plan.NewExpander(e.expanderOptions())
	seen := map[string]bool{}
	var found []*watchedStep
	var made []glob.Pattern // what one of the steps makes is no outside change
	var visit func(c plan.Call) error
	visit = func(c plan.Call) error {
		p, err := x.Expand(ctx, c)
		if err != nil {
			return err
		}
		for _, s := range p.Steps {
			key := s.Name + "\x00" + s.Arguments()
			if seen[key] || s.Skip != plan.NotSkipped {
				continue
			}
			seen[key] = true
			dir, err := s.Scope.Dir(ctx)
			if err != nil {
				return err
			}
			if len(s.Task.Sources) > 0 {
				found = append(found, v.watchedStep(s, dir))
			}
			for _, p := range executor.Patterns(s.Generates()) {
				made = append(made, glob.Pattern{Glob: absolute(dir, p.Glob), Exclude: !p.Exclude})
			}
			if s.Late() {
				continue // its commands are known when it runs
			}
			for _, c := range s.Commands() {
				if c.Kind == plan.TaskCall && !c.Defer {
					visit(plan.Call{Name: c.Text, Vars: c.Vars, Pos: c.Pos, From: s}) // an error is the run's to tell
				}
			}
		}
		return nil
	}
	err := visit(call)
	for _, w := range found {
		w.sources = append(w.sources, made...)
	}
	return found, err
}

func absolute(dir, glob string) string {
	if filepath.IsAbs(glob) {
		return glob
	}
	return dir + "/" + glob
}

func (v *watching) watchedStep(s *plan.Step, dir string) *watchedStep {
	w := &watchedStep{label: s.Label, dir: dir, gitignore: s.Task.UseGitignore.Or(v.workflow.UseGitignore.Or(false))}
	w.sources = executor.Patterns(s.Sources())
	for _, p := range w.sources {
		if !p.Exclude {
			w.bases = append(w.bases, base(dir, p.Glob))
		}
	}
	return w
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

// look returns the steps of a lane whose sources are not what they were, and the paths
// that are why.
func (v *watching) look(ctx context.Context, l *lane, b fswatch.Batch) (stale, paths []string) {
	for _, s := range l.watched {
		near := s.near(b.Paths)
		if len(near) == 0 && !b.Lost {
			continue
		}
		if changed := v.compare(ctx, s, near, b.Lost); len(changed) > 0 {
			stale, paths = append(stale, s.label), append(paths, changed...)
		}
	}
	slices.Sort(paths)
	paths = slices.Compact(paths)
	for _, p := range paths[:min(len(paths), mostRecent)] {
		v.remember(p)
	}
	return stale, paths
}

// compare returns the sources of s that have another content than they had, among paths
// or, with all, among all; from now on they have that. Only paths that were no sources
// make it look at more than them.
func (v *watching) compare(ctx context.Context, s *watchedStep, paths []string, all bool) (changed []string) {
	for _, p := range paths {
		if _, known := s.files[p]; !known {
			all = true
			break
		}
	}
	if !all {
		for _, p := range paths {
			if d := glob.DigestOf(ctx, p); d != s.files[p] {
				changed = append(changed, p)
				v.tree.SetContent(p, d)
				if s.files[p] = d; d == (glob.Digest{}) {
					delete(s.files, p)
				}
			}
		}
		return changed
	}
	now, err := v.tree.Digests(ctx, s.dir, s.sources, s.gitignore)
	if err != nil {
		return nil
	}
	for p, d := range now {
		if s.files[p] != d {
			changed = append(changed, p)
		}
	}
	for p := range s.files {
		if _, there := now[p]; !there {
			changed = append(changed, p)
		}
	}
	s.files = now
	return changed
}

// near returns the paths that stand where sources of s are.
func (s *watchedStep) near(paths []string) (near []string) {
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

// shown are paths as the user knows them.
func (v *watching) shown(paths []string) []string {
	out := make([]string, len(paths))
	for i, p := range paths {
		out[i] = p
		if rel, err := filepath.Rel(v.e.o.UserDir, p); err == nil && !strings.HasPrefix(rel, "..") {
			out[i] = rel
		}
	}
	return out
}
