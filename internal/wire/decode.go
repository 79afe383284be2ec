package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// ErrMalformed is wrapped by every error of a Decoder: its input is not a message, or another
// one than expected.
var ErrMalformed = errors.New("malformed message")

// maxGroups is the maximum nesting of skipped groups.
const maxGroups = 64

// Decoder reads the fields of one message, in the order in which they stand:
//
//	d := wire.NewDecoder(b)
//	for d.Next() {
//		switch d.Field() {
//		case 1:
//			m.Name = d.String()
//		}
//	}
//	return d.Err()
//
// Fields that are not read are skipped. Every length is checked, so that memory and time are
// limited by the size of the message. A Decoder is not safe for concurrent use.
type Decoder struct {
	rest  []byte
	field int
	kind  int
	num   uint64 // the value, unless kind is typeLen
	data  []byte // the value, if kind is typeLen
	err   error
}

// NewDecoder returns a Decoder for b. b must not be changed while the Decoder and results of
// Bytes are used.
func NewDecoder(b []byte) *Decoder { return &Decoder{rest: b} }

// Err returns the first error of Next, or of a value that has another type than requested, or
// nil.
func (d *Decoder) Err() error { return d.err }

// Field returns the number of the field that Next moved to.
func (d *Decoder) Field() int { return d.field }

// Next moves to the next field. It returns false at the end and after an error.
func (d *Decoder) Next() bool {
	for d.err == nil && len(d.rest) > 0 {
		d.readTag()
		if d.err == nil && d.kind == typeStart {
			d.skipGroup()
			continue
		}
		d.readValue()
		return d.err == nil
	}
	return false
}

func (d *Decoder) fail(format string, args ...any) {
	if d.err == nil {
		d.err = fmt.Errorf("%w: "+format, append([]any{ErrMalformed}, args...)...)
	}
}

func (d *Decoder) readTag() {
	tag := d.readVarint()
	if d.err != nil {
		return
	}
	if tag>>3 == 0 || tag>>3 > maxField {
		d.fail("field number %d", tag>>3)
		return
	}
	d.field, d.kind = int(tag>>3), int(tag&7)
}

func (d *Decoder) readValue() {
	if d.err != nil {
		return
	}
	switch d.kind {
	case typeVarint:
		d.num = d.readVarint()
	case typeFixed32:
		if b := d.take(4); b != nil {
			d.num = uint64(binary.LittleEndian.Uint32(b))
		}
	case typeFixed64:
		if b := d.take(8); b != nil {
			d.num = binary.LittleEndian.Uint64(b)
		}
	case typeLen:
		n := d.readVarint()
		if d.err == nil {
			d.data = d.take(n)
		}
	default:
		d.fail("field %d has the unknown wire type %d", d.field, d.kind)
	}
}

// skipGroup skips a group, whose start was read.
func (d *Decoder) skipGroup() {
	open := []int{d.field}
	for len(open) > 0 {
		d.readTag()
		switch {
		case d.err != nil:
			return
		case d.kind == typeStart && len(open) == maxGroups:
			d.fail("groups are nested more than %d levels deep", maxGroups)
		case d.kind == typeStart:
			open = append(open, d.field)
		case d.kind == typeEnd && d.field != open[len(open)-1]:
			d.fail("group %d ends as %d", open[len(open)-1], d.field)
		case d.kind == typeEnd:
			open = open[:len(open)-1]
		default:
			d.readValue()
		}
	}
}

func (d *Decoder) readVarint() uint64 {
	v, n := binary.Uvarint(d.rest)
	if n <= 0 {
		d.fail("a number is cut off or too long")
		return 0
	}
	d.rest = d.rest[n:]
	return v
}

// take returns the next n bytes; it is not nil unless that fails.
func (d *Decoder) take(n uint64) []byte {
	if n > uint64(len(d.rest)) {
		d.fail("field %d is cut off", d.field)
		return nil
	}
	b := d.rest[:n:n]
	d.rest = d.rest[n:]
	return b
}

// is reports whether the field's value has a wire type.
func (d *Decoder) is(kind int) bool {
	if d.kind != kind {
		d.fail("field %d has wire type %d, not %d", d.field, d.kind, kind)
	}
	return d.kind == kind
}

// Uint returns a value of type uint32, uint64 or an enumeration.
func (d *Decoder) Uint() uint64 {
	if !d.is(typeVarint) {
		return 0
	}
	return d.num
}

// Int returns a value of type int32 or int64.
func (d *Decoder) Int() int64 { return int64(d.Uint()) }

// Bool returns a value of type bool.
func (d *Decoder) Bool() bool { return d.Uint() != 0 }

// Fixed64 returns a value of type fixed64.
func (d *Decoder) Fixed64() uint64 {
	if !d.is(typeFixed64) {
		return 0
	}
	return d.num
}

// Bytes returns a value of type bytes, or an encoded message. It is a part of
// what the Decoder was made with, not a copy.
func (d *Decoder) Bytes() []byte {
	if !d.is(typeLen) {
		return nil
	}
	return d.data
}

// String returns a copy of a value of type string. It need not be UTF-8.
//
//go:noinline
func (d *Decoder) String() string { return string(d.Bytes()) }
