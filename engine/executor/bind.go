package executor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/engine/vars"
)

// bind computes the commands, the directory and the environment of the step.
type bind struct {
	next     Body
	expander *plan.Expander // binds texts that name outputs; may be nil
	root     string         // directory of the workflow, known to exist
	left     *left
}

// Run implements Body.
func (l *bind) Run(ctx context.Context, b *Bound) Result {
	if err := l.left.before(b); err != nil {
		return Ended(ctx, err)
	}
	if err := l.bind(ctx, b); err != nil {
		return failed(err)
	}
	return l.next.Run(ctx, b)
}

func (l *bind) bind(ctx context.Context, b *Bound) (err error) {
	if l.expander != nil && b.Step.UsesRuntimeValues() {
		if err := l.expander.BindRuntimeValues(ctx, b.Step, &vars.RuntimeValues{Output: b.outputOf, Port: b.portOf}); err != nil {
			return err
		}
	}
	b.Capture = l.captured(b.Step)
	if b.Dir, err = b.Step.Scope.Dir(ctx); err != nil {
		return err
	}
	if b.Dir != l.root {
		if err := CheckDir(b.Dir); err != nil {
			return err
		}
	}
	b.Environ, err = b.Step.Scope.Environ(ctx)
	if ports := b.portVariables(); ports != nil {
		b.Environ = append(slices.Clip(b.Environ), ports...)
	}
	return err
}

// captured reports whether another step, or one of its own outputs, may read the stdout of s.
func (l *bind) captured(s *plan.Step) bool {
	if l.expander != nil && l.expander.Captured(s.Task) {
		return true
	}
	for _, o := range s.Task.Outputs {
		if o.From.S == "stdout" || o.From.S == "stderr" {
			return true
		}
	}
	return false
}

// outputOf returns the value of {{output TASK NAME}} in a text of the step.
func (b *Bound) outputOf(task, name string) (any, error) {
	need := b.Step.Reads(task)
	if need == nil {
		return nil, fmt.Errorf("%q is not a need of this task", task)
	}
	return b.steps.outputOf(need, name)
}

// portOf returns the value of {{port TASK NAME}} in a text of the step.
func (b *Bound) portOf(task, name string) (any, error) {
	owner := b.Step.PortOwner(task)
	if owner == nil {
		return nil, fmt.Errorf("%q is not a need of this task", task)
	}
	return b.steps.portOf(owner, name)
}

// NotDirectoryError means that the directory of a script is something else.
type NotDirectoryError struct{ Path string }

func (e *NotDirectoryError) Error() string { return e.Path + " is not a directory" }

// CheckDir returns a NotDirectoryError if dir, or a parent of it, exists and is not a directory. A
// missing directory is not an error: it may still be created.
func CheckDir(dir string) error {
	st, err := os.Stat(dir)
	switch {
	case err == nil && !st.IsDir():
		return &NotDirectoryError{dir}
	case errors.Is(err, syscall.ENOTDIR):
		return CheckDir(filepath.Dir(dir))
	}
	return nil
}
