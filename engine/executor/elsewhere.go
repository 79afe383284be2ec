package executor

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/weftrun/weft/engine/cache"
	"github.com/weftrun/weft/engine/clock"
	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/plan"
)

// Remote performs steps elsewhere than in the root directory, where they find nothing but their
// inputs. It is safe for concurrent use.
type Remote interface {
	// Wants reports whether s is to be performed there if it can be. told means that its own task says
	// so: then it is a surprise if it cannot.
	Wants(s *plan.Step) (wants, told bool)
	// Refuses returns why a step cannot be performed there: "it has no sources"; "" if it can. in is nil
	// while the inputs are not known: then only the step itself is looked at.
	Refuses(ctx context.Context, b *Bound, in *cache.Inputs) (why string, err error)
	// Declined is called for a step whose own task says that it is to be performed there, but which
	// cannot be. It returns nil if it is performed here then.
	Declined(s *plan.Step, why string) error
	// Run performs a step. The error means that it could not be performed, not that it has failed, or
	// is the cause of ctx. It is an [*Unavailable] if the step is to be performed here then.
	// It is [ErrGone] if inputs are missing there that [Bound.HandedOver] reports.
	Run(ctx context.Context, b *Bound, in *cache.Inputs, accept Accept) (*Performed, error)
	// Leaves reports whether outputs stay there until they are needed here; named means that they are
	// those of a task that the user has named.
	Leaves(named bool) bool
}

// Accept returns the blobs that are needed of a result, which may come from anyone, to restore it, or to
// show it if its outputs stay where they are. The error is why it must not be used.
type Accept func(*cache.ActionResult) ([]cache.Digest, error)

// Unavailable is the error of a step that is to be performed here, since it could not be performed
// elsewhere. The user has been told.
type Unavailable struct{ Err error }

func (e *Unavailable) Error() string { return e.Err.Error() }

// Unwrap returns Err.
func (e *Unavailable) Unwrap() error { return e.Err }

// Performed is the result of a step that a [Remote] has performed. Its user calls Close.
type Performed struct {
	Err    error               // why the step has failed or was stopped; nil: it has succeeded
	Result *cache.ActionResult // of a success
	Disk   *cache.Disk         // with the blobs of Result
	Place  event.Place         // where it was performed, or that the result is an earlier one
	Worker string              // that has performed it now, as the server calls it; "" if unknown
	Stages event.Stages
	Keep   func() error // keeps Result, which was restored, in a cache; may be nil
	// Rest puts other blobs of Result into Disk; nil: all are there.
	Rest func(ctx context.Context, blobs []cache.Digest) error

	// The log of a failure.
	Log   io.Reader // nil: there is none
	Size  int64     // of Log, in bytes
	Marks []cache.Mark

	Close func() // releases Disk and Log
}

// elsewhere performs steps elsewhere, and restores their results.
type elsewhere struct {
	remote Remote
	shown  Cache // how results are restored and shown; without a Disk and an Index
	clock  *clock.Clock
	next   Body // performs steps here
	cached *cached
	left   *left
}

// takes decides whether b is performed elsewhere, and tells why not.
func (l *elsewhere) takes(ctx context.Context, b *Bound) (bool, error) {
	wants, told := l.remote.Wants(b.Step)
	if !wants {
		return false, nil
	}
	why, err := l.remote.Refuses(ctx, b, nil)
	var in *cache.Inputs
	if why == "" && err == nil {
		if in, err = l.cached.fresh.job(ctx, b); err != nil && ctx.Err() == nil {
			why, err = err.Error(), nil
		}
	}
	e := entry{cached: l.cached, Cache: &l.shown, b: b}
	if why == "" && err == nil {
		if err := e.generated().checkSinks(ctx, b); err != nil {
			why = err.Error()
		}
	}
	if why == "" && err == nil {
		why, err = l.remote.Refuses(ctx, b, in)
	}
	switch {
	case err != nil:
		return false, err
	case why == "":
		b.job, b.leaves = in, l.left.mayLeave(b.Step)
		if told {
			l.tellUnread(ctx, &e)
		}
	case told:
		if err := l.remote.Declined(b.Step, why); err != nil {
			return false, err
		}
		e.tell(ctx, fmt.Sprintf("task %q: runs here: %s", b.Step.Name, why), "")
	}
	return b.job != nil, nil
}

// tellUnread warns of needs that make files of which none is a source of the step: it gets only its sources.
func (l *elsewhere) tellUnread(ctx context.Context, e *entry) {
	b := e.b
	sources := Patterns(b.Step.Sources())
	b.Step.Needs(func(n *plan.Step) {
		if len(n.Writes()) > 0 && !reads(b.Dir, sources, n, l.cached.fresh.root) {
			e.tell(ctx, fmt.Sprintf("task %q: its sources match nothing that %q generates: elsewhere it does not get that", b.Step.Name, n.Name), "")
		}
	})
}

