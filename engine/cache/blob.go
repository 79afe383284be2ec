package cache

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"time"

	"github.com/weftrun/weft/internal/statefile"
)

// Damage is the error of a blob that is missing, or does not match its digest.
type Damage struct {
	Blob Digest
	Why  string // "is missing", "has other content"
}

func (e *Damage) Error() string { return fmt.Sprintf("the blob %.12s %s", e.Blob.Hex(), e.Why) }

// openBlob opens a blob, whose content is not verified. The error of one that is missing, or
// has another size, is a [*Damage].
func (d *Disk) openBlob(blob Digest) (*os.File, fs.FileInfo, error) {
	dir, err := d.blobs.at(blob.Hash[0], false)
	var f *os.File
	if err == nil {
		f, err = dir.OpenFile(blob.Hex(), os.O_RDONLY)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, &Damage{blob, "is missing"}
	}
	if err != nil {
		return nil, nil, err
	}
	st, err := f.Stat()
	if err == nil && st.Size() != blob.Size {
		err = d.drop(f, blob, fmt.Sprintf("has %d bytes instead of %d", st.Size(), blob.Size))
	}
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	return f, st, nil
}

// drop removes the file of a blob, which is f, since it is damaged, and returns the error.
func (d *Disk) drop(f *os.File, blob Digest, why string) error {
	if dir, err := d.blobs.at(blob.Hash[0], false); err == nil && dir.Is(blob.Hex(), f) {
		d.changing()
		dir.Remove(blob.Hex())
	}
	return &Damage{blob, why}
}

// has reports whether a blob with the right size exists. If so, a concurrent [Disk.GC] does not
// remove it soon.
func (d *Disk) has(blob Digest) bool {
	dir, err := d.blobs.at(blob.Hash[0], false)
	if err == nil {
		_, _, err = dir.Stat(blob.Hex()) // takes less than opening it
	}
	if err != nil {
		return false
	}
	f, st, err := d.openBlob(blob)
	if err != nil {
		return false
	}
	f.Close()
	if now := time.Now(); now.Sub(st.ModTime()) > young/2 {
		d.touch(blob, time.Unix(now.Unix(), int64(st.ModTime().Nanosecond()))) // keeps the stamp
	}
	return true
}

func (d *Disk) touch(blob Digest, t time.Time) {
	if dir, err := d.blobs.at(blob.Hash[0], false); err == nil {
		d.changing()
		dir.Touch(blob.Hex(), t)
	}
}

// markVerified records that the file of a blob, whose stat is st, was verified.
func (d *Disk) markVerified(st fs.FileInfo, blob Digest) {
	if t, ok := d.stamp(time.Now(), blob, inodeOf(st)); ok {
		d.touch(blob, t)
	}
}

// Put keeps b as a blob.
func (d *Disk) Put(b []byte) (Digest, error) {
	blob := DigestOf(b)
	if blob.Size == 0 || d.has(blob) {
		return blob, nil
	}
	w, err := d.newBlob()
	if err != nil {
		return Digest{}, err
	}
	_, err = w.file.Write(b)
	return blob, w.finish(blob, err)
}

// PutFile keeps the content of f from its offset to its end as a blob. It fails if f is changed
// meanwhile.
func (d *Disk) PutFile(ctx context.Context, f *os.File) (Digest, error) {
	var c copier
	defer c.close()
	return d.putFile(ctx, f, &c)
}

