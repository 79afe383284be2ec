package quickzip

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
)

// packed returns text compressed, by writes of these sizes, flushed after each flush of them.
func packed(t testing.TB, text []byte, size, flush int) []byte {
	t.Helper()
	var out bytes.Buffer
	z := NewWriter(&out)
	for i := 1; len(text) > 0; i++ {
		n := min(size, len(text))
		if m, err := z.Write(text[:n]); m != n || err != nil {
			t.Fatal(m, err)
		}
		if text = text[n:]; flush > 0 && i%flush == 0 {
			if err := z.Flush(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func unpacked(t testing.TB, b []byte) []byte {
	t.Helper()
	r, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// events are lines such as those of a run with so many steps.
func events(steps int) []byte {
	var b []byte
	at := 100_000
	for i := range steps {
		at += rand.IntN(30)
		b = fmt.Appendf(b, `{"event":"step_started","time":"2026-11-29T04:50:17.%06dZ","step":%d,"parent":10001,"task":"t%d","position":"Taskfile.yml:%d:3","reasons":["never up to date: it has neither sources nor status"]}`+"\n", at, i+1, i, i+5)
		b = fmt.Appendf(b, `{"event":"command_started","time":"2026-11-29T04:50:17.%06dZ","step":%d,"command":0,"text":"go build -o bin/%d","dir":"/home/me/project","position":"Taskfile.yml:%d:9"}`+"\n", at+1, i+1, i, i+5)
		b = fmt.Appendf(b, `{"event":"command_ended","time":"2026-11-29T04:50:17.%06dZ","step":%d,"command":0,"code":0,"seconds":0.%06d,"user_seconds":0.%06d}`+"\n", at+2, i+1, rand.IntN(100_000), rand.IntN(10_000))
		b = fmt.Appendf(b, `{"event":"step_settled","time":"2026-11-29T04:50:17.%06dZ","step":%d,"parent":10001,"task":"t%d","outcome":"succeeded","code":0,"seconds":0.%06d,"place":"here"}`+"\n", at+3, i+1, i, rand.IntN(100_000))
	}
	return b
}

func noise(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rand.Uint32())
	}
	return b
}

// TestRoundTrip: compress/gzip reads the text that was written.
func TestRoundTrip(t *testing.T) {
	for name, text := range map[string][]byte{
		"nothing":    nil,
		"one byte":   {'x'},
		"few bytes":  []byte("{\"a\":1}\n"),
		"one match":  []byte(strings.Repeat("x", 10_000)),
		"every byte": bytes.Repeat(noise(300), 300),
		"noise":      noise(300_000),
		"events":     events(1000),
		"far back":   append(append(events(20), noise(reach-5000)...), events(20)...),
	} {
		for _, size := range []int{7, 1000, 65_536, 1 << 20} {
			for _, flush := range []int{0, 1, 3} {
				if size == 7 && flush > 0 && len(text) > 20_000 {
					continue
				}
				if got := unpacked(t, packed(t, text, size, flush)); !bytes.Equal(got, text) {
					t.Fatalf("%s, by %d bytes, flushed after %d: %d bytes, want %d", name, size, flush, len(got), len(text))
				}
			}
		}
	}
}

// TestLengthsOfMatches: each length of a match, and longer repetitions.
func TestLengthsOfMatches(t *testing.T) {
	for n := range 1100 {
		text := append(append(noise(8), bytes.Repeat([]byte{'y'}, n)...), noise(20)...)
		if got := unpacked(t, packed(t, text, len(text), 0)); !bytes.Equal(got, text) {
			t.Fatalf("a match of %d bytes", n)
		}
	}
}

// TestFlush: a reader gets all that was written before Flush.
func TestFlush(t *testing.T) {
	var out bytes.Buffer
	z := NewWriter(&out)
	var want []byte
	for range 20 {
		more := events(rand.IntN(400))
		want = append(want, more...)
		z.Write(more)
		if err := z.Flush(); err != nil {
			t.Fatal(err)
		}
		r, err := gzip.NewReader(bytes.NewReader(out.Bytes()))
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := io.ReadAll(r); !bytes.Equal(got, want) {
			t.Fatalf("%d bytes, want %d", len(got), len(want))
		}
	}
}

type failing struct{ left int }

var errFull = errors.New("full")

func (f *failing) Write(p []byte) (int, error) {
	if f.left--; f.left < 0 {
		return 0, errFull
	}
	return len(p), nil
}

// TestFails: the first error stays, and nothing is written after it.
func TestFails(t *testing.T) {
	f := &failing{left: 1}
	z := NewWriter(f)
	if err := z.Flush(); err != nil {
		t.Fatal(err)
	}
	var err error
	for range 100 {
		if _, err = z.Write(noise(30_000)); err != nil {
			break
		}
	}
	if err != errFull || z.Flush() != errFull || z.Close() != errFull || f.left != -1 {
		t.Errorf("%v, %d", err, f.left)
	}
}

// TestSize: it is no more than by compress/gzip at its best speed.
func TestSize(t *testing.T) {
	text := events(10_000)
	var other bytes.Buffer
	z, _ := gzip.NewWriterLevel(&other, gzip.BestSpeed)
	z.Write(text)
	z.Close()
	if n := len(packed(t, text, len(text), 0)); n > other.Len() {
		t.Errorf("%d bytes of %d; compress/gzip needs %d", n, len(text), other.Len())
	}
}

func FuzzRoundTrip(f *testing.F) {
	f.Add([]byte("abc"), uint16(1), uint8(0))
	f.Add(events(3), uint16(100), uint8(1))
	f.Fuzz(func(t *testing.T, text []byte, size uint16, flush uint8) {
		text = bytes.Repeat(text, 1+int(size)%7)
		if got := unpacked(t, packed(t, text, 1+int(size), int(flush))); !bytes.Equal(got, text) {
			t.Error("it is another text")
		}
	})
}

func BenchmarkWrite(b *testing.B) {
	text := events(10_000)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		z := NewWriter(io.Discard)
		for rest := text; len(rest) > 0; {
			n := min(len(rest), 64<<10)
			z.Write(rest[:n])
			rest = rest[n:]
		}
		z.Close()
	}
}
