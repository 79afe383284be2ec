package xxh3

import (
	"testing"

	reference "github.com/zeebo/xxh3"
)

func data(n int) []byte {
	b := make([]byte, n)
	x := uint32(2463534242)
	for i := range b {
		x ^= x << 13
		x ^= x >> 17
		x ^= x << 5
		b[i] = byte(x)
	}
	return b
}

func check(t *testing.T, b []byte, cut int) {
	t.Helper()
	want := Uint128(reference.Hash128(b))
	if got := Hash128(b); got != want {
		t.Errorf("%d bytes: %x, want %x", len(b), got, want)
	}
	var h Hasher
	for i := 0; i < len(b); i += cut {
		h.Write(b[i:min(len(b), i+cut)])
	}
	if got := h.Sum128(); got != want {
		t.Errorf("%d bytes in pieces of %d: %x, want %x", len(b), cut, got, want)
	}
	if h.Sum128() != want {
		t.Errorf("%d bytes: the second sum differs", len(b))
	}
}

func TestLengths(t *testing.T) {
	all := data(5000)
	for n := range 2300 {
		check(t, all[:n], 1+n%97)
	}
	for _, cut := range []int{1, 63, 64, 65, 255, 256, 257, 320, 1024, 5000} {
		for n := 4000; n < 4130; n++ {
			check(t, all[:n], cut)
		}
	}
}

func TestBytes(t *testing.T) {
	want := reference.Hash128([]byte("weft")).Bytes()
	if got := Hash128([]byte("weft")).Bytes(); got != want {
		t.Errorf("%x, want %x", got, want)
	}
}

func FuzzHash(f *testing.F) {
	f.Add([]byte("seed"), 1)
	f.Fuzz(func(t *testing.T, b []byte, cut int) {
		if cut > 0 {
			check(t, b, cut)
		}
	})
}

func BenchmarkHash128(b *testing.B) {
	p := data(64 << 10)
	b.SetBytes(int64(len(p)))
	for range b.N {
		Hash128(p)
	}
}
