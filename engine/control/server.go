package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// Handler performs a request. It is called on many goroutines. ok is the result in the answer, as
// JSON; nil means true. Context is done when the client has gone.
type Handler func(ctx context.Context, q *Request) (ok any, err error)

// Server sends the events of a run to clients, and answers requests. The zero value holds events;
// Listen opens the socket. It is safe for concurrent use.
type Server struct {
	listener *net.UnixListener
	path     string
	hello    Hello
	do       Handler
	ctx      context.Context // of requests
	cancel   context.CancelFunc
	ends     sync.WaitGroup // of all goroutines started by Listen

	mu     sync.Mutex // guards the fields below
	next   int64      // number of the next event
	output held
	others held
	conns  map[*conn]struct{}
	closed bool
}

// held are lines that clients can request again, the oldest first.
type held struct {
	lines []line
	bytes int
	lost  int64 // number of dropped lines
}

// line is one event.
type line struct {
	number int64
	text   []byte
	of     []string // names of the step that wrote it; nil for events other than output
}

// add adds a line, and drops the oldest ones beyond the limit.
func (h *held) add(l line) {
	const beside = 64
	h.lines = append(h.lines, l)
	h.bytes += len(l.text) + beside
	for h.bytes > maxHeld && len(h.lines) > 1 {
		h.bytes -= len(h.lines[0].text) + beside
		h.lines[0] = line{}
		h.lines = h.lines[1:]
		h.lost++
	}
}

// Send sends an event, one line with its newline, and holds it. For output, of lists the names of
// the step. Send never blocks; text and of must not be changed afterwards.
func (s *Server) Send(text []byte, of []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := line{s.next, text, of}
	s.next++
	if of != nil {
		s.output.add(l)
	} else {
		s.others.add(l)
	}
	for c := range s.conns {
		if c.wants(&l) {
			c.queue(text)
		}
	}
}

// since returns the held lines from a number on, in order. s.mu is held.
func (s *Server) since(number int64) (all []line) {
	a, b := s.output.lines, s.others.lines
	for len(a)+len(b) > 0 {
		from := &a
		if len(a) == 0 || len(b) > 0 && b[0].number < a[0].number {
			from = &b
		}
		if next := (*from)[0]; next.number >= number {
			all = append(all, next)
		}
		*from = (*from)[1:]
	}
	return all
}

// Listen opens the socket of a run, and serves until Close. env returns an environment variable.
func (s *Server) Listen(env func(string) string, hello Hello, do Handler) error {
	dir, err := directory(env)
	if err != nil {
		return err
	}
	hello.Control = Version
	s.path, s.hello, s.do = filepath.Join(dir, hello.Run+suffix), hello, do
	// A socket has its final name only while it is listening: others are dead.
	first := filepath.Join(dir, hello.Run+unready)
	if s.listener, err = net.ListenUnix("unix", &net.UnixAddr{Name: first, Net: "unix"}); err != nil {
		return err
	}
	s.listener.SetUnlinkOnClose(false)
	if err = os.Chmod(first, 0o600); err == nil {
		err = os.Rename(first, s.path)
	}
	if err != nil {
		s.listener.Close()
		s.listener = nil
		os.Remove(first)
		return err
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.ends.Go(s.accept)
	return nil
}

// Path returns the path of the socket; "" before Listen.
func (s *Server) Path() string { return s.path }

// accept accepts connections until the socket is closed.
func (s *Server) accept() {
	for {
		c, err := s.listener.AcceptUnix()
		switch {
		case err == nil:
			s.enter(c)
		case errors.Is(err, net.ErrClosed):
			return
		default: // usually no free descriptor
			select {
			case <-time.After(100 * time.Millisecond):
			case <-s.ctx.Done():
				return
			}
		}
	}
}

// enter serves a connection of this user.
func (s *Server) enter(to *net.UnixConn) {
	raw, err := to.SyscallConn()
	if err == nil {
		var user int
		if user, err = peerUser(raw); err == nil && user != os.Geteuid() {
			err = fmt.Errorf("user %d is another user", user)
		}
	}
	if err != nil {
		to.Close()
		return
	}
	c := &conn{s: s, to: to, wake: make(chan struct{}, 1), live: true}
	c.ctx, c.cancel = context.WithCancel(s.ctx)
	s.mu.Lock()
	if full := len(s.conns) >= maxConns; full || s.closed {
		s.mu.Unlock()
		if full { // the line goes into the empty buffer of the socket
			to.Write(encode(answer{Error: fmt.Sprintf("it already has %d connections", maxConns)}))
		}
		to.Close()
		return
	}
	hello := s.hello
	hello.Next = s.next
	c.queueJSON(hello)
	if s.conns == nil {
		s.conns = map[*conn]struct{}{}
	}
	s.conns[c] = struct{}{}
	s.mu.Unlock()
	s.ends.Go(c.write)
	s.ends.Go(c.read)
}

// Close removes the socket, and ends all connections when their queues were sent, or a second
// later. Running requests are answered within that time.
func (s *Server) Close() {
	if s.listener == nil {
		return
	}
	os.Remove(s.path)
	s.listener.Close()
	s.mu.Lock()
	s.closed = true
	conns := s.conns
	until := time.Now().Add(closingTime)
	for c := range conns {
		c.to.SetDeadline(until)
		c.to.CloseRead() // there are no more requests
	}
	s.mu.Unlock()
	timer := time.AfterFunc(closingTime, s.cancel)
	s.ends.Wait()
	timer.Stop()
	s.cancel()
}

// encode returns v as a line.
func encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		b, _ = json.Marshal(answer{Error: err.Error()})
	}
	return append(b, '\n')
}

// is reports whether name is "" or one of the names.
func is(names []string, name string) bool {
	return name == "" || slices.Contains(names, name)
}
