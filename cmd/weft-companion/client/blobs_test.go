package client

import (
	"bytes"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"context"

	repb "github.com/bazelbuild/remote-apis/build/bazel/remote/execution/v2"
	bspb "google.golang.org/genproto/googleapis/bytestream"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/weftrun/weft/engine/cache"
)

// slowRead sends a blob in pieces of a KiB, so many, each after a pause, and then nothing.
func slowRead(pieces int, pause time.Duration) func(int, []byte, *bspb.ReadRequest, bspb.ByteStream_ReadServer) error {
	return func(_ int, b []byte, _ *bspb.ReadRequest, stream bspb.ByteStream_ReadServer) error {
		for range pieces {
			select {
			case <-time.After(pause):
			case <-stream.Context().Done():
				return stream.Context().Err()
			}
			if err := stream.Send(&bspb.ReadResponse{Data: b[:1024]}); err != nil {
				return err
			}
			b = b[1024:]
		}
		<-stream.Context().Done()
		return stream.Context().Err()
	}
}

// TestBatchLimits moves blobs with servers that take different batches.
func TestBatchLimits(t *testing.T) {
	for name, c := range map[string]struct {
		change        func(*script)
		batched       bool
		largest       int
		reads, writes int // calls with one blob
	}{
		"none stated":   {func(s *script) {}, true, 4 << 20, 1, 1},
		"1 KiB":         {func(s *script) { s.caps.CacheCapabilities.MaxBatchTotalSizeBytes = 1 << 10 }, false, 0, 41, 41},
		"1 MiB":         {func(s *script) { s.caps.CacheCapabilities.MaxBatchTotalSizeBytes = 1 << 20 }, true, 1 << 20, 1, 1},
		"API 2.0 alone": {func(s *script) { s.caps = nil }, true, 4 << 20, 1, 1},
		"no batches": {func(s *script) {
			s.before = func(_ context.Context, method string, _ int) error {
				if method == "BatchReadBlobs" || method == "BatchUpdateBlobs" {
					return status.Error(codes.Unimplemented, "")
				}
				return nil
			}
		}, true, 0, 41, 41},
		"too large once": {func(s *script) {
			s.before = func(_ context.Context, method string, n int) error {
				if (method == "BatchReadBlobs" || method == "BatchUpdateBlobs") && n == 1 {
					return status.Error(codes.ResourceExhausted, "")
				}
				return nil
			}
		}, true, 4 << 20, 1, 1},
		"always too large": {func(s *script) {
			s.before = func(_ context.Context, method string, n int) error {
				if method == "BatchReadBlobs" || method == "BatchUpdateBlobs" {
					return status.Error(codes.ResourceExhausted, "")
				}
				return nil
			}
		}, true, 0, 41, 41},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newScript()
				c.change(s)
				up := newLab(t, s, false)
				var blobs []cache.Digest
				for i := range 40 {
					blobs = append(blobs, up.keep(bytesOf(fmt.Sprint(name, i), 30_000)))
				}
				blobs = append(blobs, up.keep(bytesOf(name, 2<<20)))
				if err := up.put(blobs...); err != nil {
					t.Fatal(err)
				}
				writes := s.count("Write")
				down := newLab(t, s, false)
				for range 2 { // the second time there is nothing to do
					if missing, err := down.fetch(t.Context(), Call{}, append(blobs, blobs...)); len(missing) > 0 || err != nil {
						t.Fatal(missing, err)
					}
				}
				down.has(blobs...)
				if batched := s.count("BatchReadBlobs")+s.count("BatchUpdateBlobs") > 0; batched != c.batched || s.largest > c.largest {
					t.Errorf("batches: %v, the largest with %d bytes", batched, s.largest)
				}
				if reads := s.count("Read"); reads != c.reads || writes < c.writes || writes > c.writes+1 { // the Action, too
					t.Errorf("%d reads, %d writes", reads, writes)
				}
			})
		})
	}
}

