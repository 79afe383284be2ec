package client

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"

	"github.com/weftrun/weft/cmd/weft-companion/packing"
	"github.com/weftrun/weft/engine/cache"
)

// errChanged is the error of a blob of the local cache whose file has other content.
var errChanged = errors.New("it was changed while it was read")

// Upload is one blob on its way to the server. It is used by one goroutine at a time.
type Upload struct {
	Blob   cache.Digest
	Packed bool   // it is compressed
	ID     string // a UUID; the server knows the upload by it
	From   int64  // bytes that the server has; 0 if Packed

	file     io.ReaderAt
	progress func()
}

// Content returns a reader of the blob from From on, which compares all of it with the digest: the
// last bytes are not read if they do not match. It begins anew at each call.
func (u *Upload) Content() (io.Reader, error) {
	r := &content{u: u, hash: sha256.New(), left: u.Blob.Size}
	if u.From > 0 {
		if _, err := io.CopyN(io.Discard, r, u.From); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// content reads and verifies a blob.
type content struct {
	u    *Upload
	hash hash.Hash
	left int64
}

// Read implements [io.Reader].
func (c *content) Read(b []byte) (int, error) {
	if c.left == 0 {
		return 0, io.EOF
	}
	n, err := c.u.file.ReadAt(b[:min(int64(len(b)), c.left)], c.u.Blob.Size-c.left)
	if n == 0 {
		if err == io.EOF {
			err = errChanged
		}
		return 0, err
	}
	c.hash.Write(b[:n])
	if c.left -= int64(n); c.left == 0 && [sha256.Size]byte(c.hash.Sum(nil)) != c.u.Blob.Hash {
		return 0, errChanged
	}
	c.u.progress()
	return n, nil
}

// blobFile is the content of a blob.
type blobFile interface {
	io.ReaderAt
	io.Closer
}

// ofLocal opens a blob of the local cache, which is not verified.
func (c *Cache) ofLocal(blob cache.Digest) (blobFile, error) { return c.local.OpenUnverified(blob) }

// upload has the server keep blobs, which open opens. The error is that of the first one for which this
// failed.
func (c *Cache) upload(ctx context.Context, call Call, blobs []cache.Digest, open func(cache.Digest) (blobFile, error)) error {
	u := &uploading{Cache: c, call: call, open: open}
	failed := c.sending.move(ctx, blobs, func() {}, func(own []claimed) { u.all(ctx, own) })
	for _, b := range blobs {
		if err := failed[b]; err != nil {
			return err
		}
	}
	return nil
}

// uploading is the work of one upload of several blobs.
type uploading struct {
	*Cache
	call Call
	open func(cache.Digest) (blobFile, error)
}

// all uploads blobs, and ends their transfers.
func (u *uploading) all(ctx context.Context, own []claimed) {
	a, _ := u.status()
	limit := a.MaxBatch
	if u.noUpdate.Load() {
		limit = 0
	}
	batches, streams := split(own, limit)
	parallel(batches, func(b []claimed) { u.batch(ctx, b, false) })
	parallel(streams, func(c claimed) { u.stream(ctx, c) })
}

func (u *uploading) end(c claimed, err error) {
	if err == nil {
		u.known.add(c.blob)
	}
	u.sending.end(c.blob, c.transfer, err)
}

// batch uploads small blobs with one call, and streams those for which this fails in a way that may
// pass. halved means that it is a half of a batch that was too much for the server.
func (u *uploading) batch(ctx context.Context, blobs []claimed, halved bool) {
	var errs []error
	err := u.do(ctx, storing, func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		contents := make([]Content, len(blobs))
		for i, c := range blobs {
			data, err := u.content(c.blob)
			if err != nil {
				return fmt.Errorf("the blob %.12s: %w", c.blob.Hex(), err)
			}
			contents[i] = Content{c.blob, data}
		}
		var err error
		errs, err = u.server.WriteBatch(ctx, u.call, contents)
		return err
	})
	switch {
	case err == nil:
	case is(err, full) && len(blobs) > 1 && !halved:
		u.batch(ctx, blobs[:len(blobs)/2], true)
		u.batch(ctx, blobs[len(blobs)/2:], true)
		return
	case is(err, unsupported), is(err, full):
		if is(err, unsupported) || len(blobs) == 1 {
			u.noUpdate.Store(true)
		}
		for _, c := range blobs {
			u.stream(ctx, c)
		}
		return
	default:
		for _, c := range blobs {
			u.end(c, err)
		}
		return
	}
	for i, c := range blobs {
		if e := errs[i]; is(e, full) || is(e, passing) || is(e, late) {
			u.stream(ctx, c)
		} else {
			u.end(c, e)
		}
	}
}

// content returns a blob.
func (u *uploading) content(blob cache.Digest) ([]byte, error) {
	f, err := u.open(blob)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readBlob(f, blob)
}

// stream uploads a blob with a call of its own.
func (u *uploading) stream(ctx context.Context, c claimed) { u.end(c, u.send(ctx, c)) }

func (u *uploading) send(ctx context.Context, c claimed) error {
	f, err := u.open(c.blob)
	if err != nil {
		return err
	}
	defer f.Close()
	a, _ := u.status()
	up := &Upload{Blob: c.blob, ID: newUUID(), file: f, progress: func() {}}
	up.Packed = a.PackedStreams && c.blob.Size >= packing.MinSize && worthPacking(&u.codecs, f)
	again := false
	return u.do(ctx, storing, func(ctx context.Context) error {
		ctx, progress, stop := progressing(ctx, patience)
		defer stop()
		if again {
			u.resume(ctx, up)
		}
		again = true
		up.progress = func() {
			progress()
			c.moved.Add(1)
		}
		err := u.server.Write(ctx, u.call, up)
		if err != nil && up.From > 0 && !is(err, passing) && !is(err, late) && ctx.Err() == nil {
			up.From, up.ID = 0, newUUID() // it does not want the rest
			err = u.server.Write(ctx, u.call, up)
		}
		return err
	})
}

// resume asks the server how much of an upload that broke off it has.
func (u *uploading) resume(ctx context.Context, up *Upload) {
	up.From = 0
	if !up.Packed {
		if n, err := u.server.Written(ctx, u.call, up); err == nil && 0 < n && n < up.Blob.Size {
			up.From = n
			return
		}
	}
	up.ID = newUUID()
}
