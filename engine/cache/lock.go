package cache

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/weftrun/weft/internal/statefile"
)

// locks are those of the steps of this process, by key.
type locks struct {
	mu   sync.Mutex // guards held
	held map[id]chan struct{}
}

// take locks k, or returns what is closed when its holder is done.
func (l *locks) take(k id) (release func(), busy <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if c := l.held[k]; c != nil {
		return nil, c
	}
	c := make(chan struct{})
	if l.held == nil {
		l.held = map[id]chan struct{}{}
	}
	l.held[k] = c
	return func() {
		l.mu.Lock()
		delete(l.held, k)
		l.mu.Unlock()
		close(c)
	}, nil
}

// Lock makes sure that nobody else does the work of c at the same time,
// neither another process nor another step of this one. When another process
// has had the lock for a second of waiting, onWait is called once with who that
// is ("process 123"). waited tells that somebody else had the lock: check
// again, the work may be done. Who waits should hold nothing that the holder
// may need. The only error is that of ctx: where nothing can be locked, nothing
// is.
func (c *Check) Lock(ctx context.Context, onWait func(holder string)) (release func(), waited bool, err error) {
	var here func()
	for here == nil {
		var busy <-chan struct{}
		if here, busy = c.s.locks.take(c.key); here != nil {
			break
		}
		waited = true
		select {
		case <-busy:
		case <-ctx.Done():
			return nil, false, context.Cause(ctx)
		}
	}
	f, waitedThere, err := c.s.lockFile(ctx, c.key, onWait)
	if err != nil {
		here()
		return nil, false, err
	}
	if waitedThere {
		c.s.again()
	}
	return c.releaser(here, f), waited || waitedThere, nil
}

// TryLock is [Check.Lock] where nobody holds the lock; ok is false, and nothing
// is locked, when somebody does.
func (c *Check) TryLock() (release func(), ok bool) {
	here, busy := c.s.locks.take(c.key)
	if busy != nil {
		return nil, false
	}
	f, err := c.s.tryFile(c.key)
	if err != nil && errors.Is(err, syscall.EWOULDBLOCK) {
		here()
		return nil, false
	}
	return c.releaser(here, f), true
}

func (c *Check) releaser(here func(), f *os.File) func() {
	return func() {
		if f != nil {
			os.Remove(f.Name())
			f.Close()
		}
		here()
	}
}

// lockFile takes k's lock among processes. The file is nil where files cannot
// be locked.
func (s *Store) lockFile(ctx context.Context, k id, onWait func(string)) (f *os.File, waited bool, err error) {
	start := time.Now()
	for pause := time.Millisecond; ; pause = min(2*pause, 50*time.Millisecond) {
		f, err := s.tryFile(k)
		if err == nil || !errors.Is(err, syscall.EWOULDBLOCK) {
			return f, waited, nil
		}
		waited = true
		if onWait != nil && time.Since(start) > time.Second {
			onWait(s.holder(k))
			onWait = nil
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil, false, context.Cause(ctx)
		}
	}
}

// tryFile takes k's lock among processes if it is free. The holder removes the
// file, so whoever gets the lock makes sure that the file is still the one of
// that name.
func (s *Store) tryFile(k id) (*os.File, error) {
	if s.o.ReadOnly {
		return nil, fs.ErrPermission
	}
	if err := s.prepare(); err != nil {
		return nil, err
	}
	for {
		f, err := os.OpenFile(s.lockPath(k), os.O_RDWR|os.O_CREATE, 0o644)
		if err != nil {
			return nil, err
		}
		if err := statefile.LockFile(f, false); err != nil {
			f.Close()
			return nil, err
		}
		mine, _, err := inode(f)
		if there, e := statPath(f.Name(), true); err != nil || e != nil || there.ino != mine {
			f.Close()
			continue
		}
		f.Truncate(0)
		f.WriteAt(strconv.AppendInt(nil, int64(os.Getpid()), 10), 0)
		return f, nil
	}
}

func (s *Store) lockPath(k id) string { return filepath.Join(s.dir, locksName, k.String()) }

// holder names who has k's lock.
func (s *Store) holder(k id) string {
	if b, err := os.ReadFile(s.lockPath(k)); err == nil && len(b) > 0 {
		return "process " + string(b)
	}
	return "another process"
}
