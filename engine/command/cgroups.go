package command

import (
	"fmt"
	"sync"

	"github.com/weftrun/weft/engine/cgroup"
	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/engine/proc"
)

// cgroups are the control groups of steps with limits, if weft may create any: all programs of a
// step with the same limits share one while they run. The zero value is ready to use. It is safe
// for concurrent use.
type cgroups struct {
	mu   sync.Mutex // guards the fields below, and those of groups
	open map[cgroupOf]*limited
	made int
	none bool // creating one failed
}

// cgroupOf identifies a group. Commands with the same limits share a pointer to them.
type cgroupOf struct {
	step   proc.Cookie
	limits *plan.Limits
}

// limited is a control group in use.
type limited struct {
	group *cgroup.Group
	of    cgroupOf
	users int
}

// enter returns the group for a program of a step, which must call leave. It returns nil if there
// is none, in which case the limits apply to each process.
func (x *cgroups) enter(step proc.Cookie, l *plan.Limits) *limited {
	if l == nil || l.Memory == 0 && l.Processes == 0 {
		return nil
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	of := cgroupOf{step, l}
	g := x.open[of]
	if g == nil {
		if g = x.make(of); g == nil {
			return nil
		}
	}
	g.users++
	return g
}

// make creates a group. x.mu is held.
func (x *cgroups) make(of cgroupOf) *limited {
	if x.none {
		return nil
	}
	x.made++
	g, err := cgroup.New(fmt.Sprintf("%s-%d-%d", of.step.Run, of.step.Step, x.made), cgroup.Limits{Memory: of.limits.Memory, Processes: of.limits.Processes})
	if err != nil {
		x.none = true // any such error is permanent
		return nil
	}
	if x.open == nil {
		x.open = map[cgroupOf]*limited{}
	}
	x.open[of] = &limited{group: g, of: of}
	return x.open[of]
}

// leave ends one use of g, which may be nil, and removes it after the last one.
func (x *cgroups) leave(g *limited) {
	if g == nil {
		return
	}
	x.mu.Lock()
	g.users--
	last := g.users == 0
	if last {
		delete(x.open, g.of)
	}
	x.mu.Unlock()
	if last {
		g.group.Close()
	}
}