// TestUploadOnce: what the server has is not sent, what several results need is sent once, and when
// the server loses something it is asked again.
func TestUploadOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript()
		l := newLab(t, s, false)
		had := l.keep(bytesOf("had", 3<<20))
		s.put(bytesOf("had", 3<<20))
		shared := l.keep(bytesOf("shared", 3<<20))
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() {
				if err := l.put(had, shared); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if n := s.count("Write"); n != 1 {
			t.Errorf("%d writes", n)
		}
		asked := s.count("FindMissingBlobs")
		if err := l.put(had, shared); err != nil || s.count("FindMissingBlobs") != asked {
			t.Errorf("asked again: %v", err)
		}
		time.Sleep(knownFor)
		if err := l.put(had, shared); err != nil || s.count("FindMissingBlobs") != asked+1 {
			t.Errorf("not asked again: %v", err)
		}
		if _, err := l.fetch(t.Context(), Call{}, []cache.Digest{cache.DigestOf([]byte("lost"))}); err != nil {
			t.Error(err)
		}
		if err := l.put(had, shared); err != nil || s.count("FindMissingBlobs") != asked+2 {
			t.Errorf("not asked after a loss: %v", err)
		}
	})
}

// TestUploadWithoutDigests: a server may name no digests in its answer about a batch, which then is in order;
// one that leaves out blobs has not kept them.
func TestUploadWithoutDigests(t *testing.T) {
	for name, c := range map[string]struct {
		kept func(*repb.BatchUpdateBlobsResponse)
		ok   bool
	}{
		"no digests": {func(a *repb.BatchUpdateBlobsResponse) {
			for _, r := range a.Responses {
				r.Digest = nil
			}
		}, true},
		"no digests, one refused": {func(a *repb.BatchUpdateBlobsResponse) {
			for _, r := range a.Responses {
				r.Digest = nil
			}
			a.Responses[1].Status = status.New(codes.InvalidArgument, "no").Proto()
		}, false},
		"no digests, fewer answers": {func(a *repb.BatchUpdateBlobsResponse) {
			a.Responses = a.Responses[1:]
			for _, r := range a.Responses {
				r.Digest = nil
			}
		}, false},
		"one of another blob": {func(a *repb.BatchUpdateBlobsResponse) { a.Responses[0].Digest = a.Responses[1].Digest }, false},
		"nothing":             {func(a *repb.BatchUpdateBlobsResponse) { a.Responses = nil }, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newScript()
				s.kept = c.kept
				l := newLab(t, s, false)
				if err := l.put(l.keep([]byte("one")), l.keep([]byte("two"))); (err == nil) != c.ok {
					t.Errorf("%v", err)
				}
			})
		})
	}
}

// TestFetchOnce: a blob that many want is downloaded once, even if the first one gives up.
func TestFetchOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript()
		blob := s.put(bytesOf("wanted", 2<<20))
		arrived, ready := make(chan struct{}, 10), make(chan struct{})
		s.read = func(_ int, b []byte, _ *bspb.ReadRequest, stream bspb.ByteStream_ReadServer) error {
			arrived <- struct{}{}
			select {
			case <-ready:
			case <-stream.Context().Done():
				return stream.Context().Err()
			}
			return sendBytes(stream, b)
		}
		l := newLab(t, s, false)
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := l.fetch(ctx, Call{}, []cache.Digest{blob}); err == nil {
				t.Error("fetched although it was cancelled")
			}
		})
		<-arrived
		for range 9 {
			wg.Go(func() {
				if missing, err := l.fetch(t.Context(), Call{}, []cache.Digest{blob}); len(missing) > 0 || err != nil {
					t.Error(missing, err)
				}
			})
		}
		synctest.Wait()
		cancel()
		<-arrived
		close(ready)
		wg.Wait()
		if n := s.count("Read"); n != 2 {
			t.Errorf("%d reads", n)
		}
		l.has(blob)
	})
}

