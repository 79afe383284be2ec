package command

import (
	"context"
	"sync"
	"time"

	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/executor"
	"github.com/weftrun/weft/engine/plan"
)

// Services are the running services. The zero value is for one run: a service is stopped when the
// last step that uses it releases it. Those of NewServices are kept over several runs, as in watch
// mode: a step of a later run uses the running one, or replaces it if it would start a different
// one. They end when Stop is called.
//
// A service is identified by its task and arguments: it runs once, however many steps use it. It is
// safe for concurrent use.
type Services struct {
	kept *KeptServices // nil: services of one run

	mu     sync.Mutex // guards the fields below, and those of instances that it names
	places map[string]*place
	// Only for kept services: the number of steps that have run, and the number of the last run of
	// each task by its place.
	runs   uint64
	lastOf map[string]uint64

	routes []*route // to running steps
}

// place holds the current service with one identity. Its owner of the turn may change it.
type place struct {
	turn chan struct{} // holds a value while the turn is taken
	in   *instance     // the last one; may be nil. Guarded by Services.mu
}

// instance is a started service. Its needs are other instances of the same set.
type instance struct {
	supervisor
	set           *Services
	step          *step // owner of its commands
	index         int   // of the service's command
	command       *plan.Command
	deferred      []deferred
	made          origin
	sockets       sockets
	needs         []*instance   // guarded by Services.mu
	replaced      chan struct{} // closed when it is to be replaced
	users         int           // number of steps that use it; guarded by Services.mu
	ending        bool          // it is being stopped because there are none; guarded by Services.mu
	stoppedEarly  bool          // it was told to end out of turn; guarded by Services.mu
	stoppedByUser bool          // guarded by Services.mu
}

// keyOf returns the identity of a step's service.
func keyOf(s *plan.Step) string { return s.Name + "\x00" + s.Arguments() }

// placeOf returns the place of a service.
func (v *Services) placeOf(s *plan.Step) *place {
	v.mu.Lock()
	defer v.mu.Unlock()
	p := v.places[keyOf(s)]
	if p == nil {
		if v.places == nil {
			v.places = map[string]*place{}
		}
		p = &place{turn: make(chan struct{}, 1)}
		v.places[keyOf(s)] = p
	}
	return p
}

// take waits for the turn at p.
func (p *place) take(ctx context.Context, b *executor.Bound) error {
	select {
	case p.turn <- struct{}{}:
		return nil
	default:
	}
	// The holder of the turn may need the slot of this step.
	err := error(nil)
	b.Env.Release(func() {
		select {
		case p.turn <- struct{}{}:
		case <-ctx.Done():
			err = context.Cause(ctx)
		}
	})
	return err
}

func (p *place) give() { <-p.turn }

// use makes a step use the running service at p, if any, and returns it.
func (v *Services) use(p *place) *instance {
	v.mu.Lock()
	defer v.mu.Unlock()
	if p.in == nil || p.in.ending || isClosed(p.in.done) {
		return nil
	}
	p.in.users++
	return p.in
}

// release ends the use of a service by a step, and stops it if it was the last: then it returns
// when the service has ended.
func (v *Services) release(in *instance, why event.Change) {
	v.mu.Lock()
	in.users--
	in.ending = in.ending || v.kept == nil && in.users == 0
	stop := in.ending
	v.mu.Unlock()
	if stop {
		in.stop(why)
		<-in.done
	}
}

// name returns the name of its task.
func (in *instance) name() string { return in.step.Step.Task.Name }

// Retain stops the services of tasks for which holds returns false, and returns when they have
// ended.
func (v *Services) Retain(holds func(task string) bool) {
	v.stopAll(event.Unneeded, func(in *instance) bool { return !holds(in.name()) })
}

// Stop stops all services, and returns when they have ended.
func (v *Services) Stop() { v.stopAll(event.RunEnds, func(*instance) bool { return true }) }

