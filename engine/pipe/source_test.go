package pipe

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/weftrun/weft/engine/clock"
)

// reading reads s to its end and passes the bytes to a function.
func reading(s *Source, to func([]byte)) <-chan error {
	ended := make(chan error, 1)
	go func() {
		b := make([]byte, 100)
		for {
			n, err := s.Read(b)
			to(b[:n])
			if err != nil {
				ended <- err
				return
			}
		}
	}()
	return ended
}

// until waits for a condition.
func until(t *testing.T, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !holds(); runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatal("waited in vain")
		}
	}
}

// another opens the writing end of s once more, as a leftover process does.
func another(t *testing.T, s *Source) *os.File {
	t.Helper()
	f, err := os.OpenFile(fmt.Sprintf("/dev/fd/%d", s.W.Fd()), os.O_WRONLY, 0)
	if err != nil {
		t.Skip("no other end of a pipe to be had: ", err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func TestLinger(t *testing.T) {
	var c clock.Clock
	c.Pause()
	s, err := NewSource(&c)
	if err != nil {
		t.Fatal(err)
	}
	other := another(t, s)
	data := make(chan []byte)
	ended := reading(s, func(b []byte) { data <- append([]byte(nil), b...) })
	s.W.WriteString("first")
	finished := make(chan struct{})
	go func() { s.Finish(); close(finished) }()
	// is waits until Finish waits for a slice of time to pass while the reader reads, or does not.
	is := func(reading bool) {
		t.Helper()
		until(t, func() bool { return c.Pending() == 1 && s.reads.Load()%2 == 1 == reading })
	}

	// Time in which the reader processes data does not count.
	for range 20 {
		is(false)
		c.Advance(slice)
	}
	is(false)
	if got := <-data; string(got) != "first" {
		t.Fatalf("read %q", got)
	}
	is(true)
	c.Advance(slice) // begun while the reader was busy
	// Data that arrives in the meantime is read, and does not prolong the wait.
	for range 9 {
		is(true)
		c.Advance(slice)
		is(true)
		other.WriteString("second")
		if got := <-data; string(got) != "second" {
			t.Fatalf("read %q", got)
		}
	}
	select {
	case <-finished:
		t.Fatal("it did not wait for the whole time")
	default:
	}
	is(true)
	c.Advance(slice)
	<-data
	if err := <-ended; err != ErrLingering {
		t.Fatal(err)
	}
	<-finished

	// Later data can still be read.
	ended = reading(s, func(b []byte) { data <- append([]byte(nil), b...) })
	other.WriteString("third")
	if got := <-data; string(got) != "third" {
		t.Fatalf("read %q", got)
	}
	other.WriteString("fourth")
	s.Abandon()
	if got := <-data; string(got) != "fourth" {
		t.Fatalf("read %q", got)
	}
	<-data
	if err := <-ended; err != io.EOF {
		t.Fatal(err)
	}
	s.Close()
}

func TestSourceEnds(t *testing.T) {
	var c clock.Clock
	c.Pause()
	s, err := NewSource(&c)
	if err != nil {
		t.Fatal(err)
	}
	var got []byte
	ended := reading(s, func(b []byte) { got = append(got, b...) })
	s.W.WriteString("all")
	s.Finish() // no time passes
	if err := <-ended; err != io.EOF || string(got) != "all" {
		t.Errorf("%v, %q", err, got)
	}
	s.Close()
	if c.Pending() != 0 {
		t.Error("a timer is left")
	}
}
