//go:build unix

package jobserver

import (
	"bytes"
	"os"

	"golang.org/x/sys/unix"
)

// Take takes a token, if one is free.
func (p *Pool) Take() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	var b [1]byte
	if p.closed || p.read(b[:]) == 0 {
		return false
	}
	p.held = append(p.held, b[0])
	return true
}

// Give gives n of the tokens back that were taken; fewer if Close has given them back.
func (p *Pool) Give(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.give(n)
}

// give is Give with p.mu held. The pipe has room for all tokens there are.
func (p *Pool) give(n int) {
	rest := max(len(p.held)-n, 0)
	p.write(p.held[rest:])
	p.held = p.held[:rest]
}

// Await returns a channel that is closed when a token may be free, which others may take
// first; or that never is, if the pool is closed.
func (p *Pool) Await() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil
	}
	if p.free == nil {
		p.free = make(chan struct{})
		p.watching.Go(p.watch)
	}
	return p.free
}

// watch returns when there is something to read, or the pool is closed.
func (p *Pool) watch() {
	if c, err := p.r.SyscallConn(); err == nil {
		err = c.Read(func(fd uintptr) bool { return ready(int(fd), 0) })
		for found := err == nil; !found; { // it is closed, or the runtime cannot wait for it
			if c.Control(func(fd uintptr) { found = ready(int(fd), pollMillis) }) != nil {
				break
			}
		}
	}
	p.mu.Lock()
	close(p.free)
	p.free = nil
	p.mu.Unlock()
}

// pollMillis is how long Close may wait for a watcher, in milliseconds, where the system has
// no other way.
const pollMillis = 50

// ready reports whether there is something to read, which it waits for.
func ready(fd, millis int) bool {
	n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, millis)
	return n > 0 || err != nil && err != unix.EINTR
}

// Begin records that a program is started that uses the pool.
func (p *Pool) Begin() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.users++
}

// End records that a program of [Pool.Begin] has ended. When none is left, a pool that this
// program has made is filled up: tokens that are missing then were lost.
func (p *Pool) End() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.users--; p.users == 0 && p.jobs > 0 && !p.closed {
		p.fill()
	}
}

// fill has as many tokens in the pool as there should be, whatever is in it. One job is
// always allowed, so that there is one token less than jobs. p.mu is held.
func (p *Pool) fill() {
	for b := make([]byte, 4<<10); p.read(b) > 0; {
	}
	p.write(bytes.Repeat([]byte{'+'}, p.jobs-1-len(p.held)))
}

// Close gives all tokens back, and removes a pool that this program has made. All but the
// first call do nothing.
func (p *Pool) Close() {
	p.end.Do(func() {
		p.mu.Lock()
		p.give(len(p.held))
		p.closed = true
		p.mu.Unlock()
		for _, f := range [...]*os.File{p.r, p.w, p.programs[0], p.programs[1]} {
			if f != nil {
				f.Close()
			}
		}
		p.watching.Wait()
		if p.dir != "" {
			os.RemoveAll(p.dir)
		}
	})
}

// read reads what is there, at most len(b) tokens.
func (p *Pool) read(b []byte) (n int) {
	control(p.r, func(fd int) {
		if !ready(fd, 0) { // reading might wait
			return
		}
		n, _ = unix.Read(fd, b)
	})
	return max(n, 0)
}

func (p *Pool) write(b []byte) {
	if len(b) > 0 {
		control(p.w, func(fd int) { unix.Write(fd, b) })
	}
}

// control calls do with the descriptor of f, which may be nil.
func control(f *os.File, do func(fd int)) {
	if c, err := f.SyscallConn(); err == nil {
		c.Control(func(fd uintptr) { do(int(fd)) })
	}
}
