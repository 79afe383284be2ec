package executor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"github.com/weftrun/weft/engine/plan"
)

// bind computes what the step runs, where, and with what environment.
type bind struct {
	next     Body
	expander *plan.Expander // binds texts that name outputs; nil: there are none
	root     string         // directory of the workflow, which is one
}

// Run implements Body.
func (l *bind) Run(ctx context.Context, b *Bound) Result {
	if err := l.bind(ctx, b); err != nil {
		return failed(err)
	}
	return l.next.Run(ctx, b)
}

func (l *bind) bind(ctx context.Context, b *Bound) (err error) {
	if l.expander != nil {
		if err := l.expander.BindOutputs(ctx, b.Step, b.outputOf); err != nil {
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
	return err
}

// captured reports whether another step, or an output of its own, may ask for what s writes.
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

// outputOf is what a text of the step gets for {{output TASK NAME}}.
func (b *Bound) outputOf(task, name string) (any, error) {
	need := b.Step.Reads(task)
	if need == nil {
		return nil, fmt.Errorf("%q is no need of this task", task)
	}
	return b.steps.outputOf(need, name)
}

// NotDirectoryError is something else where a script was to run.
type NotDirectoryError struct{ Path string }

func (e *NotDirectoryError) Error() string { return e.Path + " is not a directory" }

// CheckDir returns a NotDirectoryError if dir, or what it should be in, is there and is no
// directory. That it is not there is no error: it may still be made.
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
