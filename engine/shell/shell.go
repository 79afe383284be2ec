// Package shell turns a command string into processes: it is interpreted in
// this process by mvdan.cc/sh, and the external programs it names are started
// through package proc.
//
// A script that is one simple command without anything to expand needs no
// interpreter: the parser decides, see direct.go. Interpreters are pooled.
//
// # Stopping
//
// A script that is stopped stops: from the moment its group refuses (see
// proc.Group.Stop) every command of the script returns that refusal instead of
// an exit status, so that no `||`, `if` or `;` goes on with what comes next,
// in substitutions, subshells, functions and loops alike. Its EXIT trap still
// runs, in a group and with a time limit of its own.
package shell

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/interp"
	"mvdan.cc/sh/v3/syntax"

	"github.com/weftrun/weft/engine/proc"
)

// Script is a command string with its surroundings.
type Script struct {
	Text string
	Dir  string
	// Env is the complete environment. It is shared and never changed: what
	// is derived from it is remembered by its identity.
	Env        []string
	Set, Shopt []string // options, by name
	// Stdin, Stdout and Stderr may be nil, for /dev/null.
	Stdin, Stdout, Stderr *os.File
	Group                 *proc.Group // owns the script's processes
}

// ExitError is a script that did not exit zero.
type ExitError struct{ Code int }

func (e *ExitError) Error() string { return fmt.Sprintf("exit status %d", e.Code) }

// Options configure a Shell.
type Options struct {
	Processes *proc.Table // for the groups of EXIT traps
}

// Shell runs scripts. It is safe for concurrent use.
type Shell struct {
	o        Options
	scripts  scripts
	runners  runners
	env      atomic.Pointer[environ]
	enlarged atomic.Int32 // pipes that were made larger
}

// New returns a Shell.
func New(o Options) *Shell { return &Shell{o: o} }

// environ is an environment in the form that the interpreter wants.
type environ struct {
	of   []string
	expd expand.Environ
}

// environ converts env, remembering the last one: most scripts share it.
func (s *Shell) environ(env []string) expand.Environ {
	if e := s.env.Load(); e != nil && len(e.of) == len(env) && (len(env) == 0 || &e.of[0] == &env[0]) {
		return e.expd
	}
	e := &environ{of: env, expd: expand.ListEnviron(env...)}
	s.env.Store(e)
	return e.expd
}

// Run runs sc and returns when it has ended: nil, an *ExitError, the cause
// that its group was stopped for, or why it could not run at all (a syntax
// error, an unknown option, a directory that is not there).
func (s *Shell) Run(ctx context.Context, sc *Script) error {
	if err := sc.Group.Refused(); err != nil {
		return err
	}
	p := s.scripts.parse(sc.Text)
	if p.err != nil {
		return p.err
	}
	if len(sc.Set)+len(sc.Shopt) == 0 {
		switch {
		case p.constant != nil:
			return exitError(*p.constant)
		case p.argv != nil:
			if done, err := s.direct(ctx, sc, p.argv); done {
				return err
			}
		}
	}
	return s.interpret(ctx, sc, p.file)
}

func exitError(code int) error {
	if code == 0 {
		return nil
	}
	return &ExitError{Code: code}
}

// Output runs sc and returns what it writes to its standard output.
func (s *Shell) Output(ctx context.Context, sc *Script) (string, error) {
	var b strings.Builder
	d, err := newDrain(&b)
	if err != nil {
		return "", err
	}
	sc.Stdout = d.w
	err = s.Run(ctx, sc)
	d.finish()
	return b.String(), err
}

// runner is a pooled interpreter and the script it runs at the moment.
type runner struct {
	*interp.Runner
	s     *Shell
	sc    *Script
	group *proc.Group // of sc, or of its trap
}

// runners are interpreters that wait for their next script, by directory: it
// is the one thing that an interpreter cannot change.
type runners struct {
	mu   sync.Mutex // guards the fields below
	free map[string][]*runner
	n    int
}

