package cache

import (
	"context"
	"crypto/sha256"
	"io"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
)

// piece is the number of bytes per read.
const piece = 256 << 10

// copier copies and hashes, with buffers of its own. The zero copier is ready for use, by one
// goroutine at a time, and should be closed.
type copier struct {
	bufs [2]*[piece]byte
	head []byte // beginning of a longer file, read by readAll, with which copy begins
}

// pieces are buffers of closed copiers: most results are a small file, for which clearing a new
// buffer would take longer than all the rest.
var pieces = sync.Pool{New: func() any { return new([piece]byte) }}

func (c *copier) buf(i int) []byte {
	if c.bufs[i] == nil {
		c.bufs[i] = pieces.Get().(*[piece]byte)
	}
	return c.bufs[i][:]
}

func (c *copier) close() {
	for i, b := range c.bufs {
		if b != nil {
			pieces.Put(b)
		}
		c.bufs[i] = nil
	}
}

// readAll returns the content of f, which is valid until the next call, or nil if it is longer than
// a piece.
func (c *copier) readAll(f *os.File) ([]byte, error) {
	b := c.buf(0)
	n, err := io.ReadFull(f, b)
	switch err {
	case nil:
		c.head = b
		return nil, nil
	case io.EOF, io.ErrUnexpectedEOF:
		return b[:n], nil
	}
	return nil, err
}

// copy writes the content of src to dst, unless dst is nil, and returns its digest. For a longer
// content, one piece is hashed while it is written and the next one is read.
func (c *copier) copy(ctx context.Context, dst io.Writer, src io.Reader) (Digest, error) {
	var (
		h      = sha256.New()
		size   int64
		hashes chan []byte
		done   chan struct{}
		err    error
	)
	for i := 0; err == nil; i = 1 - i {
		var b []byte
		if b, err = c.next(src, i); err != nil && err != io.EOF {
			break
		}
		size += int64(len(b))
		switch {
		case ctx.Err() != nil:
			err = context.Cause(ctx)
			continue
		case err == io.EOF && hashes == nil:
			h.Write(b)
		case hashes == nil:
			hashes, done = make(chan []byte), make(chan struct{})
			go func() {
				defer close(done)
				for b := range hashes {
					h.Write(b)
				}
			}()
			fallthrough
		default:
			hashes <- b // the piece before it has been hashed: its buffer is free
		}
		if dst != nil && len(b) > 0 {
			if _, e := dst.Write(b); e != nil {
				err = e
			}
		}
	}
	c.head = nil
	if hashes != nil {
		close(hashes)
		<-done
	}
	if err != io.EOF {
		return Digest{}, err
	}
	blob := Digest{Size: size}
	h.Sum(blob.Hash[:0])
	return blob, nil
}

// next returns the next piece, in buffer i. The error of the last one is io.EOF.
func (c *copier) next(src io.Reader, i int) ([]byte, error) {
	if c.head != nil {
		b := c.head // in the buffer 0, as i is
		c.head = nil
		return b, nil
	}
	b := c.buf(i)
	n, err := io.ReadFull(src, b)
	if err == io.ErrUnexpectedEOF {
		err = io.EOF
	}
	return b[:n], err
}

// mostWorkers is the maximum number of workers of all steps together, each of which has buffers:
// thousands of steps may store their results at the same time.
const mostWorkers = 16

// working has an element for each worker.
var working = make(chan struct{}, mostWorkers)

// parallel calls do for each i below n, on all processors, with one worker per goroutine, and stops
// at the first error, which it returns. Adjacent items are mostly processed by the same worker.
// do must not call parallel.
func parallel[W interface{ close() }](ctx context.Context, n int, newWorker func() W, do func(ctx context.Context, w W, i int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	workers := min(runtime.GOMAXPROCS(0), 8)
	batch := min(n/(8*workers)+1, 16)
	var next atomic.Int64
	work := func() {
		select {
		case working <- struct{}{}:
		case <-ctx.Done():
			return
		}
		w := newWorker()
		defer func() {
			w.close()
			<-working
		}()
		for {
			from := int(next.Add(int64(batch))) - batch
			for i := from; i < min(from+batch, n); i++ {
				if ctx.Err() != nil {
					return
				}
				if err := do(ctx, w, i); err != nil {
					cancel(err)
					return
				}
			}
			if from >= n {
				return
			}
		}
	}
	var wg sync.WaitGroup
	for range min(workers, n) - 1 {
		wg.Go(work)
	}
	work()
	wg.Wait()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}
