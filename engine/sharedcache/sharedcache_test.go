package sharedcache

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/weftrun/weft/engine/cache"
	"github.com/weftrun/weft/engine/channel"
	"github.com/weftrun/weft/engine/companion"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fake is a second program. Nil functions answer with zero values.
type fake struct {
	lookup func(ctx context.Context, q *channel.LookupRequest) (*channel.Found, error)
	fetch  func(ctx context.Context, q *channel.FetchRequest) (*channel.Fetched, error)
	store  func(ctx context.Context, q *channel.StoreRequest) (*channel.Stored, error)
	flush  func(ctx context.Context, q *channel.FlushRequest) (*channel.Totals, error)

	mu       sync.Mutex
	requests int
}

func answer[Q, A any](f *fake, ctx context.Context, do func(context.Context, *Q) (*A, error), q *Q) (*A, error) {
	f.mu.Lock()
	f.requests++
	f.mu.Unlock()
	if do == nil {
		return new(A), nil
	}
	return do(ctx, q)
}

func (f *fake) Lookup(ctx context.Context, q *channel.LookupRequest) (*channel.Found, error) {
	return answer(f, ctx, f.lookup, q)
}

func (f *fake) Fetch(ctx context.Context, q *channel.FetchRequest) (*channel.Fetched, error) {
	return answer(f, ctx, f.fetch, q)
}

func (f *fake) Store(ctx context.Context, q *channel.StoreRequest) (*channel.Stored, error) {
	return answer(f, ctx, f.store, q)
}

func (f *fake) Flush(ctx context.Context, q *channel.FlushRequest) (*channel.Totals, error) {
	return answer(f, ctx, f.flush, q)
}

func newCache(t *testing.T, f *fake) *Cache {
	return &Cache{client: f, local: t.TempDir(), told: map[string]bool{}}
}

var action = cache.DigestOf([]byte("action"))

// result is a result with n files.
func result(n int) *cache.ActionResult {
	r := &cache.ActionResult{}
	for i := range n {
		name := strconv.Itoa(i)
		r.Files = append(r.Files, cache.OutputFile{Path: name, Digest: cache.DigestOf([]byte(name))})
	}
	return r
}

// lookup looks up a result, if that is of use.
func lookup(ctx context.Context, c *Cache) *cache.ActionResult {
	if !c.Usable() {
		return nil
	}
	return c.Lookup(ctx, "t", action)
}

func TestLookup(t *testing.T) {
	large := result(20_000)
	for name, tt := range map[string]struct {
		answer channel.Found
		want   *cache.ActionResult
		warned string
	}{
		"miss":         {channel.Found{}, nil, ""},
		"hit":          {channel.Found{Lookup: channel.Hit, Result: result(2).Append(nil)}, result(2), ""},
		"empty":        {channel.Found{Lookup: channel.Hit}, &cache.ActionResult{}, ""},
		"warning":      {channel.Found{Warnings: []string{"odd"}}, nil, "odd"},
		"broken":       {channel.Found{Lookup: channel.Hit, Result: []byte("\x0a")}, nil, `what is stored for "t" cannot be used (malformed message: `},
		"large":        {channel.Found{Lookup: channel.Hit, Large: channel.Blob(cache.DigestOf(large.Append(nil)))}, large, ""},
		"large, gone":  {channel.Found{Lookup: channel.Hit, Large: channel.Blob(action)}, nil, `what is stored for "t" cannot be used (the blob `},
		"much too big": {channel.Found{Lookup: channel.Hit, Large: channel.Blob{Size: 1 << 40}}, nil, `what is stored for "t" cannot be used (it has 1099511627776 bytes): running it`},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCache(t, &fake{lookup: func(_ context.Context, q *channel.LookupRequest) (*channel.Found, error) {
				if *q != (channel.LookupRequest{Action: channel.Blob(action), Task: "t"}) {
					t.Errorf("got %+v", q)
				}
				return &tt.answer, nil
			}})
			disk, err := cache.Open(c.local)
			if err != nil {
				t.Fatal(err)
			}
			defer disk.Close()
			if _, err := disk.Put(large.Append(nil)); err != nil {
				t.Fatal(err)
			}
			got := lookup(t.Context(), c)
			if (got == nil) != (tt.want == nil) || got != nil && string(got.Append(nil)) != string(tt.want.Append(nil)) {
				t.Errorf("got %+v", got)
			}
			if warned := strings.Join(c.Warnings(), "|"); !strings.HasPrefix(warned, tt.warned) || tt.warned == "" && warned != "" {
				t.Errorf("warned %q", warned)
			}
			totals := c.Flush(t.Context(), time.Second)
			if told := name == "warning"; (totals == nil) != told || !told && *totals != (Totals{Misses: 1}) {
				t.Errorf("totals: %+v", totals)
			}
		})
	}
}

