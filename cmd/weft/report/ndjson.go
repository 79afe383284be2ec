package report

import (
	"io"

	"github.com/weftrun/weft/engine/event"
)

// NDJSON writes every event as one JSON object a line, many lines at a time.
type NDJSON struct {
	// All includes all output of commands in the events.
	All bool

	w      *Out
	close  func() error
	enc    event.Encoder
	events []event.Event // not yet encoded
	lines  []byte        // not yet written, which precede those
}

// encodedTogether is the number of events collected before they are encoded. One after the other would
// be encoded by a processor that has done something else in between.
const encodedTogether = 256

// NewNDJSON returns a reporter that writes to w and finally calls close, if not nil. describe
// describes errors with secrets masked; nil means their own texts.
func NewNDJSON(w io.Writer, close func() error, describe func(error) event.Failure) *NDJSON {
	return &NDJSON{w: NewOut(w), close: close, enc: event.Encoder{Describe: describe}}
}

// Wants implements Reporter. It requests all details that do not change the run; with All, the
// output too.
func (n *NDJSON) Wants() event.Wants {
	return event.Wants{Graph: true, Reasons: true, Detail: true, Output: n.All}
}

// Handle implements Reporter.
func (n *NDJSON) Handle(ev event.Event) {
	n.events = append(n.events, ev)
	out, ok := ev.(*event.Output)
	if !ok && len(n.events) < encodedTogether {
		return
	}
	n.encode()
	if ok {
		release(out)
	}
	if len(n.lines) >= batchSize {
		n.Flush()
	}
}

// encode encodes the collected events.
func (n *NDJSON) encode() {
	for _, ev := range n.events {
		n.lines = n.enc.Encode(n.lines, ev)
	}
	clear(n.events)
	n.events = n.events[:0]
}

// Flush implements Flusher.
func (n *NDJSON) Flush() {
	n.encode()
	if len(n.lines) > 0 {
		n.w.Write(n.lines)
	}
	if n.lines = n.lines[:0]; cap(n.lines) > 2*batchSize {
		n.lines = nil
	}
}

// Err implements Reporter.
func (n *NDJSON) Err() error { return n.w.Err() }

// Close implements Reporter.
func (n *NDJSON) Close() error {
	n.Flush()
	if n.close != nil {
		if err := n.close(); err != nil && n.w.err == nil {
			n.w.err = err
		}
		n.close = nil
	}
	return n.w.Err()
}
