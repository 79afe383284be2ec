package channel

import "github.com/weftrun/weft/internal/wire"

// ConformRequest requests a check whether a message of a program conforms to a JSON Schema.
type ConformRequest struct {
	Schema string // the file, absolute
	// Message is JSON; nil requests that the file is read again and checked to be a schema.
	Message []byte
}

// Verdict is the answer to a ConformRequest.
type Verdict struct {
	Problem string // what is wrong, in words; "": nothing
}

func (q *ConformRequest) fields(f *wire.Fields) {
	f.Text(1, &q.Schema)
	f.Bytes(2, &q.Message)
}

func (v *Verdict) fields(f *wire.Fields) { f.Text(1, &v.Problem) }
