package cache

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/weftrun/weft/schema/diag"
)

// Options configure a Store.
type Options struct {
	Now      func() time.Time // nil means time.Now
	ReadOnly bool             // nothing is written
	// Warn is told, once each, what the store had to do without. It may be nil.
	Warn func(*diag.Diagnostic)
}

// Store is a state directory. Nothing is created before something is stored.
// It is safe for concurrent use, by several processes too.
type Store struct {
	dir  string
	o    Options
	made sync.Once // creates dir
	err  error     // why it could not be created
	told sync.Once // warns that nothing can be stored

	entries entries

	mu    sync.Mutex // guards locks
	locks map[string]chan struct{}
}

// Open returns the store in dir.
func Open(dir string, o Options) *Store {
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Store{dir: dir, o: o, entries: entries{dir: dir}, locks: map[string]chan struct{}{}}
}

// load returns the entry of key, or nil.
func (s *Store) load(key string) *entry {
	b := s.entries.get(idOf(key))
	if len(b) == 0 {
		return nil
	}
	e, err := decode(b)
	if err != nil {
		s.warn(fmt.Sprintf("the state in %s cannot be read", s.dir), "it is damaged, or of another version", "the tasks it belongs to run again")
		return nil
	}
	return e
}

func (s *Store) warn(what, why, fix string) {
	if s.o.Warn != nil {
		s.told.Do(func() {
			s.o.Warn(&diag.Diagnostic{Severity: diag.Warning, What: what, Why: why, Fix: fix})
		})
	}
}

// prepare creates the directory.
func (s *Store) prepare() error {
	s.made.Do(func() {
		if s.err = os.MkdirAll(filepath.Join(s.dir, stateSubdir), 0o755); s.err != nil {
			return
		}
		ignore := filepath.Join(s.dir, ".gitignore")
		if _, err := os.Stat(ignore); errors.Is(err, fs.ErrNotExist) {
			s.err = os.WriteFile(ignore, []byte("*\n"), 0o644)
		}
	})
	return s.err
}

// save stores e by temporary file and rename. What cannot be stored is a
// warning: the task will run again.
func (s *Store) save(key string, e *entry) error {
	err := s.prepare()
	if err == nil {
		err = s.entries.put(idOf(key), e.encode())
	}
	if err != nil {
		s.remove(key)
		s.warn("the state directory cannot be written: everything runs every time", err.Error(), "make it writable, or name another with --temp-dir")
	}
	return nil
}

func writeFile(path string, b []byte) error {
	tmp := path + "." + strconv.Itoa(os.Getpid()) + ".tmp"
	if err := os.WriteFile(tmp, b, 0o644); err != nil {
		os.Remove(tmp)
		return err
	}
	if err := os.Rename(tmp, path); err != nil {
		os.Remove(tmp)
		return err
	}
	return nil
}

func (s *Store) remove(key string) { s.entries.drop(idOf(key)) }

// readFile reads a small file with as few system calls as it takes.
func readFile(path string) ([]byte, error) {
	fd, err := syscall.Open(path, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	defer syscall.Close(fd)
	buf := make([]byte, 4096)
	n := 0
	for {
		m, err := syscall.Read(fd, buf[n:])
		if err == syscall.EINTR {
			continue
		}
		if err != nil {
			return nil, err
		}
		n += m
		if m == 0 || n < len(buf) && n < 4096 {
			return buf[:n], nil
		}
		if n == len(buf) {
			var st syscall.Stat_t
			size := 2 * len(buf)
			if syscall.Fstat(fd, &st) == nil {
				size = max(size, int(st.Size)+1)
			}
			buf = append(make([]byte, 0, size), buf...)[:size]
		}
	}
}

// Lock makes sure that nobody else does the work of c at the same time: neither
// another process nor another step of this one. When it has to wait, it calls
// onWait once, after a second, with who holds the lock. waited tells that
// somebody else had it before, so that the work may be done already.
func (c *Check) Lock(ctx context.Context, onWait func(holder string)) (release func(), waited bool, err error) {
	s := c.s
	timer := time.AfterFunc(time.Second, func() { onWait("another process") })
	defer timer.Stop()
	unlock, waited, err := s.lockHere(ctx, c.in.Key)
	if err != nil {
		return nil, false, err
	}
	if s.prepare() != nil {
		return unlock, waited, nil
	}
	f, waitedThere, err := lockFile(ctx, s.entries.path(idOf(c.in.Key))+".lock")
	if err != nil {
		if ctx.Err() != nil {
			unlock()
			return nil, false, context.Cause(ctx)
		}
		return unlock, waited, nil // where files cannot be locked, nothing is
	}
	return func() {
		os.Remove(f.Name())
		f.Close()
		unlock()
	}, waited || waitedThere, nil
}

// TryLock is Lock where nobody holds the lock; ok is false when somebody does.
func (c *Check) TryLock() (release func(), ok bool) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	c.s.mu.Lock()
	_, held := c.s.locks[c.in.Key]
	c.s.mu.Unlock()
	if held {
		return nil, false
	}
	release, _, err := c.Lock(ctx, func(string) {})
	return release, err == nil
}

// lockHere locks key among the steps of this process.
func (s *Store) lockHere(ctx context.Context, key string) (release func(), waited bool, err error) {
	for {
		s.mu.Lock()
		held := s.locks[key]
		if held == nil {
			mine := make(chan struct{})
			s.locks[key] = mine
			s.mu.Unlock()
			return func() {
				s.mu.Lock()
				delete(s.locks, key)
				s.mu.Unlock()
				close(mine)
			}, waited, nil
		}
		s.mu.Unlock()
		waited = true
		select {
		case <-held:
		case <-ctx.Done():
			return nil, false, context.Cause(ctx)
		}
	}
}

// lockFile locks the file at path among processes. The holder removes it, so
// whoever gets a lock makes sure that the file is still the one of that name.
func lockFile(ctx context.Context, path string) (f *os.File, waited bool, err error) {
	for wait := time.Millisecond; ; wait = min(2*wait, 50*time.Millisecond) {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
		if err != nil {
			return nil, false, err
		}
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			var mine, there syscall.Stat_t
			if syscall.Fstat(int(f.Fd()), &mine) == nil && syscall.Stat(path, &there) == nil && mine.Ino == there.Ino {
				return f, waited, nil
			}
			f.Close()
			continue
		}
		f.Close()
		if err != syscall.EWOULDBLOCK {
			return nil, false, err
		}
		waited = true
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return nil, false, context.Cause(ctx)
		}
	}
}

// unusedFor is how long an entry is kept that nothing has written.
const unusedFor = 30 * 24 * time.Hour

// Close ends the use of the store.
func (s *Store) Close() {
	if !s.o.ReadOnly {
		s.entries.close(s.o.Now())
	}
}
