package state

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/weftrun/weft/internal/statefile"
)

// locks are those of the steps of this process, by key.
type locks struct {
	mu   sync.Mutex // guards held
	held map[Key]chan struct{}
}

// take locks k, or returns what is closed when its holder is done.
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

// OwnLockError says that a lock is held by what waits for us: it would never be free.
type OwnLockError struct{}

func (*OwnLockError) Error() string {
	return "the lock is held by a step that waits for this one to end"
}

// Lock makes sure that nobody else does the work of k at the same time, neither
// another process nor another step of this one. step is who asks; others find it in
// the lock. When another process has had the lock for a second of waiting, onWait is
// called once with who that is ("process 123"). Who has the lock looks at the record
// again: the work may be done. Who waits should hold nothing that the holder may need.
// The error is that of ctx, or an [OwnLockError]: where nothing can be locked, nothing
// is.
func (s *Store) Lock(ctx context.Context, k Key, step string, onWait func(holder string)) (release func(), err error) {
	var here func()
	for here == nil {
		var busy <-chan struct{}
		if here, busy = s.locks.take(k); here != nil {
			break
		}
		select {
		case <-busy:
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

// TryLock is [Store.Lock] where nobody holds the lock; ok is false, and nothing is
// locked, when somebody does.
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
		s.reread() // its last holder may have ended a moment before
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
	start := time.Now()
	l, err = s.lockFiles.Lock(ctx, k.String(), holding(step), func() error {
		pid, outer, _ := strings.Cut(s.lockFiles.Holder(k.String()), " ")
		if outer != "" && slices.Contains(strings.Split(s.o.Within, ":"), outer) {
			return &OwnLockError{}
		}
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

// holding is what stands in a lock: the process, and its step.
func holding(step string) string { return strconv.Itoa(os.Getpid()) + " " + step }
