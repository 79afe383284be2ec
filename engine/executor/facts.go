package executor

import (
	"context"
	"errors"
	"strings"
	"syscall"
	"time"

	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/fingerprint"
	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/engine/sched"
)

// factsOf returns the facts of a step that ended with r; nil if there are none.
func (x *Executor) factsOf(b *Bound, r *Result) *sched.Facts {
	if r.Err == nil && r.Attempts == 0 && (!x.o.Facts || b.seen == nil) {
		if x.o.Facts && b.begun && r.Outcome == event.Succeeded {
			return &doneHere
		}
		return nil
	}
	f := &sched.Facts{Attempts: r.Attempts}
	var killed interface {
		Killed() (sig syscall.Signal, outOfMemory bool)
	}
	if r.Err != nil && errors.As(r.Err, &killed) {
		sig, outOfMemory := killed.Killed()
		if f.OOM = outOfMemory; sig != 0 {
			f.Signal = sig
		}
	}
	if !x.o.Facts {
		return f
	}
	switch {
	case r.Outcome == event.Restored:
		f.Place = event.Cache
	case b.place != "":
		f.Place, f.Worker, f.Stages = b.place, b.worker, b.stages
	case b.begun:
		f.Place = event.Here
	}
	if c := b.seen; c != nil {
		f.Inputs.Files, f.Inputs.Bytes = c.Size()
		f.Fingerprint = shortDigest(c.Fingerprint())
		if f.Place != "" && r.Err == nil {
			f.Wrote = c.Generated(event.MaxWrote)
		}
	}
	return f
}

// doneHere is shared by most steps, and never modified.
var doneHere = sched.Facts{Place: event.Here}

// shortDigest formats a fingerprint for events; "" for the zero Digest.
func shortDigest(d fingerprint.Digest) string {
	if d == (fingerprint.Digest{}) {
		return ""
	}
	return d.String()[:16]
}

// reportReasons reports why a checked step runs.
func (l *fresh) reportReasons(ctx context.Context, b *Bound, v *verdict) {
	if Unchecked(b.Step) != "" {
		return
	}
	reasons := reasonsOf(ctx, b.Step, v)
	ev := &event.StepChecked{Time: time.Now(), Step: b.ID}
	for _, r := range reasons[:min(len(reasons), event.MaxReasons)] {
		ev.Reasons = append(ev.Reasons, cut(l.secrets.Mask(r.String())))
	}
	b.Emit(ev)
}

// cut shortens a reason. Secrets must have been masked, because a partial one is not recognized.
func cut(reason string) string {
	const most = 400 // bytes
	if len(reason) <= most {
		return reason
	}
	return strings.ToValidUTF8(reason[:most], "") + "…"
}

// Unchecked returns why s always runs; "" if its freshness is checked.
func Unchecked(s *plan.Step) string {
	switch t := s.Task; {
	case t.Service() != nil:
		return "it is a service"
	case len(t.Sources)+len(t.Status) == 0:
		return "it has neither sources nor status"
	}
	return ""
}
