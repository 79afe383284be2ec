package channel

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/weftrun/weft/internal/wire"
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
		return fmt.Sprintf("weft-companion uses version %d of the protocol, and weft version %d", e.Other.Number, e.Own.Number)
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
	more  chan struct{} // has an element if there are frames to write
	done  chan struct{} // closed when err is set
	ended sync.WaitGroup

	mu     sync.Mutex // guards the fields below
	last   uint64     // the last request number
	open   map[uint64]waiter
	frames []byte // to write
	err    error  // why the channel has ended
}

// NewClient returns a Client that reads answers from r until that ends, and writes to w until
// Close. The caller owns both: the Client reads until the caller closes r, or the other
// program ends.
func NewClient(r io.Reader, w io.WriteCloser) *Client {
	c := &Client{
		w:     w,
		slots: make(chan struct{}, MaxOpen),
		more:  make(chan struct{}, 1),
		done:  make(chan struct{}),
		open:  map[uint64]waiter{},
	}
	c.ended.Add(2)
	go c.read(r)
	go c.write()
	return c
}

// waiter is who waits for the answer to a request.
type waiter struct {
	answer chan<- frame
	stages chan<- frame // nil: there are none
}

// Hello exchanges greetings. It sets own.Number. The error is a *MismatchError if the other
// program has another version.
func (c *Client) Hello(ctx context.Context, own Hello) error {
	own.Number = Number
	other, err := ask(ctx, c, fieldHello, &own, fieldHello, new(Hello))
	if err != nil {
		return err
	}
	return mismatch(own, *other)
}

// Taskfile fetches a file. The error is an *Error, or the cause of ctx, or it wraps ErrClosed.
func (c *Client) Taskfile(ctx context.Context, q *TaskfileRequest) (*Taskfile, error) {
	return ask(ctx, c, fieldTaskfileRequest, q, fieldTaskfile, new(Taskfile))
}

// Conform checks a message. The errors are those of Taskfile.
func (c *Client) Conform(ctx context.Context, q *ConformRequest) (*Verdict, error) {
	return ask(ctx, c, fieldConformRequest, q, fieldVerdict, new(Verdict))
}

// Connect connects to a shared cache. The errors of it and of the following methods are those of
// Taskfile.
func (c *Client) Connect(ctx context.Context, q *ConnectRequest) (*Connection, error) {
	return ask(ctx, c, fieldConnectRequest, q, fieldConnection, new(Connection))
}

// Lookup looks for a result in the shared cache.
func (c *Client) Lookup(ctx context.Context, q *LookupRequest) (*Found, error) {
	return ask(ctx, c, fieldLookupRequest, q, fieldFound, new(Found))
}

// Fetch puts blobs of the shared cache into the local one.
func (c *Client) Fetch(ctx context.Context, q *FetchRequest) (*Fetched, error) {
	return ask(ctx, c, fieldFetchRequest, q, fieldFetched, new(Fetched))
}

// Store has a result stored in the shared cache, and does not wait for that.
func (c *Client) Store(ctx context.Context, q *StoreRequest) (*Stored, error) {
	return ask(ctx, c, fieldStoreRequest, q, fieldStored, new(Stored))
}

// Flush waits until everything is stored.
func (c *Client) Flush(ctx context.Context, q *FlushRequest) (*Totals, error) {
	return ask(ctx, c, fieldFlushRequest, q, fieldTotals, new(Totals))
}

// Upload has the server of remote execution have inputs.
func (c *Client) Upload(ctx context.Context, q *UploadRequest) (*Uploaded, error) {
	return ask(ctx, c, fieldUploadRequest, q, fieldUploaded, new(Uploaded))
}

// Execute has an Action executed. stage is called with each stage that is heard of.
func (c *Client) Execute(ctx context.Context, q *ExecuteRequest, stage func(Stage)) (*Executed, error) {
	stages := make(chan frame, 4)
	answer, err := c.call(ctx, fieldExecuteRequest, q, stages, func(f frame) error {
		s := new(Stage)
		if err := c.decode(f, fieldStage, s); err != nil {
			return err
		}
		stage(*s)
		return nil
	})
	a := new(Executed)
	if err == nil {
		err = c.decode(answer, fieldExecuted, a)
	}
	if err != nil {
		return nil, err
	}
	return a, nil
}

