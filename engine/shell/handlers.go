package shell

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/interp"

	"github.com/weftrun/weft/engine/proc"
)

// call refuses every command once the script is stopped.
func (r *runner) call(_ context.Context, args []string) ([]string, error) {
	return args, r.group.Refused()
}

// exec starts an external program for the interpreter and waits for it.
func (r *runner) exec(ctx context.Context, args []string) error {
	if err := r.group.Refused(); err != nil {
		return err
	}
	hc := interp.HandlerCtx(ctx)
	path, err := interp.LookPathDir(hc.Dir, hc.Env, args[0])
	if err != nil {
		fmt.Fprintln(hc.Stderr, err)
		return interp.ExitStatus(127)
	}
	st, err := r.streams(&hc)
	if err != nil {
		return err
	}
	p, err := r.group.Start(&proc.Spec{Path: path, Argv: args, Dir: hc.Dir, Env: execEnv(hc.Env), Stdin: st.in, Stdout: st.out, Stderr: st.err})
	if err != nil {
		st.close()
		return r.notStarted(ctx, &hc, path, args, err)
	}
	status := p.Wait()
	st.close()
	if stopped := r.group.Refused(); stopped != nil {
		return stopped
	}
	if status.Code != 0 {
		return interp.ExitStatus(status.Code)
	}
	return nil
}

// notStarted deals with a program that could not be started.
func (r *runner) notStarted(ctx context.Context, hc *interp.HandlerContext, path string, args []string, err error) error {
	if stopped := r.group.Refused(); stopped != nil {
		return stopped
	}
	if errors.Is(err, syscall.ENOEXEC) {
		return r.runFile(ctx, hc, path, args)
	}
	err = startError(err, hc.Dir, path)
	if status, ok := asStatus(err); ok {
		fmt.Fprintln(hc.Stderr, err)
		return interp.ExitStatus(status)
	}
	return err
}

// runFile interprets a script without an interpreter line, as shells do.
func (r *runner) runFile(ctx context.Context, hc *interp.HandlerContext, path string, args []string) error {
	src, err := os.ReadFile(path)
	if err != nil {
		fmt.Fprintln(hc.Stderr, err)
		return interp.ExitStatus(126)
	}
	parser := r.s.scripts.parser()
	defer r.s.scripts.parsers.Put(parser)
	file, err := parser.Parse(bytes.NewReader(src), path)
	if err != nil {
		fmt.Fprintln(hc.Stderr, err)
		return interp.ExitStatus(2)
	}
	child, err := r.s.newRunner(interp.Env(expand.ListEnviron(execEnv(hc.Env)...)), interp.StdIO(hc.Stdin, hc.Stdout, hc.Stderr),
		interp.Params(append([]string{"+e", "--"}, args[1:]...)...))
	if err != nil {
		return err
	}
	child.sc, child.group = r.sc, r.group
	child.Runner.Dir = hc.Dir
	file.Name = args[0]
	return child.Run(ctx, file)
}

// execEnv is the environment that a program gets: what is exported.
func execEnv(env expand.Environ) []string {
	list := make([]string, 0, 64)
	env.Each(func(name string, v expand.Variable) bool {
		if v.Exported && v.Kind == expand.String {
			list = append(list, name+"="+v.Str)
		}
		return true
	})
	return list
}

// streams are the descriptors of one program.
type streams struct {
	in, out, err *os.File
	drains       []*drain
	feed         *os.File // our end of a pipe that feeds in
}

// streams finds descriptors for what the interpreter hands over: files as they
// are, anything else through a pipe.
func (r *runner) streams(hc *interp.HandlerContext) (*streams, error) {
	st := &streams{}
	var err error
	switch in := hc.Stdin.(type) {
	case nil:
	case *os.File:
		st.in = in
		r.s.enlarge(in, r.sc)
	default:
		if st.in, st.feed, err = feed(in); err != nil {
			return nil, err
		}
	}
	if st.out, err = st.writer(hc.Stdout); err != nil {
		st.close()
		return nil, err
	}
	if hc.Stderr == hc.Stdout {
		st.err = st.out
	} else if st.err, err = st.writer(hc.Stderr); err != nil {
		st.close()
		return nil, err
	}
	return st, nil
}

func (st *streams) writer(w io.Writer) (*os.File, error) {
	switch w := w.(type) {
	case nil:
		return nil, nil
	case *os.File:
		return w, nil
	}
	if w == io.Discard {
		return nil, nil
	}
	d, err := newDrain(w)
	if err != nil {
		return nil, err
	}
	st.drains = append(st.drains, d)
	return d.w, nil
}

// close ends our part of the streams, after what they carry has arrived.
func (st *streams) close() {
	if st.feed != nil {
		st.in.Close()
		st.feed.Close()
	}
	for _, d := range st.drains {
		d.finish()
	}
}

// pipeSize is what pipes between the programs of a script are enlarged to, and
// maxEnlarged how many: an unprivileged user may have only so much of it.
const (
	pipeSize    = 1 << 20
	maxEnlarged = 16
)

// enlarge makes a pipe between two programs larger.
func (s *Shell) enlarge(f *os.File, sc *Script) {
	if f == sc.Stdin || s.enlarged.Load() >= maxEnlarged {
		return
	}
	fd := f.Fd()
	if n, err := unix.FcntlInt(fd, unix.F_GETPIPE_SZ, 0); err != nil || n >= pipeSize {
		return
	}
	if _, err := unix.FcntlInt(fd, unix.F_SETPIPE_SZ, pipeSize); err == nil {
		s.enlarged.Add(1)
	}
}

// open opens a file for a redirection.
func (r *runner) open(ctx context.Context, path string, flag int, perm os.FileMode) (io.ReadWriteCloser, error) {
	if err := r.group.Refused(); err != nil {
		return nil, err
	}
	return interp.DefaultOpenHandler()(ctx, path, flag, perm)
}

// writer is f as a writer; nil stays nil.
func writer(f *os.File) io.Writer {
	if f == nil {
		return nil
	}
	return f
}
