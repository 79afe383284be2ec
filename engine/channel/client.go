package channel

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
)

// ErrClosed is wrapped by the errors of a channel that has ended: the other program has ended
// or violated the protocol, or Close was called.
var ErrClosed = errors.New("weft-companion has ended")

// MismatchError is the error of two programs that do not have the same version.
type MismatchError struct {
	Own, Other Hello
}

func (e *MismatchError) Error() string {
	if e.Own.Version == e.Other.Version {
		return fmt.Sprintf("weft-companion speaks number %d of their channel, and weft %d", e.Other.Number, e.Own.Number)
	}
	return fmt.Sprintf("weft-companion has version %s, and weft %s", e.Other.Version, e.Own.Version)
}

// mismatch returns an error if own and other do not match.
func mismatch(own, other Hello) error {
	if own.Number == other.Number && own.Version == other.Version {
		return nil
	}
	return &MismatchError{Own: own, Other: other}
}

// Client is weft's end of a channel. It is safe for concurrent use.
type Client struct {
	w     io.WriteCloser
	slots chan struct{} // limits the open requests
	out   chan []byte   // frames to write; it is never full
	done  chan struct{} // closed when err is set
	ended sync.WaitGroup

	mu   sync.Mutex // guards the fields below
	last uint64     // the last request number
	open map[uint64]chan<- frame
	err  error // why the channel has ended
}

// NewClient returns a Client that reads answers from r until that ends, and writes to w until
// Close. The caller owns both: the Client reads until the caller closes r, or the other
// program ends.
func NewClient(r io.Reader, w io.WriteCloser) *Client {
	c := &Client{
		w:     w,
		slots: make(chan struct{}, MaxOpen),
		out:   make(chan []byte, 3*MaxOpen), // requests, their cancels, and cancels of just answered ones
		done:  make(chan struct{}),
		open:  map[uint64]chan<- frame{},
	}
	c.ended.Add(2)
	go c.read(r)
	go c.write()
	return c
}

// Hello exchanges greetings. It sets own.Number. The error is a *MismatchError if the other
// program has another version.
func (c *Client) Hello(ctx context.Context, own Hello) error {
	own.Number = Number
	answer, err := c.call(ctx, fieldHello, &own)
	if err != nil {
		return err
	}
	var other Hello
	if err := c.decode(answer, fieldHello, other.decode); err != nil {
		return err
	}
	return mismatch(own, other)
}

// Taskfile fetches a file. The error is an *Error, or the cause of ctx, or it wraps ErrClosed.
func (c *Client) Taskfile(ctx context.Context, q *TaskfileRequest) (*Taskfile, error) {
	answer, err := c.call(ctx, fieldTaskfileRequest, q)
	if err != nil {
		return nil, err
	}
	t := new(Taskfile)
	if err := c.decode(answer, fieldTaskfile, t.decode); err != nil {
		return nil, err
	}
	return t, nil
}

// decode decodes an answer. If it is of another kind, or cannot be decoded, the channel ends.
func (c *Client) decode(f frame, kind int, decode func([]byte) error) error {
	err := fmt.Errorf("%w: an answer to another question", ErrProtocol)
	if f.kind == kind {
		err = decode(f.body)
	}
	if err != nil {
		err = c.fail(err)
	}
	return err
}

// call sends a request and waits for its answer.
func (c *Client) call(ctx context.Context, kind int, m message) (frame, error) {
	select {
	case c.slots <- struct{}{}:
	case <-ctx.Done():
		return frame{}, context.Cause(ctx)
	case <-c.done:
		return frame{}, c.Err()
	}
	id, answer := c.enter()
	b, err := encodeFrame(id, kind, m)
	if err != nil {
		c.remove(id)
		return frame{}, &Error{Kind: Invalid, Text: err.Error()}
	}
	c.send(b)
	select {
	case f := <-answer:
		return c.answered(f)
	case <-c.done:
		return frame{}, c.Err()
	case <-ctx.Done():
		// The slot is released when the answer arrives.
		if b, err := encodeFrame(id, fieldCancel, empty{}); err == nil {
			c.send(b)
		}
		return frame{}, context.Cause(ctx)
	}
}

// send queues a frame to be written, unless the channel has ended.
func (c *Client) send(b []byte) {
	select {
	case c.out <- b:
	case <-c.done:
	}
}

// answered returns the answer, or the error in it.
func (c *Client) answered(f frame) (frame, error) {
	if f.kind != fieldError {
		return f, nil
	}
	e := new(Error)
	if err := c.decode(f, fieldError, e.decode); err != nil {
		return frame{}, err
	}
	return frame{}, e
}

func (c *Client) enter() (id uint64, answer <-chan frame) {
	ch := make(chan frame, 1) // the caller may no longer wait for it
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last++
	c.open[c.last] = ch
	return c.last, ch
}

// remove removes an open request and returns its channel, or nil if it is not open.
func (c *Client) remove(id uint64) chan<- frame {
	c.mu.Lock()
	ch := c.open[id]
	delete(c.open, id)
	c.mu.Unlock()
	if ch != nil {
		<-c.slots
	}
	return ch
}

// read delivers answers as they arrive.
func (c *Client) read(r io.Reader) {
	defer c.ended.Done()
	in := bufio.NewReader(r)
	for {
		f, err := readFrame(in)
		if err != nil {
			c.fail(err)
			return
		}
		ch := c.remove(f.id)
		if ch == nil {
			c.fail(fmt.Errorf("%w: an answer to nothing", ErrProtocol))
			return
		}
		ch <- f
	}
}

// write writes the frames, in order, until the channel has ended.
func (c *Client) write() {
	defer c.ended.Done()
	for {
		select {
		case b := <-c.out:
			if _, err := c.w.Write(b); err != nil {
				c.fail(err)
				return
			}
		case <-c.done:
			return
		}
	}
}

// fail ends the channel with err, unless it has ended, and returns the error it has ended
// with.
func (c *Client) fail(err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		c.err = ErrClosed
		if err != io.EOF {
			c.err = fmt.Errorf("%w: %w", ErrClosed, err)
		}
		close(c.done)
	}
	return c.err
}

// Err returns why the channel has ended, which wraps ErrClosed, or nil.
func (c *Client) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Done returns a channel that is closed when Err is not nil.
func (c *Client) Done() <-chan struct{} { return c.done }

// Close ends the input of the other program, which then ends, and fails open requests. It
// does not wait; see Wait.
func (c *Client) Close() error {
	c.fail(io.EOF)
	return c.w.Close()
}

// Wait returns when the Client has stopped reading and writing.
func (c *Client) Wait() { c.ended.Wait() }
