package executor

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/weftrun/weft/engine/pipe"
	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/schema/diag"
)

// ConnectedCall is a command that calls a task, and the connections of the task.
type ConnectedCall struct {
	Command *plan.Command
	Streams Streams
}

// Call runs the task that c calls, and returns its error when it has ended. The step holds no slot
// meanwhile. activity, if not nil, receives all output of the task, its needs and its calls.
func (b *Bound) Call(ctx context.Context, c *plan.Command, activity io.Writer) error {
	if activity != nil {
		defer b.steps.watched.add(place{b.Step, c.Pos}, activity)()
	}
	return b.Env.Call(ctx, b.call(c))
}

// CallConnected runs tasks that are connected to each other, or to running commands, and returns
// their errors when all have ended. They get duplicates of the descriptors; begun is called for
// each task that has them, so that the caller can close its own, which would hide the end of the
// task.
func (b *Bound) CallConnected(ctx context.Context, calls []ConnectedCall, begun func(i int)) []error {
	list := make([]plan.Call, len(calls))
	for i := range calls {
		list[i] = b.call(calls[i].Command)
	}
	drop := func(s *plan.Step) {
		ends := b.steps.endsOf(s)
		ends.close()
	}
	return b.Env.CallConnected(ctx, list, func(i int, s *plan.Step) error {
		if err := mayConnect(s, calls[i].Command); err != nil {
			return err
		}
		own, err := calls[i].Streams.dup()
		if err != nil {
			return err
		}
		b.steps.ends.Store(s, own)
		begun(i)
		return nil
	}, drop)
}

func (b *Bound) call(c *plan.Command) plan.Call {
	return plan.Call{Name: c.Text, Vars: c.Vars, Pos: c.Pos, From: b.Step, Silent: c.Silent}
}

// mayConnect returns an error if s, which c calls, may have run already.
func mayConnect(s *plan.Step, c *plan.Command) error {
	if !s.Shared() {
		return nil
	}
	return &diag.Diagnostic{Pos: c.Pos, Kind: diag.Other, What: fmt.Sprintf("task %q cannot be used in a pipe", s.Label),
		Why: "it runs once for all tasks that need it, and may have run already", Fix: "remove run: once from that task, or read its output: stdin: {output: " + s.Name + "}"}
}

// dup returns ends with duplicated descriptors.
func (e Streams) dup() (Streams, error) {
	var made []*os.File
	for _, f := range [...]**os.File{&e.In, &e.Out, &e.Err} {
		if *f == nil {
			continue
		}
		own, err := pipe.Dup(*f)
		if err != nil {
			pipe.CloseAll(made)
			return e, err
		}
		made, *f = append(made, own), own
	}
	return e, nil
}
