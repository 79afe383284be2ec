package cache

import (
	"github.com/weftrun/weft/internal/wire"
)

// logType is the name of the type of a [Log] in an [Any].
const logType = "weft.run/log.v1"

// Log describes the bytes of a log, and the other outputs of a step. It is stored in the metadata
// of an [ActionResult]; the bytes are its Stdout.
type Log struct {
	Marks   []Mark // by Offset
	Outputs []byte // the named outputs, as JSON; nil: there are none
	Stdout  Digest // of the captured standard output; zero: nothing was captured
}

// Mark marks a position in a log. Exactly one of Stream and Command is set.
type Mark struct {
	Offset  int64 // bytes from the beginning of the log
	Stream  uint8 // the stream of the following bytes: standard output (1), standard error (2), or a pipe for both (3)
	Command int32 // this command, counted from 1, begins
}

// Append appends the message to b.
func (l *Log) Append(b []byte) []byte {
	for i := range l.Marks {
		b = wire.AppendMessage(b, 1, l.Marks[i].Append)
	}
	b = wire.AppendText(b, 2, l.Outputs)
	return appendDigest(b, 3, l.Stdout)
}

func (l *Log) field(d *wire.Decoder) (err error) {
	switch d.Field() {
	case 1:
		l.Marks = append(l.Marks, Mark{})
		err = readElement(d, len(l.Marks), &l.Marks[len(l.Marks)-1])
	case 2:
		l.Outputs = d.Bytes()
	case 3:
		err = readDigest(d, &l.Stdout)
	}
	return err
}

// Append appends the message to b.
func (m *Mark) Append(b []byte) []byte {
	b = wire.AppendInt(b, 1, m.Offset)
	b = wire.AppendUint(b, 2, uint64(m.Stream))
	return wire.AppendInt(b, 3, int64(m.Command))
}

func (m *Mark) field(d *wire.Decoder) error {
	switch d.Field() {
	case 1:
		m.Offset = d.Int()
	case 2:
		m.Stream = uint8(d.Uint())
	case 3:
		m.Command = int32(d.Int())
	}
	return nil
}

// DecodeLog reads the message in b.
func DecodeLog(b []byte) (*Log, error) { return decode[Log](b) }

// SetLog makes l the log of r.
func (r *ActionResult) SetLog(l *Log) {
	r.Metadata.Auxiliary = []Any{{Type: logType, Value: l.Append(nil)}}
}

// Log returns the description of r's log. A result without one, as other clients write it, has the
// zero Log.
func (r *ActionResult) Log() (*Log, error) {
	for _, a := range r.Metadata.Auxiliary {
		if a.Type == logType {
			return decode[Log](a.Value)
		}
	}
	return &Log{}, nil
}
