package channel

import (
	"bufio"
	"context"
	"io"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// writes counts what is written, and passes it on.
type writes struct {
	io.WriteCloser
	mu sync.Mutex // guards n
	n  int
}

func (w *writes) Write(b []byte) (int, error) {
	w.mu.Lock()
	w.n++
	w.mu.Unlock()
	return w.WriteCloser.Write(b)
}

func (w *writes) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.n
}

// TestJoinedRequests: few requests are written at once, many together.
func TestJoinedRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		toServer, fromClient := io.Pipe()
		toClient, fromServer := io.Pipe()
		w := &writes{WriteCloser: fromClient}
		c := NewClient(toClient, w)
		go io.Copy(io.Discard, toServer) // which never answers
		ctx, cancel := context.WithCancel(t.Context())
		var asking sync.WaitGroup
		ask := func() {
			asking.Go(func() { c.Lookup(ctx, &LookupRequest{}) })
			synctest.Wait()
		}
		want := func(step string, n int) {
			t.Helper()
			if got := w.count(); got != n {
				t.Errorf("%s: %d writes, want %d", step, got, n)
			}
		}
		for i := range manyOpen - 1 {
			ask()
			want("few", i+1)
		}
		for range 100 {
			ask()
		}
		want("many", manyOpen-1)
		time.Sleep(gather)
		synctest.Wait()
		want("later", manyOpen)
		cancel()
		asking.Wait()
		c.Close()
		fromServer.Close()
		c.Wait()
	})
}

// TestJoinedAnswers: answers that are ready while another one is written are written together.
func TestJoinedAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		toServer, fromClient := io.Pipe()
		toClient, fromServer := io.Pipe()
		w := &writes{WriteCloser: fromServer}
		go Serve(context.Background(), toServer, w, Hello{Version: "v1"}, &handler{})
		const n = 20
		send := func(kind int, m message) {
			for id := range n {
				b, err := encodeFrame(uint64(id+1), kind, m)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := fromClient.Write(b); err != nil {
					t.Fatal(err)
				}
				if kind == fieldHello {
					return
				}
			}
		}
		in := bufio.NewReader(toClient)
		send(fieldHello, &Hello{Number: Number, Version: "v1"})
		if _, err := readFrame(in); err != nil {
			t.Fatal(err)
		}
		send(fieldTaskfileRequest, &TaskfileRequest{})
		synctest.Wait() // nobody reads
		seen := map[uint64]bool{}
		for range n {
			f, err := readFrame(in)
			if err != nil || f.kind != fieldTaskfile {
				t.Fatal(f.kind, err)
			}
			seen[f.id] = true
		}
		if len(seen) != n {
			t.Errorf("%d answers", len(seen))
		}
		synctest.Wait()
		if got := w.count(); got > 3 {
			t.Errorf("%d writes", got)
		}
		fromClient.Close()
		synctest.Wait()
	})
}
