package shell

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
	"syscall"

	"mvdan.cc/sh/v3/interp"

	"github.com/weftrun/weft/engine/pipe"
	"github.com/weftrun/weft/engine/proc"
	"github.com/weftrun/weft/internal/limit"
	"github.com/weftrun/weft/schema/diag"
)

// pipeline runs the programs of a pipeline without an interpreter.
func (s *Shell) pipeline(sc *Script, members []member, out *capture) error {
	last := len(members) - 1
	if last == 0 {
		return s.direct(sc, members[0].argv, out)
	}
	scripts := make([]Script, len(members))
	for i, m := range members {
		scripts[i] = *sc
		scripts[i].Text = m.text
	}
	ends := make([][]*os.File, len(members))
	for i := range last {
		r, w, err := pipe.ForPrograms()
		if err != nil {
			pipe.CloseAll(ends...)
			return err
		}
		scripts[i].Stdout, scripts[i+1].Stdin = w, r
		ends[i], ends[i+1] = append(ends[i], w), append(ends[i+1], r)
	}
	errs := make([]error, len(members))
	var wg sync.WaitGroup
	for i := range last {
		wg.Go(func() {
			if s.o.Large.Enlarge(scripts[i].Stdout) {
				defer s.o.Large.Release()
			}
			errs[i] = s.direct(&scripts[i], members[i].argv, nil, ends[i]...)
		})
	}
	errs[last] = s.direct(&scripts[last], members[last].argv, out, ends[last]...)
	wg.Wait()
	// The last program has the exit status; another one may have failed to start.
	for _, err := range errs[:last] {
		var exit *ExitError
		if err != nil && !errors.As(err, &exit) {
			return err
		}
	}
	return errs[last]
}

// direct runs a script that is a single program without an interpreter. It closes ends, the
// program's ends of pipes, when the program is started or cannot be.
func (s *Shell) direct(sc *Script, argv []string, out *capture, ends ...*os.File) error {
	defer pipe.CloseAll(ends)
	env := s.environs.get(sc.Env)
	path, err := lookPath(sc.Dir, env.Get("PATH").Str, argv[0])
	if err != nil {
		why, status := unfound(sc.Dir, argv[0], err)
		return unfoundError(sc.failed(why, status), argv[0])
	}
	spec := proc.Spec{Path: path, Argv: argv, Dir: sc.Dir, Stdin: sc.Stdin, Stdout: sc.Stdout, Stderr: sc.Stderr, Descriptors: sc.Descriptors, Session: sc.Session, Setup: sc.Setup}
	spec.Env, spec.Extra = env.with(sc.Extra, sc.Group.Environ())
	var d *drain
	if out != nil {
		if d, err = s.newDrain(out); err != nil {
			return err
		}
		spec.Stdout = d.W
	}
	status, err := runProgram(sc.Group, &spec, ends, sc.Began)
	if d != nil {
		d.finish()
	}
	if refused := sc.Group.Err(); refused != nil {
		return refused
	}
	if errors.Is(err, syscall.ENOEXEC) && sc.Argv == nil {
		return s.interpret(sc, s.scripts.analyse(sc.Text, "", sc.traced()), out)
	}
	if errors.Is(err, syscall.ENOEXEC) {
		why := fmt.Sprintf("%s: %s; a script without #! needs a shell", diag.Printable(path), diag.Printable(err.Error()))
		return sc.failed(why, notExecutable)
	}
	if err != nil {
		if why, status := unstarted(argv[0], path, err); status != 0 {
			return sc.failed(why, status)
		}
		return err
	}
	if status.Code == notFound && sc.Stderr != nil {
		endedUnfound(sc.Stderr, argv[0], path)
	}
	if status.Code != 0 {
		return &ExitError{Code: status.Code, Signal: status.Signal}
	}
	return nil
}

// failed returns the error of a program that could not be run, and says why.
func (sc *Script) failed(why string, status int) error {
	if sc.Stderr != nil {
		fmt.Fprintln(sc.Stderr, why)
	}
	return exitError(status)
}

// runProgram starts a program, closes ends, reports that it has begun and waits for it.
func runProgram(g *proc.Group, spec *proc.Spec, ends []*os.File, began func()) (proc.Status, error) {
	if len(ends) == 0 && began == nil {
		return g.Run(spec)
	}
	spec.Confirm = true // because Wait might start it again, which needs ends
	p, err := g.Start(spec)
	if err != nil {
		return proc.Status{}, err
	}
	pipe.CloseAll(ends)
	if began != nil {
		began()
	}
	return p.Wait()
}

