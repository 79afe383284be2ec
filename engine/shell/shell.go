// Package shell runs command strings: mvdan.cc/sh interprets them in this process, and
// package proc starts the programs that they name. It knows nothing of tasks.
//
// # Ways to run a script, cheapest first
//
// A command that only succeeds or fails (`:`) costs nothing, and a literal echo one write. A
// program without anything to expand, or a pipeline of such programs, is started directly:
// the parser decides, see [parsed]. Everything else is run by an interpreter from a pool. A
// property test runs a corpus of commands both ways.
//
// # Stopping
//
// When the group of a script is stopped (see [proc.Group.Stop]), so is the script. The
// context that the interpreter checks before every statement and command is done, and a
// running program returns the cause of the stop instead of an exit status, so that no `||`,
// `if` or `;` continues the script, be it in substitutions, subshells, functions or loops.
// Then the EXIT trap is run, if there is one, with its own group and time limit. Background
// commands of the script keep the context that is done.
//
// # Descriptors
//
// Programs inherit files as they are. Output that the interpreter keeps in memory goes
// through a pipe, which is read to its end, or for a moment after the program's end if
// another process holds it open. The ends of a pipe between two programs are closed as soon
// as both are started, so that each notices at once when the other has ended.
package shell

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/weftrun/weft/engine/clock"
	"github.com/weftrun/weft/engine/pipe"
	"github.com/weftrun/weft/engine/proc"
	"github.com/weftrun/weft/internal/epipe"
	"github.com/weftrun/weft/internal/limit"
)

// Script is a command string with its environment and streams.
type Script struct {
	Text string
	// Argv, if set, is a program with its arguments, which is run without a shell. Text is
	// not used then.
	Argv []string
	// Session runs Argv in a session of its own, whose terminal is Stdout.
	Session bool
	Dir     string // absolute
	// Env is the complete environment. Scripts share it, and it must not be changed: what
	// is computed from it is kept under its address.
	Env []string
	// Extra is environment of this script alone, which replaces that of Env by name. It
	// does not hold PATH.
	Extra      []string
	Set, Shopt []string // options by name, or in Set also by letter
	// Stdin, Stdout and Stderr are inherited by programs; nil means the null device. The
	// caller owns them.
	Stdin, Stdout, Stderr *os.File
	// Descriptors lists the files that every program of the script inherits as further
	// descriptors. The caller owns them. The interpreter itself has none of them: its
	// redirections know only 0, 1 and 2.
	Descriptors []proc.Descriptor
	// Setup is applied to every program before it starts; nil means nothing. Actions of the script
	// without a program are not affected.
	Setup *proc.Setup
	Group *proc.Group // of the script's processes; required
	// Began is called when a program that the script is has been executed, or when another
	// script begins: not if it cannot be run. It may be called several times, concurrently.
	// It may be nil.
	Began func()
}

// ExitError is the error of a script whose exit status is not 0.
type ExitError struct {
	Code int
	// Signal is the signal that killed the program, if the script is a single program.
	Signal syscall.Signal
	// Missing is the program that was not found, as it is written, if the script failed by that; else "".
	Missing string
	// Why is additional information about the end; usually "". The caller of Run sets it.
	Why string
	// OutOfMemory means that the program was probably killed for lack of memory. The caller of Run
	// sets it.
	OutOfMemory bool
}

// Killed returns Signal, and whether it was probably sent because no memory was left.
func (e *ExitError) Killed() (sig syscall.Signal, outOfMemory bool) { return e.Signal, e.OutOfMemory }

func (e *ExitError) Error() string {
	if e.Why != "" {
		return e.Why
	}
	return fmt.Sprintf("exit status %d", e.Code)
}

// ExitCode returns Code.
func (e *ExitError) ExitCode() int { return e.Code }

// Options configures a Shell. The zero value is usable.
type Options struct {
	// TrapLimit is how long the EXIT trap of a stopped script may take; 0 means
	// [proc.DefaultGrace].
	TrapLimit time.Duration
	// Clock measures TrapLimit, and how long a pipe is read after its program has ended.
	// Nil means a clock that is never paused.
	Clock *clock.Clock
	// Large counts the enlarged pipes of a run; nil means those of this shell.
	Large *pipe.Enlarger
	// Utilities provides cp, rm, mkdir and the like as parts of the shell, on a system
	// without such programs: Windows.
	Utilities bool
	// Plain leaves out advice: a script that fails shows only the interpreter's messages.
	Plain bool
	// BeforeScript is called before a script is interpreted. It may block, and may be nil.
	BeforeScript func()
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
	o.TrapLimit, o.Large = cmp.Or(o.TrapLimit, proc.DefaultGrace), cmp.Or(o.Large, new(pipe.Enlarger))
	return &Shell{o: o}
}

// Run runs sc and returns when it has ended. The error is an *ExitError, the cause of a stop
// of its group, or why it could not be run (a syntax error, an unknown option, a program that
// the system cannot start). If ctx is done before, Run stops the group with the cause of ctx:
// by its ladder if the cause is a [proc.Stopper], otherwise by SIGTERM and, after
// [proc.DefaultGrace], SIGKILL.
func (s *Shell) Run(ctx context.Context, sc *Script) error { return s.run(ctx, sc, nil) }

// Output runs sc and returns its standard output. If that is more than limit.Output bytes,
// the script is killed. Stdout is not used.
func (s *Shell) Output(ctx context.Context, sc *Script) (string, error) {
	out := capture{group: sc.Group}
	err := s.run(ctx, sc, &out)
	if out.full {
		return "", errOutput
	}
	return out.text.String(), err
}

// run implements Run and Output: standard output goes to out, if that is not nil.
func (s *Shell) run(ctx context.Context, sc *Script, out *capture) error {
	if err := sc.Group.Err(); err != nil {
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
	if sc.Began != nil && plain && (p.kind == constant || p.kind == message) {
		sc.Began()
	}
	if plain && p.kind == constant {
		return exitError(p.status)
	}
	if plain && p.kind == message && (out != nil || sc.Stdout != nil) {
		if out != nil {
			out.text.WriteString(p.text)
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
	builtIn := func(m member) bool { return utilities[m.argv[0]] } // into this shell
	if plain && p.kind == programs && !(s.o.Utilities && slices.ContainsFunc(p.members, builtIn)) {
		return s.pipeline(sc, p.members, out)
	}
	if s.o.BeforeScript != nil {
		s.o.BeforeScript()
	}
	return s.interpret(sc, p, out)
}

// stopFor stops a group because its context is done.
func stopFor(g *proc.Group, cause error) { g.Stop(cause, proc.LadderOf(cause)) }

func exitError(code int) error {
	if code == 0 {
		return nil
	}
	return &ExitError{Code: code}
}

// unfoundError returns err, the failure of a script in which a program was not found, with the name
// of that if the script ended by it.
func unfoundError(err error, name string) error {
	if exit, ok := err.(*ExitError); ok && exit.Code == notFound {
		exit.Missing = name
	}
	return err
}

// capture keeps output in memory. It kills the group if there is too much.
type capture struct {
	text  strings.Builder
	group *proc.Group
	full  bool
}

var errOutput = limit.Bytes("its output", limit.Output)

// Write implements io.Writer.
func (c *capture) Write(p []byte) (int, error) {
	if c.full || c.text.Len()+len(p) > limit.Output || limit.Grow(int64(len(p))) != nil {
		c.full = true
		c.group.Kill(errOutput)
		return 0, errOutput
	}
	return c.text.Write(p)
}
