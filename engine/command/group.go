package command

import (
	"context"
	"os"
	"slices"
	"sync"

	"github.com/weftrun/weft/engine/executor"
	"github.com/weftrun/weft/engine/plan"
)

// group runs a group. The streams named by its keys and those of the task are shared by all
// members: they are connected once, around the group.
func (j *job) group(ctx context.Context, members func(*job, context.Context) error) error {
	p, captured := j.c.Process, j.captured()
	inside := j.of(j.c, *j.ends)
	inside.inGroup = true
	if p.Stdin == nil && p.Stdout == nil && p.Stderr == nil && !captured && p.Retry.Match == nil {
		return inside.watched(ctx, members)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	outside := *p
	outside.IdleTimeout, outside.TTY = 0, false
	w, err := j.wire(ctx, &outside, cancel)
	if err != nil {
		return err
	}
	kept := func(s plan.Sink) bool { return s.Kind == plan.SinkFile || s.Kind == plan.SinkCapture } // read after the end
	*inside.ends = ends{inGroup: true, Streams: executor.Streams{In: j.In, Out: w.out, Err: w.err, Producer: j.Producer, Activity: j.Activity,
		Shown: (j.Out == nil || j.Shown) && !captured && !slices.ContainsFunc(p.Stdout, kept)}}
	given := []**os.File{&inside.Out, &inside.Err}
	if p.Stdin != nil {
		inside.In, given = w.in, append(given, &inside.In)
	}
	for _, f := range given {
		if *f != nil {
			continue
		}
		// The null device; otherwise members without a file would open one by their own keys.
		if *f, err = os.OpenFile(os.DevNull, os.O_RDWR, 0); err != nil {
			return w.finish(err)
		}
		w.own = append(w.own, *f)
	}
	err = inside.watched(ctx, members)
	j.s.CloseInput(p.Stdin)
	return w.finish(err)
}

// member runs one command of a group.
func (j *job) member(ctx context.Context) error {
	if !j.c.MatchesPlatform() || j.c.If != "" && j.s.test(ctx, j.c.If) != nil {
		if j.calls != nil && j.c.Kind == plan.TaskCall {
			j.calls.settle()
		}
		return nil
	}
	err := j.within(ctx, (*job).perform)
	j.reported(err)
	return err
}

// parallel runs members concurrently. It returns the first error in source order.
func (j *job) parallel(ctx context.Context) error {
	errs := make([]error, len(j.c.Members))
	var wg sync.WaitGroup
	for n := range j.c.Members {
		m := j.of(&j.c.Members[n], *j.ends)
		wg.Go(func() {
			errs[n] = m.member(ctx)
			if m.c.Accept == nil {
				errs[n] = accepted(errs[n], j.c.Accept)
			}
		})
	}
	wg.Wait()
	for n, err := range errs {
		if err != nil && !j.c.Members[n].IgnoreError {
			return err
		}
	}
	return nil
}
