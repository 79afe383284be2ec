package executor

import (
	"context"
	"slices"
	"strings"

	"github.com/weftrun/weft/engine/fingerprint"
	"github.com/weftrun/weft/engine/glob"
	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/engine/sched"
)

// quickCheck recognizes up-to-date steps without the layers: it does the same for a step whose
// files are named literally and that needs no other checks.
type quickCheck struct {
	x     *Executor
	files *fingerprint.QuickCheck
	b     Bound
	in    fingerprint.Inputs
}

// MayQuickCheck implements sched.QuickChecker.
func (x *Executor) MayQuickCheck(s *plan.Step) bool {
	t := s.Task
	switch {
	case len(t.Sources) == 0, len(t.Status)+len(t.Preconditions)+len(t.Outputs) > 0, t.Running != nil,
		x.o.Dry, s.Skip != plan.NotSkipped, s.Rule() == plan.FingerprintV3, s.UsesRuntimeValues(), s.HasChannel(), x.o.Force != nil && x.o.Force(s):
		return false
	}
	for i := range t.Sources {
		if !mayName(t.Sources[i].Pattern.S) {
			return false
		}
	}
	for i := range t.Generates {
		if !mayName(t.Generates[i].Pattern.S) {
			return false
		}
	}
	return true
}

// mayName reports whether a pattern names one file, or may do so when it is bound.
func mayName(pattern string) bool {
	return glob.Literal(pattern) || strings.Contains(pattern, "{{")
}

// QuickCheck implements sched.QuickChecker.
func (x *Executor) QuickCheck() sched.QuickCheck {
	x.ahead.end()
	return x.newQuickCheck()
}

func (x *Executor) newQuickCheck() *quickCheck {
	l, _ := x.quickChecks.Get().(*quickCheck)
	if l == nil {
		l = &quickCheck{x: x, files: x.o.Checker.QuickCheck()}
	}
	return l
}

// Close implements sched.QuickCheck.
func (l *quickCheck) Close() {
	l.files.Close()
	l.b = Bound{}
	l.x.quickChecks.Put(l)
}

// Fresh implements sched.QuickCheck.
func (l *quickCheck) Fresh(ctx context.Context, s *plan.Step) bool {
	if k := originOf(s); k != nil && l.x.ahead.holds(k) {
		k.holds.Store(true)
		return true
	}
	d, fresh := l.fresh(ctx, s, false)
	if fresh {
		recordOrigin(s, d)
	}
	return fresh
}

// fresh reports whether s is up to date, and what it was made from. ahead means that its needs have
// not ended, but have a recorded origin, see [prechecker].
func (l *quickCheck) fresh(ctx context.Context, s *plan.Step, ahead bool) (d fingerprint.Digest, fresh bool) {
	x := l.x
	if ctx.Err() != nil || x.bind.captured(s) {
		return d, false
	}
	dir, err := s.Scope.Dir(ctx)
	if err != nil {
		return d, false
	}
	l.b = Bound{Step: s, Dir: dir, steps: &x.steps, ahead: ahead}
	if c := s.Cache(); c != nil {
		if slices.ContainsFunc(c.Key, func(t plan.CacheText) bool { return t.Command }) {
			return d, false // it would run
		}
		if l.b.Environ, err = s.Scope.Environ(ctx); err != nil {
			return d, false
		}
	}
	if err := x.fresh.fillInputs(ctx, &l.b, &l.in); err != nil {
		return d, false
	}
	return l.files.Fresh(&l.in)
}
