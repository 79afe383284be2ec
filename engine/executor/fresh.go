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
	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/schema/diag"
)

// fresh ends steps that are up to date, and records the success of others.
type fresh struct {
	next     Body
	test     Test
	checker  *fingerprint.Checker
	expander *plan.Expander // binds texts for cache keys; nil: they are used as they are
	tree     *glob.Tree
	root     string // directory of the workflow
	secrets  *pipe.Secrets
	dry      bool
	ran      func(*plan.Step) // called for steps whose commands have run; may be nil
	reasons  bool             // report why steps run
	before   func(*plan.Step) *Success
	left     *left

	unmatched sync.Map // patterns with a warning: unmatched to true
}

// Run implements Body.
func (l *fresh) Run(ctx context.Context, b *Bound) Result {
	if b.Step.Service() != nil { // a service is never up to date
		b.tree = l.tree
		r := l.next.Run(ctx, b)
		l.tree.MarkDirty()
		return r
	}
	readWhole := b.Streams.Out != nil && !b.Streams.Shown // a reader of the step needs all of its output
	forced := b.Forced || readWhole
	v, err := l.judge(ctx, b, forced)
	if err != nil {
		return Ended(ctx, err)
	}
	b.seen = v.check
	if v.fresh || !readWhole && l.doneBefore(ctx, b, &v) {
		return Result{Outcome: event.Fresh, Output: v.output}
	}
	if l.reasons && !forced {
		l.reportReasons(ctx, b, &v)
	}
	if v.check != nil {
		v.check.Forget()
	}
	if !l.dry {
		b.check = v.check
	}
	r := l.next.Run(ctx, b)
	if r.OnEnd == nil {
		l.ended(ctx, b, &v, &r)
		return r
	}
	l.endLater(ctx, b, v, r)
	return r
}

// endLater calls ended when the last commands of a step have ended.
func (l *fresh) endLater(ctx context.Context, b *Bound, v verdict, r Result) {
	if b.check != nil && r.Err == nil && !v.unrecorded {
		recordOrigin(b.Step, b.check.Digest) // dependents start before its last commands end
	}
	r.OnEnd(func(err error) {
		if r.Err == nil {
			r.Err = err
		}
		l.ended(context.WithoutCancel(ctx), b, &v, &r)
	})
}

// ended records the result of a step all of whose commands have ended.
func (l *fresh) ended(ctx context.Context, b *Bound, v *verdict, r *Result) {
	defer v.release()
	if !b.begun {
		return
	}
	l.tree.MarkDirty()
	if l.ran != nil {
		l.ran(b.Step)
	}
	switch {
	case b.check == nil:
	case r.Err != nil:
		b.check.Discard()
	case b.left != nil:
		l.left.add(b.left, !v.unrecorded)
	case !v.unrecorded:
		l.commit(ctx, b, r.Output)
	}
}

// commit records the success of a step. The only error is that of ctx.
func (l *fresh) commit(ctx context.Context, b *Bound, o *Output) error {
	var output []byte
	if b.readable() {
		output = o.encode(l.secrets)
	}
	err := b.check.Commit(ctx, output)
	recordOrigin(b.Step, b.check.Digest)
	return err
}

// verdict is the result of a freshness check. Its zero value means "always runs".
type verdict struct {
	fresh      bool
	check      *fingerprint.Check // the check behind it; nil: nothing is recorded of the step
	output     *Output            // of the last success, if fresh; nil: none was kept
	unrecorded bool               // nor is a success recorded
	unlock     func()
}

// release releases the lock of the entry, if it was taken.
func (v *verdict) release() {
	if v.unlock != nil {
		v.unlock()
		v.unlock = nil
	}
}

