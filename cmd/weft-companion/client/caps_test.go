package client

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	repb "github.com/bazelbuild/remote-apis/build/bazel/remote/execution/v2"
	"github.com/bazelbuild/remote-apis/build/bazel/semver"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/weftrun/weft/engine/cache"
)

func TestAbilities(t *testing.T) {
	base := newScript().caps
	for name, c := range map[string]struct {
		change func(*repb.ServerCapabilities)
		want   Abilities
		refuse string
	}{
		"usual":      {func(*repb.ServerCapabilities) {}, Abilities{API: "2.0-2.3", Writes: true, MaxBatch: 4 << 20}, ""},
		"no version": {func(s *repb.ServerCapabilities) { s.LowApiVersion, s.HighApiVersion = nil, nil }, Abilities{API: "2.0", Writes: true, MaxBatch: 4 << 20}, ""},
		"newer":      {func(s *repb.ServerCapabilities) { s.HighApiVersion = &semver.SemVer{Major: 3} }, Abilities{API: "2.0-3.0", Writes: true, MaxBatch: 4 << 20}, ""},
		"Buildbarn": {func(s *repb.ServerCapabilities) {
			s.LowApiVersion, s.HighApiVersion = &semver.SemVer{Major: 2, Minor: 3}, &semver.SemVer{Major: 2, Minor: 12}
		}, Abilities{API: "2.3-2.12", Writes: true, MaxBatch: 4 << 20}, ""},
		"too new":  {func(s *repb.ServerCapabilities) { s.LowApiVersion = &semver.SemVer{Major: 3} }, Abilities{}, "not 2"},
		"too old":  {func(s *repb.ServerCapabilities) { s.LowApiVersion, s.HighApiVersion = nil, &semver.SemVer{Major: 1} }, Abilities{}, "not 2"},
		"no cache": {func(s *repb.ServerCapabilities) { s.CacheCapabilities = nil }, Abilities{}, "no cache"},
		"no SHA-256": {func(s *repb.ServerCapabilities) {
			s.CacheCapabilities.DigestFunctions = []repb.DigestFunction_Value{repb.DigestFunction_BLAKE3}
		}, Abilities{}, "not SHA-256"},
		"read only": {func(s *repb.ServerCapabilities) { s.CacheCapabilities.ActionCacheUpdateCapabilities = nil }, Abilities{API: "2.0-2.3", MaxBatch: 4 << 20}, ""},
		"limits": {func(s *repb.ServerCapabilities) {
			s.CacheCapabilities.MaxBatchTotalSizeBytes, s.CacheCapabilities.MaxCasBlobSizeBytes = 1000, 2000
		}, Abilities{API: "2.0-2.3", Writes: true, MaxBatch: 1000, MaxBlob: 2000}, ""},
		"nonsense": {func(s *repb.ServerCapabilities) {
			s.CacheCapabilities.MaxBatchTotalSizeBytes, s.CacheCapabilities.MaxCasBlobSizeBytes = -1, -1
		}, Abilities{API: "2.0-2.3", Writes: true, MaxBatch: 4 << 20}, ""},
		"zstd for streams": {func(s *repb.ServerCapabilities) {
			s.CacheCapabilities.SupportedCompressors = []repb.Compressor_Value{repb.Compressor_DEFLATE, repb.Compressor_ZSTD}
		}, Abilities{API: "2.0-2.3", Writes: true, MaxBatch: 4 << 20, PackedStreams: true}, ""},
		"zstd for batches": {func(s *repb.ServerCapabilities) {
			s.CacheCapabilities.SupportedBatchUpdateCompressors = []repb.Compressor_Value{repb.Compressor_ZSTD}
		}, Abilities{API: "2.0-2.3", Writes: true, MaxBatch: 4 << 20, PackedBatches: true}, ""},
	} {
		caps := proto.Clone(base).(*repb.ServerCapabilities)
		c.change(caps)
		got, err := abilitiesOf(caps)
		if c.refuse != "" {
			if !is(err, refused) || !strings.Contains(err.Error(), c.refuse) {
				t.Errorf("%s: got %+v, %v", name, got, err)
			}
		} else if err != nil || got != withMissing(c.want) {
			t.Errorf("%s: got %+v, %v, want %+v", name, got, err, c.want)
		}
	}
}

// withMissing returns a with the number that is always the same.
func withMissing(a Abilities) Abilities {
	a.MaxMissing = maxMissing
	return a
}

