// Package wire writes and reads the binary form of protocol buffers (proto3).
// It owns bytes and field numbers; it knows no message. Messages are plain
// structs that write their fields with the Append functions and read them with
// a [Decoder], so that nothing is registered or initialised at start-up.
//
// What is written is canonical as long as fields are written in the order of
// their numbers: scalar fields that are zero are left out, as proto3 does.
package wire

import "encoding/binary"

// The ways in which a value can follow its field number.
const (
	typeVarint  = 0
	typeFixed64 = 1
	typeLen     = 2
	typeStart   = 3 // of a group, which proto3 can only skip
	typeEnd     = 4
	typeFixed32 = 5
)

// maxField is the largest field number there is.
const maxField = 1<<29 - 1

//go:noinline
func appendTag(b []byte, field, kind int) []byte {
	return binary.AppendUvarint(b, uint64(field)<<3|uint64(kind))
}

// AppendUint appends a field of type uint32, uint64 or an enumeration; zero is
// left out.
//
//go:noinline
func AppendUint(b []byte, field int, v uint64) []byte {
	if v == 0 {
		return b
	}
	return binary.AppendUvarint(appendTag(b, field, typeVarint), v)
}

// AppendInt appends a field of type int32 or int64; zero is left out.
//
//go:noinline
func AppendInt(b []byte, field int, v int64) []byte { return AppendUint(b, field, uint64(v)) }

// AppendBool appends a field of type bool; false is left out. It is called in many places.
//
//go:noinline
func AppendBool(b []byte, field int, v bool) []byte {
	if !v {
		return b
	}
	return append(appendTag(b, field, typeVarint), 1)
}

// AppendFixed64 appends a field of type fixed64; zero is left out.
func AppendFixed64(b []byte, field int, v uint64) []byte {
	if v == 0 {
		return b
	}
	return binary.LittleEndian.AppendUint64(appendTag(b, field, typeFixed64), v)
}

// AppendText appends a field of type string or bytes; the empty one is left out. It is called in many
// places.
//
//go:noinline
func AppendText[T ~string | ~[]byte](b []byte, field int, v T) []byte {
	if len(v) == 0 {
		return b
	}
	return AppendElement(b, field, v)
}

// AppendElement appends one string, bytes or encoded message even if it is
// empty: an element of a repeated field, or a message that is present.
func AppendElement[T ~string | ~[]byte](b []byte, field int, v T) []byte {
	b = binary.AppendUvarint(appendTag(b, field, typeLen), uint64(len(v)))
	return append(b, v...)
}

// AppendMessage appends the message that encode appends, even if it is empty.
func AppendMessage(b []byte, field int, encode func([]byte) []byte) []byte {
	b = appendTag(b, field, typeLen)
	start := len(b)
	b = encode(b)
	// The length comes first and is known last: it is written behind the
	// message and then moved before it.
	size := len(b) - start
	var length [binary.MaxVarintLen64]byte
	n := binary.PutUvarint(length[:], uint64(size))
	b = append(b, length[:n]...)
	copy(b[start+n:], b[start:start+size])
	copy(b[start:], length[:n])
	return b
}
