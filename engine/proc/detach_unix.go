//go:build unix

package proc

import (
	"os"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"
)

// Detached is a program that does not belong to a [Table]: it may outlive weft.
type Detached struct {
	pid   int
	ended atomic.Bool // Wait has returned, or is about to
}

// Detach starts a program with files as its descriptors 0, 1 and so on: in a new session, or else in
// weft's process group.
func Detach(path string, argv, environ []string, files []*os.File, session bool) (*Detached, error) {
	return begin(path, argv, environ, files, session)
}

// Foreground starts a program that has the terminal in place of weft until it has ended: it is in
// weft's process group.
func Foreground(path string, argv, environ []string) (*Detached, error) {
	return begin(path, argv, environ, []*os.File{os.Stdin, os.Stdout, os.Stderr}, false)
}

func begin(path string, argv, environ []string, files []*os.File, session bool) (*Detached, error) {
	fds := make([]uintptr, len(files))
	for i, f := range files {
		fds[i] = f.Fd()
	}
	pid, err := syscall.ForkExec(path, argv, &syscall.ProcAttr{Env: environ, Files: fds, Sys: &syscall.SysProcAttr{Setsid: session}})
	if err != nil {
		return nil, &os.PathError{Op: "start", Path: path, Err: err}
	}
	return &Detached{pid: pid}, nil
}

// Signal sends a signal to the program, unless that has ended.
func (d *Detached) Signal(sig os.Signal) {
	if n, ok := sig.(syscall.Signal); ok && !d.ended.Load() {
		syscall.Kill(d.pid, n)
	}
}

// Wait waits for the program and returns its exit code; 128 plus the signal number if it was
// killed. It calls stopped, if that is not nil, whenever a signal has stopped the program.
func (d *Detached) Wait(stopped func()) int {
	var status syscall.WaitStatus
	options := 0
	if stopped != nil {
		options = syscall.WUNTRACED
	}
	for {
		_, err := syscall.Wait4(d.pid, &status, options, nil)
		switch {
		case err == syscall.EINTR:
			continue
		case err == nil && status.Stopped():
			stopped()
			continue
		}
		d.ended.Store(true)
		switch {
		case err != nil:
			return 1
		case status.Signaled():
			return 128 + int(status.Signal())
		default:
			return status.ExitStatus()
		}
	}
}

// Socketpair returns both ends of a stream, which programs do not inherit.
func Socketpair() (a, b *os.File, err error) {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	for _, fd := range pair {
		syscall.CloseOnExec(fd)
	}
	return os.NewFile(uintptr(pair[0]), "socket"), os.NewFile(uintptr(pair[1]), "socket"), nil
}

// Replace makes the open file f of the program a duplicate of by.
func Replace(f, by *os.File) error {
	return unix.Dup2(int(by.Fd()), int(f.Fd()))
}
