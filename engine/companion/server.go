package companion

import (
	"context"
	"errors"

	"github.com/weftrun/weft/engine/channel"
)

// Server sends requests about one shared cache, or one server of remote execution. A program that is
// started is first connected to it. It is safe for concurrent use. The errors of its methods are those of [Companion.Taskfile].
type Server struct {
	c         *Companion
	q         *channel.ConnectRequest
	connected func(*channel.Connection)
	lock      chan struct{} // guards current, and is locked while a program is connected
	current   *instance     // the program that is connected, or nil
}

// Server returns a Server for the connection of q, which must not be changed. There may be one of each
// kind per Companion. connected is called with the answer of each program that is connected, by
// one goroutine at a time.
func (c *Companion) Server(q *channel.ConnectRequest, connected func(*channel.Connection)) *Server {
	return &Server{c: c, q: q, connected: connected, lock: make(chan struct{}, 1)}
}

// Lookup looks for a result.
func (s *Server) Lookup(ctx context.Context, q *channel.LookupRequest) (*channel.Found, error) {
	return requestServer(s, ctx, (*channel.Client).Lookup, q)
}

// Fetch puts blobs into the local cache.
func (s *Server) Fetch(ctx context.Context, q *channel.FetchRequest) (*channel.Fetched, error) {
	return requestServer(s, ctx, (*channel.Client).Fetch, q)
}

// Store has a result stored, and does not wait for that.
func (s *Server) Store(ctx context.Context, q *channel.StoreRequest) (*channel.Stored, error) {
	return requestServer(s, ctx, (*channel.Client).Store, q)
}

// Upload has the server have inputs.
func (s *Server) Upload(ctx context.Context, q *channel.UploadRequest) (*channel.Uploaded, error) {
	return requestServer(s, ctx, (*channel.Client).Upload, q)
}

// Execute has an Action executed. stage is called with each stage that is heard of.
func (s *Server) Execute(ctx context.Context, q *channel.ExecuteRequest, stage func(channel.Stage)) (*channel.Executed, error) {
	execute := func(c *channel.Client, ctx context.Context, q *channel.ExecuteRequest) (*channel.Executed, error) {
		return c.Execute(ctx, q, stage)
	}
	return requestServer(s, ctx, execute, q)
}

// Flush waits until everything is stored. It starts no program: without one nothing was stored.
func (s *Server) Flush(ctx context.Context, q *channel.FlushRequest) (*channel.Totals, error) {
	select {
	case s.lock <- struct{}{}:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	i := s.current
	<-s.lock
	if i == nil {
		return new(channel.Totals), nil
	}
	t, err := i.client.Flush(ctx, q)
	if errors.Is(err, channel.ErrClosed) {
		return new(channel.Totals), nil
	}
	return t, err
}

// requestServer is request for a program that is connected.
func requestServer[Q, A any](s *Server, ctx context.Context, send func(*channel.Client, context.Context, Q) (A, error), q Q) (answer A, err error) {
	for {
		client, err := s.client(ctx)
		if err == nil {
			answer, err = send(client, ctx, q)
		}
		if !errors.Is(err, channel.ErrClosed) {
			return answer, err
		}
	}
}

// client returns the client of the running program, which it starts and connects if necessary.
func (s *Server) client(ctx context.Context) (*channel.Client, error) {
	select {
	case s.lock <- struct{}{}:
		defer func() { <-s.lock }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	i, err := s.c.running(ctx)
	if err != nil {
		return nil, err
	}
	if i != s.current {
		a, err := i.client.Connect(ctx, s.q)
		if err != nil {
			return nil, err
		}
		s.current = i
		s.connected(a)
	}
	return i.client, nil
}
