package packing

import (
	"bytes"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/klauspost/compress/zstd"
)

func TestPack(t *testing.T) {
	random := make([]byte, 64<<10)
	rand.NewChaCha8([32]byte{1}).Read(random)
	for _, tt := range []struct {
		name string
		data []byte
		ok   bool
	}{
		{"empty", nil, false},
		{"small", bytes.Repeat([]byte("a"), MinSize-1), false},
		{"text", []byte(strings.Repeat("a line of text\n", MinSize)), true},
		{"random", random, false},
	} {
		if _, ok := new(Codecs).Pack(tt.data); ok != tt.ok {
			t.Errorf("%s: packed %v, want %v", tt.name, ok, tt.ok)
		}
	}
}

// TestReuse: many goroutines share encoders and decoders, also after some have failed.
func TestReuse(t *testing.T) {
	var c Codecs
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 50 {
				data := bytes.Repeat([]byte{byte(i), byte(j)}, MinSize)
				packed, ok := c.Pack(data)
				if !ok {
					t.Error("not packed")
					return
				}
				if j%2 == 0 {
					packed = packed[:len(packed)/2]
				}
				d, err := c.Decoder(Memory(packed))
				if err != nil {
					t.Error(err)
					return
				}
				got, err := io.ReadAll(d)
				c.KeepDecoder(d)
				if j%2 == 0 && err == nil || j%2 == 1 && (err != nil || !bytes.Equal(got, data)) {
					t.Errorf("round %d: %d bytes, %v", j, len(got), err)
				}
			}
		})
	}
	wg.Wait()
}

// TestWindow: data that would need much memory is refused.
func TestWindow(t *testing.T) {
	var out bytes.Buffer
	e, err := zstd.NewWriter(&out, zstd.WithWindowSize(2*decoderWindow))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Write(make([]byte, 4*decoderWindow)); err != nil {
		t.Fatal(err)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	var c Codecs
	d, err := c.Decoder(Memory(out.Bytes()))
	if err == nil {
		defer c.KeepDecoder(d)
		_, err = io.Copy(io.Discard, d)
	}
	if err == nil {
		t.Error("a window of 16 MiB is accepted")
	}
}
