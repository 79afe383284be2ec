package command

import (
	"cmp"
	"context"
	"time"

	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/executor"
	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/engine/sched"
)

// serve is Run for a service: it returns when nothing needs the service, or when the service has
// ended and is not restarted. The commands before the last one run once, before the first start.
// The time limit of the task ends when the service is ready.
func (s *step) serve(ctx context.Context) executor.Result {
	starting, done := ctx, func() {}
	if limit := s.Step.Task.Timeout; limit > 0 {
		starting, done = sched.WithLimit(ctx, s.o.Clock, &sched.TimedOut{Name: s.Step.Label, After: limit, Limit: sched.TaskLimit})
	}
	defer done()
	p := s.o.Services.placeOf(s.Step)
	if err := p.take(starting, s.Bound); err != nil {
		return executor.Ended(starting, err)
	}
	in, kept, err := s.current(starting, p)
	p.give()
	r := executor.Result{Outcome: event.Succeeded}
	switch {
	case err != nil:
		r = executor.Ended(starting, err)
	case in == nil:
	default:
		r = s.await(ctx, starting, p, in, kept)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r.Usage, r.OnEnd = s.usage, s.awaitBackground()
	return r
}

// current returns the service for the step, which uses it from then on: the running one (kept is
// true), or a new one. Nil without an error means that there is nothing to run.
func (s *step) current(ctx context.Context, p *place) (in *instance, kept bool, err error) {
	set := s.o.Services
	m, err := s.origin(ctx)
	if err != nil {
		return nil, false, err
	}
	old := set.use(p)
	suits := old != nil && set.matches(old, &m, s.Step)
	if suits && !s.mustPrepare() {
		return old, true, nil
	}
	in, kept, err = s.prepare(ctx, m, old, suits)
	if kept {
		return old, true, nil
	}
	if old != nil {
		if in != nil || err == nil { // otherwise it keeps running: it cannot be replaced
			close(old.replaced)
			old.stop(event.ByWatch)
			<-old.done
		}
		set.release(old, event.ByWatch)
	}
	if in != nil {
		set.start(p, in)
	}
	return in, false, err
}

// prepare runs the commands before the service, and returns the service, to replace old, if not
// nil; nil if it is not for this machine, or its condition does not hold. If old matches except for
// the tasks that the commands call, kept means that those did not run and it still matches.
func (s *step) prepare(ctx context.Context, m origin, old *instance, suits bool) (in *instance, kept bool, err error) {
	index, c := s.last()
	defers, err := s.before(ctx, index)
	m.called = s.o.Services.calledBy(s.Step)
	if suits && err == nil && (m.called <= old.made.called || s.o.Services.tolerates(old, &m, s.Step)) {
		return nil, true, nil
	}
	if err == nil && c != nil {
		s.try = attempt{number: 1, of: 1}
		s.job = s.newJob(index, c)
		var runs bool
		if runs, err = s.job.holds(ctx); runs {
			in := s.instance(index, c, defers, m)
			if old == nil {
				old = new(instance)
			}
			if err = in.sockets.listen(ctx, s.Step.Service().Listen, s.Dir, &old.sockets); err == nil {
				return in, false, nil
			}
		}
	}
	s.finish(ctx, defers, err)
	return nil, false, err
}

// mustPrepare reports whether the commands before a running service must run to find out whether it
// has to be replaced: they call tasks, which may be up to date or not.
func (s *step) mustPrepare() bool {
	if s.o.Services.kept == nil {
		return false
	}
	for _, c := range s.Step.Commands() {
		if c.Kind == plan.TaskCall && !c.Defer {
			return true
		}
	}
	return false
}

// last returns the command that is the service, and its index: the last one that is not deferred;
// nil if there is none.
func (s *step) last() (index int, service *plan.Command) {
	index = -1
	for i, c := range s.Step.Commands() {
		if !c.Defer {
			index, service = i, c
		}
	}
	return index, service
}

// instance returns the service, not yet started.
func (s *step) instance(index int, c *plan.Command, defers []deferred, m origin) *instance {
	set := s.o.Services
	own := set.own(s)
	in := &instance{step: own, index: index, command: c, deferred: defers, made: m}
	in.needs, _ = set.needsOf(s.Step)
	in.supervisor = supervisor{id: own.ID, task: s.Step.Label, clock: own.o.Clock, restarts: restarts{policy: s.Step.Service().Restart}, begin: in.begin, emit: own.Emit}
	return in
}

// await returns when the step does not need the service any more, or it has ended permanently. The
// context starting is valid until it is ready.
func (s *step) await(ctx, starting context.Context, p *place, in *instance, kept bool) executor.Result {
	set := s.o.Services
	up, over, unneeded, late := in.up, in.done, s.Env.Unneeded(), starting.Done()
	working := false // it has time to handle its messages
	for {
		select {
		case <-up:
			up, late = nil, ctx.Done()
			if kept {
				s.Emit(&event.Ready{Time: time.Now(), Step: s.ID, Task: s.Step.Label, Kept: true})
			}
			s.Env.Serve()
		case <-over:
			if next := s.successor(ctx, p, in); next != nil {
				in, over = next, next.done // another run has replaced it
				continue
			}
			if set.wasStoppedEarly(in) {
				over = nil // its dependents end first
				continue
			}
			if set.wasStoppedByUser(in) {
				if s.Env.Retire(); up != nil { // it never was ready
					in.err = &sched.Stopped{Task: s.Step.Label}
				}
			}
			set.release(in, event.ByExit)
			if in.err != nil {
				return executor.Ended(ctx, in.err)
			}
			return executor.Result{Outcome: event.Succeeded}
		case <-unneeded:
			if rest := s.drain(in); rest != nil && !working {
				unneeded, working = rest, true
				continue
			}
			set.release(in, event.Unneeded)
			return executor.Result{Outcome: event.Succeeded}
		case <-late:
			if ctx.Err() == nil { // it was not ready in time
				in.stop(event.ByReady)
				<-in.done
			}
			set.release(in, event.RunEnds)
			return executor.Ended(ctx, cmp.Or(context.Cause(ctx), context.Cause(starting)))
		}
	}
}

// successor returns the service with which another step has replaced in, and which this one uses
// from then on; nil if there is none.
func (s *step) successor(ctx context.Context, p *place, in *instance) *instance {
	if !isClosed(in.replaced) || p.take(ctx, s.Bound) != nil {
		return nil
	}
	defer p.give()
	next := s.o.Services.use(p)
	if next != nil {
		s.o.Services.release(in, event.ByWatch)
	}
	return next
}
