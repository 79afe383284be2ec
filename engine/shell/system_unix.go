//go:build unix

package shell

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
	"mvdan.cc/sh/v3/interp"

	"github.com/weftrun/weft/internal/fifo"
	"github.com/weftrun/weft/internal/limit"
	"github.com/weftrun/weft/internal/termios"
)

// nonblock opens a pipe without waiting for the other end to be opened.
const nonblock = unix.O_NONBLOCK

// hush turns the terminal's echo off and waits for a line, because `read -s` itself cannot be
// interrupted.
func (r *execution) hush(in *os.File) (restore func()) {
	c, err := in.SyscallConn()
	if err != nil {
		return func() {}
	}
	var was *unix.Termios
	c.Control(func(fd uintptr) {
		if was, err = termios.Get(int(fd)); err == nil {
			quiet := *was
			quiet.Lflag &^= unix.ECHO
			termios.Set(int(fd), &quiet)
		}
	})
	stop := context.AfterFunc(r, func() { in.SetReadDeadline(time.Now()) })
	c.Read(func(fd uintptr) bool {
		p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		n, err := unix.Poll(p, 0)
		return n > 0 || err != nil && err != unix.EINTR
	})
	stop()
	c.Control(func(fd uintptr) { unix.SetNonblock(int(fd), r.group.Err() != nil) })
	return func() {
		c.Control(func(fd uintptr) {
			unix.SetNonblock(int(fd), true)
			if was != nil {
				termios.Set(int(fd), was)
			}
		})
	}
}

// openFile opens a file for a redirection.
func (r *execution) openFile(path string, flag int, perm os.FileMode) (io.ReadWriteCloser, error) {
	var st unix.Stat_t
	if unix.Stat(path, &st) == nil {
		switch st.Mode & unix.S_IFMT {
		case unix.S_IFIFO:
			return r.openFIFO(path, flag, perm)
		case unix.S_IFCHR:
			// Reading a terminal that is opened this way can be interrupted.
			f, err := os.OpenFile(path, flag, perm)
			if err != nil {
				return nil, err
			}
			if r.keeps(flag) && endless(f) {
				return endlessFile{f, r}, nil
			}
			return f, nil
		case unix.S_IFREG:
			if st.Size > limit.Text && r.keeps(flag) {
				f, err := os.Open(path)
				if err != nil {
					return nil, err
				}
				return endlessFile{f, r}, nil
			}
		}
	}
	// os.OpenFile would try to register it for polling, which fails and takes half of the
	// time.
	for {
		fd, err := unix.Open(path, flag|unix.O_CLOEXEC, uint32(perm.Perm()))
		switch {
		case err == unix.EINTR:
		case err != nil:
			return nil, &os.PathError{Op: "open", Path: path, Err: err}
		default:
			return os.NewFile(uintptr(fd), path), nil
		}
	}
}

// keeps reports whether the script may read a file that is opened with flag into a variable.
func (r *execution) keeps(flag int) bool {
	return (r.p.reads || r.p.slurps) && flag&(os.O_WRONLY|os.O_RDWR) == 0
}

// endless reports whether f is a device without an end, or a very large file.
func endless(f *os.File) bool {
	st, err := f.Stat()
	if err != nil {
		return false
	}
	if st.Mode().IsRegular() {
		return st.Size() > limit.Text
	}
	sys, ok := st.Sys().(*syscall.Stat_t)
	if !ok || st.Mode()&os.ModeCharDevice == 0 {
		return false
	}
	for _, path := range [...]string{"/dev/zero", "/dev/urandom", "/dev/random", "/dev/full"} {
		var d unix.Stat_t
		if unix.Stat(path, &d) == nil && uint64(d.Rdev) == uint64(sys.Rdev) {
			return true
		}
	}
	return false
}

// openFIFO opens a named pipe. It waits until the other end is opened, or the script is
// stopped.
func (r *execution) openFIFO(path string, flag int, perm os.FileMode) (io.ReadWriteCloser, error) {
	f, err := fifo.Open(r, path, flag, perm)
	switch {
	case err == nil:
		return f, nil
	case r.group.Err() != nil:
		return nil, r.stopped()
	}
	return nil, err
}

// reopen opens a pipe or a terminal again, to give it a mode of its own: reads of the
// interpreter must be interruptible, and programs expect to block. It returns nil for other
// files, which never block and have an offset that must be shared.
func reopen(f *os.File, nonblock bool) *os.File {
	info, err := f.Stat()
	if err != nil {
		return nil
	}
	if m := info.Mode(); m&os.ModeNamedPipe == 0 && (m&os.ModeCharDevice == 0 || !isTerminal(f)) {
		return nil
	}
	c, err := f.SyscallConn()
	if err != nil {
		return nil
	}
	fd := -1
	c.Control(func(old uintptr) {
		// Without O_NONBLOCK, opening a pipe waits for a writer.
		fd, err = unix.Open("/proc/self/fd/"+strconv.Itoa(int(old)), unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC|unix.O_NOCTTY, 0)
	})
	if err != nil || fd < 0 {
		return nil
	}
	if !nonblock {
		unix.SetNonblock(fd, false)
	}
	return os.NewFile(uintptr(fd), f.Name())
}

// isTerminal reports whether f is a terminal. It does not change the mode of f.
func isTerminal(f *os.File) (is bool) {
	if c, err := f.SyscallConn(); err == nil {
		c.Control(func(fd uintptr) {
			_, err := termios.Get(int(fd))
			is = err == nil
		})
	}
	return is
}

// signalNumber returns the signal of a name such as SIGTERM, or 0.
func signalNumber(name string) syscall.Signal { return unix.SignalNum(name) }

// kill sends a signal to a process.
func kill(pid int, sig syscall.Signal) error { return syscall.Kill(pid, sig) }

// isHarmless reports whether a signal without a handler does not end a process.
func isHarmless(sig syscall.Signal) bool {
	return slices.Contains([]syscall.Signal{syscall.SIGCHLD, syscall.SIGCONT, syscall.SIGSTOP, syscall.SIGTSTP, syscall.SIGWINCH}, sig)
}

// utilities are none: the system has them.
var utilities map[string]bool

// utility runs next.
func utility(ctx context.Context, args []string, next interp.ExecHandlerFunc) error {
	return next(ctx, args)
}

// lookPath finds a program as interp.LookPathDir does, with the same errors; a test compares
// them. It makes as few system calls as possible, since it is called for every program.
func lookPath(dir, pathList, name string) (string, error) {
	if strings.Contains(name, "/") {
		return executable(absolute(dir, name))
	}
	if name == "" {
		return "", errNotFound(name)
	}
	for elem := range strings.SplitSeq(pathList, ":") {
		file := absolute(dir, elem) + "/" + name
		var st unix.Stat_t
		if unix.Stat(file, &st) == nil && st.Mode&unix.S_IFMT != unix.S_IFDIR && st.Mode&0o111 != 0 {
			return filepath.Clean(file), nil
		}
	}
	return "", errNotFound(name)
}

func errNotFound(name string) error {
	return fmt.Errorf("%q: executable file not found in $PATH", name)
}

// executable returns file, or an error if it is not executable.
func executable(file string) (string, error) {
	info, err := os.Stat(file)
	switch {
	case err != nil:
		return "", err
	case info.IsDir():
		return "", errors.New("is a directory")
	case info.Mode()&0o111 == 0:
		return "", errors.New("permission denied")
	}
	return file, nil
}
