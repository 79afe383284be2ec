package shell

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync/atomic"
	"time"

	"mvdan.cc/sh/v3/interp"

	"github.com/weftrun/weft/engine/proc"
	"github.com/weftrun/weft/internal/limit"
)

// execution is a script in an interpreter. It is the context that the interpreter checks: it
// is done as soon as the group is stopped.
type execution struct {
	s            *Shell
	sc           *Script
	p            *parsed
	group        *proc.Group            // of sc, or its cleanup
	in           *os.File               // what the interpreter reads: sc.Stdin, or the same opened again
	tty          bool                   // in is a terminal
	captured     bool                   // its output becomes the value of a variable
	memoryBefore int64                  // how much memory weft used before
	trapped      atomic.Bool            // the EXIT trap has begun
	cutShort     atomic.Bool            // see stopped
	foreign      atomic.Bool            // text from elsewhere may be running, see positions
	advised      atomic.Bool            // see adviseBash
	missing      atomic.Pointer[string] // the program that was not found last
	checks       atomic.Uint32          // how often Err was called
	jobs         jobs
	starts       starts
	env          quiet
}

type executionKey struct{}

// Deadline returns no deadline.
func (r *execution) Deadline() (time.Time, bool) { return time.Time{}, false }

// Done returns a channel that is closed when the group is stopped.
func (r *execution) Done() <-chan struct{} { return r.group.Done() }

// Err returns an error, which ends the interpreter, if the group was stopped or the script
// uses too much memory.
func (r *execution) Err() error {
	if limit.LiveExceeds(r.memoryBefore + limit.Scripts) {
		r.group.Kill(errMemory)
	}
	// Each level of a recursive function has several statements and takes kilobytes.
	if r.checks.Add(1)%stackCheckInterval == 0 && limit.Stacks() > limit.Stack {
		r.group.Kill(errDepth)
	}
	if r.group.Err() != nil {
		return r.stopped()
	}
	return nil
}

// stackCheckInterval is the number of calls of Err between two checks of the stack's size.
const stackCheckInterval = 8192

var (
	errDepth    = errors.New("the functions of this script call one another endlessly, or too deeply for weft's own shell; shell: bash runs it in a separate process")
	errMemory   = &limit.Exceeded{What: "the memory of weft's own shell for this script", Limit: limit.Scripts, Hint: "shell: bash runs it in a separate process"}
	errCaptured = limit.Bytes("the output of this command for a variable", limit.Text)
	errBraces   = errors.New("the braces of this script expand to too many words for weft's own shell; use a loop, or shell: bash")
)

// Value returns r to handlers, see executionOf.
func (r *execution) Value(key any) any {
	if _, ok := key.(executionKey); ok {
		return r
	}
	return nil
}

// errStopped ends the interpreter. It may print it, which stream suppresses; the group has
// the cause.
var errStopped = errors.New("weft: stopped")

// stopped records that the script does not reach its end.
func (r *execution) stopped() error {
	r.cutShort.Store(true)
	return errStopped
}

// stream is a file that the interpreter itself writes to.
type stream struct {
	f *os.File
	r *execution
}

func (s *stream) Write(b []byte) (int, error) {
	if bytes.HasPrefix(b, []byte(braceError)) {
		s.r.group.Kill(errBraces) // the interpreter would print that and continue
		return len(b), nil
	}
	if len(b) == len("weft: stopped\n") && string(b) == "weft: stopped\n" && s.r.group.Err() != nil {
		return len(b), nil
	}
	return s.f.Write(b)
}

// WriteString implements io.StringWriter, which the interpreter uses most.
func (s *stream) WriteString(b string) (int, error) { return s.f.WriteString(b) }

// Fd returns the descriptor, for `test -t`.
func (s *stream) Fd() uintptr { return s.f.Fd() }

// runner is an interpreter in the pool. Before each script r is copied from new, since the
// directory of an interpreter cannot be changed after it has run.
type runner struct{ new, r interp.Runner }

// interpret runs a parsed script in an interpreter.
func (s *Shell) interpret(sc *Script, p *parsed, out *capture) error {
	if p.awaited != nil && sc.traced() {
		p = s.scripts.analyse(sc.Text, "", true)
	}
	limit.AddExempt(limit.Running)
	defer limit.AddExempt(-limit.Running)
	r := &execution{s: s, sc: sc, p: p, group: sc.Group, captured: out != nil, memoryBefore: limit.Live()}
	r.env.environ, r.env.own, r.env.extra = s.environs.get(sc.Env), slices.Concat(sc.Extra, sc.Group.Environ()), len(sc.Extra) > 0
	if p.lists || p.kind != script {
		r.env.loud.Add(1)
	}
	rn, _ := s.runners.Get().(*runner)
	if rn == nil {
		in, err := newInterpreter(interp.Env(&r.env), interp.Params("-e"))
		if err != nil {
			return err
		}
		rn = &runner{new: *in}
	}
	vars := rn.r.Vars
	rn.r = rn.new
	rn.r.Vars, rn.r.Env, rn.r.Dir = vars, &r.env, sc.Dir
	if err := setOptions(sc, &rn.r); err != nil {
		return err
	}
	var d *drain
	stdout := sc.Stdout
	if out != nil {
		var err error
		if d, err = s.newDrain(out); err != nil {
			return err
		}
		stdout = d.W
	}
	if err := r.stdio(stdout)(&rn.r); err != nil {
		return err
	}
	if sc.Began != nil {
		sc.Began()
	}
	err := rn.r.Run(r, p.file)
	cause := sc.Group.Err()
	if cause != nil && r.cutShort.Load() {
		err = cause
		if p.traps && !r.trapped.Load() {
			r.trap(&rn.r)
		}
	} else {
		if status, ok := errors.AsType[interp.ExitStatus](err); ok {
			err = exitError(int(status))
			if name := r.missing.Load(); name != nil {
				err = unfoundError(err, *name)
			}
		}
		if exit, ok := err.(*ExitError); ok && sc.Stderr != nil {
			r.explain(exit.Code)
		}
	}
	if r.in != nil && r.in != sc.Stdin {
		r.in.Close()
	}
	if d != nil {
		d.finish()
	}
	// Background commands still use parts of the interpreter.
	if !p.background && !p.redefines {
		rn.r.Funcs, rn.r.Env, rn.new.Env = nil, nil, nil
		s.runners.Put(rn)
	}
	return err
}

