package channel

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"

	"github.com/weftrun/weft/internal/wire"
)

// Handler handles requests. Its methods are called concurrently, and must return soon after
// their context is done. An error that is not an *Error is sent with the kind Unknown.
type Handler interface {
	// Hello is called once, before all others, with weft's greeting.
	Hello(weft Hello)
	Taskfile(ctx context.Context, q *TaskfileRequest) (*Taskfile, error)
	Conform(ctx context.Context, q *ConformRequest) (*Verdict, error)
}

// CacheHandler handles requests about a shared cache, and about remote execution. For a Handler that is not also a
// CacheHandler they violate the protocol. See the requests for what the methods do.
type CacheHandler interface {
	Connect(ctx context.Context, q *ConnectRequest) (*Connection, error)
	Lookup(ctx context.Context, q *LookupRequest) (*Found, error)
	Fetch(ctx context.Context, q *FetchRequest) (*Fetched, error)
	Store(ctx context.Context, q *StoreRequest) (*Stored, error)
	Flush(ctx context.Context, q *FlushRequest) (*Totals, error)
	Upload(ctx context.Context, q *UploadRequest) (*Uploaded, error)
	// Execute calls stage with each stage of the Action, from one goroutine at a time.
	Execute(ctx context.Context, q *ExecuteRequest, stage func(Stage)) (*Executed, error)
}

// Serve handles requests from r until r ends, which is not an error, ctx is done, or weft violates
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

	w io.Writer

	writing sync.Mutex // guards the fields below
	out     []byte     // answers to write
	busy    bool       // somebody writes them

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
			s.mu.Lock()
			if cancel := s.open[f.id]; cancel != nil {
				cancel()
			}
			s.mu.Unlock()
		case s.greeted:
			err = s.request(f)
		default:
			err = noRequest(f)
		}
		if err != nil {
			return err
		}
	}
}

func noRequest(f frame) error {
	return fmt.Errorf("%w: field %d is not a valid request", ErrProtocol, f.kind)
}

// request begins to handle a request.
func (s *server) request(f frame) error {
	switch f.kind {
	case fieldTaskfileRequest:
		return handle(s, f, new(TaskfileRequest), fieldTaskfile, s.h.Taskfile)
	case fieldConformRequest:
		return handle(s, f, new(ConformRequest), fieldVerdict, s.h.Conform)
	}
	h, ok := s.h.(CacheHandler)
	if !ok {
		return noRequest(f)
	}
	switch f.kind {
	case fieldConnectRequest:
		return handle(s, f, new(ConnectRequest), fieldConnection, h.Connect)
	case fieldLookupRequest:
		return handle(s, f, new(LookupRequest), fieldFound, h.Lookup)
	case fieldFetchRequest:
		return handle(s, f, new(FetchRequest), fieldFetched, h.Fetch)
	case fieldStoreRequest:
		return handle(s, f, new(StoreRequest), fieldStored, h.Store)
	case fieldFlushRequest:
		return handle(s, f, new(FlushRequest), fieldTotals, h.Flush)
	case fieldUploadRequest:
		return handle(s, f, new(UploadRequest), fieldUploaded, h.Upload)
	case fieldExecuteRequest:
		return handle(s, f, new(ExecuteRequest), fieldExecuted, func(ctx context.Context, q *ExecuteRequest) (*Executed, error) {
			return h.Execute(ctx, q, func(stage Stage) {
				if err := s.answer(f.id, fieldStage, &stage); err != nil {
					s.stop(err)
				}
			})
		})
	}
	return noRequest(f)
}

// handle reads a request into q, and answers it with what do returns.
func handle[Q, A message](s *server, f frame, q Q, kind int, do func(context.Context, Q) (A, error)) error {
	return s.run(f, q, func(ctx context.Context) (int, message, error) {
		a, err := do(ctx, q)
		return kind, a, err
	})
}

func (s *server) hello(f frame) error {
	var weft Hello
	if err := wire.Decode(f.body, weft.fields); err != nil {
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

// run reads a request into q, and handles it in its own goroutine.
func (s *server) run(f frame, q message, do func(ctx context.Context) (kind int, answer message, err error)) error {
	if err := wire.Decode(f.body, q.fields); err != nil {
		return err
	}
	id := f.id
	ctx, cancel := context.WithCancel(s.ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, twice := s.open[id]; twice || len(s.open) == MaxOpen {
		cancel()
		return fmt.Errorf("%w: request %d in addition to %d others", ErrProtocol, id, len(s.open))
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
			e, ok := errors.AsType[*Error](err)
			if !ok {
				e = &Error{Text: err.Error()}
			}
			kind, answer = fieldError, e
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

// answer writes an answer, or has who writes one write it, too.
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
	s.out = append(s.out, b...)
	if s.busy {
		return nil
	}
	s.busy = true
	for len(s.out) > 0 && err == nil {
		s.writing.Unlock()
		runtime.Gosched() // others may be about to answer, and each write wakes weft
		s.writing.Lock()
		out := s.out
		s.out = nil
		s.writing.Unlock()
		_, err = s.w.Write(out)
		s.writing.Lock()
	}
	s.busy = false
	return err
}
