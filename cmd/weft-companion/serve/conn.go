package serve

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// conn is a connection that knows when it had its last byte.
type conn struct {
	net.Conn
	head  []byte       // was read before, and is to be read first
	last  atomic.Int64 // when the last byte went by, in nanoseconds since 1970
	gone  func(*conn)
	close sync.Once
}

// piece is the number of bytes per write: each shows that the client still reads.
const piece = 256 << 10

func newConn(c net.Conn, gone func(*conn)) *conn {
	own := &conn{Conn: c, gone: gone}
	own.seen()
	return own
}

func (c *conn) seen() { c.last.Store(time.Now().UnixNano()) }

func (c *conn) Read(b []byte) (int, error) {
	if len(c.head) > 0 {
		n := copy(b, c.head)
		c.head = c.head[n:]
		return n, nil
	}
	n, err := c.Conn.Read(b)
	if n > 0 {
		c.seen()
	}
	return n, err
}

func (c *conn) Write(b []byte) (written int, err error) {
	for {
		n, err := c.Conn.Write(b[:min(len(b), piece)])
		written += n
		b = b[n:]
		if n > 0 {
			c.seen()
		}
		if err != nil || len(b) == 0 {
			return written, err
		}
	}
}

// ReadFrom implements [io.ReaderFrom], so that the system copies a file by itself.
func (c *conn) ReadFrom(r io.Reader) (written int64, err error) {
	to, ok := c.Conn.(io.ReaderFrom)
	limited, isLimited := r.(*io.LimitedReader)
	if !ok || !isLimited { // it may be endless
		return io.Copy(struct{ io.Writer }{c}, r)
	}
	for limited.N > 0 {
		part := &io.LimitedReader{R: limited.R, N: min(limited.N, 4*piece)}
		n, err := to.ReadFrom(part)
		written += n
		limited.N -= n
		if n > 0 {
			c.seen()
		}
		if err != nil || n == 0 {
			return written, err
		}
	}
	return written, nil
}

func (c *conn) Close() error {
	c.close.Do(func() { c.gone(c) })
	return c.Conn.Close()
}
