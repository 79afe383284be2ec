package executor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/fingerprint"
	"github.com/weftrun/weft/engine/fingerprint/state"
	"github.com/weftrun/weft/engine/glob"
	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/schema/diag"
)

// digests remembers what the steps of this run were built from, for the steps
// that read what they generate.
type digests struct{ m sync.Map }

// freshness is the verdict on one step; its zero value is "always runs".
type freshness struct {
	check   *fingerprint.Check
	dry     bool
	silent  bool // success is not recorded
	unlock  func()
	digests *digests
	step    *plan.Step
	outputs func() []byte // what is recorded for those that read the step
}

func (f *freshness) release() {
	if f.unlock != nil {
		f.unlock()
	}
}

// begin says that the commands are about to run: a crash leaves "unknown".
func (f *freshness) begin() {
	if f.check != nil && !f.dry {
		f.check.Begin()
	}
}

// discard forgets that the step was ever up to date: it failed.
func (f *freshness) discard() {
	if f.check != nil && !f.dry {
		f.check.Discard()
	}
}

// commit records that the step is up to date: it succeeded.
func (f *freshness) commit(ctx context.Context) {
	if f.check == nil {
		return
	}
	if !f.dry && !f.silent {
		f.check.Commit(ctx, f.outputs())
		f.digests.m.Store(f.step, f.check.Digest)
	}
}

// checkFresh tells whether there is nothing to do for the step.
func (r *run) checkFresh(ctx context.Context, forced bool) (*freshness, bool, error) {
	t := r.step.Task
	f := &freshness{dry: r.x.o.Dry, step: r.step, digests: &r.x.digests, outputs: r.recorded}
	status := len(t.Status) > 0
	sources := len(t.Sources) > 0
	if !status && !sources || r.x.o.Dry && r.unknownNeed() != nil {
		return f, false, nil
	}
	if forced {
		return f, false, r.checkForced(ctx, f)
	}
	if status {
		ok, err := r.statusHolds(ctx)
		if err != nil {
			return f, false, err
		}
		if ok && !sources {
			return f, !r.read(), nil // nothing is recorded of it that others could read
		}
		status = !ok // from here on: whether it forbids freshness
	}
	if !sources {
		return f, false, nil
	}
	in, err := r.Inputs(ctx)
	if err != nil || in.Method == fingerprint.None {
		return f, false, err
	}
	if f.check, err = r.x.o.Checker.Check(ctx, in); err != nil {
		return f, false, err
	}
	r.warnUnmatched(f.check)
	if f.check.Fresh && !status {
		r.isFresh(f.check)
		return f, true, nil
	}
	if r.x.o.Dry || t.Interactive {
		return f, false, nil
	}
	return r.lock(ctx, f, in, status)
}

// isFresh gives what is recorded of the step to those that need it.
func (r *run) isFresh(c *fingerprint.Check) {
	r.x.digests.m.Store(r.step, c.Digest)
	r.recall(c)
}

// checkForced prepares a run that is not asked for. It changes nothing about
// what is recorded: what was up to date still is when it succeeds, and what
// was not is still to be run.
func (r *run) checkForced(ctx context.Context, f *freshness) error {
	if len(r.step.Task.Sources) == 0 {
		return nil
	}
	in, err := r.Inputs(ctx)
	if err != nil || in.Method == fingerprint.None {
		return nil // an error of what it is not asked about
	}
	if f.check, err = r.x.o.Checker.Check(ctx, in); err != nil {
		return err
	}
	f.silent = !f.check.Fresh
	return nil
}

// lock takes the entry's lock; who had to wait for it, or finds that something
// else is recorded by now, looks again, because another process may have done the work.
func (r *run) lock(ctx context.Context, f *freshness, in *fingerprint.Inputs, mustRun bool) (_ *freshness, fresh bool, err error) {
	step := r.cookie().String()
	unlock, changed, free := f.check.TryLock(step)
	if !free {
		// Who waits for a lock holds no slot: its holder may need one.
		r.env.Release(func() {
			unlock, err = f.check.Lock(ctx, step, func(holder string) {
				r.emit(&event.Waiting{Time: now(), Step: r.id(), For: event.Lock, Holder: holder})
			})
		})
	}
	var own *state.OwnLockError
	if errors.As(err, &own) {
		err = &diag.Diagnostic{Pos: r.step.TaskPos(), Kind: diag.Cycle, What: fmt.Sprintf("task %q would wait for itself", r.step.Name),
			Why: "a weft that this one was started by runs it, and waits for this one to end", Fix: "do not run weft for it in its own commands"}
	}
	if err != nil {
		return f, false, err
	}
	f.unlock = unlock
	if free && !changed || mustRun {
		return f, false, nil
	}
	r.x.o.Tree.Dirty() // its files are another process's work
	if f.check, err = r.x.o.Checker.Check(ctx, in); err != nil {
		return f, false, err
	}
	if f.check.Fresh {
		r.isFresh(f.check)
		f.release()
		f.unlock = nil
	}
	return f, f.check.Fresh, nil
}

