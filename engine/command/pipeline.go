package command

import (
	"context"
	"os"
	"sync"
	"sync/atomic"

	"github.com/weftrun/weft/engine/executor"
	"github.com/weftrun/weft/engine/pipe"
	"github.com/weftrun/weft/engine/plan"
)

// link is one command of a pipeline.
type link struct {
	*job
	producer pipe.Producer
	cancel   context.CancelCauseFunc // set before any begins
	err      error                   // its result
	place    int64                   // rank in the order of ends, from 1
}

// pipeline runs members concurrently, each reading the output of the one before it. Its error is
// that of the last member that failed. A member that ends because the next one stopped reading has
// not failed.
func (j *job) pipeline(ctx context.Context) error {
	links, release, err := j.links(ctx)
	if err != nil {
		return err
	}
	defer release()
	var ended atomic.Int64
	var wg sync.WaitGroup
	last := links[len(links)-1]
	for _, l := range links {
		own, cancel := context.WithCancelCause(ctx)
		l.cancel = cancel
		wg.Go(func() {
			defer cancel(nil)
			l.err = l.link(own)
			l.place = ended.Add(1)
			l.closeOwn()
			if l == last {
				// The others have no readers any more: they are stopped after a while, or at once.
				for _, p := range links[:len(links)-1] {
					p.producer.Drain(j.s.o.Clock, l.err != nil && j.s.Step.Failfast, func() { p.cancel(executor.NoReaders{}) })
				}
			}
		})
	}
	wg.Wait()
	for _, l := range links {
		l.producer.End()
	}
	return j.status(ctx, links)
}

// links connects the members of a pipeline.
func (j *job) links(ctx context.Context) (links []*link, release func(), err error) {
	members := j.c.Members
	links = make([]*link, len(members))
	large := 0
	calls, report, in := j.s.newCalls(ctx, members), j.reportOn(members), j.In
	var opened []*os.File
	for n := range members {
		l := &link{producer: pipe.Producer{Parent: j.Producer}}
		first, last := n == 0, n == len(members)-1
		e := ends{ownIn: !first, ownOut: !last, inGroup: true, Streams: executor.Streams{In: in, Out: j.Out, Err: j.Err, Producer: &l.producer, Shown: last && j.Shown, Activity: j.Activity}}
		if !last {
			if in, e.Out, err = pipe.ForPrograms(); err != nil {
				pipe.CloseAll(opened)
				return nil, nil, err
			}
			opened = append(opened, in, e.Out)
			if j.s.o.Large.Enlarge(e.Out) {
				large++
			}
		}
		e.report, report = cutReport(report, &members[n])
		l.job = j.of(&members[n], e)
		if calls != nil {
			l.calls = calls
		}
		links[n] = l
	}
	return links, func() {
		for range large {
			j.s.o.Large.Release()
		}
	}, nil
}

// status returns the error of a pipeline.
func (j *job) status(ctx context.Context, links []*link) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	last := len(links) - 1
	links[last].err = accepted(links[last].err, j.c.Accept)
	var failed error
	ok := links[last].err == nil
	for n := last; n >= 0; n-- {
		l := links[n]
		if n < last && l.err != nil && ok && (executor.IsNoReaders(l.err) || j.c.EarlyClose && l.place > links[n+1].place) {
			l.err = nil
		}
		if l.err != nil && l.c.IgnoreError {
			l.err = nil
		}
		ok = ok && l.err == nil
		if failed == nil {
			failed = l.err
		}
	}
	return failed
}

// link runs a member of a pipeline; a tee or merge has several commands.
func (j *job) link(ctx context.Context) error {
	switch j.c.Kind {
	case plan.Tee:
		return j.tee(ctx)
	case plan.Merge:
		return j.merge(ctx)
	}
	return j.member(ctx)
}
