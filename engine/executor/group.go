package executor

import (
	"context"
	"io"
	"os"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/weftrun/weft/engine/pipe"
	"github.com/weftrun/weft/engine/plan"
)

// perform runs a command of any kind, with what it is connected to.
func (r *run) perform(ctx context.Context, i int, c *plan.Command, e ends, relayed bool) error {
	switch c.Kind {
	case plan.Pipe:
		return r.asOne(ctx, i, c, e, relayed, r.pipeline)
	case plan.Parallel:
		return r.asOne(ctx, i, c, e, relayed, r.parallel)
	case plan.TaskCall:
		return r.call(ctx, c, e)
	}
	return r.script(ctx, i, c, e, relayed)
}

// asOne runs a group, with what its keys and those of the task say of it: streams are
// those of all that it reads and writes, which is connected once.
func (r *run) asOne(ctx context.Context, i int, c *plan.Command, e ends, relayed bool, members func(context.Context, int, *plan.Command, ends, bool) error) error {
	p := c.Process
	run := func(ctx context.Context, e ends) error {
		e.member = true
		return r.watched(ctx, p, func(ctx context.Context) error { return members(ctx, i, c, e, relayed) })
	}
	captured := r.captured() && !e.member
	if p.Stdin == nil && p.Stdout == nil && p.Stderr == nil && !captured && p.Retry.Match == nil {
		return run(ctx, e)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	outside := *p
	outside.IdleTimeout, outside.TTY = 0, false
	w, err := r.wire(ctx, i, &outside, e, relayed, cancel)
	if err != nil {
		return err
	}
	inside := ends{in: e.in, out: w.out, err: w.err, producer: e.producer, shown: (e.out == nil || e.shown) && !captured && !kept(p.Stdout)}
	given := []**os.File{&inside.out, &inside.err}
	if p.Stdin != nil {
		inside.in, given = w.in, append(given, &inside.in)
	}
	for _, f := range given {
		if *f != nil {
			continue
		}
		// null; members that were given nothing would look for themselves.
		if *f, err = os.OpenFile(os.DevNull, os.O_RDWR, 0); err != nil {
			return w.finish(err)
		}
		w.own = append(w.own, *f)
	}
	err = run(ctx, inside)
	r.closeInput(p.Stdin)
	return w.finish(err)
}

// kept reports whether what is written to sinks can be read later.
func kept(sinks []plan.Sink) bool {
	return slices.ContainsFunc(sinks, func(s plan.Sink) bool { return s.Kind == plan.SinkFile || s.Kind == plan.SinkCapture })
}

// member runs one command of a group.
func (r *run) member(ctx context.Context, i int, c *plan.Command, e ends, relayed bool) error {
	skip := !c.Here()
	if !skip && c.If != "" {
		skip = r.condition(ctx, c.If) != nil
	}
	if skip {
		if all, ok := ctx.Value(togetherKey{}).(*together); ok && c.Kind == plan.TaskCall {
			all.one()
		}
		return nil
	}
	err := r.within(ctx, c.Timeout, func(ctx context.Context) error { return r.perform(ctx, i, c, e, relayed) })
	e.reported(err)
	return err
}

// parallel runs members at the same time. The first error, as written, is its.
func (r *run) parallel(ctx context.Context, i int, c *plan.Command, e ends, relayed bool) error {
	errs := make([]error, len(c.Members))
	var wg sync.WaitGroup
	for n := range c.Members {
		m := &c.Members[n]
		wg.Go(func() {
			errs[n] = r.member(ctx, i, m, e, relayed)
			if m.Accept == nil {
				errs[n] = accepted(errs[n], c.Accept)
			}
		})
	}
	wg.Wait()
	for n, err := range errs {
		if err != nil && !c.Members[n].IgnoreError {
			return err
		}
	}
	return nil
}

// link is one command of a pipeline while it runs.
type link struct {
	run    func(context.Context, ends) error
	cmd    *plan.Command
	err    error
	ended  int64 // place in the order of ends, from 1
	cancel context.CancelCauseFunc

	producer producer
}

// pipeline runs members at the same time, each reading what the one before it
// writes. Its error is that of the last member that failed; that a producer was cut
// off by a consumer which had enough is no failure.
func (r *run) pipeline(ctx context.Context, i int, c *plan.Command, e ends, relayed bool) error {
	if n := countCalls(c.Members); n > 0 {
		ctx = context.WithValue(ctx, togetherKey{}, &together{r: r, ctx: ctx, want: n, begun: make(chan struct{})})
	}
	links := make([]*link, len(c.Members))
	for n := range c.Members {
		m := &c.Members[n]
		links[n] = &link{cmd: m, run: r.linkOf(i, m, relayed)}
	}
	report := r.reportOn(c.Members)
	var order atomic.Int64
	var wg sync.WaitGroup
	in := e.in
	var opened []*os.File
	for n, l := range links {
		to := e.out
		var next *os.File
		if n < len(links)-1 {
			pr, pw, err := pipe.ForPrograms()
			if err != nil {
				for _, f := range opened {
					f.Close()
				}
				return err
			}
			large := r.x.o.Large.Enlarge(pw)
			if large {
				defer r.x.o.Large.Release()
			}
			next, to = pr, pw
			opened = append(opened, pr, pw)
		}
		lctx, cancel := context.WithCancelCause(context.WithValue(ctx, pipedKey{}, true))
		l.cancel, l.producer.outer = cancel, e.producer
		first, last := n == 0, n == len(links)-1
		ours := ends{in: in, out: to, ownIn: !first, ownOut: !last, err: e.err, member: true, producer: &l.producer, shown: last && e.shown}
		ours.report, report = cutReport(report, l.cmd)
		prepare := l.run
		l.run = func(context.Context, ends) error {
			defer cancel(nil)
			err := prepare(lctx, ours)
			l.err, l.ended = err, order.Add(1)
			if !first {
				ours.in.Close()
			}
			if !last {
				ours.out.Close()
			}
			return err
		}
		in = next
	}
	for n, l := range links {
		wg.Go(func() {
			l.run(nil, ends{})
			if n < len(links)-1 {
				return
			}
			for _, p := range links[:n] {
				r.x.drain(&p.producer, l.err != nil && r.step.Failfast, p.cancel)
			}
		})
	}
	wg.Wait()
	for _, l := range links {
		l.producer.ended()
	}
	return r.status(ctx, c, links)
}

// status is the error of a pipeline.
func (r *run) status(ctx context.Context, c *plan.Command, links []*link) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	last := len(links) - 1
	links[last].err = accepted(links[last].err, c.Accept)
	var failed error
	ok := links[last].err == nil
	for n := last; n >= 0; n-- {
		l := links[n]
		if n < last && l.err != nil && ok && (cutOff(l.err) || c.EarlyClose && l.ended > links[n+1].ended) {
			l.err = nil
		}
		if l.err != nil && l.cmd.IgnoreError {
			l.err = nil
		}
		ok = ok && l.err == nil
		if failed == nil {
			failed = l.err
		}
	}
	return failed
}

