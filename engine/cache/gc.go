package cache

import (
	"context"
	"encoding/binary"
	"errors"
	"os"
	"sort"
	"time"

	"github.com/weftrun/weft/internal/statefile"
)

// The results used last are kept: they are taken in the order of their last use, each with the
// blobs that it needs, as long as they fit the limit. The others are removed, and then every
// blob that no result needs. No process waits for this:
//
//   - A blob that was written, or found to be there by a process that keeps a result, within
//     the last hour stays, since the result may not be there yet.
//   - A process that restores a result has a blob open, or does not find it, which is a
//     [*Damage] like any other.

// DefaultLimit is the default maximum size of a cache in bytes.
const DefaultLimit = 10 << 30

// young is the age up to which a blob, or a file being written, is kept even if no result needs it.
const young = time.Hour

// Stats are the results of [Disk.GC].
type Stats struct {
	Results, Blobs               int // in the cache now
	RemovedResults, RemovedBlobs int
	Size, Freed                  int64 // bytes in the cache now, and bytes removed
}

// GC removes the results used least recently, until the cache has at most limit bytes, and blobs
// that no result needs. It may run concurrently with everything else; it waits for another GC.
func (d *Disk) GC(ctx context.Context, limit int64) (Stats, error) {
	top, err := d.dir("", false)
	if err != nil {
		return Stats{}, absent(err)
	}
	lock, err := top.Lock(ctx, gcLock, "", nil)
	if err != nil {
		return Stats{}, err
	}
	defer lock.Release()
	return d.gc(ctx, top, limit)
}

// gcLock and usageName are names in the directory of the version.
const (
	gcLock    = "gc"
	usageName = "usage"
)

// maxUsage is the size of the usage file, in bytes, after which everything is counted again.
const maxUsage = 64 << 10

// Trim is to be called at the end of a run. If something was kept, and the cache now has more than
// limit bytes, it is reduced to nine tenths of the limit. The size is known without a walk through
// the cache: a file contains the size after the last GC, and the additions of each run. It does
// nothing while another process does that.
func (d *Disk) Trim(ctx context.Context, limit int64) (Stats, error) {
	added := d.added.Swap(0)
	if added == 0 {
		return Stats{}, nil
	}
	top, err := d.dir("", false)
	if err != nil {
		return Stats{}, absent(err)
	}
	b, err := top.ReadFile(usageName, maxUsage)
	if err == nil && len(b)%8 == 0 && usage(b)+added <= limit {
		return Stats{}, addUsage(top, added)
	}
	lock, err := top.TryLock(gcLock, "")
	if err != nil {
		if errors.Is(err, statefile.ErrLocked) {
			return Stats{}, nil
		}
		return Stats{}, err
	}
	defer lock.Release()
	return d.gc(ctx, top, limit-limit/10)
}

// usage returns the sum of the numbers in a usage file.
func usage(b []byte) (sum int64) {
	for ; len(b) >= 8; b = b[8:] {
		if sum += int64(binary.LittleEndian.Uint64(b)); sum < 0 {
			return 1 << 62 // nonsense: count again
		}
	}
	return sum
}

// countFrom0 makes the usage file of a cache that is empty: otherwise Trim would count it.
func (d *Disk) countFrom0() {
	if names, err := d.top.Names(); err != nil || len(names) > 0 {
		return
	}
	d.changing()
	if f, err := d.top.Create(usageName, 0o600); err == nil { // otherwise another process has made it
		f.Close()
	}
}

func addUsage(top *statefile.Dir, added int64) error {
	f, err := top.OpenFile(usageName, os.O_WRONLY|os.O_APPEND)
	if err != nil {
		return absent(err)
	}
	_, err = f.Write(binary.LittleEndian.AppendUint64(nil, uint64(added)))
	if e := f.Close(); err == nil {
		err = e
	}
	return err
}

// gc is GC with the lock.
func (d *Disk) gc(ctx context.Context, top *statefile.Dir, limit int64) (Stats, error) {
	c := &collection{Disk: d, limit: limit, kept: map[shortHash]struct{}{}}
	err := c.mark(ctx)
	if err == nil {
		err = c.sweep(ctx)
	}
	if err == nil {
		d.changing()
		err = top.WriteFile(usageName, binary.LittleEndian.AppendUint64(nil, uint64(c.Size)))
	}
	return c.Stats, err
}

