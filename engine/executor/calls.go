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

// ConnectedCall is a command that calls a task, and what the task is connected to.
type ConnectedCall struct {
	Command *plan.Command
	Ends    Ends
}

// Call runs the task that c calls, and returns its error when it has ended. The step holds
// no slot meanwhile. activity gets what the task writes, and what those do that it needs and
// calls; nil: nobody looks.
func (b *Bound) Call(ctx context.Context, c *plan.Command, activity io.Writer) error {
	if activity != nil {
		defer b.steps.watched.add(place{b.Step, c.Pos}, activity)()
	}
	return b.Env.Call(ctx, b.call(c))
}

// CallConnected runs tasks that are connected to each other, or to what runs already, and
// returns their errors when all have ended. They get descriptors of their own; begun is called
// for each that has them, so that the caller can close its files: they would hide that the
// task has ended.
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
		own, err := calls[i].Ends.dup()
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

// mayConnect returns an error for a step that c calls and that may have run before.
func mayConnect(s *plan.Step, c *plan.Command) error {
	if !s.Shared() {
		return nil
	}
	return &diag.Diagnostic{Pos: c.Pos, Kind: diag.Other, What: fmt.Sprintf("task %q cannot stand in a pipe", s.Label),
		Why: "it runs once for all that need it, which may have been before", Fix: "remove run: once there, or read its output: stdin: {output: " + s.Name + "}"}
}

// dup returns ends with descriptors of their own.
func (e Ends) dup() (Ends, error) {
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