// linkOf returns what runs a member of a pipeline; a tee or merge is several.
func (r *run) linkOf(i int, m *plan.Command, relayed bool) func(context.Context, ends) error {
	switch m.Kind {
	case plan.Tee:
		return func(ctx context.Context, e ends) error { return r.tee(ctx, i, m, e, relayed) }
	case plan.Merge:
		return func(ctx context.Context, e ends) error { return r.merge(ctx, i, m, e, relayed) }
	}
	return func(ctx context.Context, e ends) error { return r.member(ctx, i, m, e, relayed) }
}

// tee has all its members read the same. One that ends early is left out.
func (r *run) tee(ctx context.Context, i int, c *plan.Command, e ends, relayed bool) error {
	errs := make([]error, len(c.Members))
	fan := pipe.Fan{Flowed: func(w *os.File) { w.Close() }}
	readers, err := pipes(len(c.Members), func(w *os.File) { fan.Flows = append(fan.Flows, w) })
	if err != nil {
		return err
	}
	var wg sync.WaitGroup
	for n := range c.Members {
		m := &c.Members[n]
		wg.Go(func() {
			errs[n] = r.member(ctx, i, m, ends{in: readers[n], out: e.out, ownIn: true, err: e.err, member: true, producer: e.producer, shown: e.shown, report: e.report[n : n+1]}, relayed)
			readers[n].Close()
		})
	}
	err = fan.Copy(e.in)
	if e.ownIn { // a member may wait for the task that writes it
		e.in.Close()
	}
	wg.Wait()
	return last(c.Members, errs, err)
}

// merge has all its members write to one.
func (r *run) merge(ctx context.Context, i int, c *plan.Command, e ends, relayed bool) error {
	errs := make([]error, len(c.Members))
	var wg sync.WaitGroup
	if c.Mode == plan.MergeRaw {
		var tasks sync.WaitGroup // they have descriptors of their own, and may wait for the task that reads
		for n := range c.Members {
			m, w := &c.Members[n], &wg
			if m.Kind == plan.TaskCall {
				w = &tasks
			}
			w.Go(func() {
				errs[n] = r.member(ctx, i, m, ends{in: e.in, out: e.out, err: e.err, member: true, producer: e.producer, shown: e.shown, report: e.report[n : n+1]}, relayed)
			})
		}
		wg.Wait()
		if all, ok := ctx.Value(togetherKey{}).(*together); ok && e.ownOut {
			all.started(func() { e.out.Close() })
		}
		tasks.Wait()
		return last(c.Members, errs, nil)
	}
	var writers []*os.File
	readers, err := pipes(len(c.Members), func(w *os.File) { writers = append(writers, w) })
	if err != nil {
		return err
	}
	for n := range c.Members {
		m := &c.Members[n]
		wg.Go(func() {
			errs[n] = r.member(ctx, i, m, ends{in: e.in, out: writers[n], ownOut: true, err: e.err, member: true, producer: e.producer, report: e.report[n : n+1]}, relayed)
			writers[n].Close()
		})
	}
	from := make([]io.Reader, len(readers))
	for n, f := range readers {
		from[n] = f
	}
	closed := func() {
		for _, f := range readers {
			f.Close()
		}
	}
	if c.Mode == plan.MergeConcat {
		err = pipe.Concat(e.out, closed, from...)
	} else {
		err = pipe.Lines(e.out, closed, from...)
	}
	closed()
	if e.ownOut { // a member may wait for the task that reads it
		e.out.Close()
	}
	wg.Wait()
	return last(c.Members, errs, err)
}

// last is the error of the last member that failed, else fault.
func last(members []plan.Command, errs []error, fault error) error {
	for n := len(errs) - 1; n >= 0; n-- {
		if errs[n] != nil && !members[n].IgnoreError {
			return errs[n]
		}
	}
	if fault != nil {
		return &StreamError{fault}
	}
	return nil
}

// pipes makes n pipes of which weft itself has one end, and returns the reading ones.
func pipes(n int, writer func(*os.File)) ([]*os.File, error) {
	var readers, all []*os.File
	for range n {
		r, w, err := os.Pipe()
		if err != nil {
			for _, f := range all {
				f.Close()
			}
			return nil, err
		}
		readers, all = append(readers, r), append(all, r, w)
		writer(w)
	}
	return readers, nil
}