// collection is one run of GC.
type collection struct {
	*Disk
	Stats
	limit int64
	kept  map[shortHash]struct{} // blobs
}

// shortHash is a prefix of a hash, long enough to distinguish blobs.
type shortHash [16]byte

func shorten(d Digest) shortHash { return shortHash(d.Hash[:]) }

// storedResult is a result before it is read.
type storedResult struct {
	action Digest
	used   time.Time
	size   int64 // of its message
}

// storedResults returns all results, those that were used last first.
func (d *Disk) storedResults(ctx context.Context) (all []storedResult, err error) {
	err = d.results.each(ctx, func(dir *statefile.Dir, name string) error {
		action, ok := parseName(name)
		size, used, err := dir.Stat(name)
		switch {
		case err != nil:
			return absent(err)
		case ok:
			all = append(all, storedResult{action, used, size})
		case time.Since(used) >= young: // of a process that was killed
			d.changing()
			dir.Remove(name)
		}
		return nil
	})
	sort.Slice(all, func(i, j int) bool { return all[i].used.After(all[j].used) })
	return all, err
}

// mark removes results that cannot be used or do not fit, and records the blobs that the others
// need.
func (c *collection) mark(ctx context.Context) error {
	all, err := c.storedResults(ctx)
	if err != nil {
		return err
	}
	for _, s := range all {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		var needs []Digest
		size := s.size
		_, r, _, err := c.result(s.action)
		if err == nil && r != nil {
			needs = c.needs(s.action, r)
			for _, blob := range needs {
				size += blob.Size
			}
		}
		if err != nil || r == nil || c.Size+size > c.limit {
			if ok, err := c.Remove(s.action); err != nil {
				return err
			} else if ok {
				c.RemovedResults++
				c.Freed += s.size
			}
			continue
		}
		c.Results++
		c.Size += size
		for _, blob := range needs {
			c.kept[shorten(blob)] = struct{}{}
		}
	}
	return nil
}

// needs returns the blobs that a result needs and that are not kept yet, each once.
func (c *collection) needs(action Digest, r *ActionResult) (needs []Digest) {
	seen := map[shortHash]bool{}
	r.eachBlob(func(blob Digest) {
		if s := shorten(blob); blob.Size > 0 && !c.keeps(s) && !seen[s] {
			seen[s] = true
			needs = append(needs, blob)
		}
	})
	return append(needs, c.messages(action)...)
}

func (c *collection) keeps(s shortHash) bool {
	_, ok := c.kept[s]
	return ok
}

// eachBlob calls use with every blob that a result names.
func (r *ActionResult) eachBlob(use func(Digest)) {
	for i := range r.Files {
		use(r.Files[i].Digest)
	}
	use(r.Stdout)
	if log, err := r.Log(); err == nil {
		use(log.Stdout)
	}
}

// sweep removes blobs that are not kept.
func (c *collection) sweep(ctx context.Context) error {
	err := c.blobs.each(ctx, func(dir *statefile.Dir, name string) error {
		if blob, ok := parseName(name); ok && c.keeps(shorten(blob)) {
			c.Blobs++
			return nil
		}
		return c.removeOld(dir, name)
	})
	if err != nil {
		return err
	}
	tmp, err := c.dir("tmp", false)
	if err != nil {
		return absent(err)
	}
	names, err := tmp.Names()
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := c.removeOld(tmp, name); err != nil {
			return err
		}
	}
	return nil
}

// removeOld removes a file that no result needs, unless it is young.
func (c *collection) removeOld(dir *statefile.Dir, name string) error {
	size, modified, err := dir.Stat(name)
	if err != nil {
		return absent(err)
	}
	if time.Since(modified) < young {
		c.Blobs++
		c.Size += size
		return nil
	}
	c.changing()
	if err := dir.Remove(name); err != nil {
		if size, _, gone := dir.Stat(name); gone == nil {
			c.Size += size // a directory, say
		}
		return nil
	}
	c.RemovedBlobs++
	c.Freed += size
	return nil
}
