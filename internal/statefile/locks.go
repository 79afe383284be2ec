package statefile

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
)

// Locks takes locks in a directory, like [Dir.TryLock] and [Dir.Lock], for a process that takes
// many of them: it does not remove the file of a released lock, but makes it the next one by another
// name. Making and removing a file costs much more, for ext4 looks for an inode that was not freed
// in the last seconds.
//
// Files that are no lock at present have a name of their own, with the suffix .free, and stay when
// the process ends: the next process uses them. While a process has such a file, it is locked
// like a lock, so that two processes never have the same one.
//
// Locks is safe for concurrent use. Close must be called after the last lock was released, and before
// the directory is closed.
type Locks struct {
	d *Dir

	mu     sync.Mutex // guards what follows
	free   []freeFile
	listed bool
	left   []string // names of free files of other processes, not looked at yet
	off    bool     // the file system cannot do it
}

// freeFile is an open and locked file that is no lock at present.
type freeFile struct {
	f    *os.File
	name string
}

const (
	freeSuffix = ".free"
	// maxFree is the number of free files that a process keeps.
	maxFree = 64
)

// NewLocks returns the locks of d.
func NewLocks(d *Dir) *Locks { return &Locks{d: d} }

// TryLock takes the lock called name, or returns [ErrLocked]. Other processes can read holder.
func (l *Locks) TryLock(name, holder string) (*Lock, error) {
	lock, err := l.tryLock(name, holder)
	if lock != nil {
		lock.of = l
	}
	return lock, err
}

func (l *Locks) tryLock(name, holder string) (*Lock, error) {
	for {
		free, ok := l.take()
		if !ok {
			return l.d.TryLock(name, holder)
		}
		lock, err := l.reuse(free, name, holder)
		if err == nil {
			return lock, nil
		}
		l.give(free)
		if !errors.Is(err, fs.ErrExist) {
			l.disable()
			return l.d.TryLock(name, holder)
		}
		// Another process has the lock, or was killed with it.
		if lock, err = l.d.tryLock(name, holder, 0); !errors.Is(err, fs.ErrNotExist) {
			return lock, err
		}
	}
}

// Lock waits for the lock called name, as [Dir.Lock] does.
func (l *Locks) Lock(ctx context.Context, name, holder string, onWait func() error) (*Lock, error) {
	return await(ctx, func() (*Lock, error) { return l.TryLock(name, holder) }, onWait)
}

// Holder returns the text of a lock's holder, or "" if it is unknown.
func (l *Locks) Holder(name string) string { return l.d.Holder(name) }

// Close unlocks the free files.
func (l *Locks) Close() { l.disable() }

// reuse makes a free file the lock called name. It fails with fs.ErrExist if there is a file of that
// name, locked or not.
func (l *Locks) reuse(free freeFile, name, holder string) (*Lock, error) {
	// First the holder: others may read it as soon as the file has its name.
	if _, err := free.f.WriteAt([]byte(holder+"\n"), 0); err != nil {
		return nil, err
	}
	if err := l.d.moveNew(free.name, name); err != nil {
		return nil, err
	}
	if !l.d.Is(name, free.f) {
		return nil, fs.ErrInvalid // what had its name was something else
	}
	return &Lock{d: l.d, f: free.f, name: name}, nil
}

// keep makes the file of a lock a free one. It reports whether it has done so.
func (l *Locks) keep(lock *Lock) bool {
	l.mu.Lock()
	full := l.off || len(l.free) >= maxFree
	l.mu.Unlock()
	if full || !l.d.Is(lock.name, lock.f) {
		return false
	}
	name := fmt.Sprintf("%016x%s", rand.Uint64(), freeSuffix)
	if l.d.moveNew(lock.name, name) != nil {
		l.disable()
		return false
	}
	l.give(freeFile{lock.f, name})
	return true
}

// take returns a free file, of this process or of one that has ended.
func (l *Locks) take() (freeFile, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.off {
		return freeFile{}, false
	}
	if n := len(l.free); n > 0 {
		free := l.free[n-1]
		l.free = l.free[:n-1]
		return free, true
	}
	if !l.listed {
		l.listed = true
		names, _ := l.d.Names()
		for _, name := range names {
			if strings.HasSuffix(name, freeSuffix) {
				l.left = append(l.left, name)
			}
		}
	}
	for len(l.left) > 0 {
		name := l.left[len(l.left)-1]
		l.left = l.left[:len(l.left)-1]
		f, err := l.d.OpenFile(name, os.O_RDWR)
		if err != nil {
			continue
		}
		if LockFile(f, false) == nil && l.d.Is(name, f) {
			return freeFile{f, name}, true
		}
		f.Close()
	}
	return freeFile{}, false
}

// give returns a free file.
func (l *Locks) give(free freeFile) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.off {
		free.f.Close()
		return
	}
	l.free = append(l.free, free)
}

// disable ends the use of free files.
func (l *Locks) disable() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, free := range l.free {
		free.f.Close()
	}
	l.free, l.off = nil, true
}
