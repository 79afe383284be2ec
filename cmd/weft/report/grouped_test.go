package report

import (
	"bytes"
	"io"
	"math/rand/v2"
	"os"
	"testing"
)

// TestHeldIntoPipe: what was kept in a file comes out of a pipe as it went in.
func TestHeldIntoPipe(t *testing.T) {
	random := rand.NewChaCha8([32]byte{1})
	for _, size := range []int{0, 1, heldInMemory, heldInMemory + 1, 3*heldInMemory + 12345} {
		want := make([]byte, size)
		random.Read(want)
		var s held
		for rest := want; len(rest) > 0; {
			n := min(len(rest), 65_537)
			s.write(rest[:n])
			rest = rest[n:]
		}
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		got := make(chan []byte)
		go func() {
			all, _ := io.ReadAll(r)
			got <- all
		}()
		out := NewOut(w)
		s.writeTo(out)
		w.Close()
		if all := <-got; !bytes.Equal(all, want) || out.Err() != nil {
			t.Errorf("%d bytes into a pipe: %d came, %v", size, len(all), out.Err())
		}
		r.Close()
	}
}

// TestHeldBrokenPipe: a reader that goes away is found out.
func TestHeldBrokenPipe(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	go func() {
		io.CopyN(io.Discard, r, 1000)
		r.Close()
	}()
	var s held
	s.write(make([]byte, 2*heldInMemory))
	out := NewOut(w)
	s.writeTo(out)
	if !out.Broken() {
		t.Errorf("the error is %v", out.Err())
	}
}
