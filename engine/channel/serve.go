package channel

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
)

// Handler handles requests. Its methods are called concurrently, and must return soon after
// their context is done. An error that is not an *Error is sent with the kind Unknown.
type Handler interface {
	// Hello is called once, before all others, with weft's greeting.
	Hello(weft Hello)
	Taskfile(ctx context.Context, q *TaskfileRequest) (*Taskfile, error)
}

// Serve handles requests from r until r ends, which is no error, ctx is done, or weft violates
// the protocol or has another version than own. It cancels open requests then, and waits for
// them. It does not close r, so a read of r may continue after ctx is done.
func Serve(ctx context.Context, r io.Reader, w io.Writer, own Hello, h Handler) error {
	own.Number = Number
	ctx, cancel := context.WithCancelCause(ctx)
	s := &server{ctx: ctx, stop: cancel, w: w, own: own, h: h, open: map[uint64]context.CancelFunc{}}
	ended := make(chan error, 1)
	go func() { ended <- s.read(bufio.NewReader(r)) }()
	var err error
	select {
	case err = <-ended:
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	cancel(err)
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.running.Wait()
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// server is weft-companion's end of a channel.
type server struct {
	ctx     context.Context
	stop    context.CancelCauseFunc
	own     Hello
	h       Handler
	greeted bool // the greeting was received; used by read alone
	running sync.WaitGroup

	writing sync.Mutex // guards w
	w       io.Writer

	mu     sync.Mutex // guards the fields below
	open   map[uint64]context.CancelFunc
	closed bool
}

func (s *server) read(r io.Reader) error {
	for {
		f, err := readFrame(r)
		if err != nil {
			return err
		}
		switch {
		case f.kind == fieldHello && !s.greeted:
			err = s.hello(f)
		case f.kind == fieldCancel && s.greeted:
			s.cancel(f.id)
		case f.kind == fieldTaskfileRequest && s.greeted:
			err = s.taskfile(f)
		default:
			err = fmt.Errorf("%w: field %d is no request here", ErrProtocol, f.kind)
		}
		if err != nil {
			return err
		}
	}
}

func (s *server) hello(f frame) error {
	var weft Hello
	if err := weft.decode(f.body); err != nil {
		return err
	}
	unlike := mismatch(weft, s.own)
	if unlike == nil {
		s.greeted = true
		s.h.Hello(weft)
	}
	if err := s.answer(f.id, fieldHello, &s.own); err != nil {
		return err
	}
	return unlike
}

func (s *server) taskfile(f frame) error {
	q := new(TaskfileRequest)
	if err := q.decode(f.body); err != nil {
		return err
	}
	return s.run(f.id, func(ctx context.Context) (int, message, error) {
		t, err := s.h.Taskfile(ctx, q)
		return fieldTaskfile, t, err
	})
}

// run handles a request in its own goroutine.
func (s *server) run(id uint64, do func(ctx context.Context) (kind int, answer message, err error)) error {
	ctx, cancel := context.WithCancel(s.ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, twice := s.open[id]; twice || len(s.open) == MaxOpen {
		cancel()
		return fmt.Errorf("%w: request %d beside %d others", ErrProtocol, id, len(s.open))
	}
	if s.closed {
		cancel()
		return nil
	}
	s.open[id] = cancel
	s.running.Go(func() {
		defer cancel()
		kind, answer, err := do(ctx)
		if err != nil {
			kind, answer = fieldError, asError(err)
		}
		s.mu.Lock()
		delete(s.open, id)
		s.mu.Unlock()
		if s.ctx.Err() != nil {
			return // weft has ended
		}
		if err := s.answer(id, kind, answer); err != nil {
			s.stop(err)
		}
	})
	return nil
}

func asError(err error) *Error {
	var e *Error
	if !errors.As(err, &e) {
		e = &Error{Text: err.Error()}
	}
	return e
}

func (s *server) cancel(id uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if cancel := s.open[id]; cancel != nil {
		cancel()
	}
}

func (s *server) answer(id uint64, kind int, m message) error {
	b, err := encodeFrame(id, kind, m)
	if err != nil {
		b, err = encodeFrame(id, fieldError, &Error{Kind: TooLarge, Text: err.Error()})
	}
	if err != nil {
		return err
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	_, err = s.w.Write(b)
	return err
}
