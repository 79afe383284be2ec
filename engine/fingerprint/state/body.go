package state

import (
	"fmt"
	"strings"
)

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

// removeBody removes the body of old, a record of k, if it stands in a file of its own
// that is not also that of now. Either may be the zero value.
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
