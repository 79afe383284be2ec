package executor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/weftrun/weft/engine/cache"
	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/fingerprint"
	"github.com/weftrun/weft/engine/glob"
	"github.com/weftrun/weft/engine/plan"
)

// ErrGone is the error of a [Remote] that does not have inputs that were left there. They must be made
// again.
var ErrGone = errors.New("it has lost files that were made there")

// left are the outputs of steps that were left where a [Remote] has made them: later steps there get them
// by their digests. They are brought here before a process is started here for a step that needs such
// a step, directly or not. What is gone then is made again. A nil *left has none.
//
// Another run of the same project may do the same steps at the same time, and what it finds unrecorded it does
// again, perhaps under the eyes of a process of this run. So files are brought under the lock of their step, and
// its success is then recorded; also that of a step which has made files here from others that were left.
//
// Only the steps of the last call of the command line leave anything, with their needs, and none that the
// body of a task calls: a process that the body starts afterwards may read what they have made.
type left struct {
	remote *elsewhere
	final  func() bool // nothing more is planned for the command line

	mu    sync.Mutex // guards steps
	steps []*leftStep
}

// leftStep is a step that has left outputs, or had inputs that others have left.
type leftStep struct {
	b        *Bound
	result   *cache.ActionResult
	declared func(path string) bool
	disk     *cache.Disk
	files    []cache.File // that were not here, by their paths from the root
	rest     func(ctx context.Context, blobs []cache.Digest) error
	records  bool          // its success is to be recorded
	busy     chan struct{} // held by who brings them
	here     atomic.Bool   // they were brought
}

// newLeft returns b, which was performed with the result of p, as a step that has left no file.
//
//go:noinline
func newLeft(b *Bound, p *Performed, declared func(path string) bool) *leftStep {
	return &leftStep{b: b, result: p.Result, declared: declared, disk: p.Disk, rest: p.Rest, busy: make(chan struct{}, 1)}
}

// add adds a step, whose success records records.
func (l *left) add(one *leftStep, records bool) {
	one.records = records
	l.mu.Lock()
	l.steps = append(l.steps, one)
	l.mu.Unlock()
}

// mayLeave reports whether s may leave outputs elsewhere.
func (l *left) mayLeave(s *plan.Step) bool {
	if !l.final() {
		return false
	}
	named, known := origins(s)
	return known && l.remote.remote.Leaves(named)
}

// origins reports whether s was named on the command line, itself or as the only command of a task that
// was; and whether all that reads its outputs needs it.
func origins(s *plan.Step) (named, known bool) {
	named = true
	for ; s.From != nil; s = s.From {
		needed := false
		s.From.Needs(func(n *plan.Step) { needed = needed || n == s })
		if !needed {
			return named, s.From.From == nil && len(s.From.Task.Cmds) == 1
		}
		named = false
	}
	return named, true
}

// root returns the step of the command line because of which s is executed.
func root(s *plan.Step) *plan.Step {
	for s.From != nil {
		s = s.From
	}
	return s
}

// of returns the steps whose outputs s may read and that are not here.
func (l *left) of(s *plan.Step) (found []*leftStep) {
	if l == nil {
		return nil
	}
	all := l.away()
	if len(all) == 0 {
		return nil
	}
	needed, top := needs(s), root(s)
	for _, one := range all {
		if needed[one.b.Step] || root(one.b.Step) != top {
			found = append(found, one)
		}
	}
	return found
}

// needs returns the steps that s needs, directly or not.
//
//go:noinline
func needs(s *plan.Step) map[*plan.Step]bool {
	needed := map[*plan.Step]bool{}
	var visit func(*plan.Step)
	visit = func(n *plan.Step) {
		if !needed[n] {
			needed[n] = true
			n.Needs(visit)
		}
	}
	s.Needs(visit)
	return needed
}

// away returns the steps whose outputs are not here.
func (l *left) away() (all []*leftStep) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, one := range l.steps {
		if !one.here.Load() {
			all = append(all, one)
		}
	}
	l.steps = all
	return all
}

// before prepares for a step that may start a process here.
func (l *left) before(b *Bound) error {
	if l == nil {
		return nil
	}
	s := b.Step
	tests := len(s.Status())+len(s.Preconditions()) > 0
	if !tests && len(s.Task.Cmds) == 0 {
		return nil
	}
	if wants, _ := l.remote.remote.Wants(s); wants && !tests && !s.UsesRuntimeValues() && !s.Gitignore() {
		if why, err := l.remote.remote.Refuses(b.outer, b, nil); why == "" && err == nil {
			return nil // the rest of the layers looks at it
		}
	}
	return l.bring(b)
}

