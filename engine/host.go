package engine

import (
	"context"
	"time"

	"github.com/weftrun/weft/engine/executor"
	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/engine/proc"
	"github.com/weftrun/weft/engine/shell"
)

// host provides planning with access to the system: it implements plan.Host and vars.Shell by the
// engine's shell and files.
type host struct{ e *Engine }

// group returns the process group for one script in dir, and the function that ends it. The error
// means that dir is not a directory.
func (h host) group(ctx context.Context, name, dir string) (g *proc.Group, end func(), err error) {
	if dir != h.e.o.Workflow.Dir {
		if err := executor.CheckDir(dir); err != nil {
			return nil, nil, err
		}
	}
	g = h.e.processes.NewGroup(proc.GroupOptions{Name: name, Cookie: proc.Cookie{Run: h.e.id}})
	h.e.stopping.running.Add(ctx, g)
	return g, func() { h.e.stopping.running.Remove(g); g.Close() }, nil
}

// Output implements vars.Shell.
func (h host) Output(ctx context.Context, text, dir string, env []string) (string, error) {
	defer h.e.asked.Add(1)
	g, end, err := h.group(ctx, "sh", dir)
	if err != nil {
		return "", err
	}
	defer end()
	w := h.e.o.Workflow
	errs, shown, err := h.e.maskedStderr()
	if err != nil {
		return "", err
	}
	defer shown()
	return h.e.shell.Output(ctx, &shell.Script{Text: text, Dir: dir, Env: env, Set: w.Set, Shopt: w.Shopt, Stderr: errs, Group: g})
}

// Condition implements plan.Host.
func (h host) Condition(ctx context.Context, text, dir string, env []string) (bool, error) {
	defer h.e.asked.Add(1)
	g, end, err := h.group(ctx, "if", dir)
	if err != nil {
		return false, err
	}
	defer end()
	err = h.e.shell.Run(ctx, &shell.Script{Text: text, Dir: dir, Env: env, Group: g})
	if ctx.Err() != nil {
		return false, context.Cause(ctx)
	}
	return err == nil, nil
}

// Files implements plan.Host.
func (h host) Files(ctx context.Context, dir string, globs []plan.Glob, gitignore bool) ([]string, error) {
	return h.e.tree.Names(ctx, dir, executor.Patterns(globs), gitignore)
}

// Checksum implements plan.Host.
func (h host) Checksum(ctx context.Context, dir string, globs []plan.Glob, gitignore bool) (string, error) {
	return h.e.checker.Checksum(ctx, dir, executor.Patterns(globs), gitignore)
}

// Timestamp implements plan.Host.
func (h host) Timestamp(ctx context.Context, dir string, globs []plan.Glob, gitignore bool) (time.Time, error) {
	return h.e.checker.Timestamp(ctx, dir, executor.Patterns(globs), gitignore)
}
