package engine

import (
	"context"
	"fmt"

	"github.com/weftrun/weft/engine/command"
	"github.com/weftrun/weft/engine/executor"
	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/engine/proc"
	"github.com/weftrun/weft/engine/remote"
	"github.com/weftrun/weft/schema"
	"github.com/weftrun/weft/schema/diag"
)

// setRemote sets the options about steps that are performed elsewhere. here shows what they wrote.
func (e *Engine) setRemote(xo *executor.Options, here *command.Local) {
	switch {
	case e.o.Remote != nil:
		xo.Remote = e.o.Remote
	case e.o.RemoteHere:
		xo.Remote = e.remoteHere()
	default:
		return
	}
	xo.Final = e.final.Load
	xo.Shown = executor.Cache{Replay: here.Replay, SeparateStderr: e.apart(), Taskfiles: e.o.Workflow.Files()}
}

// checkRemote returns an error for each task of p that runs on a server or not at all, and cannot run
// there whatever its variables are.
func (e *Engine) checkRemote(p *plan.Plan) error {
	if e.o.Remote == nil || !e.o.Remote.Strict() {
		return nil
	}
	var problems diag.List
	seen := map[*schema.Task]bool{}
	for _, s := range p.Steps {
		_, told := e.o.Workflow.Elsewhere(s.Task)
		if !told || seen[s.Task] || s.Skip != plan.NotSkipped {
			continue
		}
		seen[s.Task] = true
		if why := remote.Refusal(s.Task); why != "" {
			problems.Add(&diag.Diagnostic{Pos: s.TaskPos(), Kind: diag.Other, What: fmt.Sprintf("task %q cannot run elsewhere: %s", s.Task.Name, why), Fix: "remove remote, or use --remote=auto"})
		}
	}
	problems.Sort()
	return problems.Err()
}

// remoteHere returns what performs steps elsewhere on this machine.
func (e *Engine) remoteHere() *remote.Here {
	w := e.o.Workflow
	register := func(ctx context.Context, g *proc.Group) func() {
		e.stopping.running.Add(ctx, g)
		return func() { e.stopping.running.Remove(g) }
	}
	return remote.NewHere(remote.Options{
		Root: w.Dir, Environ: e.o.Environ, Processes: e.processes, Register: register,
		Wants: func(s *plan.Step) (wants, told bool) { return w.Elsewhere(s.Task) },
	})
}