// TestNegotiation: what the first call says decides what is asked later, and the user is told once.
func TestNegotiation(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*script)
		off    bool
		writes bool
		warns  string
	}{
		"usual":      {func(*script) {}, false, true, ""},
		"2.0 alone":  {func(s *script) { s.caps = nil }, false, true, ""},
		"read only":  {func(s *script) { s.caps.CacheCapabilities.ActionCacheUpdateCapabilities = nil }, false, false, "server:1 does not accept writes from here: reading only"},
		"no cache":   {func(s *script) { s.caps.CacheCapabilities = nil }, true, false, "server:1 cannot be used (it is no cache): going on without it"},
		"no results": {failing("GetActionResult", codes.Unimplemented), true, false, "server:1 keeps no results (not implemented: no): going on without it"},
		"denied":     {failing("GetCapabilities", codes.PermissionDenied), true, false, "server:1 refuses access (permission denied: no): going on without it"},
		"confused":   {failing("GetCapabilities", codes.InvalidArgument), true, false, "server:1 cannot be used (invalid argument: no): going on without it"},
		"down":       {failing("GetCapabilities", codes.Unavailable), false, false, "server:1 fails (unavailable: no): going on without it"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newScript()
				c.change(s)
				l := newLab(t, s, false)
				for range 3 {
					l.lookup(t.Context(), Call{}, cache.Digest{Size: 1})
				}
				a, off := l.status()
				if (off != "") != c.off || a.Writes != c.writes && !c.off {
					t.Errorf("got %+v, %q", a, off)
				}
				var want []string
				if c.warns != "" {
					want = []string{c.warns}
				}
				if got := l.say.last(); !slices.Equal(got, want) {
					t.Errorf("got %q, want %q", got, want)
				}
			})
		})
	}
}

// failing returns a change that has a method fail.
func failing(method string, code codes.Code) func(*script) {
	return func(s *script) {
		s.before = func(_ context.Context, m string, _ int) error {
			if m == method {
				return status.Error(code, "no")
			}
			return nil
		}
	}
}

// TestMetadata: every call says what it is for.
func TestMetadata(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript()
		l := newLab(t, s, false)
		call := Call{Action: strings.Repeat("ab", 32), Task: "build\xff"}
		blob := l.keep(bytesOf("meta", 2<<20))
		l.lookup(t.Context(), call, cache.Digest{Size: 1})
		if err := l.Cache.put(t.Context(), &storage{call: call, action: blob, blobs: []cache.Digest{blob, l.keep([]byte("x"))}, result: new(cache.ActionResult).Append(nil)}); err != nil {
			t.Fatal(err)
		}
		l.fetch(t.Context(), call, []cache.Digest{cache.DigestOf([]byte("y"))})
		for _, md := range s.seen {
			got := new(repb.RequestMetadata)
			if values := md.Get(metadataKey); len(values) != 1 || proto.Unmarshal([]byte(values[0]), got) != nil {
				t.Fatalf("got %q", md)
			}
			if got.ToolDetails.GetToolName() != "weft" || got.ToolDetails.GetToolVersion() != "v1" || got.ToolInvocationId != "run-1" || got.ActionId != call.Action && got.ActionId != "" || got.ActionId != "" && got.TargetId != "build?" {
				t.Errorf("got %v", got)
			}
		}
		if len(s.seen) != 7 {
			t.Errorf("%d calls", len(s.seen))
		}
	})
}

// TestTooLarge: what a server would not keep is not sent, nor is the result that has it.
func TestTooLarge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript()
		s.caps.CacheCapabilities.MaxCasBlobSizeBytes = 10_000
		l := newLab(t, s, false)
		large, small := l.keep(bytesOf("large", 10_001)), l.keep(bytesOf("small", 10_000))
		for range 2 {
			l.store(t.Context(), &storage{blobs: []cache.Digest{small, large}, result: []byte{}})
		}
		if s.count("FindMissingBlobs")+s.count("UpdateActionResult") > 0 {
			t.Errorf("got %v", s.calls)
		}
		if got := l.say.take(); len(got) != 1 || got[0] != "server:1 keeps no blob above 9.8 KiB: what has one is not stored" {
			t.Errorf("got %q", got)
		}
		l.store(t.Context(), &storage{blobs: []cache.Digest{small}, result: []byte{}})
		if l.pushed.Load() != 1 {
			t.Error("not stored")
		}
	})
}

