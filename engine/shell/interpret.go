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

// run is one script in an interpreter. It is the context that the interpreter
// asks whether to go on: ended as soon as the group refuses.
type run struct {
	s       *Shell
	sc      *Script
	p       *parsed
	group   *proc.Group   // of sc, or its cleanup
	in      *os.File      // what the interpreter reads in place of sc.Stdin, if not that
	tty     bool          // in is a terminal
	trapped atomic.Bool   // the EXIT trap has begun
	noted   atomic.Bool   // see refuses
	before  int64         // what weft's memory held before it
	loose   atomic.Bool   // text from elsewhere runs: positions say nothing
	advised atomic.Bool   // see adviseBash
	asked   atomic.Uint32 // how often Err was called
	// captured tells that it is the command of a variable.
	captured bool
	jobs     jobs
	begins   begins
	env      quiet
}

type runKey struct{}

// Deadline returns no deadline.
func (r *run) Deadline() (time.Time, bool) { return time.Time{}, false }

// Done returns a channel closed when the group refuses.
func (r *run) Done() <-chan struct{} { return r.group.Done() }

// Err tells the interpreter to stop: the group refuses, or the script takes more memory
// than it may.
func (r *run) Err() error {
	if limit.Live() > r.before+limit.Scripts {
		r.group.Kill(errMemory)
	}
	// A function that calls itself needs several statements, and kilobytes, a level.
	if r.asked.Add(1)%lookAtStack == 0 && limit.Stacks() > limit.Stack {
		r.group.Kill(errDepth)
	}
	if r.group.Refused() != nil {
		return r.stopped()
	}
	return nil
}

// lookAtStack is after how many statements the stack is looked at.
const lookAtStack = 8192

var (
	errDepth    = errors.New("the functions of this script call one another without end, or too deep for weft's own shell; shell: bash runs it in a process of its own")
	errMemory   = &limit.Exceeded{What: "what this script has weft's own shell keep", Limit: limit.Scripts, Hint: "shell: bash runs it in a process of its own"}
	errCaptured = limit.Bytes("what this command writes into a variable", limit.Text)
	errBraces   = errors.New("the braces of this script stand for too many words for weft's own shell; use a loop, or shell: bash")
)

// Value makes r known to handlers.
func (r *run) Value(key any) any {
	if _, ok := key.(runKey); ok {
		return r
	}
	return nil
}

// errStopped is what the interpreter is told. It may print it on the way, which
// stream keeps from the user; the cause is the group's.
var errStopped = errors.New("weft: stopped")

// stopped notes that the script did not get to its end.
func (r *run) stopped() error {
	r.noted.Store(true)
	return errStopped
}

// stream is a file that the interpreter itself writes to.
type stream struct {
	f *os.File
	r *run
}

func (s *stream) Write(b []byte) (int, error) {
	if bytes.HasPrefix(b, []byte(braceError)) {
		s.r.group.Kill(errBraces) // the interpreter only says so, and goes on
		return len(b), nil
	}
	if len(b) == len("weft: stopped\n") && string(b) == "weft: stopped\n" && s.r.group.Refused() != nil {
		return len(b), nil
	}
	return s.f.Write(b)
}

// WriteString is what the interpreter uses most.
func (s *stream) WriteString(b string) (int, error) { return s.f.WriteString(b) }

// Fd lets `test -t` see the terminal behind the stream.
func (s *stream) Fd() uintptr { return s.f.Fd() }

// runner is a pooled interpreter: r is made from the pristine new before each
// script, since an interpreter that has run cannot change its directory.
type runner struct{ new, r interp.Runner }

