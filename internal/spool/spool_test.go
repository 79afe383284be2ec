package spool

import (
	"bytes"
	"io"
	"math/rand/v2"
	"testing"
)

// TestBuffer compares a Buffer with plain memory, at sizes around its limit.
func TestBuffer(t *testing.T) {
	for _, limit := range []int64{0, 1, 100, 1000} {
		b := Buffer{InMemory: limit}
		for range 3 { // it is used again
			var want []byte
			for len(want) < 300 {
				p := bytes.Repeat([]byte{byte(len(want))}, rand.IntN(40))
				off := rand.IntN(len(want) + 1)
				if n, err := b.WriteAt(p, int64(off)); n != len(p) || err != nil {
					t.Fatal(n, err)
				}
				if end := off + len(p); end > len(want) {
					want = append(want, make([]byte, end-len(want))...)
				}
				copy(want[off:], p)
				if inMemory := int64(len(want)) <= limit; inMemory != (b.File() == nil) && len(want) > 0 {
					t.Fatalf("%d bytes with a limit of %d: file %v", len(want), limit, b.File())
				}
			}
			got := make([]byte, len(want)+1)
			if n, err := b.ReadAt(got, 0); n != len(want) || err != io.EOF || !bytes.Equal(got[:n], want) {
				t.Fatalf("%d bytes, %v", n, err)
			}
			if n, err := b.ReadAt(got, int64(len(want))+5); n != 0 || err != io.EOF {
				t.Errorf("past the end: %d bytes, %v", n, err)
			}
			if b.File() == nil && !bytes.Equal(b.Memory(), want) {
				t.Error("not all is in memory")
			}
			if err := b.Reset(); err != nil || b.File() != nil || len(b.Memory()) != 0 {
				t.Fatalf("Reset: %v", err)
			}
		}
	}
}

// TestNoFile: if no file can be made, all written bytes are kept.
func TestNoFile(t *testing.T) {
	b := Buffer{InMemory: 4}
	b.WriteAt([]byte("abc"), 0)
	t.Setenv("TMPDIR", "/nonexistent")
	if _, err := b.WriteAt([]byte("def"), 3); err == nil {
		t.Skip("files are made in memory here")
	}
	if string(b.Memory()) != "abc" {
		t.Errorf("holds %q", b.Memory())
	}
}
