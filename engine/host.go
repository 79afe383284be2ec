package engine

import (
	"context"
	"time"

	"github.com/weftrun/weft/engine/executor"
	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/engine/proc"
	"github.com/weftrun/weft/engine/shell"
)

// host answers what planning asks of the world: it implements plan.Host and
// vars.Shell over the engine's shell and files.
type host struct{ e *Engine }

// group returns the process group of one script that is run for ctx, and how to end it.
func (h host) group(ctx context.Context, name string) (*proc.Group, func()) {
	g := h.e.processes.NewGroup(proc.GroupOptions{Name: name, Cookie: proc.Cookie{Run: h.e.id}})
	h.e.stopping.Add(ctx, g)
	return g, func() { h.e.stopping.Remove(g); g.Close() }
}

// checkDir returns an error if scripts cannot run in dir because it is no directory.
func (h host) checkDir(dir string) error {
	if dir == h.e.o.Workflow.Dir {
		return nil
	}
	return executor.CheckDir(dir)
}

// Output implements vars.Shell.
func (h host) Output(ctx context.Context, text, dir string, env []string) (string, error) {
	if err := h.checkDir(dir); err != nil {
		return "", err
	}
	g, end := h.group(ctx, "sh")
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
	if err := h.checkDir(dir); err != nil {
		return false, err
	}
	g, end := h.group(ctx, "if")
	defer end()
	err := h.e.shell.Run(ctx, &shell.Script{Text: text, Dir: dir, Env: env, Group: g})
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
