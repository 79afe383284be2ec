package executor

import (
	"context"
	"fmt"
	"strings"

	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/fingerprint"
	"github.com/weftrun/weft/engine/glob"
	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/engine/proc"
)

// inspected is the environment of a step that is only inspected: it calls nothing.
type inspected struct {
	Env
	notify func(event.Event) // nil drops events
}

// Emit implements Env.
func (i *inspected) Emit(ev event.Event) {
	if i.notify != nil {
		i.notify(ev)
	}
}

// Hold implements Env.
func (*inspected) Hold(f func()) { f() }

// inspect returns s bound as far as possible without running it.
func (x *Executor) inspect(s *plan.Step) *Bound {
	return &Bound{Step: s, Env: &inspected{notify: x.o.Notify}, Cookie: proc.Cookie{Run: x.o.Run}, steps: &x.steps}
}

// Fresh reports whether s is up to date, without running or writing anything except its status
// commands.
func (x *Executor) Fresh(ctx context.Context, s *plan.Step) (bool, error) {
	b := x.inspect(s)
	if err := x.bind.bind(ctx, b); err != nil {
		return false, err
	}
	v, err := x.fresh.judge(ctx, b, false)
	return v.fresh, err
}

// FilesFresh reports whether the sources and generated files of s are unchanged since its last
// success, whatever its commands are. Nothing is run or written, and only the files of s need to be
// bound.
func (x *Executor) FilesFresh(ctx context.Context, s *plan.Step) (bool, error) {
	in, err := x.fileInputs(ctx, s)
	if err != nil {
		return false, err
	}
	c, err := x.o.Checker.Check(ctx, in)
	return err == nil && c.Fresh, err
}

// fileInputs returns the files that the fingerprint of s covers.
func (x *Executor) fileInputs(ctx context.Context, s *plan.Step) (*fingerprint.Inputs, error) {
	b := x.inspect(s)
	var err error
	if b.Dir, err = s.Scope.Dir(ctx); err != nil {
		return nil, err
	}
	in := new(fingerprint.Inputs)
	return in, x.fresh.fillFileInputs(ctx, b, in)
}

// Discovered returns the files that the depfile of s names; see [fingerprint.Checker.Discovered].
func (x *Executor) Discovered(ctx context.Context, s *plan.Step) (found map[string]glob.Digest, unsure bool, err error) {
	in, err := x.fileInputs(ctx, s)
	if err != nil {
		return nil, false, err
	}
	return x.o.Checker.Discovered(ctx, in)
}

// Why is Fresh with the reasons why not, and the state of the cache for s.
func (x *Executor) Why(ctx context.Context, s *plan.Step) (Verdict, error) {
	b := x.inspect(s)
	if err := x.bind.bind(ctx, b); err != nil {
		return Verdict{}, err
	}
	if n := x.steps.unknownNeed(s); n != nil {
		return Verdict{Reasons: []fingerprint.Reason{{Kind: "need", Name: n.Label, New: "its output is not known before it runs"}}}, nil
	}
	v, err := x.fresh.judge(ctx, b, false)
	if err != nil || v.fresh {
		return Verdict{Fresh: v.fresh}, err
	}
	verdict := Verdict{Reasons: reasonsOf(ctx, s, &v)}
	b.check = v.check
	x.cached.explain(ctx, b, &verdict)
	return verdict, nil
}

// Push stores the result of s, as it is now, in the shared cache, if the local one has it. Nothing is
// run except status commands.
func (x *Executor) Push(ctx context.Context, s *plan.Step) (there bool, err error) {
	b := x.inspect(s)
	if err := x.bind.bind(ctx, b); err != nil {
		return false, err
	}
	l := x.cached
	if x.steps.unknownNeed(s) != nil || l.open == nil || s.Cache() == nil || !s.Shares() {
		return false, nil
	}
	v, err := x.fresh.judge(ctx, b, false)
	c := l.open()
	if err != nil || c == nil || v.check == nil {
		return false, err
	}
	b.check = v.check
	key, err := x.fresh.cacheKey(ctx, b)
	if err != nil {
		return false, err
	}
	r, err := c.Disk.Lookup(key.Action)
	if err != nil || r == nil {
		return false, err
	}
	c.Shared.Store(s.Name, key, r)
	return true, nil
}

// reasonsOf returns why s is not up to date, according to v.
func reasonsOf(ctx context.Context, s *plan.Step, v *verdict) []fingerprint.Reason {
	switch {
	case Unchecked(s) != "":
		return []fingerprint.Reason{{Kind: "never", Name: Unchecked(s)}}
	case v.check != nil && !v.check.Fresh:
		return advise(s, describeReasons(v.check.Why(ctx)))
	case len(s.Task.Status) > 0:
		return []fingerprint.Reason{{Kind: "status"}}
	}
	return []fingerprint.Reason{{Kind: "never", Name: "method: none"}}
}

// inWords replaces each reason that contains encoded commands by one for every differing key.
func describeReasons(reasons []fingerprint.Reason) []fingerprint.Reason {
	out := make([]fingerprint.Reason, 0, len(reasons))
	for _, r := range reasons {
		differences, err := plan.Differences(r.Old, r.New)
		if r.Kind != "command" || err != nil { // not encoded: it contains a secret
			out = append(out, r)
			continue
		}
		for _, d := range differences {
			out = append(out, fingerprint.Reason{Kind: r.Kind, Name: strings.TrimSpace(r.Name + " " + d.Key), Old: d.Old, New: d.New})
		}
	}
	return out
}

// advise explains the reasons that will recur: a command or a variable that changes every time.
func advise(s *plan.Step, reasons []fingerprint.Reason) []fingerprint.Reason {
	for _, r := range reasons {
		if f := s.VolatileFunction(r.Kind, r.Name); f != "" {
			reasons = append(reasons, fingerprint.Reason{Kind: "never",
				Name: fmt.Sprintf("%s %s calls %s, which is different each time; `fingerprint: %s` compares only the content of sources", r.Kind, r.Name, f, plan.FingerprintV3)})
		}
	}
	return reasons
}
