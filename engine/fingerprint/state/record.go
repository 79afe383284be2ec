package state

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"math/rand/v2"
)

// Record is what is kept of a success. The zero Record is none.
type Record struct {
	Head    []byte // what every run compares; it must not be changed
	payload []byte // all of it
	body    []byte // nil when it stands in a file of its own
	apart   bodyFile
}

// bodyFile names a body that stands in a file of its own.
type bodyFile struct {
	id   uint64 // chosen at random: no two bodies of a key have the same
	size uint64
	sum  uint32
}

// inlineBody is the size, in bytes, up to which a body stands with its head.
const inlineBody = 16 << 10

// The first byte of a payload says where the body stands.
const (
	bodyFollows = iota
	bodyApart
)

const bodyFileSize = 8 + 8 + 4

var errRecord = errors.New("not a record of this version")

// newRecord returns a record, whose body is still to be written when it stands apart.
func newRecord(head, body []byte) Record {
	r := Record{Head: head}
	b := make([]byte, 0, 1+binary.MaxVarintLen32+len(head)+max(min(len(body), inlineBody), bodyFileSize))
	if len(body) <= inlineBody {
		r.body = body
		b = append(b, bodyFollows)
		b = append(binary.AppendUvarint(b, uint64(len(head))), head...)
		r.payload = append(b, body...)
		return r
	}
	r.apart = bodyFile{id: rand.Uint64(), size: uint64(len(body)), sum: crc32.ChecksumIEEE(body)}
	b = append(b, bodyApart)
	b = append(binary.AppendUvarint(b, uint64(len(head))), head...)
	b = binary.LittleEndian.AppendUint64(b, r.apart.id)
	b = binary.LittleEndian.AppendUint64(b, r.apart.size)
	r.payload = binary.LittleEndian.AppendUint32(b, r.apart.sum)
	return r
}

// parseRecord reads what newRecord made. The record refers to payload.
func parseRecord(payload []byte) (Record, error) {
	if len(payload) == 0 {
		return Record{}, errRecord
	}
	n, size := binary.Uvarint(payload[1:])
	rest := payload[1+max(size, 0):]
	if size <= 0 || n > uint64(len(rest)) {
		return Record{}, errRecord
	}
	r := Record{Head: rest[:n:n], payload: payload}
	rest = rest[n:]
	switch {
	case payload[0] == bodyFollows:
		r.body = rest
	case payload[0] == bodyApart && len(rest) == bodyFileSize:
		r.apart.id = binary.LittleEndian.Uint64(rest)
		r.apart.size = binary.LittleEndian.Uint64(rest[8:])
		r.apart.sum = binary.LittleEndian.Uint32(rest[16:])
	default:
		return Record{}, errRecord
	}
	return r, nil
}

// isApart reports whether the body stands in a file of its own.
func (r *Record) isApart() bool { return r.apart != bodyFile{} }

// is reports whether b is the body that stands apart.
func (f bodyFile) is(b []byte) bool {
	return uint64(len(b)) == f.size && crc32.ChecksumIEEE(b) == f.sum
}