// TestWrongBytes: what is not the blob is never kept. It is asked for once more, uncompressed.
func TestWrongBytes(t *testing.T) {
	content := bytesOf("right", 150_000)
	other := bytesOf("wrong", 150_000)
	bomb := packBytes(make([]byte, 16<<20))
	for name, answer := range map[string]func(packed bool) []byte{
		"short":            func(packed bool) []byte { return content[:len(content)-1] },
		"empty":            func(packed bool) []byte { return nil },
		"long":             func(packed bool) []byte { return append(bytes.Clone(content), 0) },
		"other":            func(packed bool) []byte { return other },
		"compressed other": func(packed bool) []byte { return packBytes(other) },
		"bomb":             func(packed bool) []byte { return bomb },
		"noise":            func(packed bool) []byte { return bytesOf("noise", 1000) },
	} {
		for _, far := range []bool{false, true} {
			for _, always := range []bool{false, true} {
				t.Run(fmt.Sprint(name, far, always), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						s := newScript()
						s.caps.CacheCapabilities.SupportedCompressors = []repb.Compressor_Value{repb.Compressor_ZSTD}
						s.caps.CacheCapabilities.MaxBatchTotalSizeBytes = 1 // streams alone
						blob := s.put(content)
						s.read = func(n int, b []byte, q *bspb.ReadRequest, stream bspb.ByteStream_ReadServer) error {
							_, packed := resourceOf(q.ResourceName)
							if packed != (far && n == 1) {
								t.Errorf("read %d: %s", n, q.ResourceName)
							}
							if n == 1 || always {
								return sendBytes(stream, answer(packed))
							}
							return sendBytes(stream, b[q.ReadOffset:])
						}
						l := newLab(t, s, far)
						missing, err := l.fetch(t.Context(), Call{}, []cache.Digest{blob})
						if err != nil || always != slices.Contains(missing, blob) || s.count("Read") != 2 {
							t.Errorf("%v, %v after %d reads", missing, err, s.count("Read"))
						}
						if l.local.Has(blob) == always {
							t.Error("kept, or not")
						}
						if !always {
							l.has(blob)
						}
					})
				})
			}
		}
	}
}

// TestWrongBatch: the same in batches, whose answers may also lack blobs, or have others.
func TestWrongBatch(t *testing.T) {
	a, b := bytesOf("a", 10_000), bytesOf("b", 20_000)
	for name, change := range map[string]func(*repb.BatchReadBlobsResponse){
		"other":     func(r *repb.BatchReadBlobsResponse) { r.Responses[0].Data = b },
		"short":     func(r *repb.BatchReadBlobsResponse) { r.Responses[0].Data = a[:100] },
		"lacking":   func(r *repb.BatchReadBlobsResponse) { r.Responses = r.Responses[1:] },
		"empty":     func(r *repb.BatchReadBlobsResponse) { r.Responses = nil },
		"no digest": func(r *repb.BatchReadBlobsResponse) { r.Responses[0].Digest = nil },
		"more": func(r *repb.BatchReadBlobsResponse) {
			r.Responses = append(r.Responses, &repb.BatchReadBlobsResponse_Response{Digest: sent(cache.DigestOf([]byte("x"))), Data: []byte("x")})
		},
		"twice": func(r *repb.BatchReadBlobsResponse) { r.Responses = append(r.Responses, r.Responses...) },
		"bomb": func(r *repb.BatchReadBlobsResponse) {
			r.Responses[0].Data, r.Responses[0].Compressor = packBytes(make([]byte, 16<<20)), repb.Compressor_ZSTD
		},
		"unasked": func(r *repb.BatchReadBlobsResponse) { r.Responses[0].Compressor = repb.Compressor_DEFLATE },
		"too large": func(r *repb.BatchReadBlobsResponse) {
			r.Responses[0] = &repb.BatchReadBlobsResponse_Response{Digest: r.Responses[0].Digest, Status: status.New(codes.ResourceExhausted, "").Proto()}
		},
		"packed": func(r *repb.BatchReadBlobsResponse) {
			r.Responses[0].Data, r.Responses[0].Compressor = packBytes(r.Responses[0].Data), repb.Compressor_ZSTD
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newScript()
				blobs := []cache.Digest{s.put(a), s.put(b)}
				s.batch = change
				l := newLab(t, s, true)
				missing, err := l.fetch(t.Context(), Call{}, append(blobs, cache.DigestOf([]byte("absent"))))
				if err != nil || len(missing) != 1 {
					t.Errorf("%v, %v", missing, err)
				}
				l.has(blobs...)
				if l.local.Has(cache.DigestOf([]byte("x"))) {
					t.Error("it keeps what was not asked for")
				}
			})
		})
	}
}

