package pipe

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/weftrun/weft/engine/clock"
)

// keeper is a tap, and a way to what it has kept.
type keeper struct {
	w    io.Writer
	kept func() []byte
	most int // bytes it keeps
}

// fileTap is a file in dir that had some content before.
func fileTap(t *testing.T, dir string, mode Mode) keeper {
	t.Helper()
	path := filepath.Join(dir, "tap")
	if err := os.WriteFile(path, []byte("before"), 0o666); err != nil {
		t.Fatal(err)
	}
	target, err := OpenTarget(context.Background(), path, mode)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { target.Close() })
	return keeper{target.File, func() []byte {
		if mode == Atomic {
			if err := target.Commit(); err != nil {
				t.Error(err)
			}
		}
		b, err := os.ReadFile(path)
		if err != nil {
			t.Error(err)
		}
		if mode == Append {
			b = bytes.TrimPrefix(b, []byte("before"))
		}
		return b
	}, 1 << 30}
}

func captureTap(t *testing.T, max int, overflow Overflow) keeper {
	c := NewCapture(int64(max), overflow)
	t.Cleanup(func() { c.Close() })
	return keeper{c, func() []byte {
		b, err := c.Bytes()
		if err != nil {
			t.Error(err)
		}
		return b
	}, max}
}

// taps are the things that a stream may be copied to beside a program.
var taps = map[string]func(t *testing.T) keeper{
	"file":           func(t *testing.T) keeper { return fileTap(t, t.TempDir(), Atomic) },
	"file in place":  func(t *testing.T) keeper { return fileTap(t, t.TempDir(), InPlace) },
	"file, added to": func(t *testing.T) keeper { return fileTap(t, t.TempDir(), Append) },
	"capture":        func(t *testing.T) keeper { return captureTap(t, 1<<30, Fail) },
	"capture, first": func(t *testing.T) keeper { return captureTap(t, inMemory+100_000, Head) },
	"capture, small": func(t *testing.T) keeper { return captureTap(t, 1000, Head) },
	"memory": func(t *testing.T) keeper {
		var b bytes.Buffer
		return keeper{&b, b.Bytes, 1 << 30}
	},
}

// sourceAndFlow makes what is copied from, and a flow to copy to.
func sourceAndFlow(t testing.TB) (s *Source, r, w *os.File) {
	t.Helper()
	s, err := NewSource(new(clock.Clock))
	if err != nil {
		t.Fatal(err)
	}
	if r, w, err = ForPrograms(); err != nil {
		t.Fatal(err)
	}
	return s, r, w
}

// tapped copies content, written in pieces, to a tap and a flow.
func tapped(t *testing.T, tap io.Writer, content []byte, read func(r *os.File) []byte) (flow []byte, err error) {
	t.Helper()
	s, r, w := sourceAndFlow(t)
	go func() {
		defer s.Finish()
		rnd := rand.New(rand.NewPCG(uint64(len(content)), 1))
		for rest := content; len(rest) > 0; {
			n := min(len(rest), 1+rnd.IntN(1<<(4*rnd.IntN(5))+1))
			if _, err := s.W.Write(rest[:n]); err != nil {
				return
			}
			rest = rest[n:]
		}
	}()
	got := make(chan []byte)
	go func() { got <- read(r) }()
	fan := Fan{Taps: []io.Writer{tap}, Flows: []*os.File{w}, Flowed: func(w *os.File) { w.Close() }}
	err = fan.Copy(s)
	s.Close()
	flow = <-got
	r.Close()
	return flow, err
}

func readAll(r *os.File) []byte {
	b, _ := io.ReadAll(r)
	return b
}

func random(n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{1}).Read(b)
	return b
}

func TestTapped(t *testing.T) {
	for name, tap := range taps {
		for _, size := range []int{0, 1, 64<<10 - 1, 64 << 10, 64<<10 + 1, inMemory + 1, 3<<20 + 12345} {
			t.Run(fmt.Sprint(name, "/", size), func(t *testing.T) {
				k, content := tap(t), random(size)
				flow, err := tapped(t, k.w, content, readAll)
				if err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(flow, content) {
					t.Errorf("the flow got %d bytes of %d, or others", len(flow), size)
				}
				if kept := k.kept(); !bytes.Equal(kept, content[:min(size, k.most)]) {
					t.Errorf("the tap got %d bytes of %d, or others", len(kept), size)
				}
			})
		}
	}
}

// TestTappedEarlyClose: the tap gets everything, though the program that reads
// has had enough.
func TestTappedEarlyClose(t *testing.T) {
	for name, tap := range taps {
		t.Run(name, func(t *testing.T) {
			k, content := tap(t), random(3<<20)
			flow, err := tapped(t, k.w, content, func(r *os.File) []byte {
				b := make([]byte, 100_000)
				n, _ := io.ReadFull(r, b)
				r.Close()
				return b[:n]
			})
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(flow, content[:100_000]) {
				t.Error("the flow got something else")
			}
			if kept := k.kept(); !bytes.Equal(kept, content[:min(len(content), k.most)]) {
				t.Errorf("the tap got %d bytes of %d, or others", len(kept), len(content))
			}
		})
	}
}

// TestTappedFault: what a tap cannot take ends the copying, and is told.
func TestTappedFault(t *testing.T) {
	t.Run("file", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(path, nil, 0o666); err != nil {
			t.Fatal(err)
		}
		f, err := os.Open(path) // not to be written
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		var fault *os.PathError
		if _, err := tapped(t, f, random(3<<20), readAll); !errors.As(err, &fault) || fault.Op != "write" || fault.Path != path {
			t.Errorf("the error is %v", err)
		}
	})
	t.Run("capture", func(t *testing.T) {
		c := NewCapture(inMemory+1000, Fail)
		defer c.Close()
		var fault *OverflowError
		if _, err := tapped(t, c, random(3<<20), readAll); !errors.As(err, &fault) {
			t.Errorf("the error is %v", err)
		}
		if c.Size() != inMemory+1000 {
			t.Errorf("%d bytes are kept", c.Size())
		}
	})
}

// BenchmarkTapped copies a stream to a program and to a file beside it.
func BenchmarkTapped(b *testing.B) {
	const size = 64 << 20
	content := make([]byte, 128<<10)
	b.SetBytes(size)
	for b.Loop() {
		target, err := OpenTarget(context.Background(), filepath.Join(b.TempDir(), "tap"), InPlace)
		if err != nil {
			b.Fatal(err)
		}
		s, r, w := sourceAndFlow(b)
		go func() {
			for range size / len(content) {
				s.W.Write(content)
			}
			s.Finish()
		}()
		done := make(chan int64)
		go func() {
			n, _ := io.Copy(io.Discard, r)
			done <- n
		}()
		fan := Fan{Taps: []io.Writer{target.File}, Flows: []*os.File{w}, Flowed: func(w *os.File) { w.Close() }}
		if err := fan.Copy(s); err != nil {
			b.Fatal(err)
		}
		if n := <-done; n != size {
			b.Fatal(n)
		}
		s.Close()
		r.Close()
		target.Close()
	}
}