// interpret runs a parsed script in an interpreter.
func (s *Shell) interpret(sc *Script, p *parsed, out *capture) error {
	if p.awaited != nil && sc.traced() {
		p = s.scripts.analyse(sc.Text, "", true)
	}
	r := &run{s: s, sc: sc, p: p, group: sc.Group, captured: out != nil, before: limit.Live()}
	r.env.environ, r.env.group = s.environs.get(sc.Env), sc.Group.Environ()
	if p.lists || p.kind != script {
		r.env.loud.Add(1)
	}
	rn, _ := s.runners.Get().(*runner)
	if rn == nil {
		in, err := interp.New(
			interp.Env(&r.env), interp.Dir("/"), interp.Params("-e"),
			interp.ExecHandlers(func(interp.ExecHandlerFunc) interp.ExecHandlerFunc { return execHandler }),
			interp.CallHandler(callHandler), interp.OpenHandler(openHandler))
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
	err := rn.r.Run(r, p.file)
	cause := sc.Group.Refused()
	if cause != nil && r.noted.Load() {
		err = cause
		if p.traps && !r.trapped.Load() {
			r.trap(&rn.r)
		}
	} else {
		err = result(err)
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
	// What goes on in the background still uses parts of the interpreter.
	if !p.background && !p.redefines {
		rn.r.Funcs, rn.r.Env, rn.new.Env = nil, nil, nil
		s.runners.Put(rn)
	}
	return err
}

// explain tells what the script, which ended with a status, has that only bash
// knows, where that is how the interpreter fails on it and callHandler could not
// say so.
func (r *run) explain(status int) {
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

// trap runs the EXIT trap of a script that was stopped: an interpreter that
// exits does that. The script's group refuses for good, so the trap has the
// group's cleanup, and what is left in the background does not.
func (r *run) trap(in *interp.Runner) {
	g := r.group.Cleanup()
	t := &run{s: r.s, sc: r.sc, p: r.p, group: g, in: r.in, tty: r.tty, before: limit.Live()}
	t.loose.Store(true)
	limit := r.s.o.Clock.AfterFunc(r.s.o.TrapLimit, func() { g.Kill(errTrapLimit) })
	defer limit.Stop()
	in.Run(t, r.s.scripts.parse("exit 130").file)
}

var errTrapLimit = errors.New("the EXIT trap took too long")

// stdio gives the interpreter its streams. A nil *os.File must not become a
// reader or writer that is not nil.
func (r *run) stdio(stdout *os.File) interp.RunnerOption {
	var in io.Reader
	out, err := io.Discard, io.Discard
	switch f := r.sc.Stdin; {
	case f == nil && r.s.o.Utilities:
		// A program may have nothing to read, a part of the shell may not.
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

// CheckOptions returns an error for each name of `set` or `shopt` that is no
// option.
func CheckOptions(set, shopt []string) (problems []error) {
	if len(set)+len(shopt) == 0 {
		return nil
	}
	r, err := interp.New()
	if err != nil {
		return []error{err}
	}
	for _, name := range set {
		if err := setOptions(&Script{Set: []string{name}}, r); err != nil {
			problems = append(problems, fmt.Errorf("set: %w", err))
		}
	}
	for _, name := range shopt {
		if err := setOptions(&Script{Shopt: []string{name}}, r); err != nil {
			problems = append(problems, fmt.Errorf("shopt: %w", err))
		}
	}
	return problems
}

// traced reports whether commands are shown from the start.
func (sc *Script) traced() bool {
	return slices.Contains(sc.Set, "x") || slices.Contains(sc.Set, "xtrace")
}

// setOptions sets what `set` and `shopt` list.
func setOptions(sc *Script, r *interp.Runner) error {
	for _, name := range sc.Set {
		args := []string{"-o", name}
		if len(name) == 1 {
			args = []string{"-" + name}
		}
		if err := interp.Params(args...)(r); err != nil {
			return err
		}
	}
	for _, name := range sc.Shopt {
		if err := interp.BashOpts("-s", name)(r); err != nil {
			return err
		}
	}
	return nil
}

// of returns the run that a handler is called for, and its surroundings.
func of(ctx context.Context) (*run, interp.HandlerContext) {
	return ctx.Value(runKey{}).(*run), interp.HandlerCtx(ctx)
}
