package cache

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/weftrun/weft/internal/statefile"
)

// useAgain is the minimum interval between two updates of a time of last use, so that a use seldom
// writes.
const useAgain = time.Hour

// Lookup returns the result of an Action, or nil if there is none. An error says why an existing
// one cannot be used. Missing blobs are detected when they are read. A found result counts as used
// now.
func (d *Disk) Lookup(action Digest) (*ActionResult, error) {
	dir, r, used, err := d.result(action)
	if err != nil || r == nil {
		return nil, err
	}
	if now := time.Now(); now.Sub(used) >= useAgain {
		d.changing()
		dir.Touch(action.Hex(), now)
	}
	return r, nil
}

// result reads a result, and when it was used last. It is nil if there is none.
func (d *Disk) result(action Digest) (dir *statefile.Dir, r *ActionResult, used time.Time, err error) {
	dir, err = d.results.at(action.Hash[0], false)
	var b []byte
	if err == nil {
		b, err = dir.ReadFile(action.Hex(), MaxResult)
	}
	if err == nil {
		_, used, err = dir.Stat(action.Hex())
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, used, nil
	}
	if err != nil {
		return nil, nil, used, err
	}
	if r, err = unseal(b, action); err != nil {
		return nil, nil, used, fmt.Errorf("the result %.12s: %w", action.Hex(), err)
	}
	return dir, r, used, nil
}

// OpenLog opens the log of a result, which it verifies. An error is a [*Damage], or of the
// system.
func (d *Disk) OpenLog(ctx context.Context, r *ActionResult) (io.ReadCloser, error) {
	return d.OpenBlob(ctx, r.Stdout)
}

// OpenBlob opens a blob, which it verifies. An error is a [*Damage], or of the system.
func (d *Disk) OpenBlob(ctx context.Context, blob Digest) (io.ReadCloser, error) {
	if blob.Size == 0 {
		return os.Open(os.DevNull)
	}
	f, st, err := d.openBlob(blob)
	if err != nil {
		return nil, err
	}
	if !d.verified(st, blob) {
		var c copier
		err = d.verify(ctx, f, st, blob, &c)
		if c.close(); err == nil {
			_, err = f.Seek(0, io.SeekStart)
		}
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// verify reads the file of a blob to its end. If it is damaged, it removes it.
func (d *Disk) verify(ctx context.Context, f *os.File, st fs.FileInfo, blob Digest, c *copier) error {
	got, err := c.copy(ctx, nil, f)
	switch {
	case err != nil:
		return err
	case got != blob:
		return d.drop(f, blob, "has other content")
	}
	d.markVerified(st, blob)
	return nil
}

// Entry describes one result.
type Entry struct {
	Action Digest    // its Size is not known
	Used   time.Time // when it was stored, or used last, to the hour
	Files  int
	Size   int64 // bytes of its outputs and its log
}

// Entry returns the entry of an Action; nil if there is none. It does not count as used.
func (d *Disk) Entry(action Digest) (*Entry, error) {
	_, r, used, err := d.result(action)
	if err != nil || r == nil {
		return nil, err
	}
	e := &Entry{Action: action, Used: used, Files: len(r.Files), Size: r.Stdout.Size}
	for i := range r.Files {
		e.Size += r.Files[i].Digest.Size
	}
	return e, nil
}

// Remove removes a result, and reports whether it existed. The next GC removes the blobs
// that no other result needs.
func (d *Disk) Remove(action Digest) (bool, error) {
	dir, err := d.results.at(action.Hash[0], false)
	if err == nil {
		d.changing()
		err = dir.Remove(action.Hex())
	}
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}
