package limit

import "testing"

// TestLive: memory kept apart does not count for scripts, even if it is released between a
// collection and SetLive.
func TestLive(t *testing.T) {
	const mib = 1 << 20
	SetLive(10 * mib)
	AddExempt(80 * mib)
	SetLive(90 * mib)
	if got := Live(); got != 10*mib {
		t.Errorf("kept: %d MiB, want 10", got/mib)
	}
	AddExempt(-80 * mib) // the collection still found it
	SetLive(90 * mib)
	if got := Live(); got != 10*mib {
		t.Errorf("just given up: %d MiB, want 10", got/mib)
	}
	SetLive(30 * mib)
	if got := Live(); got != 30*mib {
		t.Errorf("given up: %d MiB, want 30", got/mib)
	}
	AddExempt(80 * mib)
	AddExempt(-80 * mib)
	SetLive(20 * mib) // the collection did not find it
	if got := Live(); got != 0 {
		t.Errorf("come and gone: %d MiB, want 0", got/mib)
	}
	SetLive(0)
}