// TestResume: what broke off goes on where it was, or begins anew.
func TestResume(t *testing.T) {
	content := bytesOf("resumed", 5<<19)
	for name, c := range map[string]struct {
		forget bool // the server does not know the upload any more
		refuse bool // it does, but takes no rest
		far    bool // compressed: always from the start
		writes int
	}{
		"go on":      {writes: 2},
		"forgotten":  {forget: true, writes: 2},
		"refused":    {refuse: true, writes: 3},
		"compressed": {far: true, writes: 2},
	} {
		t.Run("up/"+name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newScript()
				s.caps.CacheCapabilities.SupportedCompressors = []repb.Compressor_Value{repb.Compressor_ZSTD}
				s.breakWrite = 1<<20 + 100
				s.before = func(_ context.Context, method string, n int) error {
					switch {
					case method == "QueryWriteStatus" && c.forget:
						return status.Error(codes.NotFound, "")
					case method == "Write" && n == 2 && c.refuse:
						return status.Error(codes.InvalidArgument, "offset")
					}
					return nil
				}
				l := newLab(t, s, c.far)
				blob := l.keep(content)
				if err := l.put(blob); err != nil {
					t.Fatal(err)
				}
				if n := s.count("Write"); n != c.writes || (s.count("QueryWriteStatus") == 0) != c.far {
					t.Errorf("%d writes, %d queries", n, s.count("QueryWriteStatus"))
				}
				if went := slices.Max(s.starts) == int64(s.breakWrite); went != (name == "go on" || name == "refused") || s.blobs[blob.String()] == nil {
					t.Errorf("writes began at %d", s.starts)
				}
			})
		})
		if c.forget || c.refuse {
			continue
		}
		t.Run("down/"+name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newScript()
				s.caps.CacheCapabilities.SupportedCompressors = []repb.Compressor_Value{repb.Compressor_ZSTD}
				blob := s.put(content)
				var offsets []int64
				s.read = func(n int, b []byte, q *bspb.ReadRequest, stream bspb.ByteStream_ReadServer) error {
					offsets = append(offsets, q.ReadOffset)
					b = b[q.ReadOffset:]
					if _, packed := resourceOf(q.ResourceName); packed {
						b = packBytes(b)
					}
					if n == 1 {
						if err := sendBytes(stream, b[:200_000]); err != nil {
							return err
						}
						return status.Error(codes.Unavailable, "broken")
					}
					return sendBytes(stream, b)
				}
				l := newLab(t, s, c.far)
				if missing, err := l.fetch(t.Context(), Call{}, []cache.Digest{blob}); err != nil || len(missing) > 0 {
					t.Fatal(missing, err)
				}
				l.has(blob)
				want := []int64{0, 200_000}
				if c.far {
					want[1] = 0
				}
				if !slices.Equal(offsets, want) {
					t.Errorf("read from %d", offsets)
				}
			})
		})
	}
}

// TestEarlyAnswer: a server that has a blob may say so before all of it was sent.
func TestEarlyAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript()
		s.early = true
		l := newLab(t, s, false)
		if err := l.put(l.keep(bytesOf("early", 20<<20))); err != nil {
			t.Fatal(err)
		}
		if sent := l.traffic.up.Load(); sent > 10<<20 || s.count("Write") != 1 {
			t.Errorf("%d bytes were sent with %d writes", sent, s.count("Write"))
		}
	})
}
