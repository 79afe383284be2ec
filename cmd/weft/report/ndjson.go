package report

import (
	"io"

	"github.com/weftrun/weft/engine/event"
)

// NDJSON writes every event as one JSON object a line.
type NDJSON struct {
	w     *Out
	close func() error
	enc   event.Encoder
	line  []byte
}

// NewNDJSON returns a reporter that writes to w and closes it in the end,
// unless close is nil. describe puts errors into words, secrets masked; nil means their
// own texts.
func NewNDJSON(w io.Writer, close func() error, describe func(error) event.Failure) *NDJSON {
	return &NDJSON{w: NewOut(w), close: close, enc: event.Encoder{Describe: describe}}
}

// Handle implements Reporter.
func (n *NDJSON) Handle(ev event.Event) {
	n.line = n.enc.Encode(n.line[:0], ev)
	n.w.Write(n.line)
	if cap(n.line) > batch {
		n.line = nil
	}
	if out, ok := ev.(*event.Output); ok {
		release(out)
	}
}

// Err implements Reporter.
func (n *NDJSON) Err() error { return n.w.Err() }

// Close implements Reporter.
func (n *NDJSON) Close() error {
	if n.close != nil {
		if err := n.close(); err != nil && n.w.err == nil {
			n.w.err = err
		}
		n.close = nil
	}
	return n.w.Err()
}