const maxRunners = 64

func (p *runners) get(dir string) *runner {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := p.free[dir]
	if len(list) == 0 {
		return nil
	}
	r := list[len(list)-1]
	p.free[dir] = list[:len(list)-1]
	p.n--
	return r
}

func (p *runners) put(dir string, r *runner) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.free == nil || p.n >= maxRunners {
		p.free, p.n = map[string][]*runner{}, 0
	}
	p.free[dir] = append(p.free[dir], r)
	p.n++
}

func (s *Shell) newRunner(opts ...interp.RunnerOption) (*runner, error) {
	r := &runner{s: s}
	opts = append([]interp.RunnerOption{
		interp.ExecHandlers(func(interp.ExecHandlerFunc) interp.ExecHandlerFunc { return r.exec }),
		interp.CallHandler(r.call),
		interp.OpenHandler(r.open),
		interp.Params("-e"),
	}, opts...)
	var err error
	r.Runner, err = interp.New(opts...)
	return r, err
}

// trapLimit is how long an EXIT trap of a stopped script may take.
const trapLimit = 5 * time.Second

// interpret runs a parsed script in an interpreter.
func (s *Shell) interpret(ctx context.Context, sc *Script, file *syntax.File) error {
	info, err := os.Stat(sc.Dir)
	if err == nil && !info.IsDir() {
		return fmt.Errorf("%s is not a directory", sc.Dir)
	}
	pooled := len(sc.Set)+len(sc.Shopt) == 0
	var r *runner
	if pooled {
		r = s.runners.get(sc.Dir)
	}
	if r == nil {
		if r, err = s.newRunner(options(sc)...); err != nil {
			return err
		}
		r.Runner.Dir = sc.Dir
	}
	r.sc, r.group = sc, sc.Group
	interp.Env(s.environ(sc.Env))(r.Runner)
	r.Reset()
	stdio(sc)(r.Runner)
	err = r.Run(ctx, file)
	stopped := sc.Group.Refused()
	if stopped != nil && strings.Contains(sc.Text, "trap") && !sc.Group.Killed() {
		r.trap(ctx)
	}
	if pooled && stopped == nil && !strings.Contains(sc.Text, "&") {
		s.runners.put(sc.Dir, r)
	}
	switch {
	case stopped != nil:
		return stopped
	case ctx.Err() != nil:
		return context.Cause(ctx)
	}
	return result(err)
}

// result maps the interpreter's error.
func result(err error) error {
	var status interp.ExitStatus
	if errors.As(err, &status) {
		return exitError(int(status))
	}
	return err
}

// trap runs what the script has set for its exit: running `exit` on the same
// interpreter does that.
func (r *runner) trap(ctx context.Context) {
	r.group = r.s.o.Processes.NewGroup(proc.GroupOptions{})
	defer r.group.Close()
	limit := errors.New("the trap took too long")
	ctx, cancel := context.WithTimeoutCause(context.WithoutCancel(ctx), trapLimit, limit)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { r.group.Kill(limit) })
	defer stop()
	exit := r.s.scripts.parse("exit")
	r.Run(ctx, exit.file)
}

// stdio gives the interpreter sc's streams. A nil *os.File must not become a
// reader or writer that is not nil.
func stdio(sc *Script) interp.RunnerOption {
	return func(r *interp.Runner) error {
		var in io.Reader
		if sc.Stdin != nil {
			in = sc.Stdin
		}
		return interp.StdIO(in, writer(sc.Stdout), writer(sc.Stderr))(r)
	}
}

// options are the interpreter's options for set and shopt.
func options(sc *Script) []interp.RunnerOption {
	var opts []interp.RunnerOption
	for _, name := range sc.Set {
		if len(name) == 1 {
			opts = append(opts, interp.Params("-"+name))
		} else {
			opts = append(opts, interp.Params("-o", name))
		}
	}
	for _, name := range sc.Shopt {
		opts = append(opts, interp.BashOpts("-s", name))
	}
	return opts
}
