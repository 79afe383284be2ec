package sched

import (
	"context"
	"time"

	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/plan"
)

// Quick checks. Most steps of most runs are up to date, and the executor finds that out by a quick
// check of a few files. Handing such a step to a goroutine and back costs more than the check. So a
// worker checks several ready steps, one after the other, and reports all results at once. They
// stay ready meanwhile, and the worker holds one slot. It stops at the first step that may have
// work: that one and those after it return to the queue, so that they need not wait, and it is
// executed like any other.
//
// The number of steps per batch is the number of steps in a row that were up to date, so that a
// mostly stale run makes few checks. There are no quick checks with one slot, because then a step's
// dependents go before steps that were ready earlier.

// QuickChecker is an [Executor] that can recognize some up-to-date steps by a quick check of their
// files.
type QuickChecker interface {
	Executor
	// MayQuickCheck reports whether a quick check may recognize s as up to date. It is called by
	// the loop, and must be fast.
	MayQuickCheck(s *plan.Step) bool
	// QuickCheck begins a series of quick checks by one goroutine.
	QuickCheck() QuickCheck
}

// QuickCheck is one series of quick checks of a [QuickChecker]. It is for one goroutine.
type QuickCheck interface {
	// Fresh reports that Execute would do nothing for the step but return [event.Fresh]. It has no
	// side effects. False means unknown.
	Fresh(ctx context.Context, s *plan.Step) bool
	Close()
}

// quickCheckBatch is a series of quick checks by one worker.
type quickCheckBatch struct {
	nodes    []*node
	ends     []time.Time // start of the batch, then the end of the check of each fresh node
	declined bool        // the check of the next node was inconclusive
}

const (
	minTrust       = 2                    // number of fresh steps in a row before the next batch
	maxQuickChecks = 128                  // steps
	quickCheckTime = 1 * time.Millisecond // a batch reports its results after this time
)

// mayQuickCheck reports whether to check n, the next node of the queue.
func (l *loop) mayQuickCheck(n *node) bool {
	return l.quick != nil && l.trust >= minTrust && !n.inconclusive && n.weight == 1 && n.env.Gang == nil && n.service == nil && !n.takes() && l.quick.MayQuickCheck(n.step)
}

// quickCheck makes a worker check n, the next node, which has a slot, and some of those after it:
// few enough that the other slots get as many.
func (l *loop) quickCheck(n *node) {
	g := l.spareBatch
	if l.spareBatch = nil; g == nil {
		g = &quickCheckBatch{}
	}
	most := min(maxQuickChecks, l.trust, l.ready.size()/(2*l.slots.limit))
	for {
		l.ready.remove(n)
		n.batch.top.pending++
		g.nodes = append(g.nodes, n)
		if n = l.ready.next(); n == nil || len(g.nodes) >= most || !l.mayQuickCheck(n) {
			break
		}
	}
	l.slots.take(share{slots: 1})
	l.hand(job{batch: g})
}

// run checks the steps of g.
func (g *quickCheckBatch) run(k QuickCheck) {
	defer k.Close()
	began := time.Now()
	g.ends = append(g.ends, began)
	for _, n := range g.nodes {
		if g.declined = !k.Fresh(n.batch.ctx, n.step); g.declined {
			return
		}
		now := time.Now()
		g.ends = append(g.ends, now)
		if now.Sub(began) > quickCheckTime {
			return
		}
	}
}

// quickChecked settles the steps that g found to be fresh, and returns the others to the queue.
func (l *loop) quickChecked(g *quickCheckBatch) {
	l.slots.free(share{slots: 1})
	fresh := len(g.ends) - 1
	for i, n := range g.nodes {
		switch {
		case n.state != ready: // cancelled meanwhile
		case n.cannotStart():
			l.settle(time.Now(), n, n.withoutRunning())
		case i < fresh:
			l.slots.stepEnded(g.ends[i+1])
			l.begin(n, g.ends[i])
			l.conclude(g.ends[i+1], n, Outcome{Result: event.Fresh})
		default:
			n.inconclusive = n.inconclusive || i == fresh && g.declined
			l.enqueue(n)
		}
	}
	if l.trust += fresh; g.declined {
		l.trust = 0
	}
	for _, n := range g.nodes {
		l.close(n.batch.top)
	}
	clear(g.nodes)
	*g = quickCheckBatch{nodes: g.nodes[:0], ends: g.ends[:0]}
	l.spareBatch = g
}
