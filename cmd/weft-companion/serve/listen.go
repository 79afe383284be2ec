package serve

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

const (
	maxConnections = 1000
	// greetingLimit is how long a connection may take until it is known what it speaks, and how
	// long the head of a request may take.
	greetingLimit = 10 * time.Second
	// idle is how long a connection may be without a byte.
	idle = 5 * time.Minute
	// acceptPause is how long nothing is accepted after that has failed.
	acceptPause = 50 * time.Millisecond
)

// entrance accepts connections, and gives each to the front that speaks its protocol: gRPC or
// HTTP/1. Of plain text the first bytes tell which it is, and of TLS what the client offers.
type entrance struct {
	certificates *certificates // nil: plain text
	log          *logger
	metrics      *metrics
	greeting     time.Duration
	listeners    []net.Listener
	grpc, http   *handoff

	ended  sync.WaitGroup
	closed chan struct{} // closed by close
	once   sync.Once

	mu   sync.Mutex // guards open
	open map[*conn]bool
}

// listen opens the addresses of o. Nothing is accepted before serve.
func listen(o *options, certificates *certificates, log *logger, m *metrics) (*entrance, error) {
	e := &entrance{certificates: certificates, log: log, metrics: m, greeting: o.greeting, closed: make(chan struct{}), open: map[*conn]bool{}}
	for _, address := range o.listen {
		l, err := listenAt(address)
		if err != nil {
			e.close()
			return nil, fmt.Errorf("--listen %s: %w", address, err)
		}
		e.listeners = append(e.listeners, l)
	}
	e.grpc, e.http = newHandoff(e.listeners[0].Addr()), newHandoff(e.listeners[0].Addr())
	return e, nil
}

func listenAt(address string) (net.Listener, error) {
	if path, ok := strings.CutPrefix(address, "unix:"); ok {
		return listenUnix(path)
	}
	if _, _, err := net.SplitHostPort(address); err != nil {
		return nil, fmt.Errorf("%w: it is HOST:PORT or unix:PATH", err)
	}
	return net.Listen("tcp", address)
}

// listenUnix listens on a socket in a directory that only the owner may enter. It replaces a socket
// without a listener.
func listenUnix(path string) (net.Listener, error) {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	st, err := os.Stat(dir)
	if err != nil {
		return nil, err
	}
	if st.Mode()&0o077 != 0 {
		return nil, fmt.Errorf("others can access %s (mode %04o): use a directory with mode 0700", dir, st.Mode().Perm())
	}
	if st, err := os.Lstat(path); err == nil {
		if st.Mode()&os.ModeSocket == 0 {
			return nil, fmt.Errorf("%s exists and is not a socket", path)
		}
		if c, err := net.Dial("unix", path); err == nil {
			c.Close()
			return nil, fmt.Errorf("another program listens on %s", path)
		}
		if err := os.Remove(path); err != nil {
			return nil, err
		}
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o600); err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

// local reports whether only this machine can connect.
func (e *entrance) local() bool {
	for _, l := range e.listeners {
		if a, ok := l.Addr().(*net.TCPAddr); ok && !a.IP.IsLoopback() {
			return false
		}
	}
	return true
}

// addresses returns where it listens, as URLs for clients.
func (e *entrance) addresses() (list []string) {
	for _, l := range e.listeners {
		switch {
		case l.Addr().Network() == "unix":
			list = append(list, "unix:"+l.Addr().String())
		case e.certificates != nil:
			list = append(list, "grpcs://"+l.Addr().String()+" and https://"+l.Addr().String())
		default:
			list = append(list, "grpc://"+l.Addr().String()+" and http://"+l.Addr().String())
		}
	}
	return list
}

// serve accepts connections in the background, until shut.
func (e *entrance) serve() {
	for _, l := range e.listeners {
		e.ended.Go(func() { e.accept(l) })
	}
	e.ended.Go(e.closeIdle)
}

func (e *entrance) accept(l net.Listener) {
	for {
		c, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // too many open files, or a client that has gone again
			e.log.quietly("a connection cannot be accepted: %v", err)
			select {
			case <-time.After(acceptPause):
				continue
			case <-e.closed:
				return
			}
		}
		own, ok := e.admit(c)
		if !ok {
			e.metrics.refused(busy)
			e.log.quietly("a connection was refused: there are already %d", maxConnections)
			c.Close()
			continue
		}
		go e.direct(own)
	}
}