// TestOff: after the server said so, or the second program is not available, nothing is requested.
func TestOff(t *testing.T) {
	for name, f := range map[string]func() (*channel.Found, error){
		"off": func() (*channel.Found, error) {
			return &channel.Found{Lookup: channel.Off, Warnings: []string{"gone"}}, nil
		},
		"unavailable": func() (*channel.Found, error) { return nil, &companion.UnavailableError{What: "gone"} },
	} {
		t.Run(name, func(t *testing.T) {
			second := &fake{lookup: func(context.Context, *channel.LookupRequest) (*channel.Found, error) { return f() }}
			c := newCache(t, second)
			for range 3 {
				if lookup(t.Context(), c) != nil {
					t.Error("a hit")
				}
				c.Store("t", &cache.Key{Messages: [][]byte{nil}}, result(0))
			}
			if w := c.Warnings(); !slices.Equal(w, []string{"gone"}) {
				t.Errorf("warned %q", w)
			}
			if c.Flush(t.Context(), time.Second) != nil {
				t.Error("there are totals")
			}
			if second.requests != 2 { // and the flush
				t.Errorf("%d requests", second.requests)
			}
		})
	}
}

// TestUnused: nothing is requested without a use.
func TestUnused(t *testing.T) {
	second := &fake{}
	if newCache(t, second).Flush(t.Context(), time.Second) != nil || second.requests != 0 {
		t.Error("used")
	}
}

// TestLate: a program that does not answer costs a few lookups their limit, and one warning.
func TestLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		silent := func(ctx context.Context, _ *channel.LookupRequest) (*channel.Found, error) {
			<-ctx.Done()
			return nil, context.Cause(ctx)
		}
		c := newCache(t, &fake{lookup: silent})
		start := time.Now()
		for range 1000 {
			lookup(t.Context(), c)
		}
		if took := time.Since(start); took != maxLate*lookupLimit {
			t.Errorf("took %v", took)
		}
		if w := c.Warnings(); !slices.Equal(w, []string{errLate.Error()}) {
			t.Errorf("warned %q", w)
		}
	})
}

// TestCancelled: the end of a run is not a failure of the cache.
func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	c := newCache(t, &fake{lookup: func(ctx context.Context, _ *channel.LookupRequest) (*channel.Found, error) {
		cancel()
		<-ctx.Done()
		return nil, ctx.Err()
	}})
	if lookup(ctx, c) != nil || c.off || len(c.Warnings()) > 0 {
		t.Errorf("off: %v", c.off)
	}
}

func TestFetch(t *testing.T) {
	many := result(channel.MaxBlobs + 5).Blobs(&cache.Log{})
	for name, tt := range map[string]struct {
		answer channel.Fetched
		err    error
		there  bool
		warned []string
	}{
		"all":      {channel.Fetched{}, nil, true, nil},
		"missing":  {channel.Fetched{Missing: []channel.Blob{channel.Blob(action)}}, nil, false, []string{`what is stored for "t" is not whole (blob ` + action.Hex()[:8] + ` is missing): running it`}},
		"problem":  {channel.Fetched{Problem: "late"}, nil, false, []string{`what is stored for "t" cannot be fetched (late): running it`}},
		"its own":  {channel.Fetched{Problem: "late", Warnings: []string{"cannot be reached"}}, nil, false, []string{"cannot be reached"}},
		"an error": {channel.Fetched{}, &channel.Error{Text: "odd"}, false, []string{"odd"}},
	} {
		t.Run(name, func(t *testing.T) {
			var got []channel.Blob
			c := newCache(t, &fake{fetch: func(_ context.Context, q *channel.FetchRequest) (*channel.Fetched, error) {
				got = append(got, q.Blobs...)
				if q.Task != "t" || len(q.Blobs) > channel.MaxBlobs {
					t.Errorf("%d blobs of %q", len(q.Blobs), q.Task)
				}
				return &tt.answer, tt.err
			}})
			for range 2 { // of the same warning one is enough
				if there := c.Fetch(t.Context(), "t", many); there != tt.there {
					t.Errorf("there: %v", there)
				}
			}
			if w := c.Warnings(); !slices.Equal(w, tt.warned) {
				t.Errorf("warned %q", w)
			}
			if tt.there && len(got) != 2*len(many) {
				t.Errorf("%d blobs were fetched", len(got))
			}
		})
	}
}

