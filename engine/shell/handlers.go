package shell

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"

	"mvdan.cc/sh/v3/interp"

	"github.com/weftrun/weft/engine/proc"
	"github.com/weftrun/weft/internal/epipe"
	"github.com/weftrun/weft/schema/diag"
)

// Names of internal commands, which the handlers run.
const (
	beginTrap = "_weft_trap" // begins the EXIT trap, and keeps $?
	reading   = "\x00read"   // a builtin that reads the terminal
)

var (
	colon   = []string{":"}
	failure = []string{"false"}
)

// callHandler is called before every simple command, and returns the command to run.
func callHandler(ctx context.Context, args []string) ([]string, error) {
	r, hc := executionOf(ctx)
	if mayNeedBash(args[0]) && !r.s.o.Plain && !r.advised.Load() {
		if b := checkBuiltin(args); b != nil && b.inCall && !slices.Contains(r.p.funcs, args[0]) {
			r.adviseBash(hc.Stderr, b)
		}
	}
	switch args[0] {
	case "set":
		if known, _ := knownSet(args); len(known) == 1 {
			return colon, nil // without arguments, set would list all variables
		} else if known != nil {
			return known, nil
		}
	case "echo":
		if r.p.redefines || len(args) > 1 && strings.HasPrefix(args[1], "-") {
			return args, nil
		}
		// One write, so that lines of concurrent commands stay whole. If the pipe has no reader,
		// the script ends, as by SIGPIPE.
		line := strings.Join(args[1:], " ") + "\n"
		switch _, err := io.WriteString(hc.Stdout, line); {
		case epipe.Is(err):
			return []string{"exit", strconv.Itoa(proc.BrokenPipe)}, nil
		case err != nil:
			io.WriteString(hc.Stderr, writeError(err))
			return failure, nil
		}
		return colon, nil
	case "read", "mapfile", "readarray":
		if f, ok := hc.Stdin.(*os.File); ok && f != nil && (f == r.in && r.tty || f != r.in && isTerminal(f)) {
			return slices.Concat([]string{reading}, args), nil
		}
	case "trap":
		if len(args) > 2 && args[1] != "-" && args[1] != "" && slices.Contains(args[2:], "EXIT") {
			args = slices.Clone(args)
			args[1] = beginTrap + "\n" + args[1]
		}
	case "kill":
		if !r.p.redefines {
			return r.kill(&hc, args)
		}
	case "eval", "source", ".":
		r.foreign.Store(true)
		if err := checkEval(&hc, args); err != nil {
			fmt.Fprintf(hc.Stderr, "%s: %s\n", args[0], diag.Printable(err.Error()))
			return failure, nil
		}
	}
	return args, nil
}

// adviseBash prints once that the script fails on something that bash supports.
func (r *execution) adviseBash(w io.Writer, b *BashOnly) {
	if r.s.o.Plain || !r.advised.CompareAndSwap(false, true) {
		return
	}
	how := "write shell: bash, or bash -c outside of cmds"
	if r.captured {
		how = "run it with bash -c"
	}
	io.WriteString(w, diag.Printable(b.What)+": "+b.Why+"; bash supports it: "+how+"\n")
}

// writeError returns echo's message that its output could not be written.
func writeError(err error) string {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		err = pe.Err
	}
	return "echo: write error: " + err.Error() + "\n"
}

// execHandler runs commands that are neither functions nor builtins.
func execHandler(ctx context.Context, args []string) error {
	r, hc := executionOf(ctx)
	switch args[0] {
	case reading:
	case startedCommand, failedCommand:
		return r.startCommand(&hc, args)
	case beginTrap:
		r.trapped.Store(true)
		if hc.LastExitStatus != 0 {
			return interp.ExitStatus(hc.LastExitStatus)
		}
		return nil
	default:
		if r.s.o.Utilities && utilities[args[0]] {
			if r.group.Err() != nil {
				return r.stopped()
			}
			return utility(ctx, args, func(context.Context, []string) error { return r.exec(&hc, args) })
		}
		return r.exec(&hc, args)
	}
	release, err := r.group.Read()
	if err != nil {
		return r.stopped()
	}
	defer release()
	if slices.Contains(args, "-s") {
		if f, ok := hc.Stdin.(*os.File); ok {
			restore := r.hush(f)
			defer restore()
		}
	}
	return hc.Builtin(ctx, args[1:])
}

// positions reports whether the position of a command is one in the script: not while other
// text may be running (eval, source, a trap).
func (r *execution) positions() bool { return !r.foreign.Load() && !r.trapped.Load() }

// file interprets a file without an interpreter line, as shells do.
func (r *execution) file(hc *interp.HandlerContext, path string, args []string) error {
	src, err := readScript(path)
	if err != nil {
		fmt.Fprintln(hc.Stderr, diag.Printable(err.Error()))
		return interp.ExitStatus(notExecutable)
	}
	if line, _, _ := bytes.Cut(src, []byte("\n")); bytes.IndexByte(line, 0) >= 0 || bytes.HasPrefix(src, []byte("\x7fELF")) {
		fmt.Fprintf(hc.Stderr, "%s: cannot execute binary file\n", diag.Printable(args[0]))
		return interp.ExitStatus(notExecutable)
	}
	p := r.s.scripts.analyse(string(src), args[0], false)
	if p.err != nil {
		fmt.Fprintln(hc.Stderr, diag.PrintableText(p.err.Error()))
		return interp.ExitStatus(2)
	}
	if p.kind != script {
		p.facts.find(p.file)
	}
	in, err := newInterpreter(interp.Env(newEnviron(r.exported(hc))), interp.StdIO(hc.Stdin, hc.Stdout, hc.Stderr))
	if err != nil {
		return err
	}
	in.Dir, in.Params = hc.Dir, args[1:]
	inner := &execution{s: r.s, sc: r.sc, p: p, group: r.group, in: r.in, tty: r.tty, memoryBefore: r.memoryBefore}
	err = in.Run(inner, p.file)
	if inner.cutShort.Load() {
		return r.stopped()
	}
	return err
}

// openHandler opens a file for a redirection.
func openHandler(ctx context.Context, path string, flag int, perm os.FileMode) (io.ReadWriteCloser, error) {
	r, hc := executionOf(ctx)
	if r.group.Err() != nil {
		return nil, r.stopped()
	}
	if path != "" {
		path = absolute(hc.Dir, path)
	}
	if path == os.DevNull && flag&os.O_WRONLY != 0 {
		return nullFile{}, nil
	}
	return r.openFile(path, flag, perm)
}

// nullFile stands for /dev/null opened for writing.
type nullFile struct{}

func (nullFile) Read([]byte) (int, error)          { return 0, io.EOF }
func (nullFile) Write(b []byte) (int, error)       { return len(b), nil }
func (nullFile) WriteString(s string) (int, error) { return len(s), nil }
func (nullFile) Close() error                      { return nil }
