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
const Number = 1

// MaxFrame is the largest message, in bytes.
const MaxFrame = 16 << 20

// MaxOpen is how many requests may be open at a time.
const MaxOpen = 64

// ErrProtocol is wrapped by the error of a channel whose other end violates the protocol.
var ErrProtocol = errors.New("the other program does not keep to the rules of the channel")

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

func (h *Hello) encode(b []byte) []byte {
	b = wire.AppendUint(b, 1, h.Number)
	b = wire.AppendText(b, 2, h.Version)
	b = wire.AppendText(b, 3, h.CacheDir)
	return wire.AppendText(b, 4, h.Root)
}

func (h *Hello) decode(b []byte) error {
	d := wire.NewDecoder(b)
	for d.Next() {
		switch d.Field() {
		case 1:
			h.Number = d.Uint()
		case 2:
			h.Version = d.String()
		case 3:
			h.CacheDir = d.String()
		case 4:
			h.Root = d.String()
		}
	}
	return d.Err()
}

// Fields of a frame's message: the number of the request, and one more, which
// says what it is.
const (
	fieldID              = 1
	fieldHello           = 2 // both ways
	fieldError           = 3 // answers anything
	fieldCancel          = 4 // weft wants no answer any more; there is one all the same
	fieldTaskfileRequest = 16
	fieldTaskfile        = 17
)

// frame is a message. kind is the field that says what it is; body is its encoded content.
type frame struct {
	id   uint64
	kind int
	body []byte
}

// message is the content of a frame.
type message interface{ encode(b []byte) []byte }

// empty is a message without content.
type empty struct{}

func (empty) encode(b []byte) []byte { return b }

const frameHead = 4 // bytes of its length

// encodeFrame encodes a frame.
func encodeFrame(id uint64, kind int, m message) ([]byte, error) {
	b := make([]byte, frameHead, 512)
	b = wire.AppendUint(b, fieldID, id)
	b = wire.AppendMessage(b, kind, m.encode)
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
	b := make([]byte, 0, min(n, step))
	for len(b) < n {
		if len(b) == cap(b) {
			b = append(make([]byte, 0, min(n, 4*cap(b))), b...)
		}
		m, err := io.ReadFull(r, b[len(b):min(n, cap(b))])
		b = b[:len(b)+m]
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return nil, err
		}
	}
	return b, nil
}

func decodeFrame(b []byte) (frame, error) {
	var f frame
	d := wire.NewDecoder(b)
	for d.Next() {
		switch d.Field() {
		case fieldID:
			f.id = d.Uint()
		case fieldHello, fieldError, fieldCancel, fieldTaskfileRequest, fieldTaskfile:
			f.kind, f.body = d.Field(), d.Bytes()
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
