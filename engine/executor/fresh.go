package executor

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/fingerprint"
	"github.com/weftrun/weft/engine/fingerprint/state"
	"github.com/weftrun/weft/engine/glob"
	"github.com/weftrun/weft/engine/pipe"
	"github.com/weftrun/weft/schema/diag"
)

// fresh ends steps for which there is nothing to do, and records the success of others.
type fresh struct {
	next    Body
	test    Test
	checker *fingerprint.Checker
	tree    *glob.Tree
	root    string // directory of the workflow
	secrets *pipe.Secrets
	dry     bool

	digests   sync.Map // what steps of this run were built from: *plan.Step to fingerprint.Digest
	unmatched sync.Map // patterns that were warned of: unmatched to true
}

// Run implements Body.
func (l *fresh) Run(ctx context.Context, b *Bound) Result {
	readWhole := b.Ends.Out != nil && !b.Ends.Shown // who reads the step wants all that it writes
	v, err := l.judge(ctx, b, b.Forced || readWhole)
	if err != nil {
		return Ended(ctx, err)
	}
	if v.fresh {
		return Result{Outcome: event.Fresh, Output: v.output}
	}
	defer v.release()
	if !l.dry {
		b.check = v.check
	}
	r := l.next.Run(ctx, b)
	if b.begun {
		l.tree.Dirty()
		l.save(ctx, b, &v, &r)
	}
	return r
}

// save keeps what is known of a step that has ended.
func (l *fresh) save(ctx context.Context, b *Bound, v *verdict, r *Result) {
	switch {
	case b.check == nil:
	case r.Err != nil:
		b.check.Discard()
	case !v.unsaved:
		var output []byte
		if b.readable() {
			output = r.Output.encode(l.secrets)
		}
		b.check.Commit(ctx, output)
		l.digests.Store(b.Step, b.check.Digest)
	}
}

// verdict tells whether there is nothing to do for a step. Its zero value is "always runs".
type verdict struct {
	fresh   bool
	check   *fingerprint.Check // that told it; nil: nothing is recorded of the step
	output  *Output            // of the last success, if fresh; nil: none was kept
	unsaved bool               // nor is a success
	unlock  func()
}

// release gives the lock of the entry back, if it was taken.
func (v *verdict) release() {
	if v.unlock != nil {
		v.unlock()
		v.unlock = nil
	}
}

// judge tells whether there is nothing to do for the step; a forced one has to run.
func (l *fresh) judge(ctx context.Context, b *Bound, forced bool) (v verdict, err error) {
	t := b.Step.Task
	status, sources := len(t.Status) > 0, len(t.Sources) > 0
	if !status && !sources || l.dry && b.steps.unknownNeed(b.Step) != nil {
		return v, nil
	}
	if forced {
		return l.judgeForced(ctx, b)
	}
	stale := false
	if status {
		if stale, err = l.stale(ctx, b); err != nil {
			return v, err
		}
		if !stale && !sources {
			v.fresh = !b.readable() // nothing is recorded of it that others could read
			return v, nil
		}
	}
	if !sources {
		return v, nil
	}
	in, err := l.inputs(ctx, b)
	if err != nil || in.Method == fingerprint.None {
		return v, err
	}
	if v.check, err = l.checker.Check(ctx, in); err != nil {
		return v, err
	}
	l.warnUnmatched(b, v.check)
	switch {
	case v.check.Fresh && !stale:
		l.isFresh(b, &v)
		return v, nil
	case l.dry, t.Interactive:
		return v, nil
	}
	return v, l.lock(ctx, b, &v, in, stale)
}

// isFresh gives what is recorded of the step to those that need it.
func (l *fresh) isFresh(b *Bound, v *verdict) {
	v.fresh, v.output = true, decodeOutput(v.check.Outputs())
	l.digests.Store(b.Step, v.check.Digest)
	if v.output != nil {
		b.steps.outputs.Store(b.Step, v.output)
	}
}

// judgeForced prepares a forced run. When it succeeds, what is recorded does not change: a
// step that was up to date still is, and one that was not still has to run.
func (l *fresh) judgeForced(ctx context.Context, b *Bound) (v verdict, err error) {
	if len(b.Step.Task.Sources) == 0 {
		return v, nil
	}
	in, err := l.inputs(ctx, b)
	if err != nil || in.Method == fingerprint.None {
		return v, nil // the step runs, whatever it is made from
	}
	v.check, err = l.checker.Check(ctx, in)
	v.unsaved = err == nil && !v.check.Fresh
	return v, err
}

// lock takes the entry's lock. Who had to wait for it, or finds that something else is
// recorded by now, looks again, because another process may have done the work; not if the
// step must run in any case.
func (l *fresh) lock(ctx context.Context, b *Bound, v *verdict, in *fingerprint.Inputs, mustRun bool) (err error) {
	step := b.Cookie.String()
	unlock, changed, free := v.check.TryLock(step)
	if !free {
		// Who waits for a lock holds no slot: its holder may need one.
		b.Env.Release(func() {
			unlock, err = v.check.Lock(ctx, step, func(holder string) {
				b.Emit(&event.Waiting{Time: time.Now(), Step: b.ID, For: event.Lock, Holder: holder})
			})
		})
	}
	if _, own := errors.AsType[*state.OwnLockError](err); own {
		return &diag.Diagnostic{Pos: b.Step.TaskPos(), Kind: diag.Cycle, What: fmt.Sprintf("task %q would wait for itself", b.Step.Name),
			Why: "a weft that this one was started by runs it, and waits for this one to end", Fix: "do not run weft for it in its own commands"}
	}
	if err != nil {
		return err
	}
	v.unlock = unlock
	if free && !changed || mustRun {
		return nil
	}
	l.tree.Dirty() // its files are another process's work
	if v.check, err = l.checker.Check(ctx, in); err != nil {
		v.release()
		return err
	}
	if v.check.Fresh {
		l.isFresh(b, v)
		v.release()
	}
	return nil
}

// stale reports whether a status command says that the step is not up to date.
func (l *fresh) stale(ctx context.Context, b *Bound) (bool, error) {
	for _, text := range b.Step.Status() {
		err := b.test(ctx, l.test, text)
		if ctx.Err() != nil {
			return false, context.Cause(ctx)
		}
		b.Emit(&event.StatusChecked{Time: time.Now(), Step: b.ID, Text: text, Err: err})
		if err != nil {
			return true, nil
		}
	}
	return false, nil
}

// warnUnmatched tells of patterns that are probably misspelt: of each of a task once.
func (l *fresh) warnUnmatched(b *Bound, c *fingerprint.Check) {
	for _, p := range c.Unmatched {
		if _, told := l.unmatched.LoadOrStore(unmatched{b.Step.Task.Name, p}, true); told {
			continue
		}
		b.Emit(&event.DiagnosticFound{Time: time.Now(), Diagnostic: &diag.Diagnostic{Pos: p.Pos, Severity: diag.Warning, Kind: diag.Suspicious,
			What: fmt.Sprintf("task %q: %q matches no file", b.Step.Name, p.Glob), Fix: l.tree.Suggest(b.Dir, p)}})
	}
}

// unmatched is a pattern of a task that matches no file.
type unmatched struct {
	task    string
	pattern glob.Pattern
}
