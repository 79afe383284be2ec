package statefile

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"syscall"
	"time"
)

// ErrLocked is the error of a lock that another process has.
var ErrLocked error = syscall.EWOULDBLOCK

// Lock is a lock between processes: a locked file, which exists only while it is locked. The
// end of the process releases it.
type Lock struct {
	d    *Dir
	f    *os.File
	name string
	of   *Locks // keeps the file after release; nil if nothing does
}

// maxHolder is the maximum length of a holder's text, in bytes.
const maxHolder = 4 << 10

// TryLock takes the lock called name, or returns [ErrLocked]. Other processes can read holder.
// d must stay open until the lock is released.
func (d *Dir) TryLock(name, holder string) (*Lock, error) {
	return d.tryLock(name, holder, os.O_CREATE)
}

// tryLock is TryLock that makes the file if flag is os.O_CREATE.
func (d *Dir) tryLock(name, holder string, flag int) (*Lock, error) {
	for {
		f, err := d.OpenFile(name, os.O_RDWR|flag)
		if err != nil {
			return nil, err
		}
		if err := LockFile(f, false); err != nil {
			f.Close()
			return nil, err
		}
		// The last holder may have removed the file.
		if !d.Is(name, f) {
			f.Close()
			continue
		}
		f.Truncate(0)
		f.WriteAt([]byte(holder), 0)
		return &Lock{d: d, f: f, name: name}, nil
	}
}

// Lock waits for the lock called name. It calls onWait, unless that is nil, whenever another
// process has the lock. It stops waiting when onWait returns an error or ctx is done.
func (d *Dir) Lock(ctx context.Context, name, holder string, onWait func() error) (*Lock, error) {
	return await(ctx, func() (*Lock, error) { return d.TryLock(name, holder) }, onWait)
}

// await calls try until it returns something else than [ErrLocked].
func await(ctx context.Context, try func() (*Lock, error), onWait func() error) (*Lock, error) {
	for pause := time.Millisecond; ; pause = min(2*pause, 50*time.Millisecond) {
		l, err := try()
		if !errors.Is(err, ErrLocked) {
			return l, err
		}
		if onWait != nil {
			if err := onWait(); err != nil {
				return nil, err
			}
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// Holder returns the text of a lock's holder, or "" if it is unknown. A holder's text is one line.
func (d *Dir) Holder(name string) string {
	f, err := d.OpenFile(name, os.O_RDONLY)
	if err != nil {
		return ""
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxHolder))
	if err != nil || !d.Is(name, f) { // the file may be another lock by now
		return ""
	}
	holder, _, _ := strings.Cut(string(b), "\n")
	return holder
}

// Release releases the lock.
func (l *Lock) Release() {
	if l.of != nil && l.of.keep(l) {
		return
	}
	l.d.Remove(l.name)
	l.f.Close()
}
