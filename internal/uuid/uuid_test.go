package uuid_test

import (
	"testing"

	original "github.com/google/uuid"

	"github.com/weftrun/weft/internal/uuid"
)

func TestUUID(t *testing.T) {
	seen := map[uuid.UUID]bool{}
	for range 100 {
		id := uuid.New()
		want := original.UUID(id)
		if got := id.String(); got != want.String() {
			t.Fatalf("%s, want %s", got, want)
		}
		if want.Version() != 4 || want.Variant() != original.RFC4122 || seen[id] {
			t.Fatalf("%s is not a random UUID, or is not new", id)
		}
		seen[id] = true
	}
	if id := uuid.New(); id.URN() != original.UUID(id).URN() {
		t.Errorf("%s is the URN %s", id, id.URN())
	}
	if got := uuid.Random([16]byte{}).String(); got != "00000000-0000-4000-8000-000000000000" {
		t.Errorf("zero bits give %s", got)
	}
}
