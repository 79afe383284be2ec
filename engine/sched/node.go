package sched

import (
	"context"
	"time"

	"github.com/weftrun/weft/engine/clock"
	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/plan"
)

// node is a step in the loop's table. Only the loop touches it, but for env,
// which the step's goroutine reads.
type node struct {
	step   *plan.Step
	batch  *batch // that brought it; others may have it, too
	env    Env
	index  int32 // in batch.plan
	needs  int32 // how many are not decided
	weight int32 // how many slots it takes; 0 if somebody who runs waits for it
	state  state

	early   bool // some dependents do not wait for its end
	lingers bool // batch waits for its end, though it is no root

	cancel     context.CancelCauseFunc // of its context, where it can be cancelled alone
	dependents []wait                  // for this one
	callers    []*batch                // have this one as a root
	streams    *streams                // with others of its gang; nil for most
	awaits     *batch                  // what a suspended step waits for; others, called at the same time, are linked to it

	fault   *node    // the first need that failed
	verdict *Outcome // what it settles with, without having started; nil if it may start
	err     error    // what it failed with, wrapped
	started time.Time
}

// wait is a step that waits for another one.
type wait struct {
	by      *node // nil if it has given up
	when    plan.When
	decided bool         // it does not wait any more
	timer   *clock.Timer // ends the waiting; nil for a need without a limit
}

// decide ends the waiting.
func (w *wait) decide() {
	w.decided = true
	w.by.needs--
	if w.timer != nil {
		w.timer.Stop()
	}
}

// waits finds the waiting of a step for n; nil if it does not.
func (n *node) waits(by *node) *wait {
	for i := range n.dependents {
		if w := &n.dependents[i]; w.by == by && !w.decided {
			return w
		}
	}
	return nil
}

// release ends the waiting of a step for n, if it does, and its use for it. It keeps its
// place, since dependents may be gone through.
func (n *node) release(by *node) {
	if w := n.waits(by); w != nil {
		w.decide()
		w.by = nil
	}
}

// edges yields what n needs, on whatever condition.
func (n *node) edges(yield func(*node) bool) {
	for _, need := range n.batch.plan.Needs[n.index] {
		if !yield(n.batch.nodes[need.Step]) {
			return
		}
	}
}

// unwanted reports whether n is to end: its batch is, and nobody else waits for it.
func (n *node) unwanted() bool { return n.batch.ctx.Err() != nil && !n.batch.others()[n] }

// cannotStart reports whether n will never start.
func (n *node) cannotStart() bool { return n.fault != nil || n.verdict != nil || n.unwanted() }

// onlyNeededBy reports whether nobody but by has any use for n.
func (n *node) onlyNeededBy(by *node) bool {
	if len(n.callers) > 0 {
		return false
	}
	for i := range n.dependents {
		if d := n.dependents[i].by; d != nil && d != by && d.state != settled && !d.cannotStart() {
			return false
		}
	}
	return true
}

// id is the number of n in the report; 0 for none.
func (n *node) id() event.StepID {
	if n == nil {
		return 0
	}
	return n.env.ID
}

// batch is a plan under way.
type batch struct {
	run       *Run
	plan      *plan.Plan
	ctx       context.Context
	caller    *node  // the step whose body waits for it; nil for the command line
	top       *batch // that of the command line that it is called from, or it is itself
	alongside *batch // another one that the caller waits for
	reply     chan error
	number    uint64  // of the batches of the run
	nodes     []*node // of the steps of plan
	lingering []*node // needs that may outlive those who need them
	open      int     // roots and lingering needs that have not settled, and at the top all bodies that have begun
	err       error   // the first of theirs
	errs      []error // of the roots, where connected

	individual bool             // steps can be cancelled one by one
	shares     bool             // it has shared steps of its own that may go on without it
	joins      bool             // it has some of others
	drop       func(*plan.Step) // its roots are connected to what runs already; called for those that will not start
	awaited    map[*node]bool   // see others; nil when it is not known
}

// rootErrors are the errors of the roots, when b waits for nothing any more; that of one
// which goes on for others is that of b.
func (b *batch) rootErrors() []error {
	errs := make([]error, len(b.plan.Roots))
	for i, root := range b.plan.Roots {
		if n := b.nodes[root]; n.state == settled {
			errs[i] = n.err
		} else {
			errs[i] = b.err
		}
	}
	return errs
}

// ends yields what b waits for: the roots of its plan, and the needs that may outlive
// those who need them.
func (b *batch) ends(yield func(*node) bool) {
	for _, i := range b.plan.Roots {
		if !yield(b.nodes[i]) {
			return
		}
	}
	for _, n := range b.lingering {
		if !yield(n) {
			return
		}
	}
}
