package engine

import (
	"context"
	"path/filepath"

	"github.com/weftrun/weft/engine/cache"
	"github.com/weftrun/weft/engine/executor"
	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/schema"
	"github.com/weftrun/weft/schema/diag"
)

// actTask is the name of the only task of an engine that performs an act.
const actTask = "act"

// act is what an engine performs in place of the tasks of a file.
type act struct {
	body   plan.Body
	gather executor.Gathering
}

// NewAct returns an Engine that performs a in the directory root. o.Workflow is not used. Its calls
// are [ActCalls]. Everything that the commands leave running is stopped at the end. ended is called
// once, unless Run returns an error earlier, with the marks of the log, which consists of the events
// of the output, and with the error of the commands, or of what they had to leave.
func NewAct(ctx context.Context, a *cache.Act, root string, o Options, ended func(marks []cache.Mark, err error)) (*Engine, error) {
	t := &schema.Task{Name: actTask, LocalName: actTask, Pos: diag.Pos{File: &diag.File{}}, TaskOptions: &schema.TaskOptions{Timeout: a.Limit}}
	x := &act{gather: executor.Gathering{Dir: filepath.Join(root, filepath.FromSlash(a.Dir)), Captured: a.Captured, Ended: ended}}
	for _, b := range a.Commands {
		c, err := plan.DecodeCommand(b)
		if err != nil {
			return nil, err
		}
		keepNothing(c)
		x.body.Commands = append(x.body.Commands, *c)
	}
	for _, v := range a.Outputs {
		t.Outputs = append(t.Outputs, schema.NamedOutput{Name: v.Name, From: schema.Text{S: v.From}})
		x.body.Outputs = append(x.body.Outputs, plan.Output{Name: v.Name, From: v.From, As: v.As, Path: v.Path})
	}
	for _, g := range a.Generates {
		x.gather.Generates = append(x.gather.Generates, plan.Glob{Pattern: g.Glob, Exclude: g.Exclude})
	}
	o.Workflow = &schema.Workflow{File: t.Pos.File, Dir: root}
	o.Workflow.Add(t)
	e, err := New(ctx, o)
	if err != nil {
		return nil, err
	}
	e.act = x
	return e, nil
}

// keepNothing makes the processes that c, or a member of it, leaves behind end with the run at the
// latest.
func keepNothing(c *plan.Command) {
	if c.Leftover == plan.LeftoverKeep {
		c.Leftover = plan.LeftoverAuto
	}
	for i := range c.Members {
		keepNothing(&c.Members[i])
	}
}

// ActCalls are the calls of an engine that performs an act.
func ActCalls() []plan.Call { return []plan.Call{{Name: actTask}} }
