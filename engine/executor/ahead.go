package executor

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/weftrun/weft/engine/fingerprint"
	"github.com/weftrun/weft/engine/plan"
)

// prechecker checks steps while others are still being planned, which uses only one processor:
// whether they are up to date, if a quick check can tell, and all steps that they are made from
// are. It begins with reading the state, and ends when the first step is executed.
//
// Until then no other goroutine may use the steps: their scopes are for one goroutine.
//
// Its results are valid until something may have changed: until a command of a step or of planning
// has ended, or the user was prompted.
type prechecker struct {
	x        *Executor
	stopping atomic.Bool // it should end
	ended    atomic.Bool

	mu      sync.Mutex    // guards the fields below
	steps   []*plan.Step  // to be checked
	done    chan struct{} // closed when it has ended; nil before it begins
	waiting bool          // for more steps
	more    sync.Cond
}

// origin is recorded for a step: what it was built from.
type origin struct {
	digest fingerprint.Digest
	holds  atomic.Bool // the step has ended; otherwise it was checked ahead, at epoch at
	at     epoch
}

// epoch identifies a state of the files: if it is unchanged, they are.
type epoch struct {
	age   uint64 // of the file tree
	asked int64  // number of commands run by planning, and of prompts
}

// originOf returns the origin of s, or nil.
func originOf(s *plan.Step) *origin {
	k, _ := s.ExecutorData.Load().(*origin)
	return k
}

// recordOrigin records what s, which has ended, was built from.
func recordOrigin(s *plan.Step, d fingerprint.Digest) {
	k := &origin{digest: d}
	k.holds.Store(true)
	s.ExecutorData.Store(k)
}

// Planned records a planned step, with its needs, before its dependents. It must be called from one
// goroutine at a time.
func (x *Executor) Planned(s *plan.Step) {
	if a := &x.ahead; len(s.Task.Sources) > 0 && !a.stopping.Load() {
		a.add(s)
	}
}

func (a *prechecker) add(s *plan.Step) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.done == nil && (runtime.GOMAXPROCS(0) == 1 || a.x.o.Dry):
		a.stopping.Store(true)
		return
	case a.done == nil:
		a.more.L = &a.mu
		a.done = make(chan struct{})
		go a.run()
	}
	if a.steps = append(a.steps, s); a.waiting {
		a.more.Signal()
	}
}

// end stops the checks and waits for them.
func (a *prechecker) end() {
	if a.ended.Load() {
		return
	}
	a.mu.Lock()
	a.stopping.Store(true)
	a.more.Signal()
	done := a.done
	a.mu.Unlock()
	if done != nil {
		<-done
	}
	a.ended.Store(true)
}

// run checks steps until it is stopped, or most of them turn out not to be up to date.
func (a *prechecker) run() {
	defer close(a.done)
	a.x.o.State.Read()
	l := a.x.newQuickCheck()
	defer l.Close()
	const patience = 16
	for missed, found := 0, 0; missed < patience+found; {
		for _, s := range a.next() {
			if a.stopping.Load() {
				return
			}
			if a.check(l, s) {
				found++
			} else {
				missed++
			}
		}
		if a.stopping.Load() {
			return
		}
	}
}

// next waits for added steps and returns them.
func (a *prechecker) next() (steps []*plan.Step) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for a.waiting = true; len(a.steps) == 0 && !a.stopping.Load(); {
		a.more.Wait()
	}
	a.waiting = false
	steps, a.steps = a.steps, nil
	return steps
}

// check records that s is up to date, if it is.
func (a *prechecker) check(l *quickCheck, s *plan.Step) bool {
	if !a.x.MayQuickCheck(s) || !s.Scope.EnvKnown() {
		return false
	}
	k := &origin{at: a.now()}
	needs := true
	s.Needs(func(n *plan.Step) {
		known := originOf(n)
		needs = needs && known != nil && known.at == k.at
	})
	if !needs {
		return false
	}
	fresh := false
	if k.digest, fresh = l.fresh(context.Background(), s, true); fresh {
		s.ExecutorData.Store(k)
	}
	return fresh
}

func (a *prechecker) now() epoch {
	return epoch{a.x.o.Tree.Generation(), a.x.o.PlanningCommands.Load()}
}

// holds reports whether the origin k is still valid.
func (a *prechecker) holds(k *origin) bool { return !k.holds.Load() && k.at == a.now() }