// TestHostileSizes: a result can name blobs of any size.
func TestHostileSizes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, newScript(), false)
		for _, size := range []int64{-1, 1 << 62, 1<<63 - 1} {
			blobs := []cache.Digest{{Hash: [32]byte{1}, Size: size}, {Hash: [32]byte{2}, Size: size}}
			if _, err := l.fetch(t.Context(), Call{}, blobs); err == nil {
				t.Errorf("%d: no error", size)
			}
		}
		_, _, known := diskSpace(t.TempDir())
		if _, err := l.fetch(t.Context(), Call{}, []cache.Digest{{Hash: [32]byte{1}, Size: maxBlob}}); known && err != errNoSpace {
			t.Errorf("got %v", err)
		}
		if l.space.reserved != 0 {
			t.Errorf("%d bytes are set aside", l.space.reserved)
		}
	})
}

// TestQueue: what is stored does not wait for the server, and what there is no room for is dropped.
func TestQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		stored, release := 0, make(chan struct{})
		q := newQueue(func(ctx context.Context, group []*storage) {
			select {
			case <-release:
				mu.Lock()
				stored += len(group)
				mu.Unlock()
			case <-ctx.Done():
			}
		})
		accepted := 0
		for range 100 {
			if q.add(&storage{result: make([]byte, 1<<20)}) {
				accepted++
			}
			synctest.Wait()
		}
		if accepted < maxQueued>>20 || accepted > (maxQueued+maxStorers*maxGroupSize)>>20 || q.pending() != accepted {
			t.Errorf("%d accepted, %d pending", accepted, q.pending())
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		q.flush(ctx)
		close(release)
		q.flush(t.Context())
		if stored != accepted || q.pending() != 0 {
			t.Errorf("%d stored, %d pending", stored, q.pending())
		}
		q.flush(t.Context())
		q.close()
		if q.add(&storage{}) {
			t.Error("accepted after the end")
		}
	})
}

// TestProxy: gRPC goes through a proxy, whose password is for it alone.
func TestProxy(t *testing.T) {
	server := ownServer(t)
	var got http.Header
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		got = q.Header.Clone()
		if q.Method != http.MethodConnect || q.Host != "cache.invalid:1" {
			http.Error(w, "no", http.StatusForbidden)
			return
		}
		to, err := net.Dial("tcp", server)
		if err != nil {
			t.Error(err)
			return
		}
		w.WriteHeader(http.StatusOK)
		from, rest, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		var wg sync.WaitGroup
		wg.Go(func() { copyAndClose(to, rest.Reader) })
		wg.Go(func() { copyAndClose(from, bufio.NewReader(to)) })
		wg.Wait()
	}))
	t.Cleanup(proxy.Close)
	for host, want := range map[string]string{"cache.invalid:1": "", "other.invalid:1": "it answers 403"} {
		a := &address{rpc: true, network: "tcp", host: host}
		d := &dialer{address: a, proxy: func(bool, string) (*url.URL, error) {
			return url.Parse("http://u:p@" + strings.TrimPrefix(proxy.URL, "http://"))
		}}
		g, err := newGRPC(a, d.dial, nil, nil, identity{"v1", ""}, new(traffic))
		if err != nil {
			t.Fatal(err)
		}
		_, err = g.Negotiate(t.Context())
		if (err == nil) != (want == "") || err != nil && (!is(err, unreachable) || !strings.Contains(err.Error(), want)) || got.Get("Proxy-Authorization") == "" {
			t.Errorf("%s: %v, %v", host, err, got)
		}
		g.Close()
	}
}

func copyAndClose(to net.Conn, from io.Reader) {
	io.Copy(to, from)
	to.Close()
}

// TestOneWarning: of a server that stores nothing, and keeps no results either, there is one warning.
func TestOneWarning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript()
		s.caps.CacheCapabilities.ActionCacheUpdateCapabilities = nil
		s.before = func(_ context.Context, method string, _ int) error {
			if method == "GetActionResult" {
				return status.Error(codes.Unimplemented, "no such method")
			}
			return nil
		}
		l := newLab(t, s, false)
		if _, err := l.lookup(t.Context(), Call{}, cache.DigestOf([]byte("x"))); err == nil {
			t.Error("it keeps results")
		}
		if got := append(l.say.take(), l.say.last()...); len(got) != 1 || !strings.Contains(got[0], "keeps no results") {
			t.Errorf("got %q", got)
		}
		if got := l.say.last(); len(got) != 0 {
			t.Errorf("and then %q", got)
		}
	})
}
