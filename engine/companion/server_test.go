package companion

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/weftrun/weft/engine/channel"
)

// connected is the URL of the rig's connection; nil before.
var connected atomic.Pointer[string]

func (*rig) Connect(_ context.Context, q *channel.ConnectRequest) (*channel.Connection, error) {
	connected.Store(&q.URL)
	return &channel.Connection{Server: q.URL}, nil
}

// Lookup answers with the process and its connection.
func (*rig) Lookup(ctx context.Context, q *channel.LookupRequest) (*channel.Found, error) {
	if q.Task == "die" {
		os.Exit(7)
	}
	if q.Task == "wait" {
		<-ctx.Done()
	}
	url := connected.Load()
	if url == nil {
		return nil, &channel.Error{Text: "not connected"}
	}
	return &channel.Found{Warnings: []string{strconv.Itoa(os.Getpid()), *url}}, nil
}

func (*rig) Fetch(context.Context, *channel.FetchRequest) (*channel.Fetched, error) {
	return &channel.Fetched{Problem: "late"}, nil
}

func (*rig) Store(context.Context, *channel.StoreRequest) (*channel.Stored, error) {
	return &channel.Stored{Accepted: true}, nil
}

func (*rig) Flush(context.Context, *channel.FlushRequest) (*channel.Totals, error) {
	return &channel.Totals{Pushed: 5}, nil
}

func (*rig) Upload(context.Context, *channel.UploadRequest) (*channel.Uploaded, error) {
	return &channel.Uploaded{Failure: channel.Failure{Class: channel.Missing}}, nil
}

// Execute answers with what a connection is for, unless it is to die once.
func (*rig) Execute(_ context.Context, q *channel.ExecuteRequest, stage func(channel.Stage)) (*channel.Executed, error) {
	stage(channel.Queued)
	if f, err := os.OpenFile(q.Profile, os.O_CREATE|os.O_EXCL, 0o600); err == nil {
		f.Close()
		os.Exit(7)
	}
	return &channel.Executed{Result: []byte(*connected.Load())}, nil
}

// TestServerExecutes: an action is executed again by the next program if one dies, with its stages.
func TestServerExecutes(t *testing.T) {
	c := playing(t, "plain")
	s, _ := shared(c)
	stages := 0
	a, err := s.Execute(t.Context(), &channel.ExecuteRequest{Profile: filepath.Join(t.TempDir(), "once")}, func(channel.Stage) { stages++ })
	if err != nil || string(a.Result) != "grpc://a" || stages == 0 || c.died != 1 {
		t.Errorf("got %+v, %v, %d stages", a, err, stages)
	}
	if a, err := s.Upload(t.Context(), &channel.UploadRequest{}); err != nil || a.Failure.Class != channel.Missing {
		t.Errorf("got %+v, %v", a, err)
	}
}

// shared returns the Server of a Companion, and the number of connections so far.
func shared(c *Companion) (s *Server, connections func() int) {
	var n atomic.Int32
	s = c.Server(&channel.ConnectRequest{URL: "grpc://a"}, func(a *channel.Connection) {
		if a.Server == "grpc://a" {
			n.Add(1)
		}
	})
	return s, func() int { return int(n.Load()) }
}

// lookup returns the process that has answered a lookup.
func lookup(t *testing.T, s *Server, task string) string {
	t.Helper()
	a, err := s.Lookup(t.Context(), &channel.LookupRequest{Task: task})
	if err != nil || len(a.Warnings) != 2 || a.Warnings[1] != "grpc://a" {
		t.Fatalf("got %v, %v", a, err)
	}
	return a.Warnings[0]
}

// TestServer: a program is connected before the first request, and once.
func TestServer(t *testing.T) {
	c := playing(t, "plain")
	s, connections := shared(c)
	if a, err := s.Flush(t.Context(), &channel.FlushRequest{}); err != nil || a.Pushed != 0 || c.current != nil {
		t.Errorf("a flush before everything: %v, %v, %v", a, err, c.current)
	}
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() {
			if _, err := s.Lookup(context.Background(), &channel.LookupRequest{}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if pid := lookup(t, s, ""); pid != ask(t, c, "pid") {
		t.Errorf("another program than for the other requests: %s", pid)
	}
	if a, err := s.Fetch(t.Context(), &channel.FetchRequest{}); err != nil || a.Problem != "late" {
		t.Errorf("got %v, %v", a, err)
	}
	if a, err := s.Store(t.Context(), &channel.StoreRequest{}); err != nil || !a.Accepted {
		t.Errorf("got %v, %v", a, err)
	}
	if a, err := s.Flush(t.Context(), &channel.FlushRequest{}); err != nil || a.Pushed != 5 {
		t.Errorf("got %v, %v", a, err)
	}
	if n := connections(); n != 1 {
		t.Errorf("%d connections", n)
	}
}

// TestServerDies: the next program is connected, too, and there is no third one.
func TestServerDies(t *testing.T) {
	c := playing(t, "plain")
	s, connections := shared(c)
	pid := lookup(t, s, "")
	n, err := strconv.Atoi(pid)
	if err != nil {
		t.Fatal(err)
	}
	p, err := os.FindProcess(n)
	if err == nil {
		err = p.Kill()
	}
	if err != nil {
		t.Fatal(err)
	}
	for lookup(t, s, "") == pid {
	}
	if n := connections(); n != 2 {
		t.Errorf("%d connections", n)
	}
	_, err = s.Lookup(t.Context(), &channel.LookupRequest{Task: "die"})
	unavailable(t, err, "crashed again after a restart")
	if a, err := s.Flush(t.Context(), &channel.FlushRequest{}); err != nil || a.Pushed != 0 {
		t.Errorf("a flush after the end: %v, %v", a, err)
	}
}

// TestServerCancelled: requests end with their context, also while a program is started.
func TestServerCancelled(t *testing.T) {
	for _, name := range []string{"silent", "plain"} {
		s, _ := shared(playing(t, name))
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				if _, err := s.Lookup(ctx, &channel.LookupRequest{Task: "wait"}); err != context.Canceled {
					t.Errorf("got %v", err)
				}
			})
		}
		cancel()
		wg.Wait()
		if _, err := s.Flush(ctx, &channel.FlushRequest{}); err != nil && err != context.Canceled {
			t.Errorf("got %v", err)
		}
	}
}
