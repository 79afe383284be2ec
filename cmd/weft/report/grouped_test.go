package report

import (
	"bytes"
	"io"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/weftrun/weft/engine/event"
)

// TestHeldIntoPipe: output held in a file is written unchanged to a pipe.
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

// TestGroupedService: output of a service is shown at once, that of other commands when they end.
func TestGroupedService(t *testing.T) {
	var r recorder
	g := New("group", r.options())
	for _, ev := range []event.Event{
		&event.StepStarted{Step: 1, Task: "api", Name: "api", Prefix: "api"}, &event.StepStarted{Step: 2, Task: "t", Name: "t", Prefix: "t"},
		&event.CommandStarted{Step: 1, Command: 0, Text: "x", Silent: true, Relayed: true}, outputEvent(1, "built\n"), &event.CommandEnded{Step: 1, Command: 0},
		&event.CommandStarted{Step: 1, Command: 1, Text: "x", Silent: true, Relayed: true, Service: true}, &event.GroupLines{Step: 1, Command: 1, Begin: "never"},
		&event.CommandStarted{Step: 2, Command: 0, Text: "y", Silent: true, Relayed: true}, outputEvent(2, "held\n"),
		&event.Output{Step: 1, Command: 1, Data: []byte("up\nhalf")},
	} {
		g.Handle(ev)
	}
	if got, want := r.out.String(), "built\n[api] up\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	g.Handle(&event.CommandEnded{Step: 2, Command: 0})
	g.Handle(&event.CommandEnded{Step: 1, Command: 1})
	g.Close()
	if got, want := r.out.String(), "built\n[api] up\nheld\n[api] half\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestHeldBrokenPipe: a closed reader is detected.
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