func TestStore(t *testing.T) {
	key := &cache.Key{Action: action, Messages: [][]byte{[]byte("action"), []byte("act"), []byte("command")}}
	large := result(20_000)
	for name, r := range map[string]*cache.ActionResult{"small": result(3), "large": large} {
		t.Run(name, func(t *testing.T) {
			var mu sync.Mutex
			var got *channel.StoreRequest
			c := newCache(t, &fake{
				store: func(_ context.Context, q *channel.StoreRequest) (*channel.Stored, error) {
					mu.Lock()
					defer mu.Unlock()
					got = q
					return &channel.Stored{Accepted: true, Warnings: []string{"w"}}, nil
				},
				flush: func(_ context.Context, q *channel.FlushRequest) (*channel.Totals, error) {
					return &channel.Totals{Pushed: 1, Pending: 2, Up: 3, Down: 4, Warnings: []string{"w", "x"}}, nil
				},
			})
			c.Store("t", key, r)
			totals := c.Flush(t.Context(), time.Minute)
			if totals == nil || *totals != (Totals{Pushed: 1, Pending: 2, Up: 3, Down: 4}) {
				t.Errorf("totals: %+v", totals)
			}
			if w := c.Warnings(); !slices.Equal(w, []string{"w", "x"}) {
				t.Errorf("warned %q", w)
			}
			want := &channel.StoreRequest{Task: "t", Action: channel.Blob(action), Message: []byte("action"), Command: []byte("command"), Result: r.Append(nil)}
			if r == large {
				want.Result, want.Large = nil, channel.Blob(cache.DigestOf(large.Append(nil)))
				disk, err := cache.Open(c.local)
				if err != nil {
					t.Fatal(err)
				}
				defer disk.Close()
				f, err := disk.OpenBlob(t.Context(), cache.Digest(want.Large))
				if err != nil {
					t.Fatal(err)
				}
				f.Close()
			}
			mu.Lock()
			defer mu.Unlock()
			if !reflect.DeepEqual(got, want) {
				t.Errorf("got %+v", got)
			}
		})
	}
}

// TestFlushEnds: a signal, or a program that does not answer, ends a flush; the numbers are those
// of that moment.
func TestFlushEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCache(t, &fake{flush: func(ctx context.Context, q *channel.FlushRequest) (*channel.Totals, error) {
			if q.Limit == 0 {
				return &channel.Totals{Pushed: 1, Pending: 1, Up: 1}, nil
			}
			<-ctx.Done()
			return nil, ctx.Err()
		}})
		c.used = true
		for _, cancelled := range []bool{false, true} {
			ctx, cancel := context.WithCancel(t.Context())
			if cancelled {
				cancel()
			}
			start := time.Now()
			totals := c.Flush(ctx, 3*time.Second)
			if took := time.Since(start); totals == nil || totals.Pending != 1 || took > 4*time.Second || cancelled && took > 0 {
				t.Errorf("%+v after %v", totals, took)
			}
			cancel()
		}
	})
}

// TestFlushDuringConnect: results that the second program has not been given yet, because it still
// connects, are pending.
func TestFlushDuringConnect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		connected := make(chan struct{})
		wait := func(ctx context.Context) error {
			select {
			case <-connected:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		c := newCache(t, &fake{
			store: func(ctx context.Context, _ *channel.StoreRequest) (*channel.Stored, error) {
				return &channel.Stored{Warnings: []string{"refused"}}, wait(ctx)
			},
			flush: func(ctx context.Context, _ *channel.FlushRequest) (*channel.Totals, error) {
				return new(channel.Totals), wait(ctx)
			},
		})
		c.Store("t", &cache.Key{Messages: [][]byte{nil}}, result(0))
		if totals := c.Flush(t.Context(), time.Second); totals == nil || totals.Pending != 1 {
			t.Errorf("while it connects: %+v", totals)
		}
		time.AfterFunc(5*time.Second, func() { close(connected) })
		if totals := c.Flush(t.Context(), 30*time.Second); totals != nil {
			t.Errorf("when the server has refused: %+v", totals)
		}
		if w := c.Warnings(); !slices.Equal(w, []string{"refused"}) {
			t.Errorf("warned %q", w)
		}
	})
}

var errOdd = errors.New("odd")

func TestRefuse(t *testing.T) {
	c := newCache(t, &fake{})
	c.Refuse("a\x1b", errOdd)
	c.Refuse("b", errOdd)
	if w := c.Warnings(); !slices.Equal(w, []string{`what is stored for "a\x1b" cannot be used (odd): running it`}) || len(c.Warnings()) > 0 {
		t.Errorf("warned %q", w)
	}
}