// bring brings here what b may read.
func (l *left) bring(b *Bound) error {
	for _, one := range l.of(b.Step) {
		if err := l.bringStep(b.outer, one, b); err != nil {
			return err
		}
	}
	if l == nil || len(b.handed) == 0 {
		return nil
	}
	b.handed = nil
	f := l.remote.cached.fresh
	in, err := f.inputs(b.outer, b)
	if err == nil {
		b.check, err = f.checker.Check(b.outer, in)
	}
	return err
}

// bringStep brings here what a step has left, for the step by.
func (l *left) bringStep(ctx context.Context, one *leftStep, by *Bound) error {
	select {
	case one.busy <- struct{}{}:
		defer func() { <-one.busy }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if one.here.Load() {
		return nil
	}
	unlock, err := l.lock(ctx, one, by)
	if err != nil {
		return err
	}
	defer unlock()
	b := one.b
	by.Emit(&event.Progress{Time: time.Now(), Step: by.ID, Stage: event.Download})
	if one.rest != nil { // nil: its result was in the cache here
		err = one.rest(ctx, one.result.Blobs(&cache.Log{}))
	}
	if err == nil {
		err = one.disk.Restore(ctx, &cache.Restoring{Root: l.root(), Result: one.result, Declared: one.declared})
	}
	if err != nil && ctx.Err() == nil {
		b, err = l.makeAgain(one, by)
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		return fmt.Errorf("what %q has made elsewhere is gone, and cannot be made again: %w", one.b.Step.Name, err)
	}
	one.here.Store(true)
	l.remote.cached.fresh.tree.MarkDirty()
	if one.records {
		return l.record(ctx, b)
	}
	return nil
}

// root returns the directory of the workflow.
func (l *left) root() string { return l.remote.cached.fresh.root }

// lock takes the lock of the step that has left something, for the step by. It does not wait for one that by does
// not need: another run may hold that, and wait for the lock of by.
func (l *left) lock(ctx context.Context, one *leftStep, by *Bound) (unlock func(), err error) {
	step := by.Cookie.String()
	unlock, _, free := one.b.check.TryLock(step)
	switch {
	case free:
		return unlock, nil
	case !needs(by.Step)[one.b.Step]:
		return func() {}, nil
	}
	return by.lock(ctx, one.b.check, step)
}

// record records the success of b, whose outputs are here now. It records nothing if it was performed with other
// inputs than are here.
func (l *left) record(ctx context.Context, b *Bound) error {
	f := l.remote.cached.fresh
	if len(b.handed) > 0 {
		in, err := f.inputs(ctx, b)
		if err != nil {
			return err
		}
		now, err := f.checker.Check(ctx, in)
		if err != nil {
			return err
		}
		if same, err := b.sameFiles(ctx, now); err != nil || !same {
			return err
		}
		b.check, b.handed = now, nil
	}
	var output *Output
	if o, is := b.steps.outputs.Load(b.Step); is {
		output = o.(*Output)
	}
	return f.commit(ctx, b, output)
}

// sameFiles reports whether b was performed with the sources that now has.
func (b *Bound) sameFiles(ctx context.Context, now *fingerprint.Check) (bool, error) {
	came := 0 // of the files that were elsewhere
	err := now.EachFile(ctx, func(f fingerprint.File) {
		if other, is := b.handed[f.Path]; is && other == inputFile(&f) {
			came++
		}
	})
	if err != nil || came < len(b.handed) || now.Sources() != b.check.Sources()+came {
		return false, err
	}
	return b.check.Unchanged(ctx)
}

// makeAgain performs a step again, there or here, as a part of the step by. It returns it as it was performed now.
func (l *left) makeAgain(one *leftStep, by *Bound) (*Bound, error) {
	b := *one.b
	b.outer, b.Env, b.ID, b.held = by.outer, by.Env, by.ID, by.held
	b.leaves, b.left, b.anew, b.again = false, nil, true, true
	b.handed = map[string]cache.File{"": {}} // its check is no longer valid
	if err := l.bring(&b); err != nil {
		return nil, err
	}
	var err error
	if b.job, err = l.remote.cached.fresh.job(b.outer, &b); err != nil {
		return nil, err
	}
	return &b, l.remote.Run(b.outer, &b).Err
}

// matching returns those of the files that were left for b, by their paths from the root, that patterns
// match; unmatched are those of the patterns that match none. They are brought here if an alternative in
// braces names one of them: what such a pattern matches depends on all of them.
func (l *left) matching(ctx context.Context, b *Bound, patterns []glob.Pattern) (files map[string]cache.File, unmatched []glob.Pattern, err error) {
	steps := l.of(b.Step)
	if len(steps) == 0 {
		return nil, patterns, nil
	}
	root := l.root()
	var names []string
	by := map[string]cache.File{}
	for _, one := range steps {
		for _, f := range one.files {
			by[f.Path] = f
			names = append(names, filepath.Join(root, filepath.FromSlash(f.Path)))
		}
	}
	found, err := glob.NewNameTree(names, nil).Find(ctx, b.Dir, patterns, false)
	if found.Expanded {
		for i := 0; i < len(steps) && err == nil; i++ {
			err = l.bringStep(ctx, steps[i], b)
		}
		return nil, patterns, err
	}
	if err != nil {
		return nil, nil, err
	}
	for _, f := range found.Files {
		prefix, name := f.Place(root)
		if _, err := os.Lstat(f.Path()); err == nil {
			l.remote.cached.fresh.tree.MarkDirty() // it has just come
			continue
		}
		if files == nil {
			files = map[string]cache.File{}
		}
		files[prefix+name] = by[prefix+name]
	}
	return files, found.Unmatched, nil
}

// leavable reports whether the outputs of a result may be left elsewhere: links and directories say
// nothing without what is around them, and a source that the step itself makes must be here.
func (e *entry) leavable(ctx context.Context, r *cache.ActionResult) bool {
	if len(r.Files) == 0 || len(r.Symlinks)+len(r.Directories) > 0 {
		return false
	}
	names := make([]string, len(r.Files))
	for i := range r.Files {
		names[i] = filepath.Join(e.fresh.root, r.Files[i].Path)
	}
	found, err := glob.NewNameTree(names, nil).Find(ctx, e.b.Dir, Patterns(e.b.Step.Sources()), false)
	return err == nil && len(found.Files) == 0
}

// leaveFiles leaves the outputs of a result elsewhere, except those that are here already. Other files
// that the step has generated before are removed. ok is false if the files here are in the way.
func (e *entry) leaveFiles(ctx context.Context, p *Performed) (ok bool, err error) {
	g := e.generated()
	declared, err := g.declaredIn(ctx, p.Result)
	if err != nil {
		return false, err
	}
	there, err := g.find(ctx, e.fresh.tree)
	if err != nil {
		return false, err
	}
	exists := make(map[string]bool, len(there.paths))
	for _, path := range there.paths {
		exists[path] = true
	}
	here := new(cache.ActionResult)
	var away []cache.File
	for i := range p.Result.Files {
		f := &p.Result.Files[i]
		if exists[f.Path] && e.isHere(ctx, g.path(f.Path), f) {
			here.Files = append(here.Files, *f)
			continue
		}
		away = append(away, cache.File{Path: f.Path, Digest: f.Digest, Executable: f.Executable})
	}
	stale, err := e.stale(ctx, here, there.paths)
	if err != nil {
		return false, err
	}
	removed := make(map[string]bool, len(stale))
	for _, path := range stale {
		removed[path] = true
	}
	for i := range away {
		if exists[away[i].Path] && !removed[away[i].Path] {
			return false, nil // it is also that of another task
		}
	}
	e.b.begin()
	if err := e.Disk.Restore(ctx, &cache.Restoring{Root: e.fresh.root, Result: here, Declared: declared, Stale: stale}); err != nil {
		return false, err
	}
	e.fresh.tree.MarkDirty()
	if len(away) == 0 {
		return true, nil
	}
	e.b.left = newLeft(e.b, p, declared)
	e.b.left.files = away
	return true, nil
}

// isHere reports whether the file at a path is an output.
func (e *entry) isHere(ctx context.Context, path string, f *cache.OutputFile) bool {
	st, err := os.Lstat(path)
	return err == nil && st.Mode().IsRegular() && st.Size() == f.Digest.Size && f.SameMode(st) && e.fresh.tree.DigestOf(ctx, path) == f.Digest.Hash
}
