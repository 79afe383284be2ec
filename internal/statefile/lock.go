package statefile

import (
	"context"
	"errors"
	"os"
	"syscall"
	"time"
)

// ErrLocked says that somebody else has a lock.
var ErrLocked error = syscall.EWOULDBLOCK

// Lock is a lock among processes: a file that is locked, and there only as long. It
// ends with its process at the latest.
type Lock struct {
	d    *Dir
	f    *os.File
	name string
}

// maxHolder is the most that is read of what a lock's holder says, in bytes.
const maxHolder = 4 << 10

// TryLock takes the lock called name, or returns [ErrLocked]. Others find holder in it.
// d must stay open until the lock is released.
func (d *Dir) TryLock(name, holder string) (*Lock, error) {
	for {
		f, err := d.OpenFile(name, os.O_RDWR|os.O_CREATE)
		if err != nil {
			return nil, err
		}
		if err := LockFile(f, false); err != nil {
			f.Close()
			return nil, err
		}
		// The last holder may have removed it meanwhile.
		if !d.Is(name, f) {
			f.Close()
			continue
		}
		f.Truncate(0)
		f.WriteAt([]byte(holder), 0)
		return &Lock{d: d, f: f, name: name}, nil
	}
}

// Lock waits for the lock called name. onWait is called, unless it is nil, each time that
// somebody else has it; an error of it ends the waiting. So does the end of ctx.
func (d *Dir) Lock(ctx context.Context, name, holder string, onWait func() error) (*Lock, error) {
	for pause := time.Millisecond; ; pause = min(2*pause, 50*time.Millisecond) {
		l, err := d.TryLock(name, holder)
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

// Holder returns what the holder of a lock has to say; "" if that is not known.
func (d *Dir) Holder(name string) string {
	b, _ := d.ReadFile(name, maxHolder)
	return string(b)
}

// Release lets the lock go.
func (l *Lock) Release() {
	l.d.Remove(l.name)
	l.f.Close()
}