// stopAll stops the services selected by which, dependents first.
func (v *Services) stopAll(why event.Change, which func(*instance) bool) {
	v.mu.Lock()
	var stopped []*instance
	by := map[*instance][]*instance{} // dependents
	for _, p := range v.places {
		if in := p.in; in != nil && !isClosed(in.done) && which(in) {
			in.ending = true
			stopped = append(stopped, in)
			for _, need := range in.needs {
				by[need] = append(by[need], in)
			}
		}
	}
	v.mu.Unlock()
	var wg sync.WaitGroup
	for _, in := range stopped {
		wg.Go(func() {
			for _, other := range by[in] {
				<-other.done
			}
			in.stop(why)
			<-in.done
		})
	}
	wg.Wait()
}

// StopAll stops all services that were not told to stop yet, in no order, because there is no time
// left. It does not wait for them. The steps that use one continue until it is their turn.
func (v *Services) StopAll() {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, p := range v.places {
		if p.in != nil {
			p.in.stoppedEarly = true
			p.in.stop(event.RunEnds)
		}
	}
}

// wasStoppedEarly reports whether StopAll stopped a service that has ended.
func (v *Services) wasStoppedEarly(in *instance) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return in.stoppedEarly && in.err == nil
}

// live returns the running service that a step has started; nil if there is none. v.mu is held.
func (v *Services) live(step event.StepID) *instance {
	for _, p := range v.places {
		if in := p.in; in != nil && in.id == step && !isClosed(in.done) {
			return in
		}
	}
	return nil
}

// Restart restarts the service of a step at the user's request, and reports whether there is one.
// It does not wait.
func (v *Services) Restart(step event.StepID) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	in := v.live(step)
	if in != nil {
		in.restart(event.Asked)
	}
	return in != nil
}

// StopStep permanently stops the service of a step at the user's request, and reports whether there
// is one. It does not wait.
func (v *Services) StopStep(step event.StepID) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	in := v.live(step)
	if in != nil {
		in.stoppedByUser = true
		in.stop(event.Asked)
	}
	return in != nil
}

// wasStoppedByUser reports whether StopStep stopped a service that has ended.
func (v *Services) wasStoppedByUser(in *instance) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return in.stoppedByUser && in.err == nil
}

// Up returns the display names of the services that are running or starting, by step.
func (v *Services) Up() map[event.StepID]string {
	v.mu.Lock()
	defer v.mu.Unlock()
	up := map[event.StepID]string{}
	for _, p := range v.places {
		if p.in != nil && !isClosed(p.in.done) {
			up[p.in.id] = p.in.task
		}
	}
	return up
}

// start starts a service at p, where the previous one is being stopped or has ended. One step uses
// it then.
func (v *Services) start(p *place, in *instance) {
	in.set, in.users, in.replaced = v, 1, make(chan struct{})
	in.step.Ports.Hold()
	in.init()
	v.mu.Lock()
	last := p.in
	v.mu.Unlock()
	if last != nil {
		<-last.done
	}
	v.mu.Lock()
	p.in = in
	v.mu.Unlock()
	go in.run()
}

// run runs the service to its end, and then its deferred commands.
func (in *instance) run() {
	defer close(in.done)
	started := time.Now()
	s := in.step
	if in.set.kept != nil {
		s.Emit(&event.StepStarted{Time: started, Step: s.ID, Task: s.Step.Label, Name: s.Step.Name, Prefix: s.Step.Prefix, Pos: s.Step.TaskPos(), Silent: s.Step.Silent})
	}
	s.service = s
	if in.err = in.sockets.open(context.Background()); in.err == nil {
		in.supervise()
	}
	in.sockets.close()
	in.step.Ports.Release()
	s.service = nil
	s.o.Running.renew()
	s.finish(context.Background(), in.deferred, in.err)
	if in.set.kept != nil {
		s.settled(started, in.err)
		s.Local.Close()
	}
}