// exec starts a program for the interpreter and waits for it.
func (r *execution) exec(hc *interp.HandlerContext, args []string) error {
	if err := r.group.Err(); err != nil {
		return r.stopped()
	}
	if r.p.background {
		defer openUnused(args)
	}
	path, err := lookPath(hc.Dir, hc.Env.Get("PATH").String(), args[0])
	if err != nil {
		r.missing.Store(&args[0])
		why, status := unfound(hc.Dir, args[0], err)
		fmt.Fprintln(hc.Stderr, why)
		return interp.ExitStatus(uint8(status))
	}
	job := ""
	if r.p.kills {
		job = hc.Env.Get(jobPath).Str
		if by := r.jobs.killed(job); by != 0 {
			return interp.ExitStatus(128 + uint8(by))
		}
	}
	st, err := r.streams(hc)
	if err != nil {
		return err
	}
	where := hc.Pos.Offset()
	awaited := len(r.p.awaited) > 0 && r.positions() && slices.Contains(r.p.awaited, where)
	spec := proc.Spec{Path: path, Argv: args, Dir: hc.Dir, Extra: r.exported(hc), Stdin: st.in, Stdout: st.out, Stderr: st.err, Descriptors: r.sc.Descriptors, Job: job, Setup: r.sc.Setup, Confirm: true}
	p, err := r.group.Start(&spec)
	st.started(err == nil)
	if err != nil {
		st.finish()
		switch {
		case r.group.Err() != nil:
			return r.stopped()
		case errors.Is(err, syscall.ENOEXEC):
			return r.file(hc, path, args)
		}
		if why, status := unstarted(args[0], path, err); status != 0 {
			fmt.Fprintln(hc.Stderr, why)
			return interp.ExitStatus(uint8(status))
		}
		return err
	}
	if awaited {
		r.starts.count(where, func(b *startCount) { b.done++ })
	}
	if by := r.jobs.killed(job); by != 0 {
		r.group.Signal(job, by) // it was killed while it was being started
	}
	status, err := p.Wait()
	st.finish()
	if r.group.Err() != nil {
		return r.stopped()
	}
	if err != nil {
		return err
	}
	if status.Code == notFound {
		endedUnfound(hc.Stderr, args[0], path)
	}
	if status.Code != 0 {
		if awaited {
			r.starts.count(where, func(b *startCount) { b.failing++ })
		}
		return interp.ExitStatus(status.Code)
	}
	return nil
}

// exported returns the environment of a program that the interpreter starts.
func (r *execution) exported(hc *interp.HandlerContext) []string {
	r.env.loud.Add(1)
	defer r.env.loud.Add(-1)
	return programEnv(hc.Env)
}

// streams holds the descriptors of a program that the interpreter starts.
type streams struct {
	in, out, err *os.File
	ends         [2]*os.File // of pipes; closed when the program is started
	drains       [2]*drain
	own          *os.File // opened for this program alone
	shell        *Shell
	r            *execution
	large        bool // the pipe that it writes is enlarged
}

// streams returns descriptors for the streams of a program: a file is inherited, anything
// else gets a pipe.
func (r *execution) streams(hc *interp.HandlerContext) (*streams, error) {
	st := &streams{shell: r.s, r: r}
	e := r.p.edges[hc.Pos.Offset()]
	if !r.positions() {
		e = 0
	}
	if in, ok := hc.Stdin.(*os.File); ok && in != nil {
		st.in = in
		switch {
		case in == r.in:
			st.in = r.sc.Stdin
		case e&readsPipe != 0:
			st.ends[0] = in
		case r.p.reads:
			// A program and the interpreter both read this, and each needs its own
			// mode.
			if f := reopen(in, false); f != nil {
				st.in, st.own = f, f
			}
		}
	}
	var err error
	if st.out, err = st.writer(hc.Stdout, &st.drains[0]); err == nil {
		if hc.Stderr == hc.Stdout {
			st.err = st.out
		} else {
			st.err, err = st.writer(hc.Stderr, &st.drains[1])
		}
	}
	if err != nil {
		st.started(false)
		st.finish()
		return nil, err
	}
	if f, ok := hc.Stdout.(*os.File); ok && e&writesPipe != 0 {
		st.ends[1] = f
		st.large = r.s.o.Large.Enlarge(f)
	}
	return st, nil
}

// writer returns the file that a program gets for w.
func (st *streams) writer(w io.Writer, d **drain) (f *os.File, err error) {
	switch w := w.(type) {
	case nil, nullFile:
		return nil, nil
	case *os.File:
		return w, nil
	case *stream:
		return w.f, nil
	}
	if w == io.Discard {
		return nil, nil
	}
	if *d, err = st.shell.newDrain(&kept{w: w, r: st.r}); err != nil {
		return nil, err
	}
	return (*d).W, nil
}

// kept limits how much output of a program the interpreter keeps.
type kept struct {
	w io.Writer
	r *execution
	n int
}

func (k *kept) Write(p []byte) (int, error) {
	if k.n += len(p); k.n > limit.Text {
		k.r.group.Kill(errCaptured)
		return 0, errCaptured
	}
	return k.w.Write(p)
}

// started closes our copies of the descriptors when the program is started, which ok
// reports, or could not be.
func (st *streams) started(ok bool) {
	for _, d := range st.drains {
		if d != nil {
			d.W.Close()
		}
	}
	if st.own != nil {
		st.own.Close()
	}
	if ok {
		for _, f := range st.ends {
			if f != nil {
				f.Close()
			}
		}
	}
}

// finish returns when all output was read.
func (st *streams) finish() {
	for _, d := range st.drains {
		if d != nil {
			d.finish()
		}
	}
	if st.large {
		st.shell.o.Large.Release()
	}
}
