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

// sink is a writer with access to the bytes that it has stored.
type sink struct {
	w      io.Writer
	stored func() []byte
	most   int // maximum number of bytes that it stores
}

// fileSink returns a file in dir that had some content before.
func fileSink(t *testing.T, dir string, mode Mode) sink {
	t.Helper()
	path := filepath.Join(dir, "file")
	if err := os.WriteFile(path, []byte("before"), 0o666); err != nil {
		t.Fatal(err)
	}
	target, err := OpenTarget(context.Background(), path, mode)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { target.File.Close() })
	return sink{target.File, func() []byte {
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

func captureSink(t *testing.T, max int, overflow Overflow) sink {
	c := NewCapture(int64(max), overflow)
	t.Cleanup(func() { c.Close() })
	return sink{c, func() []byte {
		b, err := c.Bytes()
		if err != nil {
			t.Error(err)
		}
		return b
	}, max}
}

// sinks are the kinds of writers to which a stream may be copied beside a program.
var sinks = map[string]func(t *testing.T) sink{
	"file":           func(t *testing.T) sink { return fileSink(t, t.TempDir(), Atomic) },
	"file in place":  func(t *testing.T) sink { return fileSink(t, t.TempDir(), InPlace) },
	"file, added to": func(t *testing.T) sink { return fileSink(t, t.TempDir(), Append) },
	"capture":        func(t *testing.T) sink { return captureSink(t, 1<<30, Fail) },
	"capture, first": func(t *testing.T) sink { return captureSink(t, inMemory+100_000, Head) },
	"capture, small": func(t *testing.T) sink { return captureSink(t, 1000, Head) },
	"memory": func(t *testing.T) sink {
		var b bytes.Buffer
		return sink{&b, b.Bytes, 1 << 30}
	},
}

// sourceAndPipe returns a source to copy from, and a pipe to copy to.
func sourceAndPipe(t testing.TB) (s *Source, r, w *os.File) {
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

// copyBoth copies content, written in pieces, to a writer and a pipe, and returns what read has
// read from the pipe.
func copyBoth(t *testing.T, dst io.Writer, content []byte, read func(r *os.File) []byte) (piped []byte, err error) {
	t.Helper()
	s, r, w := sourceAndPipe(t)
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
	fan := Fan{Writers: []io.Writer{dst}, Pipes: []*os.File{w}, PipeDone: func(w *os.File) { w.Close() }}
	err = fan.Copy(s)
	s.Close()
	piped = <-got
	r.Close()
	return piped, err
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

func TestCopyBoth(t *testing.T) {
	for name, newSink := range sinks {
		for _, size := range []int{0, 1, 64<<10 - 1, 64 << 10, 64<<10 + 1, inMemory + 1, 3<<20 + 12345} {
			t.Run(fmt.Sprint(name, "/", size), func(t *testing.T) {
				k, content := newSink(t), random(size)
				piped, err := copyBoth(t, k.w, content, readAll)
				if err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(piped, content) {
					t.Errorf("the pipe got %d bytes of %d, or others", len(piped), size)
				}
				if stored := k.stored(); !bytes.Equal(stored, content[:min(size, k.most)]) {
					t.Errorf("the writer got %d bytes of %d, or others", len(stored), size)
				}
			})
		}
	}
}

// TestCopyBothEarlyClose: the writer gets everything, even if the program that reads stops early.
func TestCopyBothEarlyClose(t *testing.T) {
	for name, newSink := range sinks {
		t.Run(name, func(t *testing.T) {
			k, content := newSink(t), random(3<<20)
			piped, err := copyBoth(t, k.w, content, func(r *os.File) []byte {
				b := make([]byte, 100_000)
				n, _ := io.ReadFull(r, b)
				r.Close()
				return b[:n]
			})
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(piped, content[:100_000]) {
				t.Error("the pipe got something else")
			}
			if stored := k.stored(); !bytes.Equal(stored, content[:min(len(content), k.most)]) {
				t.Errorf("the writer got %d bytes of %d, or others", len(stored), len(content))
			}
		})
	}
}

// TestCopyBothFault: an error of the writer ends the copying, and is reported.
func TestCopyBothFault(t *testing.T) {
	t.Run("file", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(path, nil, 0o666); err != nil {
			t.Fatal(err)
		}
		f, err := os.Open(path) // opened only for reading
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		var fault *os.PathError
		if _, err := copyBoth(t, f, random(3<<20), readAll); !errors.As(err, &fault) || fault.Op != "write" || fault.Path != path {
			t.Errorf("the error is %v", err)
		}
	})
	t.Run("capture", func(t *testing.T) {
		c := NewCapture(inMemory+1000, Fail)
		defer c.Close()
		var fault *OverflowError
		if _, err := copyBoth(t, c, random(3<<20), readAll); !errors.As(err, &fault) {
			t.Errorf("the error is %v", err)
		}
		if c.Size() != inMemory+1000 {
			t.Errorf("%d bytes are stored", c.Size())
		}
	})
}

// BenchmarkCopyBoth copies a stream to a program and to a file.
func BenchmarkCopyBoth(b *testing.B) {
	const size = 64 << 20
	content := make([]byte, 128<<10)
	b.SetBytes(size)
	for b.Loop() {
		target, err := OpenTarget(context.Background(), filepath.Join(b.TempDir(), "file"), InPlace)
		if err != nil {
			b.Fatal(err)
		}
		s, r, w := sourceAndPipe(b)
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
		fan := Fan{Writers: []io.Writer{target.File}, Pipes: []*os.File{w}, PipeDone: func(w *os.File) { w.Close() }}
		if err := fan.Copy(s); err != nil {
			b.Fatal(err)
		}
		if n := <-done; n != size {
			b.Fatal(n)
		}
		s.Close()
		r.Close()
		target.File.Close()
	}
}
