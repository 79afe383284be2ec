package ipc

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"github.com/weftrun/weft/internal/limit"
)

// errQueue is the error that the program does not read its messages.
var errQueue = &limit.Exceeded{What: "the size of the messages waiting on the channel (ipc)", Limit: MaxQueue, Hint: "the program does not read its messages, or reads them too slowly"}

// Send sends one JSON text. What has been sent arrives in order; a text that cannot be sent,
// because the program has closed its end or Disconnect was called, is dropped. The error is that
// the text is not a message (see [Check]), or a *limit.Exceeded: then the queue is full, and the text
// was not added to it.
func (c *Channel) Send(message []byte) error {
	if err := Check(message); err != nil {
		return err
	}
	return c.writeCopy(message)
}

// Forward sends the JSON of a Plain message that another Channel has received. The errors are
// those of Send.
func (c *Channel) Forward(message []byte) error { return c.writeCopy(message) }

// writeCopy writes a JSON text. It is noted before it is copied: else a script could be blamed
// for the copy meanwhile.
func (c *Channel) writeCopy(message []byte) error {
	n := len(message) + 1
	limit.AddExempt(n)
	defer limit.AddExempt(-n)
	return c.write(encode(message))
}

// Check returns an error if a JSON text cannot be sent: it is not JSON, longer than MaxLine, or
// would be taken for one of Node's own.
func Check(message []byte) error {
	message = trim(message)
	if len(message) > MaxLine {
		return errTooLong
	}
	err := check(message)
	if cmd, ok := text(members(message)["cmd"]); err == nil && ok && isInternal(cmd) {
		err = fmt.Errorf("objects whose \"cmd\" begins with %s are reserved for Node", nodePrefix)
	}
	return err
}

// encode returns a JSON text as a line.
func encode(message []byte) []byte {
	line := make([]byte, 0, len(message)+1)
	if bytes.IndexByte(message, '\n') < 0 {
		return append(append(line, message...), '\n')
	}
	b := bytes.NewBuffer(line)
	json.Compact(b, message)
	return append(b.Bytes(), '\n')
}

// Cancel sends the program the reason for the stop and the time left; 0 is no limit.
func (c *Channel) Cancel(reason string, grace time.Duration) {
	message := struct {
		Weft   string `json:"weft"`
		Reason string `json:"reason"`
		Grace  int64  `json:"grace_ms,omitzero"`
	}{"cancel", reason, grace.Milliseconds()}
	if b, err := json.Marshal(message); err == nil {
		c.write(append(b, '\n'))
	}
}

// write writes a line, or adds it to the queue. It owns the line.
func (c *Channel) write(line []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing || c.broken {
		return nil
	}
	if c.flushing && c.queued+len(line) > MaxQueue {
		return errQueue
	}
	if !c.flushing {
		n, err := writeNow(c.f, line)
		if err != nil {
			c.broken = true
			return nil
		}
		if line = line[n:]; len(line) == 0 {
			return nil
		}
		c.flushing = true
		c.flushed.Go(c.flush)
	}
	c.enqueue(line)
	return nil
}

// blockSize is the size of a block of short lines in the queue.
const blockSize = 16 << 10

// enqueue adds a line to the queue; c.mu is held.
func (c *Channel) enqueue(line []byte) {
	c.queued += len(line)
	limit.AddExempt(len(line))
	if last := len(c.queue) - 1; last >= 0 && len(c.queue[last])+len(line) <= cap(c.queue[last]) {
		c.queue[last] = append(c.queue[last], line...)
		return
	}
	if len(line) < blockSize/2 {
		line = append(make([]byte, 0, blockSize), line...)
	}
	c.queue = append(c.queue, line)
}

// flush writes the queue until it is empty.
func (c *Channel) flush() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.queue) > 0 && !c.broken {
		b := c.queue[0]
		c.queue[0], c.queue = nil, c.queue[1:]
		c.mu.Unlock()
		_, err := c.f.Write(b)
		c.mu.Lock()
		c.dequeue(len(b))
		c.broken = err != nil
	}
	c.flushing = false
	if c.closing {
		closeWrite(c.f)
	}
}

// dequeue records that n bytes have left the queue; c.mu is held.
func (c *Channel) dequeue(n int) {
	c.queued -= n
	limit.AddExempt(-n)
}

// Disconnect ends the stream to the program when everything was written that was sent: Node then
// emits disconnect, and a program without other work ends. Later messages of the program are
// received.
func (c *Channel) Disconnect() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing {
		return
	}
	c.closing = true
	if !c.flushing {
		closeWrite(c.f)
	}
}
