package sched

import (
	"context"

	"github.com/weftrun/weft/engine/clock"
	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/plan"
)

// node is a step in the loop's table. Only the loop accesses it, except for env, which the step's
// goroutine reads.
type node struct {
	step   *plan.Step
	batch  *batch // that created it; others may contain it, too
	env    Env
	index  int32 // in batch.plan
	needs  int32 // number of undecided needs
	weight int32 // in slots; 0 if a running step waits for it
	state  state

	lingers      lingers // how batch waits for its end, although it is no root
	early        bool    // some dependents do not wait for its end
	inconclusive bool    // a quick check of it was inconclusive
	started      bool    // it has begun to run
	asking       bool    // it waits for the answer of a server

	chain      uint32 // duration of the longest chain that begins with it
	readyRound uint32 // loop iteration in which it became ready
	own        int32  // weight of a step elsewhere while it is held here; 0: it is not elsewhere
	queue      *queue // queue it waits in; nil for none

	cancel     context.CancelCauseFunc // of its own context, if it has one
	dependents []wait                  // steps that wait for it
	callers    []*batch                // batches with this node as a root
	ties       *ties                   // further connections; never nil
	service    *service                // nil: neither a service nor a service group
	awaits     *batch                  // batch that a suspended step waits for; others, called at the same time, are linked to it

	fault   *node        // the first need that failed
	verdict *Outcome     // outcome without having started; nil if it may start
	err     error        // its error, wrapped
	record  *startRecord // nil: it is not running
}

// ties are the connections of a step other than needs. Most steps have none.
type ties struct {
	streams  *streams      // with others of its gang; usually nil
	messages *messageLinks // to and from other steps; usually nil
	taking   *taking       // its use of pools; usually nil
}

// noTies is shared by steps without ties, and never modified.
var noTies ties

// tie returns the ties of n, for modification.
func (n *node) tie() *ties {
	if n.ties == &noTies {
		n.ties = new(ties)
	}
	return n.ties
}

// startRecord contains the events of a running step, in one allocation. The node does not keep it:
// at 100,000 steps these are 45 MB.
type startRecord struct {
	started event.StepStarted
	settled event.StepSettled
}

// lingers specifies how a batch waits for a need that may outlive its dependents.
type lingers uint8

const (
	forgotten lingers = iota // not at all
	noted                    // it waits, unless the need is still needed when everything else has ended
	awaited
)

// wait is the wait of a step for another one.
type wait struct {
	by      *node // nil if it has given up
	when    plan.When
	decided bool         // the wait has ended
	timer   *clock.Timer // ends the wait; nil for a need without a limit
}

// decide ends the wait.
func (w *wait) decide() {
	w.decided = true
	w.by.needs--
	if w.timer != nil {
		w.timer.Stop()
	}
}

// waits returns the wait of by for n, or nil.
func (n *node) waits(by *node) *wait {
	for i := range n.dependents {
		if w := &n.dependents[i]; w.by == by && !w.decided {
			return w
		}
	}
	return nil
}

// edges yields the needs of n, on any condition.
func (n *node) edges(yield func(*node) bool) {
	for _, need := range n.batch.plan.Needs[n.index] {
		if need.When != plan.After && !yield(n.batch.nodes[need.Step]) {
			return
		}
	}
}

// unwanted reports whether n is to end: its batch is done and nothing else waits for it. A ready
// service ends when nothing needs it.
func (n *node) unwanted() bool {
	if n.service != nil && (n.up() || n.service.users == 0) {
		return !n.up()
	}
	return n.batch.ctx.Err() != nil && !n.batch.others()[n]
}

// cannotStart reports whether n will never start.
func (n *node) cannotStart() bool { return n.fault != nil || n.verdict != nil || n.unwanted() }

// onlyNeededBy reports whether n has no use other than by.
func (n *node) onlyNeededBy(by *node) bool {
	if len(n.callers) > 0 || n.service != nil && n.service.held > 0 {
		return false
	}
	for i := range n.dependents {
		w := &n.dependents[i]
		if d := w.by; d != nil && d != by && w.when != plan.After && d.state != settled && !d.cannotStart() {
			return false
		}
	}
	return true
}

// id returns the ID of n in events; 0 for nil.
func (n *node) id() event.StepID {
	if n == nil {
		return 0
	}
	return n.env.ID
}

// batch is a plan being executed.
type batch struct {
	run       *Run
	plan      *plan.Plan
	ctx       context.Context
	caller    *node  // the step whose body waits for it; nil for the command line
	top       *batch // the batch of the command line that it belongs to, possibly itself
	alongside *batch // another batch that the caller waits for
	reply     chan error
	up        chan struct{} // closed when each root has settled or is ready; nil if not wanted
	number    uint64        // sequence number in the run
	nodes     []*node       // of the steps of plan
	keys      []uint64      // keys of the steps of plan, while it is accepted; nil until they are needed
	labels    []string      // keys of the steps that it created, for events; nil if not wanted
	lingering []*node       // needs that may outlive their dependents
	pending   int           // number of roots and lingering needs that have not settled, and at the top level of all running bodies
	err       error         // the first of the errors of roots
	errs      []error       // errors of all roots, if connected

	rootsNotUp int   // number of roots that have not settled and are not ready
	ordinary   int   // number of roots that have not settled and are not services
	failed     *node // the first failed root
	wasUp      bool  // a root was ready
	services   bool  // some nodes are services or service groups
	again      bool  // its roots run again, see Run.BeginAgain
	refused    bool  // it was not executed; valid when up is closed

	individual bool                        // steps can be cancelled individually
	shares     bool                        // it has shared steps of its own that may outlive it
	joins      bool                        // it has shared steps of others
	connect    func(int, *plan.Step) error // its roots are connected to running steps
	drop       func(*plan.Step)            // called for connected roots that will not start
	awaited    map[*node]bool              // see others; nil if unknown
}

// rootErrors returns the errors of the roots when b has ended. The error of a root that continues
// for others is that of b.
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

// ends yields everything b waits for: the roots of its plan, and the lingering needs.
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
