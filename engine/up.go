package engine

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/plan"
)

// up calls Options.Up once its condition is met. The zero value never does; it is safe for
// concurrent use.
type up struct {
	tell      func()
	once      sync.Once
	atCommand atomic.Bool // when a command starts
}

func (u *up) now() {
	if u.tell != nil {
		u.once.Do(u.tell)
	}
}

// note handles an event of the run.
func (u *up) note(ev event.Event) {
	if _, ok := ev.(*event.CommandStarted); ok && u.atCommand.Load() {
		u.now()
	}
}

// serves reports whether the roots of p are services or service groups.
func serves(p *plan.Plan) bool {
	return slices.ContainsFunc(p.Roots, func(root int32) bool { return p.Steps[root].Serves })
}