// judge checks whether the step is up to date; a forced one has to run.
func (l *fresh) judge(ctx context.Context, b *Bound, forced bool) (v verdict, err error) {
	t := b.Step.Task
	status, sources := len(t.Status) > 0, len(t.Sources) > 0
	if t.Service() != nil || !status && !sources || l.dry && b.steps.unknownNeed(b.Step) != nil {
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
			v.fresh = !b.readable() // a step whose outputs others read must have recorded ones
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
	if v.check, err = l.compare(ctx, b, in); err != nil {
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

// compare checks the files of the step. It is not up to date if some of them are elsewhere.
func (l *fresh) compare(ctx context.Context, b *Bound, in *fingerprint.Inputs) (c *fingerprint.Check, err error) {
	var unmatched []glob.Pattern
	if l.left != nil { // first, since they may be brought here meanwhile
		if b.handed, unmatched, err = l.left.matching(ctx, b, in.Sources); err != nil {
			return nil, err
		}
	}
	if c, err = l.checker.Check(ctx, in); err != nil {
		return nil, err
	}
	if len(b.handed) > 0 {
		c.Fresh = false
		neither := unmatched[:0]
		for _, p := range unmatched {
			for _, other := range c.Unmatched {
				if p == other {
					neither = append(neither, p)
					break
				}
			}
		}
		c.Unmatched = neither
	}
	return c, nil
}

// isFresh passes the recorded outputs of the step to its readers.
func (l *fresh) isFresh(b *Bound, v *verdict) {
	v.fresh, v.output = true, decodeOutput(v.check.Outputs())
	recordOrigin(b.Step, v.check.Digest)
	if v.output != nil {
		b.steps.outputs.Store(b.Step, v.output)
	}
}

// judgeForced prepares a forced run. Its success does not change the record: a step that was up to
// date still is, and one that was not still has to run.
func (l *fresh) judgeForced(ctx context.Context, b *Bound) (v verdict, err error) {
	if len(b.Step.Task.Sources) == 0 {
		return v, nil
	}
	in, err := l.inputs(ctx, b)
	if err != nil || in.Method == fingerprint.None {
		return v, nil // the step runs, whatever it is made from
	}
	v.check, err = l.compare(ctx, b, in)
	v.unrecorded = err == nil && !v.check.Fresh
	return v, err
}

// lock takes the entry's lock. If it had to wait, or the record has changed, it checks again,
// because another process may have done the work; not if the step must run in any case.
func (l *fresh) lock(ctx context.Context, b *Bound, v *verdict, in *fingerprint.Inputs, mustRun bool) (err error) {
	step := b.Cookie.String()
	unlock, changed, free := v.check.TryLock(step)
	if !free {
		unlock, err = b.lock(ctx, v.check, step)
	}
	if _, own := errors.AsType[*state.OwnLockError](err); own {
		return &diag.Diagnostic{Pos: b.Step.TaskPos(), Kind: diag.Cycle, What: fmt.Sprintf("task %q would wait for itself", b.Step.Name),
			Why: "this weft was started, directly or indirectly, by a weft that runs the task and waits for this one", Fix: "do not run the task with weft in its own commands"}
	}
	if err != nil {
		return err
	}
	v.unlock = unlock
	if free && !changed || mustRun {
		return nil
	}
	l.tree.MarkDirty() // its files are another process's work
	if v.check, err = l.compare(ctx, b, in); err != nil {
		v.release()
		return err
	}
	if v.check.Fresh {
		l.isFresh(b, v)
		v.release()
	}
	return nil
}

// lock waits for the lock of an entry. Meanwhile b holds no slot, because the holder may need one.
func (b *Bound) lock(ctx context.Context, c *fingerprint.Check, step string) (unlock func(), err error) {
	b.Env.Release(func() {
		unlock, err = c.Lock(ctx, step, func(holder string) {
			b.Emit(&event.Waiting{Time: time.Now(), Step: b.ID, For: event.Lock, Holder: holder})
		})
	})
	return unlock, err
}

// stale reports whether a status command failed, so that the step is not up to date.
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

// warnUnmatched warns of patterns that are probably misspelt, once per task and pattern.
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
