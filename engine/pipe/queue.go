package pipe

import (
	"io"
	"io/fs"
	"sync"

	"github.com/weftrun/weft/internal/spool"
)

// queue is a queue of bytes without a limit. One goroutine fills it, and another reads it.
type queue struct {
	mu      sync.Mutex // guards the fields below
	more    sync.Cond
	bytes   spool.Buffer
	written int64
	read    int64
	err     error // why nothing more is added; io.EOF at the end
}

// fill reads r to its end, or until the queue is closed.
func (q *queue) fill(r io.Reader) {
	buf := make([]byte, 64<<10)
	for {
		n, err := r.Read(buf)
		if err = q.add(buf[:n], err); err != nil {
			return
		}
	}
}

// add adds p, and err if that ends the stream. It returns why nothing more can be added, or
// nil.
func (q *queue) add(p []byte, err error) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.err != nil {
		return q.err
	}
	n, werr := q.bytes.WriteAt(p, q.written)
	q.written += int64(n)
	if q.err = err; werr != nil {
		q.err = werr
	}
	q.more.Signal()
	return q.err
}

// Read implements io.Reader. It waits until there is something to read.
func (q *queue) Read(p []byte) (int, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.read == q.written && q.err == nil {
		q.more.Wait()
	}
	if q.read == q.written {
		return 0, q.err
	}
	n, err := q.bytes.ReadAt(p[:min(int64(len(p)), q.written-q.read)], q.read)
	q.read += int64(n)
	if n > 0 {
		err = nil
	}
	return n, err
}

// Close drops what has not been read, and ends fill.
func (q *queue) Close() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.err, q.read = fs.ErrClosed, q.written
	return q.bytes.Reset()
}
