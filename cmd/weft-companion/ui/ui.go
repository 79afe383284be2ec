// Package ui is the room of weft-companion that shows a run in progress: a server on the loopback
// interface, with the page of package page. It reads the events of the run, and passes on the
// actions of the page's buttons. A page that stalls delays nothing.
//
// The page follows the events and builds its table from them (fold.js). It requests everything that
// a script cannot compute: logs, the layout of the graph, the critical path, the run to compare
// with. The events are kept in a temporary file, without the output of commands, so that a page can
// request those that it has missed: after the computer has slept, or when it was too slow.
package ui

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/weftrun/weft/engine/companion"
	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/internal/statefile"
	"github.com/weftrun/weft/internal/unnamed"
)

const (
	maxLine  = 64 << 20 // of an event, in bytes
	maxConns = 16
	// FlushTimeout is the time limit for pages to receive the end of the run.
	FlushTimeout = time.Second
	// writeTimeout is the time limit for a page to read a response.
	writeTimeout = 20 * time.Second
)

// Options configure the server. The zero value means any port, and a run without a history.
type Options struct {
	Port         int             `json:"port,omitempty"`   // on the loopback interface; 0 means any
	Runs         statefile.Place `json:"runs"`             // state directory that contains the history; the zero Place: none
	Compare      int             `json:"before,omitempty"` // number of the run to compare with; 0: the last one of the same tasks
	Again        [2]string       `json:"again"`            // see [page.Options]
	FlushTimeout time.Duration   `json:"-"`                // time limit for pages to receive the end of the run
}

// Run serves the run whose events it reads from in, until its end. It writes the address of the
// page and the actions of its buttons to out, as a [companion.Message] each. The results are among
// the events, as a [companion.Answer] each.
func Run(in io.Reader, out io.Writer, o Options) error {
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(o.Port)))
	if err != nil {
		json.NewEncoder(out).Encode(companion.Message{Warn: "the live page: " + err.Error()})
		return err
	}
	s, err := newServer(out, o)
	if err != nil {
		l.Close()
		return err
	}
	defer s.events.file.Close()
	h := &http.Server{Handler: s, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10}
	served := make(chan error, 1)
	go func() { served <- h.Serve(&limited{Listener: l, slots: make(chan struct{}, maxConns)}) }()
	s.send(companion.Message{URL: "http://" + l.Addr().String() + "/#k=" + s.token})
	err = s.read(in)
	ctx, cancel := context.WithTimeout(context.Background(), o.FlushTimeout)
	defer cancel()
	s.waitForPages(ctx)
	h.Shutdown(ctx)
	h.Close()
	<-served
	return err
}

// newServer returns a server without a run.
func newServer(out io.Writer, o Options) (*server, error) {
	token := make([]byte, 16)
	rand.Read(token) // never fails
	file, err := unnamed.File()
	if err != nil {
		return nil, err
	}
	return &server{o: o, token: hex.EncodeToString(token), out: out, pending: map[int]chan string{}, events: recording{file: file}, changed: make(chan struct{}), pages: map[string]bool{}}, nil
}

// waitForPages waits until all pages that follow the run have received its end.
func (s *server) waitForPages(ctx context.Context) {
	for ctx.Err() == nil {
		s.mu.Lock()
		left, changed := len(s.pages), s.changed
		s.mu.Unlock()
		if left == 0 {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
}

// read handles all events, and the answers among them.
func (s *server) read(in io.Reader) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		if bytes.HasPrefix(lines.Bytes(), []byte(companion.AnswerPrefix)) {
			s.handleAnswer(lines.Bytes())
			continue
		}
		ev, err := event.Decode(lines.Bytes())
		if err != nil {
			return err
		}
		s.add(lines.Bytes(), ev)
	}
	s.endRequests()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
	s.notify()
	return lines.Err()
}

// limited is a listener with a limited number of connections.
type limited struct {
	net.Listener
	slots chan struct{}
}

// Accept implements net.Listener.
func (l *limited) Accept() (net.Conn, error) {
	l.slots <- struct{}{}
	c, err := l.Listener.Accept()
	if err != nil {
		<-l.slots
		return nil, err
	}
	return &slot{Conn: c, free: sync.OnceFunc(func() { <-l.slots })}, nil
}

// slot is a connection of a limited listener.
type slot struct {
	net.Conn
	free func()
}

// Close implements net.Conn.
func (s *slot) Close() error {
	defer s.free()
	return s.Conn.Close()
}