func (d *Disk) putFile(ctx context.Context, f *os.File, c *copier) (Digest, error) {
	before, err := f.Stat()
	if err != nil {
		return Digest{}, err
	}
	if head, err := c.readAll(f); err != nil {
		return Digest{}, err
	} else if head != nil { // not worth a file, if the blob exists
		if err := unchanged(f, before); err != nil {
			return Digest{}, err
		}
		return d.Put(head)
	}
	w, err := d.newBlob()
	if err != nil {
		return Digest{}, err
	}
	var to io.Writer = w.file
	start, err := f.Seek(0, io.SeekCurrent)
	if err == nil && start == int64(len(c.head)) && d.clone(w.file, f) {
		// The shared content does not change with f, which is read because it is in memory. A
		// change after the cloning changes its time, unless that may be the same one.
		to, w.unverified = nil, time.Since(before.ModTime()) < granularity
	}
	blob, err := c.copy(ctx, to, f)
	if err == nil {
		err = unchanged(f, before)
	}
	if err == nil && d.has(blob) {
		w.discard()
		return blob, nil
	}
	return blob, w.finish(blob, err)
}

// errChanged is the error of a file that was written while it was read.
var errChanged = errors.New("it was changed while it was read")

func unchanged(f *os.File, before fs.FileInfo) error {
	now, err := f.Stat()
	if err == nil && (now.Size() != before.Size() || !now.ModTime().Equal(before.ModTime())) {
		err = errChanged
	}
	return err
}

// clone makes dst, which is empty, share the content of src, and reports whether that succeeded.
func (d *Disk) clone(dst, src *os.File) bool {
	if d.noClone.Load() {
		return false
	}
	err := clone(dst, src)
	if err != nil && cannotClone(err) {
		d.noClone.Store(true)
	}
	return err == nil
}

// newBlob is a blob that is being written: an open file in v1/tmp.
type newBlob struct {
	file *os.File
	d    *Disk
	dir  *statefile.Dir
	name string

	unverified bool // its content may differ from what was read
}

// granularity is longer than the interval in which two changes of a file may have the same time.
const granularity = 50 * time.Millisecond

func (d *Disk) newBlob() (*newBlob, error) {
	dir, err := d.dir("tmp", true)
	if err != nil {
		return nil, err
	}
	name := fmt.Sprintf("%016x", rand.Uint64())
	d.changing()
	f, err := dir.Create(name, 0o444)
	if err != nil {
		return nil, err
	}
	return &newBlob{file: f, d: d, dir: dir, name: name}, nil
}

// finish gives the blob its name, unless err is not nil: then it is not complete. It closes the
// file.
func (w *newBlob) finish(blob Digest, err error) error {
	if err == nil {
		err = w.publish(blob)
	}
	if err != nil {
		w.discard()
		return err
	}
	w.d.added.Add(blob.Size)
	return nil
}

func (w *newBlob) publish(blob Digest) error {
	var inode uint64
	if blob.Size >= stampedFrom { // a smaller one is not cloned either
		st, err := w.file.Stat()
		if err != nil {
			return err
		}
		if st.Size() != blob.Size {
			return errChanged
		}
		inode = inodeOf(st)
	}
	if err := w.file.Close(); err != nil {
		return err
	}
	if t, ok := w.d.stamp(time.Now(), blob, inode); ok && !w.unverified {
		w.d.changing()
		w.dir.Touch(w.name, t)
	}
	to, err := w.d.blobs.at(blob.Hash[0], true)
	if err != nil {
		return err
	}
	w.d.changing()
	return w.dir.Move(w.name, to, blob.Hex())
}

func (w *newBlob) discard() {
	w.file.Close()
	w.d.changing()
	w.dir.Remove(w.name)
}

// copyBlob writes a blob to dst, an empty file, and verifies it. If it is damaged, it is removed
// from the cache, and dst must not be used.
func (d *Disk) copyBlob(ctx context.Context, dst *os.File, blob Digest, c *copier) error {
	if blob.Size == 0 {
		return nil
	}
	src, st, err := d.openBlob(blob)
	if err != nil {
		return err
	}
	defer src.Close()
	known := d.verified(st, blob)
	var to io.Writer = dst
	if d.clone(dst, src) {
		if known {
			return nil
		}
		to = nil
	}
	got, err := c.copy(ctx, to, src)
	switch {
	case err != nil:
		return err
	case got != blob:
		return d.drop(src, blob, "has other content")
	case !known:
		d.markVerified(st, blob)
	}
	return nil
}
