package engine

import (
	"testing"

	"github.com/google/uuid"
)

// TestNewID: identities are unique random UUIDs.
func TestNewID(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		id := NewID()
		u, err := uuid.Parse(id)
		if err != nil || u.Version() != 4 || u.Variant() != uuid.RFC4122 || seen[id] {
			t.Fatal(id, err)
		}
		seen[id] = true
	}
}
