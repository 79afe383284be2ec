package client

import (
	"context"
	"errors"
	"fmt"

	"github.com/weftrun/weft/cmd/weft-companion/packing"
	"github.com/weftrun/weft/engine/cache"
)

// fetch puts blobs into the local cache. missing are those that the server does not have, or with
// other content; the error is why others could not be fetched. It ends when nothing has arrived for
// a while.
func (c *Cache) fetch(ctx context.Context, call Call, blobs []cache.Digest) (missing []cache.Digest, err error) {
	ctx, progress, stop := progressing(ctx, patience)
	defer stop()
	if err := c.ready(ctx); err != nil {
		return nil, err
	}
	var todo []cache.Digest
	var size int64
	seen := map[cache.Digest]bool{}
	for _, b := range blobs {
		if b.Size < 0 || b.Size > maxBlob {
			return nil, fmt.Errorf("it has a blob of %d bytes", b.Size)
		}
		if !seen[b] && !c.local.Has(b) {
			todo = append(todo, b)
			size += b.Size
		}
		seen[b] = true
	}
	if len(todo) == 0 {
		return nil, nil
	}
	if !c.space.reserve(size) {
		c.say.warn("space", "is not read from: the disk of the local cache is nearly full")
		return nil, errNoSpace
	}
	defer c.space.release(size)
	d := &download{Cache: c, call: call, progress: progress}
	failed := c.moving.move(ctx, todo, progress, func(own []claimed) { d.all(ctx, own) })
	for _, b := range todo {
		switch e := failed[b]; {
		case e == nil:
		case is(e, absent), is(e, broken):
			missing = append(missing, b)
		case err == nil:
			err = e
		}
	}
	return missing, err
}

// maxBlob is the size in bytes of the largest blob that is fetched: the sum of a hundred thousand of
// them is a number.
const maxBlob = 1 << 44

var errNoSpace = errors.New("the disk of the local cache is nearly full")

// download is the work of one fetch.
type download struct {
	*Cache
	call     Call
	progress func()
}

// all downloads blobs, and ends their transfers.
func (d *download) all(ctx context.Context, own []claimed) {
	a, _ := d.status()
	limit := a.MaxBatch
	if d.noBatch.Load() {
		limit = 0
	}
	batches, streams := split(own, limit)
	parallel(batches, func(b []claimed) { d.batch(ctx, b, false) })
	parallel(streams, func(c claimed) { d.stream(ctx, c, false) })
}

// end ends the transfer of a blob.
func (d *download) end(c claimed, err error) {
	if is(err, absent) {
		d.known.forget()
	}
	d.moving.end(c.blob, c.transfer, err)
}

// streams downloads blobs one after another.
func (d *download) streams(ctx context.Context, blobs []claimed) {
	for _, c := range blobs {
		d.stream(ctx, c, false)
	}
}

// batch downloads small blobs with one call; those that this does not bring are streamed. halved
// means that it is a half of a batch that was too much for the server.
func (d *download) batch(ctx context.Context, blobs []claimed, halved bool) {
	if d.noBatch.Load() {
		d.streams(ctx, blobs)
		return
	}
	by := make(map[cache.Digest]int, len(blobs))
	digests := make([]cache.Digest, len(blobs))
	for i, c := range blobs {
		by[c.blob], digests[i] = i, c.blob
	}
	type answer struct {
		err  error
		have bool
	}
	answers := make([]answer, len(blobs))
	err := d.do(ctx, reading, func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		clear(answers)
		return d.server.ReadBatch(ctx, d.call, digests, func(blob cache.Digest, data []byte, err error) {
			i, asked := by[blob]
			if !asked || answers[i].have {
				return
			}
			if err == nil {
				err = d.keep(blob, data)
			}
			answers[i] = answer{err, true}
			d.progress()
		})
	})
	switch {
	case err == nil:
	case is(err, unsupported):
		d.noBatch.Store(true)
		d.streams(ctx, blobs)
		return
	case is(err, full) && len(blobs) > 1 && !halved:
		d.batch(ctx, blobs[:len(blobs)/2], true)
		d.batch(ctx, blobs[len(blobs)/2:], true)
		return
	case is(err, full):
		if len(blobs) == 1 {
			d.noBatch.Store(true)
		}
		d.streams(ctx, blobs)
		return
	default:
		for _, c := range blobs {
			d.end(c, err)
		}
		return
	}
	for i, c := range blobs {
		switch a := answers[i]; {
		case a.have && (a.err == nil || is(a.err, absent)):
			d.end(c, a.err)
		case is(a.err, broken):
			d.stream(ctx, c, true)
		default: // it may be too large for an answer, or its failure passes
			d.stream(ctx, c, false)
		}
	}
}

// keep keeps a blob that was received whole.
func (d *download) keep(blob cache.Digest, data []byte) error {
	in, err := d.local.Receive(blob)
	if err != nil {
		return err
	}
	_, err = in.Write(data)
	if err == nil {
		err = in.Commit()
	} else {
		in.Discard()
	}
	if damage, ok := errors.AsType[*cache.Damage](err); ok {
		return wrong("%v", damage)
	}
	return err
}

// stream downloads a blob with a call of its own. raw has the server not compress it.
func (d *download) stream(ctx context.Context, c claimed, raw bool) {
	d.end(c, d.receive(ctx, c, raw))
}

func (d *download) receive(ctx context.Context, c claimed, raw bool) error {
	in, err := d.local.Receive(c.blob)
	if err != nil {
		return err
	}
	a, _ := d.status()
	packed := a.PackedStreams && !raw && c.blob.Size >= packing.MinSize
	err = d.do(ctx, reading, func(ctx context.Context) error {
		if packed && in.Received() > 0 {
			if err := in.Restart(); err != nil {
				return err
			}
		}
		err := d.server.Read(ctx, d.call, c.blob, in.Received(), packed, &sink{in, c.transfer, d.progress})
		if err == nil {
			err = in.Verify()
		}
		damage, ok := errors.AsType[*cache.Damage](err)
		if !ok && !is(err, broken) {
			return err
		}
		packed = false
		if err := in.Restart(); err != nil {
			return err
		}
		if ok {
			return wrong("%v", damage)
		}
		return err
	})
	if err != nil {
		in.Discard()
		return err
	}
	return in.Commit()
}

// sink is where a blob goes as it arrives.
type sink struct {
	in       *cache.Incoming
	transfer *transfer
	progress func()
}

func (s *sink) Write(b []byte) (int, error) {
	n, err := s.in.Write(b)
	s.transfer.moved.Add(int64(n))
	s.progress()
	return n, err
}