// admit counts a connection in, unless there are too many.
func (e *entrance) admit(c net.Conn) (*conn, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.open) >= maxConnections {
		return nil, false
	}
	own := newConn(c, e.gone)
	e.open[own] = true
	e.metrics.connections.Add(1)
	return own, true
}

// gone counts a connection out.
func (e *entrance) gone(c *conn) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.open[c] {
		delete(e.open, c)
		e.metrics.connections.Add(-1)
	}
}

// closeIdle closes connections that were without a byte for too long.
func (e *entrance) closeIdle() {
	tick := time.NewTicker(idle / 20)
	defer tick.Stop()
	for {
		select {
		case now := <-tick.C:
			e.closeOlder(now.Add(-idle))
		case <-e.closed:
			return
		}
	}
}

// closeOlder closes the connections whose last byte was before a time.
func (e *entrance) closeOlder(before time.Time) {
	var old []*conn
	e.mu.Lock()
	for c := range e.open {
		if c.last.Load() < before.UnixNano() {
			old = append(old, c)
		}
	}
	e.mu.Unlock()
	for _, c := range old {
		c.Close()
	}
}

// http2Preface is how a connection that speaks HTTP/2 without TLS begins.
const http2Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

// direct finds out what a connection speaks, and hands it over.
func (e *entrance) direct(c *conn) {
	c.SetDeadline(time.Now().Add(e.greeting))
	var through net.Conn = c
	var isHTTP2 bool
	if e.certificates == nil {
		// An HTTP/1 request is longer than its first line, and no method is called PRI.
		head := make([]byte, len("PRI "))
		n, err := io.ReadFull(c.Conn, head)
		if err != nil {
			c.Close()
			return
		}
		c.head = head[:n]
		isHTTP2 = string(head) == http2Preface[:n]
	} else {
		t := tls.Server(c, e.certificates.config())
		if err := t.Handshake(); err != nil {
			e.log.quietly("a TLS handshake with %s failed: %v", c.RemoteAddr(), err)
			c.Close()
			return
		}
		through, isHTTP2 = t, t.ConnectionState().NegotiatedProtocol == "h2"
	}
	c.SetDeadline(time.Time{})
	to := e.http
	if isHTTP2 {
		to = e.grpc
	}
	to.give(through)
}

// shut accepts nothing any more. Connections stay.
func (e *entrance) shut() {
	e.once.Do(func() { close(e.closed) })
	for _, l := range e.listeners {
		l.Close()
	}
	e.ended.Wait()
}

// close is shut that closes all connections, too.
func (e *entrance) close() {
	e.shut()
	e.closeOlder(time.Now().Add(time.Hour))
	if e.grpc != nil {
		e.grpc.Close()
		e.http.Close()
	}
}

// handoff is a listener whose connections others have accepted.
type handoff struct {
	address net.Addr
	conns   chan net.Conn
	closed  chan struct{}
	once    sync.Once
}

func newHandoff(a net.Addr) *handoff {
	return &handoff{address: a, conns: make(chan net.Conn), closed: make(chan struct{})}
}

// give hands a connection over. If the listener has ended, it is closed.
func (h *handoff) give(c net.Conn) {
	select {
	case h.conns <- c:
	case <-h.closed:
		c.Close()
	}
}

// Accept implements [net.Listener].
func (h *handoff) Accept() (net.Conn, error) {
	select {
	case c := <-h.conns:
		return c, nil
	case <-h.closed:
		return nil, net.ErrClosed
	}
}

// Addr implements [net.Listener]. It is one of the addresses.
func (h *handoff) Addr() net.Addr { return h.address }

// Close implements [net.Listener].
func (h *handoff) Close() error {
	h.once.Do(func() { close(h.closed) })
	return nil
}
