package pipe

import (
	"cmp"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// tee copies a pipe to one pipe and to one writer that is a file, for as long as the system
// can do it without copying: tee(2) gives the pipe the pages in the pipe, and splice(2)
// moves them out, first to a pipe of our own, since a pipe is locked while a file takes from
// it. It returns at the end of r, and in any unusual condition, which the next read of r will find
// again. An error is one of the writer.
func (f *Fan) tee(r *Source, flow *os.File) error {
	in, err := r.r.SyscallConn()
	if err != nil {
		return nil
	}
	out, err := flow.SyscallConn()
	if err != nil {
		return nil
	}
	stores, err := newStores()
	if err != nil {
		return nil
	}
	b := newWriteBehind(stores, f.keep)
	defer func() {
		b.close()
		for _, s := range stores {
			s.close()
		}
	}()
	for {
		var n int64
		var terr error
		r.reads.Add(1)
		err := in.Read(func(from uintptr) (done bool) {
			out.Control(func(to uintptr) { n, terr = unix.Tee(int(from), int(to), largeSize, unix.SPLICE_F_NONBLOCK) })
			return terr != unix.EAGAIN || poll(from, unix.POLLIN, 0)
		})
		r.reads.Add(1)
		switch {
		case err != nil:
			return b.close()
		case terr == unix.EINTR:
			continue
		case terr == unix.EAGAIN: // the pipe is full
			if out.Control(func(to uintptr) { poll(to, unix.POLLOUT, -1) }) != nil {
				return b.close()
			}
			continue
		case terr != nil || n <= 0:
			return b.close()
		}
		for n > 0 {
			s, ok := b.buffer()
			if !ok {
				return b.close()
			}
			if err := in.Control(func(from uintptr) { s.n, terr = move(int(from), s.w, nil, int(n)) }); err != nil || terr != nil {
				// The pipe has got bytes that the writer lacks.
				return os.NewSyscallError("splice", cmp.Or(err, terr))
			}
			n -= int64(s.n)
			if err := b.write(s); err != nil {
				return err
			}
		}
	}
}

// poll reports whether there are events, or the other end is closed. It waits for that, if
// timeout is -1. It blocks a thread, since the pipe may be one of [ForPrograms].
func poll(fd uintptr, events int16, timeout int) bool {
	for {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: events}}, timeout)
		if err != unix.EINTR {
			return n > 0
		}
	}
}

// move moves up to n bytes from a pipe that is not empty.
func move(from, to int, at *int64, n int) (int, error) {
	for {
		moved, err := unix.Splice(from, nil, to, at, n, 0)
		if err != unix.EINTR {
			return int(moved), err
		}
	}
}

// storeSize is the size of a store, if the system allows it. Writing a file in smaller
// pieces costs more.
const storeSize = 512 << 10

// store is a pipe of our own, from which a file is written.
type store struct {
	r, w int
	n    int // bytes in it
}

func newStores() ([]*store, error) {
	var all []*store
	for range maxBuffers {
		var fds [2]int
		if err := unix.Pipe2(fds[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
			for _, s := range all {
				s.close()
			}
			return nil, err
		}
		unix.FcntlInt(uintptr(fds[0]), unix.F_SETPIPE_SZ, storeSize) // may fail
		all = append(all, &store{r: fds[0], w: fds[1]})
	}
	return all, nil
}

func (s *store) close() {
	unix.Close(s.r)
	unix.Close(s.w)
}

// keep moves the bytes in s to the writer.
func (f *Fan) keep(s *store) error {
	var buf []byte
	for s.n > 0 {
		n, err := s.into(f.Writers[0])
		if err != nil {
			return err
		}
		if n == 0 { // there is no file yet, or it does not support splice
			if buf == nil {
				buf = make([]byte, s.n)
			}
			if n, err = unix.Read(s.r, buf); err == unix.EINTR {
				continue
			} else if err == nil {
				err = f.writeAll(buf, n)
			}
			if err != nil {
				return err
			}
		}
		s.n -= n
	}
	return nil
}

// into moves bytes from s to the file of w. It moves none if there is no file.
func (s *store) into(tap any) (int, error) {
	switch t := tap.(type) {
	case *os.File:
		return s.intoFile(t, nil, s.n)
	case *Capture:
		t.mu.Lock()
		defer t.mu.Unlock()
		f := t.buf.File()
		if f == nil {
			return 0, nil
		}
		at := t.size
		n, err := s.intoFile(f, &at, int(min(int64(s.n), t.max-t.size)))
		t.size += int64(n)
		return n, err
	}
	return 0, nil
}

func (s *store) intoFile(f *os.File, at *int64, n int) (moved int, err error) {
	if n <= 0 {
		return 0, nil
	}
	c, err := f.SyscallConn()
	if err != nil {
		return 0, err
	}
	if err := c.Control(func(to uintptr) { moved, err = move(s.r, int(to), at, n) }); err != nil {
		return 0, err
	}
	switch err {
	case nil:
		return moved, nil
	case unix.EINVAL, unix.ENOSYS:
		return 0, nil // a file in append mode, or a file system without splice
	}
	return 0, &fs.PathError{Op: "write", Path: f.Name(), Err: err}
}