// Run implements Body.
func (l *elsewhere) Run(ctx context.Context, b *Bound) Result {
	if b.job == nil {
		return l.next.Run(ctx, b)
	}
	ctx = b.outer // the runner has the limit: waiting for a worker does not count
	b.begin()
	r, err := l.perform(ctx, b)
	if errors.Is(err, ErrGone) && ctx.Err() == nil {
		if err = l.left.bring(b); err == nil {
			b.job, err = l.cached.fresh.job(ctx, b)
		}
		if err == nil {
			r, err = l.perform(ctx, b)
		}
	}
	if err != nil && b.place == event.Cache && ctx.Err() == nil {
		b.anew = true // the earlier result is damaged
		r, err = l.perform(ctx, b)
	}
	if _, unavailable := errors.AsType[*Unavailable](err); unavailable {
		b.job, b.place = nil, ""
		if err := l.left.bring(b); err != nil {
			return Ended(ctx, err)
		}
		ctx, done := limited(ctx, l.clock, b.Step)
		defer done()
		return l.cached.runHere(ctx, b)
	}
	if err != nil {
		return Ended(ctx, err)
	}
	return *r
}

// perform performs b elsewhere, and restores its result.
func (l *elsewhere) perform(ctx context.Context, b *Bound) (*Result, error) {
	shown := l.shown
	if b.again {
		shown.Replay = notShown
	}
	e := &entry{cached: l.cached, Cache: &shown, b: b}
	leaves := false
	var declared func(path string) bool
	p, err := l.remote.Run(ctx, b, b.job, func(r *cache.ActionResult) ([]cache.Digest, error) {
		meta, err := e.usable(r)
		if err != nil {
			return nil, err
		}
		if declared, err = e.generated().declaredIn(ctx, r); err == nil {
			err = r.Check(declared)
		}
		if leaves = b.leaves && err == nil && e.leavable(ctx, r); leaves {
			return (&cache.ActionResult{Stdout: r.Stdout}).Blobs(meta), nil
		}
		return r.Blobs(meta), err
	})
	if err != nil {
		return nil, err
	}
	defer p.Close()
	defer l.cached.flush() // see entry.record
	shown.Disk, b.place, b.worker, b.stages = p.Disk, p.Place, p.Worker, p.Stages
	if p.Err == nil {
		meta, err := e.usable(p.Result)
		var r *Result
		if err == nil {
			r, err = e.accept(ctx, p.Result, meta, func(ctx context.Context) error {
				if leaves && p.Rest != nil {
					if left, err := e.leaveFiles(ctx, p); left || err != nil {
						return err
					}
					if err := p.Rest(ctx, p.Result.Blobs(meta)); err != nil {
						return err
					}
				}
				return e.restoreFiles(ctx, p.Result)
			})
			if err == nil && b.left == nil && len(b.handed) > 0 {
				b.left = newLeft(b, p, declared)
			}
		}
		if err != nil {
			return nil, fmt.Errorf("what it has made cannot be restored: %w", err)
		}
		if p.Keep != nil && r.Err == nil && !leaves {
			e.warn(ctx, "has run elsewhere, but its result is not kept in the cache", p.Keep())
		}
		return r, nil
	}
	// What it wrote explains the failure, even if it was stopped.
	if p.Log == nil {
		r := Ended(ctx, p.Err)
		return &r, nil
	}
	err = checkMarks(p.Marks, p.Size, e.commands(), shown.SeparateStderr)
	if err == nil {
		err = shown.Replay(context.WithoutCancel(ctx), b, p.Log, p.Marks, p.Size)
	}
	e.warn(ctx, "has failed, but its output cannot be shown", err)
	r := Ended(ctx, p.Err)
	return &r, nil
}

// notShown is a [Replayer] for a step that was shown before.
func notShown(context.Context, *Bound, io.Reader, []cache.Mark, int64) error { return nil }

// job returns everything that b needs to be performed elsewhere. The error says why that is not
// possible, unless it is that of ctx.
func (l *fresh) job(ctx context.Context, b *Bound) (*cache.Inputs, error) {
	if b.check == nil || b.Step.Rule() == plan.FingerprintV3 {
		return nil, errors.New("its method, or its fingerprint, ignores what its sources are")
	}
	in, err := l.fileInputs(ctx, b)
	if err != nil {
		return nil, err
	}
	act := &in.Act
	act.Limit = b.Step.Task.Timeout
	for _, c := range b.Step.Commands() {
		if c.Defer {
			if c, err = b.Step.BindDeferred(ctx, c, ""); err != nil {
				return nil, err
			}
		}
		act.Commands = append(act.Commands, c.Encode(nil, true))
	}
	env, _, err := b.Step.Scope.FileEnv(ctx)
	if err != nil {
		return nil, err
	}
	for _, v := range env {
		in.Env = append(in.Env, cache.EnvironmentVariable{Name: v.Name, Value: fmt.Sprint(v.Value)})
	}
	for _, o := range b.Step.Outputs() {
		act.Outputs = append(act.Outputs, cache.Value{Name: o.Name, From: o.From, As: o.As, Path: o.Path})
	}
	return in, nil
}
