package executor

import (
	"context"
	"fmt"
	"os"
	"sync"

	"github.com/weftrun/weft/engine/pipe"
	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/schema/diag"
)

// together are the tasks among the members of a pipe. They are called together, as soon as
// it is known what each is connected to: so they may read, while they run, what one task
// writes once for all.
type together struct {
	r   *run
	ctx context.Context

	mu     sync.Mutex // guards the fields below
	want   int        // members that will join or leave
	joined []*joined
	begun  chan struct{} // closed when all have their own descriptors
}

type joined struct {
	cmd  *plan.Command
	ends ends
	err  chan error
}

// togetherKey is for the calls of a pipe, in the context of its members.
type togetherKey struct{}

// countCalls counts the calls among members, in a tee or merge, too.
func countCalls(members []plan.Command) (n int) {
	for i := range members {
		switch m := &members[i]; m.Kind {
		case plan.TaskCall:
			n++
		case plan.Tee, plan.Merge:
			n += countCalls(m.Members)
		}
	}
	return n
}

// join runs a call with the others, and returns its error.
func (c *together) join(cmd *plan.Command, e ends) error {
	j := &joined{cmd, e, make(chan error, 1)}
	c.mu.Lock()
	c.joined = append(c.joined, j)
	c.mu.Unlock()
	c.one()
	return <-j.err
}

// one counts a member; the last one has all called.
func (c *together) one() {
	c.mu.Lock()
	c.want--
	last := c.want == 0
	c.mu.Unlock()
	if !last || len(c.joined) == 0 {
		return
	}
	list := make([]plan.Call, len(c.joined))
	for i, j := range c.joined {
		list[i] = c.r.callOf(j.cmd)
	}
	go func() {
		connected := 0
		errs := c.r.env.CallConnected(c.ctx, list, func(i int, s *plan.Step) error {
			err := c.r.connect(s, c.joined[i].cmd, c.joined[i].ends)
			if connected++; connected == len(list) {
				close(c.begun)
			}
			return err
		})
		if connected < len(list) {
			close(c.begun)
		}
		for i, j := range c.joined {
			j.err <- errs[i]
		}
	}()
}

// started calls f when the calls have descriptors of their own, or there are none.
func (c *together) started(f func()) {
	c.mu.Lock()
	none := c.want == 0 && len(c.joined) == 0
	c.mu.Unlock()
	if !none {
		<-c.begun
	}
	f()
}

func (r *run) callOf(c *plan.Command) plan.Call {
	return plan.Call{Name: c.Text, Vars: c.Vars, Pos: c.Pos, From: r.step, Silent: c.Silent}
}

// connect gives a step that is about to be called its ends.
func (r *run) connect(s *plan.Step, c *plan.Command, e ends) error {
	if s.Shared() {
		return &diag.Diagnostic{Pos: c.Pos, Kind: diag.Other, What: fmt.Sprintf("task %q cannot stand in a pipe", s.Label),
			Why: "it runs once for all that need it, which may have been before", Fix: "remove run: once there, or read its output: stdin: {output: " + s.Name + "}"}
	}
	own := ends{producer: e.producer, shown: e.shown}
	for _, f := range []struct {
		to **os.File
		of *os.File
	}{{&own.in, e.in}, {&own.out, e.out}, {&own.err, e.err}} {
		var err error
		if *f.to, err = pipe.Dup(f.of); err != nil {
			own.let()
			return err
		}
	}
	r.x.ends.Store(s, own)
	// Its own ones are closed when it has ended; these would hide that.
	if e.ownIn {
		e.in.Close()
	}
	if e.ownOut {
		e.out.Close()
	}
	return nil
}

// call runs the task that c calls.
func (r *run) call(ctx context.Context, c *plan.Command, e ends) error {
	if e.in == nil && e.out == nil && e.err == nil {
		return r.env.Call(ctx, r.callOf(c))
	}
	if all, ok := ctx.Value(togetherKey{}).(*together); ok {
		return all.join(c, e)
	}
	return r.env.CallConnected(ctx, []plan.Call{r.callOf(c)}, func(_ int, s *plan.Step) error { return r.connect(s, c, e) })[0]
}
