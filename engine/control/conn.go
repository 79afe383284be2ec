package control

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
)

// conn is a connection. One goroutine reads requests from it, one writes to it.
type conn struct {
	s      *Server
	to     *net.UnixConn
	ctx    context.Context // done when the client has gone
	cancel context.CancelFunc
	wake   chan struct{} // there is something to write, or the end

	// Server.mu guards the fields below.
	lines net.Buffers
	bytes int
	over  bool   // nothing more is queued
	gone  bool   // the connection is lost: nothing is queued
	live  bool   // it receives events
	log   bool   // only those with output
	task  string // only of this step, unless ""
}

// wants reports whether an event is for the connection.
func (c *conn) wants(l *line) bool { return c.live && (!c.log || l.of != nil && is(l.of, c.task)) }

// queue queues text. A client that has not read for too long loses the connection. Server.mu is
// held.
func (c *conn) queue(text []byte) {
	switch {
	case c.gone || c.over:
		return
	case c.bytes+len(text) > maxQueue:
		c.lose()
		return
	}
	c.lines = append(c.lines, text)
	c.bytes += len(text)
	c.rouse()
}

func (c *conn) queueJSON(v any) { c.queue(encode(v)) }

// rouse wakes the writer.
func (c *conn) rouse() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// lose closes the connection at once. Server.mu is held.
func (c *conn) lose() {
	c.gone, c.lines = true, nil
	c.cancel()
	c.to.Close()
	c.rouse()
}

// write writes the queue, until its end.
func (c *conn) write() {
	s := c.s
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		c.lose()
		delete(s.conns, c)
	}()
	for range c.wake {
		s.mu.Lock()
		lines, over := c.lines, c.over || c.gone
		c.lines = nil
		s.mu.Unlock()
		n, err := lines.WriteTo(c.to)
		s.mu.Lock()
		c.bytes -= int(n)
		over = over && len(c.lines) == 0
		s.mu.Unlock()
		if err != nil || over {
			return
		}
	}
}

// read handles requests until there are no more, and returns when all are answered.
func (c *conn) read() {
	var pending sync.WaitGroup
	slots := make(chan struct{}, maxPending)
	r := bufio.NewReaderSize(c.to, MaxRequest)
	for {
		text, err := r.ReadSlice('\n')
		if err == nil || err == io.EOF && len(bytes.TrimSpace(text)) > 0 {
			q := new(Request)
			if err := parse(text, q); err != nil {
				c.answer(answer{ID: q.ID, Error: err.Error()})
				break
			}
			slots <- struct{}{}
			if q.Request == "" || q.Request == "log" {
				c.repeat(q)
				<-slots
			} else {
				pending.Go(func() {
					c.do(q)
					<-slots
				})
			}
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			c.answer(answer{Error: fmt.Sprintf("a request has more than %d bytes", MaxRequest)})
		}
		if err != nil {
			break
		}
	}
	pending.Wait()
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	c.over = true
	c.rouse()
}

// parse reads a request.
func parse(text []byte, q *Request) error {
	if err := json.Unmarshal(text, q); err != nil {
		return fmt.Errorf("not a request, which is a JSON object in one line: %w", err)
	}
	if len(q.ID) > 0 && (q.ID[0] == '{' || q.ID[0] == '[') {
		q.ID = nil
		return errors.New("id must be a number or a string")
	}
	if q.Request == "" && q.Since == nil {
		return errors.New(`a request must have the member request, as in {"id": 1, "request": "state"}`)
	}
	return nil
}

// do performs a request.
func (c *conn) do(q *Request) {
	a := answer{ID: q.ID}
	ok, err := c.s.do(c.ctx, q)
	switch {
	case err != nil:
		a.Error = err.Error()
	case ok == nil:
		a.OK = true
	default:
		a.OK = ok
	}
	c.answer(a)
}

// repeat queues the answer, and then the held lines, of a task or of all: so earlier lines are not
// mistaken for a part of them. After a request for a log nothing else is sent.
func (c *conn) repeat(q *Request) {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	first := int64(0)
	if q.Since != nil {
		first = *q.Since
	}
	c.live, c.log, c.task = true, q.Request == "log", q.Task
	all := slices.DeleteFunc(c.s.since(first), func(l line) bool { return !c.wants(&l) })
	c.queueJSON(answer{ID: q.ID, OK: Repeated{Lost: c.s.output.lost, Events: len(all)}})
	for _, l := range all {
		c.queue(l.text)
	}
	if c.log {
		c.live = q.Follow
	}
}

// answer queues an answer.
func (c *conn) answer(a answer) {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	c.queueJSON(a)
}
