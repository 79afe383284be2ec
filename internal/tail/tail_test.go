package tail

import "testing"

// TestBuffer: the buffer does not grow beyond its bound, however much is written.
func TestBuffer(t *testing.T) {
	b := Buffer{Max: 5}
	for _, p := range []string{"ab", "cdefgh", "", "i", "0123456789"} {
		b.Write([]byte(p))
	}
	if got := b.Bytes(); string(got) != "56789" || cap(b.b) > 40 {
		t.Errorf("got %q, capacity %d", got, cap(b.b))
	}
	if b = (Buffer{}); len(b.Bytes()) != 0 {
		t.Error("the zero value keeps something")
	}
}
