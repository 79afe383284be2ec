package channel

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/weftrun/weft/internal/wire"
)

// Number is the version of the messages. It changes when programs with different messages
// could not understand each other.
const Number = 4

// MaxFrame is the largest message, in bytes.
const MaxFrame = 16 << 20

// MaxOpen is the maximum number of open requests: of all that a run does at a time, actions that are
// executed elsewhere included.
const MaxOpen = 1024

// ErrProtocol is wrapped by the error of a channel whose other end violates the protocol.
var ErrProtocol = errors.New("the other program violates the protocol")

// CommitsDir is the directory below Hello.CacheDir in which the second program keeps fetched
// commits. Clearing the cache removes it.
const CommitsDir = "git"

// Hello is the first message of both programs.
type Hello struct {
	Number  uint64 // of the channel; see Number
	Version string // of the program
	// CacheDir is weft's cache directory, absolute; "" is none. Root is the
	// directory of the root Taskfile. They are sent by weft alone.
	CacheDir, Root string
}

func (h *Hello) fields(f *wire.Fields) {
	f.Uint(1, &h.Number)
	f.Text(2, &h.Version)
	f.Text(3, &h.CacheDir)
	f.Text(4, &h.Root)
}

// Fields of a frame's message: the number of the request, and one more, its kind.
const (
	fieldID              = 1
	fieldHello           = 2 // both ways
	fieldError           = 3 // answers anything
	fieldCancel          = 4 // weft no longer needs the answer, which is sent nevertheless
	fieldTaskfileRequest = 16
	fieldTaskfile        = 17
	fieldConformRequest  = 18
	fieldVerdict         = 19
	fieldConnectRequest  = 20
	fieldConnection      = 21
	fieldLookupRequest   = 22
	fieldFound           = 23
	fieldFetchRequest    = 24
	fieldFetched         = 25
	fieldStoreRequest    = 26
	fieldStored          = 27
	fieldFlushRequest    = 28
	fieldTotals          = 29
	fieldUploadRequest   = 30
	fieldUploaded        = 31
	fieldExecuteRequest  = 32
	fieldExecuted        = 33
	fieldStage           = 34 // may precede the answer to an ExecuteRequest
	fieldsEnd            = 35 // greater than all
)

// frame is a message. kind is the field of its content; body is its encoded content.
type frame struct {
	id   uint64
	kind int
	body []byte
}

// message is the content of a frame.
type message interface{ fields(*wire.Fields) }

// empty is a message without content.
type empty struct{}

func (empty) fields(*wire.Fields) {}

const frameHead = 4 // bytes of its length

// encodeFrame encodes a frame.
func encodeFrame(id uint64, kind int, m message) ([]byte, error) {
	b := make([]byte, frameHead, 512)
	b = wire.AppendUint(b, fieldID, id)
	b = wire.AppendMessage(b, kind, func(b []byte) []byte { return wire.Encode(b, m.fields) })
	if len(b)-frameHead > MaxFrame {
		return nil, fmt.Errorf("a message has more than %d MiB", MaxFrame>>20)
	}
	binary.LittleEndian.PutUint32(b, uint32(len(b)-frameHead))
	return b, nil
}

// readFrame reads the next frame. It returns io.EOF if r ends between two frames.
func readFrame(r io.Reader) (frame, error) {
	var head [frameHead]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return frame{}, err
	}
	n := binary.LittleEndian.Uint32(head[:])
	if n > MaxFrame {
		return frame{}, fmt.Errorf("%w: a frame of %d bytes", ErrProtocol, n)
	}
	b, err := readBytes(r, int(n))
	if err != nil {
		return frame{}, err
	}
	return decodeFrame(b)
}

// readBytes reads n bytes. It allocates memory as they arrive, since the length cannot be
// trusted.
func readBytes(r io.Reader, n int) ([]byte, error) {
	const step = 64 << 10
	var b []byte
	for len(b) < n {
		at := len(b)
		b = append(b, make([]byte, min(n-at, step))...)
		if _, err := io.ReadFull(r, b[at:]); err != nil {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
	}
	return b, nil
}

func decodeFrame(b []byte) (frame, error) {
	var f frame
	d := wire.NewDecoder(b)
	for d.Next() {
		switch n := d.Field(); {
		case n == fieldID:
			f.id = d.Uint()
		case n < fieldsEnd:
			f.kind, f.body = n, d.Bytes()
		}
	}
	if err := d.Err(); err != nil {
		return frame{}, fmt.Errorf("%w: %w", ErrProtocol, err)
	}
	if f.kind == 0 {
		return frame{}, fmt.Errorf("%w: an unknown message", ErrProtocol)
	}
	return f, nil
}
