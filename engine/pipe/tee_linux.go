package pipe

import (
	"cmp"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// tee is Copy from a pipe to one flow and to one tap with a file behind it, for as
// long as the system can move the bytes: tee(2) gives the flow the pages that are
// in the pipe, splice(2) takes them out, first to a pipe of our own, since a pipe
// is locked while a file takes what is in it. Here nothing is copied. It returns
// at the end of r and at anything unusual, which is met again by who reads r then.
// An error is one of the tap.
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
	b := putBehind(stores, f.keep)
	defer func() {
		b.end()
		for _, s := range stores {
			s.close()
		}
	}()
	for {
		var n int64
		var terr error
		r.reads.Add(1)
		err := in.Read(func(from uintptr) (over bool) {
			out.Control(func(to uintptr) { n, terr = unix.Tee(int(from), int(to), largeSize, unix.SPLICE_F_NONBLOCK) })
			return terr != unix.EAGAIN || ready(from, unix.POLLIN)
		})
		r.reads.Add(1)
		switch {
		case err != nil:
			return b.end()
		case terr == unix.EINTR:
			continue
		case terr == unix.EAGAIN: // the flow is full
			if out.Control(func(to uintptr) { untilReady(to, unix.POLLOUT) }) != nil {
				return b.end()
			}
			continue
		case terr != nil || n <= 0:
			return b.end()
		}
		for n > 0 {
			s, ok := b.take()
			if !ok {
				return b.end()
			}
			if err := in.Control(func(from uintptr) { s.n, terr = move(int(from), s.w, nil, int(n)) }); err != nil || terr != nil {
				// The flow has bytes that the tap will not get.
				return os.NewSyscallError("splice", cmp.Or(err, terr))
			}
			n -= int64(s.n)
			if err := b.give(s); err != nil {
				return err
			}
		}
	}
}

// ready reports whether poll(2) would not wait for events.
func ready(fd uintptr, events int16) bool {
	fds := []unix.PollFd{{Fd: int32(fd), Events: events}}
	n, _ := unix.Poll(fds, 0)
	return n > 0
}

// untilReady waits for events, or the end of the other side: of a pipe that may be one
// [ForPrograms].
func untilReady(fd uintptr, events int16) {
	fds := []unix.PollFd{{Fd: int32(fd), Events: events}}
	for {
		if _, err := unix.Poll(fds, -1); err != unix.EINTR {
			return
		}
	}
}

// move moves up to n bytes, of which there are some, from a pipe.
func move(from, to int, at *int64, n int) (int, error) {
	for {
		moved, err := unix.Splice(from, nil, to, at, n, 0)
		if err != unix.EINTR {
			return int(moved), err
		}
	}
}

// storeSize is how large a store is, if the system allows it: smaller ones make a file
// take its bytes in pieces that cost more.
const storeSize = 512 << 10

// store is a pipe of our own.
type store struct {
	r, w int
	n    int // bytes in it
}

func newStores() ([]*store, error) {
	var all []*store
	for range ahead {
		var fds [2]int
		if err := unix.Pipe2(fds[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
			for _, s := range all {
				s.close()
			}
			return nil, err
		}
		unix.FcntlInt(uintptr(fds[0]), unix.F_SETPIPE_SZ, storeSize) // or less
		all = append(all, &store{r: fds[0], w: fds[1]})
	}
	return all, nil
}

func (s *store) close() {
	unix.Close(s.r)
	unix.Close(s.w)
}

// keep takes what is in s into the tap.
func (f *Fan) keep(s *store) error {
	var buf []byte
	for s.n > 0 {
		n, err := s.into(f.Taps[0])
		if err != nil {
			return err
		}
		if n == 0 { // there is no file yet, or one that cannot do it
			if buf == nil {
				buf = make([]byte, s.n)
			}
			if n, err = unix.Read(s.r, buf); err == unix.EINTR {
				continue
			} else if err == nil {
				err = f.tap(buf, n)
			}
			if err != nil {
				return err
			}
		}
		s.n -= n
	}
	return nil
}

// into moves bytes from s into the file behind tap. It moves none where there is
// none.
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
		return 0, nil // one that is only added to, or of a strange file system
	}
	return 0, &fs.PathError{Op: "write", Path: f.Name(), Err: err}
}
