package control

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"time"
)

// greeting is the time limit for the hello of a run, which a stopped run does not send.
const greeting = 5 * time.Second

// Client is a connection to a run. It is for one goroutine, but Close may be called by others.
type Client struct {
	Hello Hello
	Path  string // of the socket

	c    net.Conn
	r    *bufio.Reader
	last int64 // number of the last request
}

// Answer is one line from a run: an event, or the answer to a request.
type Answer struct {
	ID    int64           `json:"id"`
	Event string          `json:"event"` // the kind of an event; "" for an answer
	OK    json.RawMessage `json:"ok"`
	Error string          `json:"error"`
	Line  []byte          `json:"-"` // all of it
}

// isDead reports whether a socket has no listener any more.
func isDead(path string) bool {
	c, err := net.Dial("unix", path)
	if err == nil {
		c.Close()
	}
	return refused(err)
}

// Dial connects to the run whose socket is at path.
func Dial(path string) (*Client, error) {
	conn, err := net.Dial("unix", path)
	if err != nil {
		return nil, err
	}
	c := &Client{Path: path, c: conn, r: bufio.NewReaderSize(conn, 64<<10)}
	conn.SetReadDeadline(time.Now().Add(greeting))
	line, err := c.r.ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &c.Hello)
	}
	var refused Answer
	if err == nil && json.Unmarshal(line, &refused) == nil && refused.Error != "" {
		conn.Close()
		return nil, errors.New(refused.Error)
	}
	if err == nil && c.Hello.Control != Version {
		err = fmt.Errorf("it uses version %d of the protocol, and this weft version %d: use the weft of the run", c.Hello.Control, Version)
	}
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("the run does not respond: %w", err)
	}
	conn.SetReadDeadline(time.Time{})
	return c, nil
}

// Send sends a request, and returns its number.
func (c *Client) Send(q Request) (id int64, err error) {
	c.last++
	q.ID = json.RawMessage(fmt.Append(nil, c.last))
	_, err = c.c.Write(encode(q))
	return c.last, err
}

// Next returns the next line. The error is io.EOF when the run has ended, or has closed the
// connection.
func (c *Client) Next() (a Answer, err error) {
	a.Line, err = c.r.ReadBytes('\n')
	if err != nil {
		return a, err
	}
	if !bytes.HasPrefix(a.Line, []byte(`{"event"`)) {
		err = json.Unmarshal(a.Line, &a)
		if a.ID == 0 && a.Error != "" {
			err = errors.New(a.Error)
		}
		return a, err
	}
	a.Event = "?"
	return a, nil
}

// Do sends a request and returns the answer.
func (c *Client) Do(q Request) (json.RawMessage, error) {
	id, err := c.Send(q)
	for err == nil {
		var a Answer
		if a, err = c.Next(); err == nil && a.Event == "" && a.ID == id {
			if a.Error != "" {
				return nil, errors.New(a.Error)
			}
			return a.OK, nil
		}
	}
	return nil, err
}

// Ended reports whether err, from Dial or a Client, means that the run has ended or was killed.
func Ended(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, fs.ErrNotExist) || refused(err) || lost(err)
}

// Close ends the connection.
func (c *Client) Close() { c.c.Close() }
