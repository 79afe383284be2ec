package shell

import (
	"context"
	"io"
	"os"
	"syscall"

	"golang.org/x/sys/windows"
	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/interp"
	"mvdan.cc/sh/x/coreutils"
)

// nonblock is nothing: a named pipe is not a file here.
const nonblock = 0

// hush does nothing: the interpreter itself controls the console's echo.
func (r *execution) hush(*os.File) (restore func()) { return func() {} }

// openFile opens a file for a redirection.
func (r *execution) openFile(path string, flag int, perm os.FileMode) (io.ReadWriteCloser, error) {
	f, err := os.OpenFile(path, flag, perm)
	if err != nil {
		return nil, err
	}
	return f, nil
}

// endless returns false: there are no such devices.
func endless(*os.File) bool { return false }

// reopen returns nil: a reader that blocks cannot be interrupted here.
func reopen(*os.File, bool) *os.File { return nil }

// isTerminal reports whether f is a console.
func isTerminal(f *os.File) bool {
	var mode uint32
	return windows.GetConsoleMode(windows.Handle(f.Fd()), &mode) == nil
}

// lookPath finds a program as the interpreter does: with the extensions of
// PATHEXT, in the list of directories that ; separates.
func lookPath(dir, pathList, name string) (string, error) {
	return interp.LookPathDir(dir, expand.ListEnviron("PATH="+pathList, "PATHEXT="+os.Getenv("PATHEXT")), name)
}

// signalNumber returns the signal of a name such as SIGTERM, or 0.
func signalNumber(name string) syscall.Signal {
	return map[string]syscall.Signal{"SIGINT": syscall.SIGINT, "SIGTERM": syscall.SIGTERM, "SIGKILL": syscall.SIGKILL}[name]
}

// kill ends a process, whatever the signal.
func kill(pid int, _ syscall.Signal) error {
	p, err := os.FindProcess(pid)
	if err != nil {
		return err
	}
	return p.Kill()
}

// isHarmless reports whether a process continues after a signal.
func isHarmless(syscall.Signal) bool { return false }

// utilities are the programs that scripts take for granted and this system lacks.
var utilities = map[string]bool{
	"base64": true, "cat": true, "chmod": true, "cp": true, "find": true, "gunzip": true, "gzcat": true, "gzip": true, "ls": true,
	"mkdir": true, "mktemp": true, "mv": true, "rm": true, "shasum": true, "tar": true, "touch": true, "xargs": true,
}

// utility runs one of them inside weft, or next for another program.
func utility(ctx context.Context, args []string, next interp.ExecHandlerFunc) error {
	return coreutils.ExecHandler(next)(ctx, args)
}
