package command

import (
	"context"
	"sync"

	"github.com/weftrun/weft/engine/executor"
	"github.com/weftrun/weft/engine/plan"
)

// call runs the task that the command calls.
func (j *job) call(ctx context.Context) error {
	if j.began != nil {
		j.began()
	}
	switch {
	case !j.Connected():
		return j.s.Call(ctx, j.c, j.Activity)
	case j.calls != nil:
		return j.calls.join(j)
	}
	return j.s.CallConnected(ctx, []executor.ConnectedCall{{Command: j.c, Streams: j.Streams}}, func(int) { j.closeOwn() })[0]
}

// calls are the tasks among the members of a pipe. They are called together, once all their
// connections are known, so that several of them may read the stream of one task.
type calls struct {
	call func(list []executor.ConnectedCall, begun func(i int)) []error

	mu     sync.Mutex // guards the fields below
	want   int        // number of members that have not yet joined or declined
	joined []*joined
	begun  chan struct{} // closed when all have descriptors of their own
}

// joined is a member that is called with the others.
type joined struct {
	*job
	err chan error
}

// newCalls returns the calls of a pipe of s; nil if there are none.
func (s *step) newCalls(ctx context.Context, members []plan.Command) *calls {
	n := countCalls(members)
	if n == 0 {
		return nil
	}
	call := func(list []executor.ConnectedCall, begun func(int)) []error { return s.CallConnected(ctx, list, begun) }
	return &calls{call: call, want: n, begun: make(chan struct{})}
}

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
func (c *calls) join(j *job) error {
	m := &joined{j, make(chan error, 1)}
	c.mu.Lock()
	c.joined = append(c.joined, m)
	c.mu.Unlock()
	c.settle()
	return <-m.err
}

// settle counts a member that has joined, or will not; the last one starts the calls.
func (c *calls) settle() {
	c.mu.Lock()
	c.want--
	last := c.want == 0
	c.mu.Unlock()
	if !last || len(c.joined) == 0 {
		return
	}
	list := make([]executor.ConnectedCall, len(c.joined))
	for i, m := range c.joined {
		list[i] = executor.ConnectedCall{Command: m.c, Streams: m.Streams}
	}
	go func() {
		begun := 0
		errs := c.call(list, func(i int) {
			c.joined[i].closeOwn()
			if begun++; begun == len(list) {
				close(c.begun)
			}
		})
		if begun < len(list) {
			close(c.begun)
		}
		for i, m := range c.joined {
			m.err <- errs[i]
		}
	}()
}

// wait waits until the calls have their own descriptors.
func (c *calls) wait() {
	c.mu.Lock()
	none := c.want == 0 && len(c.joined) == 0
	c.mu.Unlock()
	if !none {
		<-c.begun
	}
}
