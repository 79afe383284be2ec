// Package shell turns a command string into processes: it is interpreted in
// this process by mvdan.cc/sh, and the programs it names are started through
// package proc. It knows nothing of tasks.
//
// # Ways to run a script, cheapest first
//
// A command that only succeeds or fails (`:`) costs nothing, and a literal echo
// one write. A program without anything to expand, or a pipeline of such, is
// started directly: the parser decides, see [parsed]. All else goes to an
// interpreter from a pool. A property test runs a corpus of commands both ways.
//
// # Stopping
//
// A script that is stopped stops. From the moment its group refuses (see
// [proc.Group.Stop]) the context that the interpreter looks at before every
// statement and command has ended, and a program that was running returns that
// refusal instead of an exit status, so that no `||`, `if` or `;` goes on with
// what comes next, in substitutions, subshells, functions and loops alike. Then
// its EXIT trap runs, if it has one, with a group and a time limit of its own.
// Whatever the script left in the background keeps the ended context.
//
// # Descriptors
//
// Programs inherit files as they are. What the interpreter keeps in memory goes
// through a pipe that is read to its end, but not beyond the life of the
// program when something else holds it open. The ends of a pipe between two
// programs are closed as soon as each has started, so that who reads or writes
// it learns at once that the other side is gone.
package shell

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"mvdan.cc/sh/v3/interp"

	"github.com/weftrun/weft/engine/clock"
	"github.com/weftrun/weft/engine/pipe"
	"github.com/weftrun/weft/engine/proc"
	"github.com/weftrun/weft/internal/epipe"
	"github.com/weftrun/weft/internal/limit"
)

// Script is a command string with its surroundings.
type Script struct {
	Text string
	// Argv, if set, is a program with its arguments, run without a shell instead.
	Argv []string
	// Session runs Argv in a session of its own, on the terminal that Stdout is.
	Session bool
	Dir     string // absolute
	// Env is the complete environment. It is shared and never changed: what
	// is derived from it is remembered by its identity.
	Env        []string
	Set, Shopt []string // options by name, or by letter in Set
	// Stdin, Stdout and Stderr may be nil, for /dev/null. Programs inherit
	// them; the caller keeps them.
	Stdin, Stdout, Stderr *os.File
	Group                 *proc.Group // owns the script's processes; required
}

// ExitError is a script that did not exit zero.
type ExitError struct {
	Code int
	// Signal is what ended the program, where the script was one.
	Signal syscall.Signal
}

func (e *ExitError) Error() string { return fmt.Sprintf("exit status %d", e.Code) }

// ExitCode returns Code.
func (e *ExitError) ExitCode() int { return e.Code }

// Options configure a Shell. The zero value is usable.
type Options struct {
	// TrapLimit is how long the EXIT trap of a stopped script may take; zero
	// means 5 s.
	TrapLimit time.Duration
	// Clock is that of the limit, and of how long a pipe is read that is held
	// open; nil is one that never stands still.
	Clock *clock.Clock
	// Large counts the pipes of the run that are larger than usual; nil means
	// those of this shell.
	Large *pipe.Large
	// Utilities makes cp, rm, mkdir and the like a part of the shell where the
	// system has no such programs: on Windows.
	Utilities bool
	// Plain leaves out advice: what fails says what the interpreter says, and no more.
	Plain bool
}

// Shell runs scripts. It is safe for concurrent use.
type Shell struct {
	o        Options
	scripts  scripts
	environs environs
	runners  sync.Pool // of *runner
}

// New returns a Shell.
func New(o Options) *Shell {
	if o.TrapLimit == 0 {
		o.TrapLimit = proc.DefaultGrace
	}
	if o.Large == nil {
		o.Large = new(pipe.Large)
	}
	return &Shell{o: o}
}

// Run runs sc and returns when it has ended: nil, an *ExitError, the cause that
// its group was stopped for, or why it could not run at all (a syntax error, an
// unknown option, a program the system refuses). When ctx ends before, its
// group is stopped for that cause, by the ladder of the cause if it is a
// [proc.Stopper], else by SIGTERM and, 5 s later, SIGKILL.
func (s *Shell) Run(ctx context.Context, sc *Script) error {
	return s.run(ctx, sc, nil)
}

// Output runs sc and returns all it writes to its standard output, at most
// limit.Output bytes: else it is killed. Its Stdout is not used.
func (s *Shell) Output(ctx context.Context, sc *Script) (string, error) {
	out := capture{group: sc.Group}
	err := s.run(ctx, sc, &out)
	if out.full {
		return "", errOutput
	}
	return out.String(), err
}

// run is Run, with standard output to out if that is not nil.
func (s *Shell) run(ctx context.Context, sc *Script, out *capture) error {
	if err := sc.Group.Refused(); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if sc.Argv != nil {
		stop := context.AfterFunc(ctx, func() { stopFor(sc.Group, context.Cause(ctx)) })
		defer stop()
		return s.direct(sc, sc.Argv, out)
	}
	p := s.scripts.parse(sc.Text)
	if p.err != nil {
		return p.err
	}
	plain := len(sc.Set)+len(sc.Shopt) == 0
	if plain && p.kind == constant {
		return exitError(p.status)
	}
	if plain && p.kind == message && (out != nil || sc.Stdout != nil) {
		if out != nil {
			out.WriteString(p.text)
			return nil
		}
		switch _, err := sc.Stdout.WriteString(p.text); {
		case err == nil:
			return nil
		case epipe.Is(err):
			return exitError(proc.BrokenPipe)
		default:
			if sc.Stderr != nil {
				sc.Stderr.WriteString(writeError(err))
			}
			return exitError(1)
		}
	}
	if ctx.Done() != nil {
		stop := context.AfterFunc(ctx, func() { stopFor(sc.Group, context.Cause(ctx)) })
		defer stop()
	}
	if plain && p.kind == programs && !s.builtIn(p.members) {
		return s.pipeline(sc, p.members, out)
	}
	return s.interpret(sc, p, out)
}

// builtIn reports whether one of the programs is a part of this shell.
func (s *Shell) builtIn(members []member) bool {
	return s.o.Utilities && slices.ContainsFunc(members, func(m member) bool { return utilities[m.argv[0]] })
}

// stopFor stops a group because its context has ended.
func stopFor(g *proc.Group, cause error) {
	l := proc.Ladder{Grace: proc.DefaultGrace}
	var how proc.Stopper
	if errors.As(cause, &how) {
		l = how.StopLadder()
	}
	g.Stop(cause, l)
}

func exitError(code int) error {
	if code == 0 {
		return nil
	}
	return &ExitError{Code: code}
}

// result maps the interpreter's error.
func result(err error) error {
	var status interp.ExitStatus
	if errors.As(err, &status) {
		return exitError(int(status))
	}
	return err
}

// capture is output kept in memory: so much that the group is killed if there is more.
type capture struct {
	strings.Builder
	group *proc.Group
	full  bool
}

var errOutput = limit.Bytes("what it writes", limit.Output)

// Write implements io.Writer.
func (c *capture) Write(p []byte) (int, error) {
	if c.full || c.Len()+len(p) > limit.Output || limit.Grow(int64(len(p))) != nil {
		c.full = true
		c.group.Kill(errOutput)
		return 0, errOutput
	}
	return c.Builder.Write(p)
}
