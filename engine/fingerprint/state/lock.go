package state

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/weftrun/weft/internal/statefile"
)

// locks are the locks among the steps of this process, by key.
type locks struct {
	mu   sync.Mutex // guards held
	held map[Key]chan struct{}
}

// take locks k, or returns a channel that is closed when its holder releases it.
func (l *locks) take(k Key) (release func(), busy <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if c := l.held[k]; c != nil {
		return nil, c
	}
	c := make(chan struct{})
	if l.held == nil {
		l.held = map[Key]chan struct{}{}
	}
	l.held[k] = c
	return func() {
		l.mu.Lock()
		delete(l.held, k)
		l.mu.Unlock()
		close(c)
	}, nil
}

// OwnLockError means that a lock is held by a step that waits for this process to end: it would
// never be released.
type OwnLockError struct{}

func (*OwnLockError) Error() string {
	return "the lock is held by a step that waits for this one to end"
}

// Lock prevents other processes and other steps of this one from doing the work of k at the same
// time. step is the caller's name, which is written into the lock. After a second of waiting for
// another process, Lock calls onWait once with the name of the holder ("process 123"). The caller
// must read the record again, since the work may be done by now, and must not hold anything that
// the holder may need. The error is that of ctx, or an [OwnLockError]; if the file system has no
// locks, Lock succeeds without one.
func (s *Store) Lock(ctx context.Context, k Key, step string, onWait func(holder string)) (release func(), err error) {
	here, busy := s.locks.take(k)
	for here == nil {
		select {
		case <-busy:
			here, busy = s.locks.take(k)
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
	f, err := s.lockFile(ctx, k, step, onWait)
	if err != nil {
		here()
		return nil, err
	}
	s.reread()
	return releaser(here, f), nil
}

// TryLock is [Store.Lock] if the lock is free; otherwise ok is false, and nothing is locked.
func (s *Store) TryLock(k Key, step string) (release func(), ok bool) {
	here, busy := s.locks.take(k)
	if busy != nil {
		return nil, false
	}
	f, err := s.tryFile(k, step)
	if errors.Is(err, statefile.ErrLocked) {
		here()
		return nil, false
	}
	if f != nil {
		s.reread() // its last holder may just have ended
	}
	return releaser(here, f), true
}

func releaser(here func(), f *statefile.Lock) func() {
	return func() {
		if f != nil {
			f.Release()
		}
		here()
	}
}

// lockFile takes k's lock among processes. The lock is nil where files cannot
// be locked.
func (s *Store) lockFile(ctx context.Context, k Key, step string, onWait func(string)) (l *statefile.Lock, err error) {
	if s.o.ReadOnly || s.prepare() != nil {
		return nil, nil
	}
	start, asked := time.Now(), ""
	l, err = s.lockFiles.Lock(ctx, k.String(), holding(step), func() error {
		pid, holder, _ := strings.Cut(s.lockFiles.Holder(k.String()), " ")
		// No holder: the lock is being released, or was just taken.
		if holder != "" && holder != asked && s.o.InStep != nil && s.o.InStep(holder) {
			return &OwnLockError{}
		}
		asked = holder
		if onWait != nil && time.Since(start) > time.Second {
			if pid == "" {
				onWait("another process")
			} else {
				onWait("process " + pid)
			}
			onWait = nil
		}
		return nil
	})
	var own *OwnLockError
	switch {
	case errors.As(err, &own):
		return nil, err
	case ctx.Err() != nil:
		if l != nil {
			l.Release()
		}
		return nil, context.Cause(ctx)
	}
	return l, nil
}

// tryFile takes k's lock among processes if it is free.
func (s *Store) tryFile(k Key, step string) (*statefile.Lock, error) {
	if s.o.ReadOnly {
		return nil, fs.ErrPermission
	}
	if err := s.prepare(); err != nil {
		return nil, err
	}
	return s.lockFiles.TryLock(k.String(), holding(step))
}

// holding returns the content of a lock: the process, and its step.
func holding(step string) string { return strconv.Itoa(os.Getpid()) + " " + step }