// ask sends a request, and returns its answer, which it reads into a.
func ask[A message](ctx context.Context, c *Client, kind int, q message, answerKind int, a A) (none A, err error) {
	answer, err := c.call(ctx, kind, q, nil, nil)
	if err == nil {
		err = c.decode(answer, answerKind, a)
	}
	if err != nil {
		return none, err
	}
	return a, nil
}

// decode reads an answer into m. If it is of another kind, or cannot be decoded, the channel
// ends.
func (c *Client) decode(f frame, kind int, m message) error {
	err := fmt.Errorf("%w: an unexpected kind of answer", ErrProtocol)
	if f.kind == kind {
		err = wire.Decode(f.body, m.fields)
	}
	if err != nil {
		err = c.fail(err)
	}
	return err
}

// call sends a request and waits for its answer. stages, if not nil, receives what precedes that, for
// stage, whose error ends the call.
func (c *Client) call(ctx context.Context, kind int, m message, stages chan frame, stage func(frame) error) (frame, error) {
	select {
	case c.slots <- struct{}{}:
	case <-ctx.Done():
		return frame{}, context.Cause(ctx)
	case <-c.done:
		return frame{}, c.Err()
	}
	id, answer := c.enter(stages)
	b, err := encodeFrame(id, kind, m)
	if err != nil {
		c.remove(id)
		return frame{}, &Error{Kind: Invalid, Text: err.Error()}
	}
	c.send(b)
	for {
		select {
		case f := <-stages:
			if err := stage(f); err != nil {
				return frame{}, err
			}
		case f := <-answer:
			return c.answered(f)
		case <-c.done:
			if len(answer) == 0 { // otherwise the other program has ended after it
				return frame{}, c.Err()
			}
			return c.answered(<-answer)
		case <-ctx.Done():
			// The slot is released when the answer arrives.
			if b, err := encodeFrame(id, fieldCancel, empty{}); err == nil {
				c.send(b)
			}
			return frame{}, context.Cause(ctx)
		}
	}
}

// send queues a frame to be written.
func (c *Client) send(b []byte) {
	c.mu.Lock()
	c.frames = append(c.frames, b...)
	c.mu.Unlock()
	select {
	case c.more <- struct{}{}:
	default:
	}
}

// answered returns the answer, or the error in it.
func (c *Client) answered(f frame) (frame, error) {
	if f.kind != fieldError {
		return f, nil
	}
	e := new(Error)
	if err := c.decode(f, fieldError, e); err != nil {
		return frame{}, err
	}
	return frame{}, e
}

func (c *Client) enter(stages chan<- frame) (id uint64, answer <-chan frame) {
	ch := make(chan frame, 1) // the caller may no longer wait for it
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last++
	c.open[c.last] = waiter{ch, stages}
	return c.last, ch
}

// remove removes an open request and returns its channel, or nil if it is not open.
func (c *Client) remove(id uint64) chan<- frame {
	c.mu.Lock()
	ch := c.open[id].answer
	delete(c.open, id)
	c.mu.Unlock()
	if ch != nil {
		<-c.slots
	}
	return ch
}

// deliver passes on what precedes the answer to a request, unless too much of that has not been read.
// It reports whether the request may have it.
func (c *Client) deliver(f frame) bool {
	c.mu.Lock()
	stages := c.open[f.id].stages
	c.mu.Unlock()
	select {
	case stages <- f:
	default:
	}
	return stages != nil
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
		if f.kind == fieldStage && c.deliver(f) {
			continue
		}
		ch := c.remove(f.id)
		if ch == nil {
			c.fail(fmt.Errorf("%w: an answer without a request", ErrProtocol))
			return
		}
		ch <- f
	}
}

// Each write wakes the other program, which costs more than most requests do. So when manyOpen requests
// are open, frames wait for others to be written with them.
const (
	manyOpen = 8
	gather   = 2 * time.Millisecond
)

// write writes the frames, in order, until the channel has ended.
func (c *Client) write() {
	defer c.ended.Done()
	for {
		select {
		case <-c.more:
		case <-c.done:
			return
		}
		if len(c.slots) >= manyOpen {
			time.Sleep(gather)
		}
		c.mu.Lock()
		b := c.frames
		c.frames = nil
		c.mu.Unlock()
		if _, err := c.w.Write(b); err != nil {
			c.fail(err)
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
