package executor

import (
	"context"
	"fmt"
	"strings"

	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/fingerprint"
	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/engine/proc"
)

// inspected is the run of a step that is only looked at: it calls nothing.
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

// look returns s as far as it is known without running it.
func (x *Executor) look(s *plan.Step) *Bound {
	return &Bound{Step: s, Env: &inspected{notify: x.o.Notify}, Cookie: proc.Cookie{Run: x.o.Run}, steps: &x.steps}
}

// Fresh reports whether s would be up to date, without running or writing anything but its
// status commands.
func (x *Executor) Fresh(ctx context.Context, s *plan.Step) (bool, error) {
	b := x.look(s)
	if err := x.bind.bind(ctx, b); err != nil {
		return false, err
	}
	v, err := x.fresh.judge(ctx, b, false)
	return v.fresh, err
}

// FilesFresh reports whether the sources of s, and what it generates, are what they were when
// it last succeeded; how they are made does not count. Nothing is run or written, and nothing
// but the files of s need be bound.
func (x *Executor) FilesFresh(ctx context.Context, s *plan.Step) (bool, error) {
	b := x.look(s)
	var err error
	if b.Dir, err = s.Scope.Dir(ctx); err != nil {
		return false, err
	}
	in, err := x.fresh.fileInputs(ctx, b)
	if err != nil {
		return false, err
	}
	c, err := x.o.Checker.Check(ctx, in)
	return err == nil && c.Fresh, err
}

// Why is Fresh with the reasons why not.
func (x *Executor) Why(ctx context.Context, s *plan.Step) (bool, []fingerprint.Reason, error) {
	b := x.look(s)
	if err := x.bind.bind(ctx, b); err != nil {
		return false, nil, err
	}
	if n := x.steps.unknownNeed(s); n != nil {
		return false, []fingerprint.Reason{{Kind: "need", Name: n.Label, New: "its output is not known before it runs"}}, nil
	}
	v, err := x.fresh.judge(ctx, b, false)
	if err != nil || v.fresh {
		return v.fresh, nil, err
	}
	switch {
	case v.check != nil && !v.check.Fresh:
		return false, advise(s, inWords(v.check.Why(ctx))), nil
	case len(s.Task.Status) > 0:
		return false, []fingerprint.Reason{{Kind: "status"}}, nil
	case v.check == nil && len(s.Task.Sources) > 0:
		return false, []fingerprint.Reason{{Kind: "never", Name: "method: none"}}, nil
	}
	return false, []fingerprint.Reason{{Kind: "never", Name: "it has neither sources nor status"}}, nil
}

// inWords replaces each reason that has encodings of a command by one for every key in
// which they differ.
func inWords(reasons []fingerprint.Reason) []fingerprint.Reason {
	out := make([]fingerprint.Reason, 0, len(reasons))
	for _, r := range reasons {
		differences, err := plan.Differences(r.Old, r.New)
		if r.Kind != "command" || err != nil { // or a word: it has a secret
			out = append(out, r)
			continue
		}
		for _, d := range differences {
			out = append(out, fingerprint.Reason{Kind: r.Kind, Name: strings.TrimSpace(r.Name + " " + d.Key), Old: d.Old, New: d.New})
		}
	}
	return out
}

// advise explains the reasons that will be there the next time, too: a command or a
// variable that is never the same.
func advise(s *plan.Step, reasons []fingerprint.Reason) []fingerprint.Reason {
	for _, r := range reasons {
		if f := s.NeverSame(r.Kind, r.Name); f != "" {
			reasons = append(reasons, fingerprint.Reason{Kind: "never",
				Name: fmt.Sprintf("%s %s calls %s, which is never the same; `fingerprint: %s` looks at the content of sources alone", r.Kind, r.Name, f, plan.FingerprintV3)})
		}
	}
	return reasons
}
