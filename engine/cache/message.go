package cache

import (
	"fmt"

	"github.com/weftrun/weft/internal/wire"
)

// maxElements is the maximum number of elements of a list in a message. It limits the memory that a
// small hostile message can take.
const maxElements = 1_000_000

// fielder is a message that can be read.
type fielder interface {
	field(*wire.Decoder) error // reads the field that the Decoder has moved to, if the message has it
}

// message is a pointer to an M.
type message[M any] interface {
	*M
	fielder
}

// decode returns the message in b.
func decode[M any, P message[M]](b []byte) (*M, error) {
	m := new(M)
	if err := read(b, P(m).field); err != nil {
		return nil, err
	}
	return m, nil
}

// read calls field with every field of the message in b.
func read(b []byte, field func(*wire.Decoder) error) error {
	d := wire.NewDecoder(b)
	for d.Next() {
		if err := field(d); err != nil {
			return err
		}
	}
	return d.Err()
}

// readElement reads the message in the field that d has moved to, the nth of a list, into m.
func readElement(d *wire.Decoder, n int, m fielder) error {
	if n > maxElements {
		return fmt.Errorf("%w: a list has more than %d elements", wire.ErrMalformed, maxElements)
	}
	return read(d.Bytes(), m.field)
}

// appendTexts appends texts as a repeated field.
func appendTexts(b []byte, field int, texts []string) []byte {
	for _, t := range texts {
		b = wire.AppendElement(b, field, t)
	}
	return b
}