// newInterpreter returns an interpreter with the handlers of this package.
func newInterpreter(options ...interp.RunnerOption) (*interp.Runner, error) {
	return interp.New(append(options, interp.Dir("/"),
		interp.ExecHandlers(func(interp.ExecHandlerFunc) interp.ExecHandlerFunc { return execHandler }),
		interp.CallHandler(callHandler), interp.OpenHandler(openHandler))...)
}

// explain advises to use bash if the script contains something that only bash supports, on
// which the interpreter fails with this status and callHandler could not advise.
func (r *execution) explain(status int) {
	if r.s.o.Plain || status > 2 {
		return
	}
	found := bashOnly(r.p.file, nil)
	for i := range found {
		if b := &found[i]; b.status == status {
			r.adviseBash(r.sc.Stderr, b)
			return
		}
	}
}

// trap runs the EXIT trap of a script that was stopped: the interpreter does that when it
// exits. The script's group starts nothing more, so the trap has the group's cleanup;
// background commands do not.
func (r *execution) trap(in *interp.Runner) {
	g := r.group.Cleanup()
	t := &execution{s: r.s, sc: r.sc, p: r.p, group: g, in: r.in, tty: r.tty, memoryBefore: limit.Live()}
	t.foreign.Store(true)
	limit := r.s.o.Clock.AfterFunc(g.LimitTimeout(r.s.o.TrapLimit), func() { g.Kill(errTrapLimit) })
	defer limit.Stop()
	in.Run(t, r.s.scripts.parse("exit 130").file)
}

var errTrapLimit = errors.New("the EXIT trap took too long")

// stdio sets the interpreter's streams. A nil *os.File must not become a reader or writer
// that is not nil.
func (r *execution) stdio(stdout *os.File) interp.RunnerOption {
	var in io.Reader
	out, err := io.Discard, io.Discard
	switch f := r.sc.Stdin; {
	case f == nil && r.s.o.Utilities:
		// Built-in utilities need something to read, unlike programs.
		if null, err := os.Open(os.DevNull); err == nil {
			r.in, in = null, null
		}
	case f != nil:
		r.in = f
		if r.p.reads {
			if again := reopen(f, true); again != nil {
				r.in, r.tty = again, isTerminal(again)
			} else if endless(f) {
				if again, err := r.piped(f); err == nil {
					r.in = again
				}
			}
		}
		in = r.in
	}
	if stdout != nil {
		out = &stream{stdout, r}
	}
	if r.sc.Stderr != nil {
		err = &stream{r.sc.Stderr, r}
	}
	return interp.StdIO(in, out, err)
}

// CheckOptions returns an error for each name that is not an option of `set` or `shopt`.
func CheckOptions(set, shopt []string) (problems []error) {
	if len(set)+len(shopt) == 0 {
		return nil
	}
	r, err := interp.New()
	if err != nil {
		return []error{err}
	}
	check := func(builtin string, sc Script) {
		if err := setOptions(&sc, r); err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", builtin, err))
		}
	}
	for _, name := range set {
		check("set", Script{Set: []string{name}})
	}
	for _, name := range shopt {
		check("shopt", Script{Shopt: []string{name}})
	}
	return problems
}

// traced reports whether the script starts with tracing on.
func (sc *Script) traced() bool {
	return slices.Contains(sc.Set, "x") || slices.Contains(sc.Set, "xtrace")
}

// setOptions sets the options that Set and Shopt list.
func setOptions(sc *Script, r *interp.Runner) error {
	for _, name := range sc.Set {
		args := []string{"-o", name}
		if len(name) == 1 {
			args = []string{"-" + name}
		}
		if err := apply(interp.Params(args...), r); err != nil {
			return err
		}
	}
	for _, name := range sc.Shopt {
		if err := apply(interp.BashOpts("-s", name), r); err != nil {
			return err
		}
	}
	return nil
}

// apply applies an option to r. Its code is not copied into the caller: it is long.
//
//go:noinline
func apply(o interp.RunnerOption, r *interp.Runner) error { return o(r) }

// executionOf returns the execution that a handler is called for, and its context.
func executionOf(ctx context.Context) (*execution, interp.HandlerContext) {
	return ctx.Value(executionKey{}).(*execution), interp.HandlerCtx(ctx)
}
