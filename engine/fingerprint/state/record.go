package state

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"strings"
)

// Record is the record of a success. The zero Record is none.
type Record struct {
	Head    []byte // compared in every run; it must not be changed
	payload []byte // all of it
	body    []byte // nil if it is in a file of its own
	apart   bodyFile
}

// bodyFile identifies a body in a file of its own.
type bodyFile struct {
	id   uint64 // chosen at random: no two bodies of a key have the same
	size uint64
	sum  uint32
}

// inlineBody is the maximum size, in bytes, of a body stored with its head.
const inlineBody = 16 << 10

// The first byte of a payload says where the body is stored.
const (
	bodyFollows = iota
	bodyApart
)

const bodyFileSize = 8 + 8 + 4

var errRecord = errors.New("not a record of this version")

// newRecord returns a record; a large body must be written to its own file by the caller.
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

// parseRecord parses the payload of a record made by newRecord. The record refers to payload.
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

// isApart reports whether the body is in a file of its own.
func (r *Record) isApart() bool { return r.apart != bodyFile{} }

// is reports whether b is the body in file f.
func (f bodyFile) is(b []byte) bool {
	return uint64(len(b)) == f.size && crc32.ChecksumIEEE(b) == f.sum
}

// Body returns the body of a record of k, or nil when it is lost. It must not be
// changed.
func (s *Store) Body(k Key, r Record) []byte {
	if !r.isApart() {
		return r.body
	}
	b, err := s.readBody(k, r.apart)
	if err != nil || !r.apart.is(b) {
		return nil
	}
	return b
}

func (s *Store) readBody(k Key, f bodyFile) ([]byte, error) {
	from := s.bodies
	if from == nil {
		d, err := s.place.Open()
		if err != nil {
			return nil, err
		}
		defer d.Close()
		if from, err = d.Sub(bodiesName, false); err != nil {
			return nil, err
		}
		defer from.Close()
	}
	return from.ReadFile(bodyName(k, f.id), maxRecord)
}

// removeBody removes the body of old, a record of k, if it is in a file of its own that now does
// not use. Either may be the zero value.
func (s *Store) removeBody(k Key, old, now stored) {
	if len(old.payload) == 0 || old.payload[0] != bodyApart || s.bodies == nil {
		return
	}
	was, err := parseRecord(old.payload)
	if err != nil {
		return
	}
	if is, err := parseRecord(now.payload); err == nil && is.apart == was.apart {
		return
	}
	s.bodies.Remove(bodyName(k, was.apart.id))
}

func bodyName(k Key, id uint64) string { return fmt.Sprintf("%s-%016x", k, id) }

// isBodyName reports whether a file has the name of a body, of this version or an
// older one.
func isBodyName(name string) bool {
	k, id, ok := strings.Cut(name, "-")
	return ok && len(k) == 2*keySize && (len(id) == 16 || len(id) == 8) && strings.Trim(k+id, hexDigits) == ""
}

const hexDigits = "0123456789abcdef"
