package plan

import (
	"context"
	"errors"
	"time"
)

// Host answers what expansion must ask of the world. Its methods may be called
// from several goroutines at once.
type Host interface {
	// Condition runs a shell command without input or output and reports
	// whether it exited zero.
	Condition(ctx context.Context, text, dir string, env []string) (bool, error)
	// Files returns the files that globs match, as a loop over them sees them.
	Files(ctx context.Context, dir string, globs []Glob, gitignore bool) ([]string, error)
	// Checksum and Timestamp are the values of the variables of those names.
	Checksum(ctx context.Context, dir string, globs []Glob, gitignore bool) (string, error)
	Timestamp(ctx context.Context, dir string, globs []Glob, gitignore bool) (time.Time, error)
	// Ask asks the user for a variable; ErrCannotAsk means that nobody can answer.
	// choices returns the values it may have, nil for any; it is only called if
	// somebody can.
	Ask(ctx context.Context, name string, choices func() ([]string, error)) (string, error)
}

// ErrCannotAsk tells that there is nobody to ask for a variable.
var ErrCannotAsk = errors.New("nobody to ask")