// statusHolds runs the status commands.
func (r *run) statusHolds(ctx context.Context) (bool, error) {
	for _, cmd := range r.step.Status() {
		err := r.condition(ctx, cmd)
		if ctx.Err() != nil {
			return false, context.Cause(ctx)
		}
		r.emit(&event.StatusChecked{Time: now(), Step: r.id(), Text: cmd, Err: err})
		if err != nil {
			return false, nil
		}
	}
	return true, nil
}

// MethodError is an up-to-date method that does not exist.
type MethodError struct{ Method string }

func (e *MethodError) Error() string { return fmt.Sprintf("invalid method %q", e.Method) }

// methodOf resolves the step's up-to-date method.
func methodOf(s *plan.Step) (fingerprint.Method, error) {
	switch m := s.Method(); m {
	case "", "checksum":
		return fingerprint.Checksum, nil
	case "timestamp":
		return fingerprint.Timestamp, nil
	case "none":
		return fingerprint.None, nil
	default:
		return 0, &MethodError{m}
	}
}

// key names the step's state: one per task and what it is called with, from
// the command line too where it makes a difference.
func (r *run) key() string {
	key := r.step.Task.File.Path + "\x00" + r.step.Name + "\x00" + r.step.Arguments()
	for _, v := range r.step.Scope.Given() {
		key += fmt.Sprintf("\x00%s=%v", v.Name, v.Value)
	}
	return key
}

// warnUnmatched tells of patterns that are probably misspelt: of each of a task once.
func (r *run) warnUnmatched(c *fingerprint.Check) {
	for _, p := range c.Unmatched {
		if _, told := r.x.unmatched.LoadOrStore(unmatched{r.step.Task.Name, p}, true); told {
			continue
		}
		r.emit(&event.DiagnosticFound{Time: now(), Diagnostic: &diag.Diagnostic{Pos: p.Pos, Severity: diag.Warning, Kind: diag.Suspicious,
			What: fmt.Sprintf("task %q: %q matches no file", r.step.Name, p.Glob), Fix: r.x.o.Tree.Suggest(r.dir, p)}})
	}
}

// unmatched is a pattern of a task that matches no file.
type unmatched struct {
	task    string
	pattern glob.Pattern
}

// Inputs is everything the step's fingerprint covers.
func (r *run) Inputs(ctx context.Context) (*fingerprint.Inputs, error) {
	s := r.step
	method, err := methodOf(s)
	if err != nil {
		return nil, err
	}
	if r.loose() {
		return r.looseInputs(ctx, method)
	}
	env, err := s.Scope.DeclaredEnv(ctx)
	if err != nil {
		return nil, err
	}
	in := &fingerprint.Inputs{
		Key: r.key(), Name: s.Label, Root: r.x.o.Root, Dir: r.dir, Method: method,
		Sources: Patterns(s.Sources()), Generates: Patterns(s.Generates()),
		Gitignore: s.Gitignore(),
		HasStatus: len(s.Task.Status) > 0, Outputs: r.read(),
	}
	var encoded []byte
	for i, c := range s.Commands() {
		encoded = c.Encode(encoded[:0], false)
		in.Fields = append(in.Fields, fingerprint.Field{Name: "command " + strconv.Itoa(i+1), Value: string(encoded), Secret: c.Shown != c.Text})
	}
	for _, e := range env {
		in.Fields = append(in.Fields, fingerprint.Field{Name: "env " + e.Name, Value: fmt.Sprint(e.Value), Secret: true})
	}
	for _, u := range s.Scope.Uses() {
		in.Fields = append(in.Fields, fingerprint.Field{Name: "var " + u.Name, Value: fmt.Sprint(u.Value), Secret: s.Scope.Secret(u.Name)})
	}
	for _, o := range s.Outputs() {
		in.Fields = append(in.Fields, fingerprint.Field{Name: "output " + o.Name, Value: strings.TrimSpace(o.From + " " + o.As + " " + o.Path)})
	}
	s.EachInput(func(n *plan.Step) {
		digest, problem := r.x.outputDigest(n)
		err = cmp.Or(err, problem)
		in.Fields = append(in.Fields, fingerprint.Field{Name: "input " + n.Label, Value: digest, Secret: true})
	})
	// What the files read here were made from.
	s.Needs(func(n *plan.Step) {
		if d, ok := r.x.digests.m.Load(n); ok && reads(r.dir, in.Sources, n, r.x.o.Root) {
			in.Fields = append(in.Fields, fingerprint.Field{Name: "need " + n.Label, Value: d.(fingerprint.Digest).String()[:16]})
		}
	})
	return in, err
}

