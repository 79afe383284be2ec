package cache

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/weftrun/weft/internal/statefile"
)

// Problem is something in a cache that cannot be used. It was removed, if that was possible.
type Problem struct {
	Path string // of the file
	Why  string
}

// Verify reads every blob and every result, removes those that cannot be used, and reports them
// one at a time. It returns the amount of valid data.
func (d *Disk) Verify(ctx context.Context, report func(Problem)) (Stats, error) {
	var s Stats
	if err := d.verifyBlobs(ctx, &s, report); err != nil {
		return s, err
	}
	all, err := d.storedResults(ctx)
	if err != nil {
		return s, err
	}
	for _, stored := range all {
		if ctx.Err() != nil {
			return s, context.Cause(ctx)
		}
		_, r, _, err := d.result(stored.action)
		switch {
		case err == nil && r == nil:
			continue
		case err == nil:
			err = d.complete(r)
		}
		if err == nil {
			s.Results++
			s.Size += stored.size
			continue
		}
		report(Problem{filepath.Join(d.Path(), version, "ac", stored.action.Hex()[:2], stored.action.Hex()), err.Error()})
		if _, err := d.Remove(stored.action); err == nil {
			s.RemovedResults++
			s.Freed += stored.size
		}
	}
	return s, nil
}

// complete fails if a blob that a result needs is missing.
func (d *Disk) complete(r *ActionResult) (err error) {
	r.eachBlob(func(blob Digest) {
		if blob.Size == 0 || err != nil {
			return
		}
		f, _, e := d.openBlob(blob)
		if err = e; err == nil {
			f.Close()
		}
	})
	return err
}

// finding is the result of reading one blob.
type finding struct {
	Problem
	size    int64
	removed bool
}

func (d *Disk) verifyBlobs(ctx context.Context, s *Stats, report func(Problem)) error {
	type file struct {
		dir  *statefile.Dir
		blob Digest
	}
	var files []file
	err := d.blobs.each(ctx, func(dir *statefile.Dir, name string) error {
		if blob, ok := parseName(name); ok {
			files = append(files, file{dir, blob})
			return nil
		}
		report(Problem{filepath.Join(dir.Path(), name), "its name is not that of a blob"})
		return nil
	})
	if err != nil {
		return err
	}
	findings := make(chan finding)
	done := make(chan error, 1)
	go func() {
		defer close(findings)
		newReader := func() *reader { return new(reader) }
		done <- parallel(ctx, len(files), newReader, func(ctx context.Context, r *reader, i int) error {
			found, err := d.inspect(ctx, files[i].dir, files[i].blob, &r.c)
			if err == nil {
				findings <- found
			}
			return err
		})
	}()
	for f := range findings {
		switch {
		case f.Why == "":
			s.Blobs++
			s.Size += f.size
			continue
		case f.removed:
			s.RemovedBlobs++
			s.Freed += f.size
		}
		report(f.Problem)
	}
	return <-done
}

// reader reads blobs in one goroutine.
type reader struct{ c copier }

func (r *reader) close() { r.c.close() }

// inspect reads one blob. The only error is that of ctx.
func (d *Disk) inspect(ctx context.Context, dir *statefile.Dir, blob Digest, c *copier) (finding, error) {
	f := finding{Problem: Problem{Path: filepath.Join(dir.Path(), blob.Hex())}}
	size, _, err := dir.Stat(blob.Hex())
	if err != nil {
		return f, nil // it was removed meanwhile
	}
	f.size, blob.Size = size, size
	file, st, err := d.openBlob(blob)
	if err == nil {
		err = d.verify(ctx, file, st, blob, c)
		file.Close()
	}
	if ctx.Err() != nil {
		return f, context.Cause(ctx)
	}
	if err != nil {
		damage, removed := errors.AsType[*Damage](err)
		if removed && damage.Why == "is missing" {
			return f, nil
		}
		f.removed, f.Why = removed, fmt.Sprint(err)
	}
	return f, nil
}
