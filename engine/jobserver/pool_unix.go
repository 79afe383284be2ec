//go:build unix

package jobserver

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// Pool is a number of tokens that programs share. It is made by [Join] or [Make], and safe
// for concurrent use.
type Pool struct {
	r, w     *os.File    // non-blocking; the same one for a FIFO
	programs [2]*os.File // see Files
	auth     string      // how it is named where it comes from
	jobs     int         // that may run at a time; 0: it is another program's
	dir      string      // holds the FIFO, if it is this program's
	end      sync.Once

	mu       sync.Mutex    // guards the fields below
	held     []byte        // tokens; each is given back as it was
	users    int           // see Begin
	free     chan struct{} // see Await; may be nil
	closed   bool
	watching sync.WaitGroup
}

// Join joins the jobserver that an environment names, and returns the environment for
// programs. If none is named the pool is nil. If it cannot be used, because it is not there
// or was not meant for this program, the error is an *UnusableError, and the environment
// says so.
func Join(environ []string) (*Pool, []string, error) {
	auth := authOf(lookup(environ))
	if auth == "" {
		return nil, environ, nil
	}
	p := &Pool{auth: auth}
	path, named := strings.CutPrefix(auth, fifoAuth)
	var err error
	if named {
		p.r, err = openFIFO(path)
		p.w = p.r
	} else if err = p.inherit(); err == nil {
		environ = p.Environ(environ, Descriptors)
	}
	if err != nil {
		return nil, edit(environ, func(flags string) string { return with(flags, authOption+"-2,-2") }), &UnusableError{auth, err}
	}
	return p, environ, nil
}

// inherit opens the descriptors that the pool is named by.
func (p *Pool) inherit() (err error) {
	r, w, ok := descriptors(p.auth)
	if !ok || !inherited(r, unix.O_RDONLY) || !inherited(w, unix.O_WRONLY) {
		return ErrNotInherited
	}
	files := []struct {
		f        **os.File
		fd, flag int
	}{{&p.r, r, unix.O_RDONLY | unix.O_NONBLOCK}, {&p.w, w, unix.O_WRONLY | unix.O_NONBLOCK}, {&p.programs[0], r, unix.O_RDONLY}, {&p.programs[1], w, unix.O_WRONLY}}
	for _, o := range files {
		if *o.f, err = reopen(o.fd, o.flag); err != nil {
			p.Close()
			return err
		}
	}
	return nil
}

// inherited reports whether fd is the end of a pipe that this program was started with:
// what it opens itself is closed on exec.
func inherited(fd, mode int) bool {
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
	if err != nil || flags&unix.FD_CLOEXEC != 0 {
		return false
	}
	var st unix.Stat_t
	if unix.Fstat(fd, &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFIFO {
		return false
	}
	status, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	return err == nil && (status&unix.O_ACCMODE == mode || status&unix.O_ACCMODE == unix.O_RDWR)
}

// reopen opens a pipe again, with a mode of its own: that of the descriptor is shared by all
// that have it. Where the system cannot do that it is the same file, of which nothing is read
// before there is something.
func reopen(fd, flag int) (*os.File, error) {
	// Without O_NONBLOCK, opening might wait for the other end.
	n, err := unix.Open("/proc/self/fd/"+strconv.Itoa(fd), flag|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		n, err = unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 3)
	} else if flag&unix.O_NONBLOCK == 0 {
		err = unix.SetNonblock(n, false)
	}
	if err != nil {
		return nil, os.NewSyscallError("dup", err)
	}
	return os.NewFile(uintptr(n), "jobserver"), nil
}

// openFIFO opens a FIFO for reading and writing, and nothing else.
func openFIFO(path string) (*os.File, error) {
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	f := os.NewFile(uintptr(fd), path)
	if st, err := f.Stat(); err != nil || st.Mode()&fs.ModeNamedPipe == 0 {
		f.Close()
		return nil, &fs.PathError{Op: "open", Path: path, Err: errors.New("not a FIFO")}
	}
	return f, nil
}

// Make makes a pool for so many jobs at a time, at least one. Close removes it.
func Make(jobs int) (p *Pool, err error) {
	p = &Pool{jobs: max(jobs, 1)}
	if p.dir, err = os.MkdirTemp(tempDir(), "weft-jobserver-"); err != nil {
		return nil, err
	}
	path := filepath.Join(p.dir, "fifo")
	p.auth = fifoAuth + path
	if err = os.NewSyscallError("mkfifo", unix.Mkfifo(path, 0o600)); err == nil {
		p.r, err = openFIFO(path)
		p.w = p.r
	}
	for i, flag := range [...]int{unix.O_RDONLY, unix.O_WRONLY} {
		if err == nil {
			p.programs[i], err = reopen(int(p.r.Fd()), flag)
		}
	}
	if err != nil {
		p.Close()
		return nil, fmt.Errorf("make a jobserver: %w", err)
	}
	p.fill()
	return p, nil
}

// tempDir is the directory for temporary files, if programs find it by its name in MAKEFLAGS.
func tempDir() string {
	if dir := os.TempDir(); filepath.IsAbs(dir) && !strings.ContainsAny(dir, " \t\n\\$#\"'") {
		return dir
	}
	return "/tmp"
}

// Environ returns an environment in which programs find the pool. The list is not changed.
func (p *Pool) Environ(environ []string, form Form) []string {
	words := authOption + p.auth
	switch form {
	case Descriptors:
		words = fmt.Sprintf("%s%d,%d", authOption, ReadEnd, WriteEnd)
	case OldOption:
		words = fmt.Sprintf("%s%d,%d", fdsOption, ReadEnd, WriteEnd)
	}
	if p.jobs > 0 {
		words = fmt.Sprintf("-j%d %s", p.jobs, words)
	}
	return edit(environ, func(flags string) string { return with(flags, words) })
}

// Files returns the files that programs must have as [ReadEnd] and [WriteEnd] where the pool
// is named by descriptors. They belong to the pool. A FIFO that was joined has none.
func (p *Pool) Files() (r, w *os.File) { return p.programs[0], p.programs[1] }
