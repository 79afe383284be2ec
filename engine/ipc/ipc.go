// Package ipc is one end of a message channel between weft and a program: a socket that
// carries lines of JSON in both directions, as the channel of Node's child_process.fork does
// in its mode json. It owns framing, the envelope of weft and Node's internal messages; it knows
// nothing of tasks or of the meaning of messages.
//
//	weft                                                program
//	Next ◀── lines, at most MaxLine ◀──────────────────── process.send, print, echo
//	Send ──▶ queue, at most MaxQueue ──▶ the socket ────▶ process.on('message'), read
//	Disconnect ──▶ end of the stream, after the queue ──▶ process.on('disconnect'), EOF
//
// # Lines
//
// A message is any JSON value in one line of UTF-8. Empty lines are ignored. An object whose
// member cmd begins with NODE_ is internal to Node: Next handles it, and Send refuses it. An
// object whose member weft is a text is for weft, see [Kind]. Everything else is a message.
//
// # Descriptors
//
// Node passes sockets and servers along with messages. They are not received: the kernel closes a
// descriptor that is not received. Next confirms it, because Node waits for that, and returns the
// message that it came with.
//
// # Memory
//
// Next keeps one line, and returns the memory of a long one. Send never waits: messages that the
// program has not read yet are kept in memory, and more than MaxQueue is an error.
package ipc

import (
	"errors"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	// MaxLine is the longest message in bytes, without the end of its line.
	MaxLine = 64 << 20
	// MaxQueue is the maximum size in bytes of messages that the program has not read.
	MaxQueue = 64 << 20
)

// drainLimit is the number of bytes that are read after the program has ended. The kernel buffers
// far less; more comes from a leftover process that does not stop sending.
const drainLimit = 16 << 20

// Channel is weft's end. One goroutine calls Next; all other methods may be called
// concurrently.
type Channel struct {
	f       *os.File
	in      lines
	left    int         // bytes that are still read after End
	ending  atomic.Bool // End was called
	flushed sync.WaitGroup

	mu       sync.Mutex // guards the fields below
	queue    [][]byte   // lines that wait to be written, short ones together
	queued   int        // bytes that wait or are being written
	flushing bool       // a goroutine writes the queue
	closing  bool       // Disconnect was called
	broken   bool       // the other end is closed
}

// New returns a Channel and the program's end of it, which the caller closes. It is in blocking
// mode, as programs expect. The error wraps errors.ErrUnsupported on Windows.
func New() (c *Channel, program *os.File, err error) {
	own, program, err := pair()
	if err != nil {
		return nil, nil, err
	}
	return &Channel{f: own, left: drainLimit}, program, nil
}

// Next returns the next message. Its texts are valid until the next call. The error is io.EOF when
// the program's end is closed in all processes, or after End when all was read; an
// *InvalidError, after which Next may be called again unless it is final; or a *limit.Exceeded
// for a line of more than MaxLine bytes, which is final.
func (c *Channel) Next() (Message, error) {
	for {
		line, err := c.in.next(c.read)
		if err != nil {
			return Message{}, err
		}
		m, err := parse(line)
		if m.Handle != "" {
			c.write([]byte(`{"cmd":"NODE_HANDLE_ACK"}` + "\n"))
		}
		if err != nil || m.Kind != internal {
			return m, err
		}
	}
}

// read reads from the socket: until End it waits for data; after End it reads only buffered data.
func (c *Channel) read(b []byte) (int, error) {
	for !c.ending.Load() {
		n, err := c.f.Read(b)
		if n > 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			return n, ended(err)
		}
	}
	n, err := readNow(c.f, b[:min(len(b), c.left)])
	c.left -= n
	if n == 0 && err == nil {
		err = io.EOF
	}
	return n, ended(err)
}

// ended returns err, or io.EOF if it means that the program's end is closed: a program that has not
// read everything is reported as a reset.
func ended(err error) error {
	if errors.Is(err, syscall.ECONNRESET) || errors.Is(err, os.ErrClosed) {
		return io.EOF
	}
	return err
}

// End makes Next return io.EOF as soon as it has returned what the program has sent so far. It is
// called when the program has ended, because a leftover process may hold the channel open.
func (c *Channel) End() {
	c.ending.Store(true)
	c.f.SetReadDeadline(time.Unix(1, 0))
}

// Close closes the channel and drops unwritten data. The reading goroutine must have
// got an error from Next.
func (c *Channel) Close() {
	c.f.Close()
	c.flushed.Wait()
	c.in.release()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dequeue(c.queued)
	c.queue, c.broken = nil, true
}
