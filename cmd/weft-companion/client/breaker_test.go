package client

import (
	"context"
	"fmt"
	"net"
	"os"
	"slices"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/weftrun/weft/engine/cache"
)

// TestRetryInfo: the server says how long to wait.
func TestRetryInfo(t *testing.T) {
	for wants, waits := range map[time.Duration]time.Duration{3 * time.Second: 3 * time.Second, time.Hour: maxAfter} {
		synctest.Test(t, func(t *testing.T) {
			s := newScript()
			st, err := status.New(codes.Unavailable, "later").WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(wants)})
			if err != nil {
				t.Fatal(err)
			}
			s.before = func(_ context.Context, method string, n int) error {
				if method == "FindMissingBlobs" && n == 1 {
					return st.Err()
				}
				return nil
			}
			l := newLab(t, s, false)
			began := time.Now()
			if err := l.put(); err != nil {
				t.Error(err)
			}
			if took := time.Since(began); took != waits {
				t.Errorf("it took %s, want %s", took, waits)
			}
		})
	}
}

func TestDelay(t *testing.T) {
	for attempt := 1; attempt < 100; attempt++ {
		longest := 5 * time.Second
		if attempt < 6 {
			longest = 100 * time.Millisecond << (attempt - 1)
		}
		for range 100 {
			if d := delay(attempt, 0); d < 0 || d > longest {
				t.Fatalf("attempt %d: %s", attempt, d)
			}
		}
	}
}

func TestBreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := new(breaker)
		call := func(v verdict) (made, opened bool) {
			epoch, ok := b.enter()
			return ok, ok && b.leave(epoch, v)
		}
		want := func(step string, v verdict, made, opened bool) {
			t.Helper()
			if m, o := call(v); m != made || o != opened {
				t.Fatalf("%s: made %v, opened %v", step, m, o)
			}
		}
		for range 4 {
			want("few failures", fails, true, false)
			time.Sleep(time.Second)
		}
		time.Sleep(breakWithin)
		for range 4 {
			want("others, later", fails, true, false)
			want("together with them", fails, true, false)
			want("success", works, true, false)
			time.Sleep(time.Second)
		}
		late, _ := b.enter()
		want("the fifth", fails, true, true)
		want("open", works, false, false)
		if b.leave(late, works) {
			t.Fatal("a call that began before counts")
		}
		time.Sleep(breakFor)
		epoch, ok := b.enter()
		if !ok {
			t.Fatal("no probe")
		}
		want("beside the probe", works, false, false)
		b.leave(epoch, nothing)
		want("another probe", works, true, false)
		for i := range 2 {
			want("gone", gone, true, true)
			time.Sleep(breakFor - 1)
			want("too early", works, false, false)
			time.Sleep(time.Nanosecond)
			if i == 0 {
				want("probe", works, true, false)
			}
		}
		want("off", works, false, false)
		if !b.isOff() {
			t.Error("not off")
		}
	})
}

// TestRefused: a server that nobody is at costs no time, and is told of once. When it comes back it
// is used.
func TestRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, newScript(), false)
		refused := true
		var mu sync.Mutex
		l.dialed = func() error {
			mu.Lock()
			defer mu.Unlock()
			if refused {
				return &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
			}
			return nil
		}
		began := time.Now()
		for range 1000 {
			if _, err := l.lookup(t.Context(), Call{}, cache.Digest{Size: 1}); err == nil || is(err, absent) {
				t.Fatalf("got %v", err)
			}
		}
		if took := time.Since(began); took > 0 {
			t.Errorf("it took %s", took)
		}
		if got, want := l.say.take(), []string{"server:1 cannot be reached (connection refused): going on without it"}; !slices.Equal(got, want) {
			t.Errorf("got %q", got)
		}
		mu.Lock()
		refused = false
		mu.Unlock()
		time.Sleep(breakFor)
		for range 3 {
			if _, err := l.lookup(t.Context(), Call{}, cache.Digest{Size: 1}); !is(err, absent) {
				t.Errorf("got %v", err)
			}
		}
		if got := l.say.take(); len(got) > 0 {
			t.Errorf("got %q", got)
		}
	})
}

// TestSilence: a server that does not answer takes 5 seconds of a run that connects, and little of
// one that is connected.
func TestSilence(t *testing.T) {
	for _, silent := range []string{"GetCapabilities", "GetActionResult"} {
		t.Run(silent, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newScript()
				s.before = func(ctx context.Context, method string, n int) error {
					if method == silent {
						<-ctx.Done()
						return ctx.Err()
					}
					return nil
				}
				l := newLab(t, s, false)
				began := time.Now()
				for range 20 {
					one := time.Now()
					if _, err := l.lookup(t.Context(), Call{}, cache.Digest{Size: 1}); err == nil || is(err, absent) {
						t.Fatalf("got %v", err)
					}
					if took := time.Since(one); took > 5*time.Second {
						t.Errorf("a look-up took %s", took)
					}
				}
				longest := 5 * time.Second
				if silent != "GetCapabilities" {
					longest *= breakAfter
				}
				if took := time.Since(began); took > longest+surveyPause {
					t.Errorf("it took %s", took)
				}
				if got := l.say.take(); len(got) != 1 {
					t.Errorf("got %q", got)
				}
			})
		})
	}
}

// TestFetchStalls: a fetch ends when nothing has arrived for 30 seconds, and not while something
// arrives.
func TestFetchStalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript()
		blob := s.put(bytesOf("slow", 3<<20))
		s.read = slowRead(40, 20*time.Second)
		l := newLab(t, s, false)
		var wg sync.WaitGroup
		for range 2 { // the second one waits for the first
			wg.Go(func() {
				began := time.Now()
				missing, err := l.fetch(t.Context(), Call{}, []cache.Digest{blob})
				if took := time.Since(began); len(missing) > 0 || !is(err, late) || took < 30*time.Second+39*20*time.Second || took > 32*time.Second+40*20*time.Second {
					t.Errorf("after %s: %v, %v", took, missing, err)
				}
			})
		}
		wg.Wait()
		if n := s.count("Read"); n != 1 {
			t.Errorf("%d reads", n)
		}
	})
}

// TestGate: so many calls are made at a time, and those for which somebody waits go first.
func TestGate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := new(gate)
		var order []string
		var mu sync.Mutex
		note := func(text string) {
			mu.Lock()
			order = append(order, text)
			mu.Unlock()
		}
		var leaves []func()
		for i := range maxCalls {
			k := asking
			if i < maxBlobCalls {
				k = reading
			}
			leave, err := g.enter(t.Context(), k)
			if err != nil {
				t.Fatal(err)
			}
			leaves = append(leaves, leave)
		}
		ctx, cancel := context.WithCancel(t.Context())
		for i, k := range []kind{storing, reading, asking} {
			go func() {
				if _, err := g.enter(ctx, k); err != nil {
					note("given up")
					return
				}
				note(fmt.Sprint(i))
			}()
			synctest.Wait()
		}
		leaves[0]() // of one that carries blobs
		synctest.Wait()
		leaves[maxBlobCalls]()
		synctest.Wait()
		cancel()
		synctest.Wait()
		if want := []string{"2", "0", "given up"}; !slices.Equal(order, want) {
			t.Errorf("got %q, want %q", order, want)
		}
		if g.calls != maxCalls || g.blobs != maxBlobCalls || len(g.waiting)+len(g.asking) != 0 {
			t.Errorf("got %+v", g)
		}
	})
}
