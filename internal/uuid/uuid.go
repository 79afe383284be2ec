// Package uuid makes random UUIDs. It has the parts of github.com/google/uuid that are used here:
// that package links package database/sql/driver, with its initialisation at start-up.
package uuid

import (
	"crypto/rand"
	"encoding/hex"
)

// UUID is a UUID of RFC 9562.
type UUID [16]byte

// New returns a random UUID from the system's source of secrets.
func New() UUID {
	var id UUID
	rand.Read(id[:]) // cannot fail
	return Random(id)
}

// Random returns a UUID of version 4 with the other 122 bits of b.
func Random(b [16]byte) UUID {
	b[6] = b[6]&0x0f | 0x40 // version 4: random
	b[8] = b[8]&0x3f | 0x80 // variant of RFC 9562
	return b
}

// String returns the usual form in 36 characters.
func (id UUID) String() string {
	s := make([]byte, 0, 36)
	for i, b := range [...][2]int{{0, 4}, {4, 6}, {6, 8}, {8, 10}, {10, 16}} {
		if i > 0 {
			s = append(s, '-')
		}
		s = hex.AppendEncode(s, id[b[0]:b[1]])
	}
	return string(s)
}

// URN returns the form urn:uuid:....
func (id UUID) URN() string { return "urn:uuid:" + id.String() }