// fileInputs are the inputs as far as files go.
func (r *run) fileInputs(ctx context.Context) (*fingerprint.Inputs, error) {
	s := r.step
	method, err := methodOf(s)
	if err != nil {
		return nil, err
	}
	if r.loose() {
		return r.looseInputs(ctx, method)
	}
	return &fingerprint.Inputs{
		Key: r.key(), Name: s.Label, Root: r.x.o.Root, Dir: r.dir, Method: method, FilesOnly: true,
		Sources: Patterns(s.Sources()), Generates: Patterns(s.Generates()),
		Gitignore: s.Gitignore(),
	}, nil
}

// loose reports whether the step is judged by the rule of the format's own runner.
func (r *run) loose() bool {
	return r.step.Rule() == plan.FingerprintV3
}

// looseInputs are the inputs by the rule of the format's own runner: one state
// a task, whatever it is called with; the names and the content of its sources,
// or their times; and that what it generates is there.
func (r *run) looseInputs(ctx context.Context, method fingerprint.Method) (*fingerprint.Inputs, error) {
	s := r.step
	in := &fingerprint.Inputs{
		Key: s.Task.File.Path + "\x00" + s.Label + "\x00" + plan.FingerprintV3, Name: s.Label, Root: r.x.o.Root, Dir: r.dir, Method: method, Loose: true,
		Generates: Patterns(s.Generates()), HasStatus: len(s.Task.Status) > 0, Outputs: r.read(),
		Gitignore: s.Gitignore(),
	}
	sources := Patterns(s.Sources())
	if method != fingerprint.Checksum {
		in.Sources = sources
		return in, nil
	}
	sum, err := r.x.o.Checker.Checksum(ctx, r.dir, sources, in.Gitignore)
	in.Fields = []fingerprint.Field{{Name: "sources content", Value: sum}}
	return in, err
}

// Patterns are globs as the cache knows them.
func Patterns(gs []plan.Glob) []glob.Pattern {
	if len(gs) == 0 {
		return nil
	}
	ps := make([]glob.Pattern, len(gs))
	for i, g := range gs {
		ps[i] = glob.Pattern{Glob: g.Pattern, Exclude: g.Exclude, Pos: g.Pos}
	}
	return ps
}

// reads reports whether sources may match what the need generates. It may say
// yes where the answer is no: then the step runs once more than it had to.
func reads(dir string, sources []glob.Pattern, need *plan.Step, root string) bool {
	needDir, err := need.Scope.Dir(context.Background())
	if err != nil {
		return true
	}
	for _, g := range need.Generates() {
		for _, s := range sources {
			if !g.Exclude && !s.Exclude && overlap(join(needDir, g.Pattern), join(dir, s.Glob)) {
				return true
			}
		}
	}
	return false
}

func join(dir, pattern string) string {
	if filepath.IsAbs(pattern) {
		return filepath.Clean(pattern)
	}
	return filepath.Join(dir, pattern)
}

// overlap compares two patterns by what stands before their first special
// character.
func overlap(a, b string) bool {
	i, j := strings.IndexAny(a, `*?[{$~\`), strings.IndexAny(b, `*?[{$~\`)
	switch {
	case i < 0 && j < 0:
		return a == b || strings.HasPrefix(b, a+"/") // a may be a directory
	case i < 0:
		return strings.HasPrefix(a, b[:j]) || strings.HasPrefix(b[:j], a+"/")
	case j < 0:
		return strings.HasPrefix(b, a[:i])
	}
	return strings.HasPrefix(a[:i], b[:j]) || strings.HasPrefix(b[:j], a[:i])
}
