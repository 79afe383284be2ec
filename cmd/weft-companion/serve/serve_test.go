package serve

import (
	"bytes"
	"testing"

	repb "github.com/bazelbuild/remote-apis/build/bazel/remote/execution/v2"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/weftrun/weft/engine/cache"
)

func TestCapabilities(t *testing.T) {
	r := newRig(t)
	c, err := repb.NewCapabilitiesClient(r.conn).GetCapabilities(t.Context(), &repb.GetCapabilitiesRequest{InstanceName: "any/name"})
	if err != nil {
		t.Fatal(err)
	}
	k := c.CacheCapabilities
	if c.LowApiVersion.Major != 2 || c.HighApiVersion.Major != 2 || c.HighApiVersion.Minor != 3 || c.ExecutionCapabilities != nil {
		t.Errorf("got %v", c)
	}
	if len(k.DigestFunctions) != 1 || k.DigestFunctions[0] != repb.DigestFunction_SHA256 || k.MaxBatchTotalSizeBytes != 4128768 ||
		k.MaxCasBlobSizeBytes != 4<<30 || !k.ActionCacheUpdateCapabilities.UpdateEnabled || k.SymlinkAbsolutePathStrategy != repb.SymlinkAbsolutePathStrategy_ALLOWED ||
		len(k.SupportedCompressors) != 1 || len(k.SupportedBatchUpdateCompressors) != 1 {
		t.Errorf("got %v", k)
	}
	h, err := healthpb.NewHealthClient(r.conn).Check(t.Context(), &healthpb.HealthCheckRequest{})
	if err != nil || h.Status != healthpb.HealthCheckResponse_SERVING {
		t.Errorf("health: %v, %v", h, err)
	}
}

func TestBatches(t *testing.T) {
	r := newRig(t)
	small, large := []byte("hello"), bytesOf("large", 100_000)
	packed, ok := codecs.Pack(large)
	if !ok {
		t.Fatal("it does not shrink")
	}
	a, err := r.cas.BatchUpdateBlobs(t.Context(), &repb.BatchUpdateBlobsRequest{InstanceName: "one", Requests: []*repb.BatchUpdateBlobsRequest_Request{
		{Digest: message(cache.DigestOf(small)), Data: small},
		{Digest: message(cache.DigestOf(large)), Data: packed, Compressor: repb.Compressor_ZSTD},
		{Digest: message(cache.DigestOf([]byte("other"))), Data: []byte("wrong")},
		{Digest: message(cache.DigestOf([]byte("other"))), Data: []byte("longer")},
		{Digest: &repb.Digest{Hash: "../../etc/passwd", SizeBytes: 5}, Data: small},
		{Digest: message(emptyBlob)},
		{Digest: message(cache.DigestOf([]byte("third"))), Data: []byte("no zstd"), Compressor: repb.Compressor_ZSTD},
		{Digest: &repb.Digest{Hash: cache.DigestOf([]byte("x")).Hex(), SizeBytes: 1}, Data: packed, Compressor: repb.Compressor_ZSTD},
		{},
	}})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []codes.Code{codes.OK, codes.OK, codes.InvalidArgument, codes.InvalidArgument, codes.InvalidArgument, codes.OK, codes.InvalidArgument, codes.InvalidArgument, codes.InvalidArgument} {
		if got := codes.Code(a.Responses[i].Status.GetCode()); got != want {
			t.Errorf("blob %d: %s, want %s: %s", i, got, want, a.Responses[i].Status.GetMessage())
		}
	}
	b, err := r.cas.BatchReadBlobs(t.Context(), &repb.BatchReadBlobsRequest{InstanceName: "two", AcceptableCompressors: []repb.Compressor_Value{repb.Compressor_ZSTD}, Digests: []*repb.Digest{
		message(cache.DigestOf(small)), message(cache.DigestOf(large)), message(cache.DigestOf([]byte("other"))), message(emptyBlob),
	}})
	if err != nil {
		t.Fatal(err)
	}
	if got := b.Responses[0]; string(got.Data) != "hello" || got.Compressor != repb.Compressor_IDENTITY {
		t.Errorf("got %v", got)
	}
	got := b.Responses[1]
	if data, err := unpack(got.Data, int64(len(large))); err != nil || got.Compressor != repb.Compressor_ZSTD || !bytes.Equal(data, large) {
		t.Errorf("%s, %v", got.Compressor, err)
	}
	if got := b.Responses[2].Status.GetCode(); codes.Code(got) != codes.NotFound {
		t.Errorf("got %d", got)
	}
	if got := b.Responses[3]; len(got.Data) > 0 || got.Status.GetCode() != 0 {
		t.Errorf("got %v", got)
	}
	if n := r.missing(cache.DigestOf(small), cache.DigestOf(large), emptyBlob, cache.DigestOf([]byte("other"))); n != 1 {
		t.Errorf("%d are missing", n)
	}
	// Too large: the sum counts.
	huge := &repb.Digest{Hash: cache.DigestOf(small).Hex(), SizeBytes: maxBatch}
	_, err = r.cas.BatchReadBlobs(t.Context(), &repb.BatchReadBlobsRequest{Digests: []*repb.Digest{huge, huge}})
	wantCode(t, err, codes.InvalidArgument)
	_, err = r.cas.BatchUpdateBlobs(t.Context(), &repb.BatchUpdateBlobsRequest{Requests: []*repb.BatchUpdateBlobsRequest_Request{{Digest: huge, Data: make([]byte, maxBatch)}, {Data: small}}})
	wantCode(t, err, codes.InvalidArgument)
	_, err = r.cas.FindMissingBlobs(t.Context(), &repb.FindMissingBlobsRequest{DigestFunction: repb.DigestFunction_MD5})
	wantCode(t, err, codes.InvalidArgument)
}

// TestOnlyWholeFiles: nothing but what was sent as it should be is on the disk.
func TestOnlyWholeFiles(t *testing.T) {
	r := newRig(t)
	d := r.put([]byte("hello"))
	paths := filesIn(t, r.o.dir)
	want := "v1/cas/" + d.Hex()[:2] + "/" + d.Hex()
	found := false
	for _, p := range paths {
		found = found || p == want
		if p != want && p != "v1/state" && p != "v1/lock" {
			t.Errorf("there is %s", p)
		}
	}
	if !found {
		t.Errorf("there is no %s", want)
	}
}

func TestStreams(t *testing.T) {
	r := newRig(t)
	b := bytesOf("stream", 1_000_000)
	d := cache.DigestOf(b)
	up := "some/instance/uploads/u-1/blobs/" + d.String() + "/and/more"
	if n, err := r.write(up, 0, b, true); n != d.Size || err != nil {
		t.Fatal(n, err)
	}
	if n, err := r.write("uploads/u-2/blobs/"+d.String(), 0, b, true); n != d.Size || err != nil { // it is there
		t.Error(n, err)
	}
	for _, c := range []struct {
		offset, limit int64
		want          []byte
	}{{0, 0, b}, {10, 0, b[10:]}, {10, 5, b[10:15]}, {d.Size, 0, nil}, {d.Size - 1, 100, b[d.Size-1:]}} {
		if got, err := r.read("x/blobs/"+d.String(), c.offset, c.limit); err != nil || !bytes.Equal(got, c.want) {
			t.Errorf("from %d, at most %d: %d bytes, %v", c.offset, c.limit, len(got), err)
		}
	}
	got, err := r.read("compressed-blobs/zstd/"+d.String(), 20, 0)
	if err != nil || len(got) >= len(b) {
		t.Fatal(len(got), err)
	}
	if got, err := unpack(got, d.Size-20); err != nil || !bytes.Equal(got, b[20:]) {
		t.Error(err)
	}
	if got, err := r.read("blobs/"+emptyBlob.String(), 0, 0); err != nil || len(got) > 0 {
		t.Error(got, err)
	}
	for name, want := range map[string]codes.Code{
		"blobs/" + cache.DigestOf([]byte("x")).String(): codes.NotFound,
		"blobs/" + d.Hex() + "/1":                       codes.NotFound,
		"blobs/" + d.Hex() + "/-1":                      codes.InvalidArgument,
		"blobs/" + d.Hex() + "/01":                      codes.InvalidArgument,
		"blobs/../../etc/passwd/3":                      codes.InvalidArgument,
		up:                                              codes.InvalidArgument,
		"":                                              codes.InvalidArgument,
		"compressed-blobs/gzip/" + d.String():           codes.InvalidArgument,
	} {
		_, err := r.read(name, 0, 0)
		wantCode(t, err, want)
	}
	_, err = r.read("blobs/"+d.String(), d.Size+1, 0)
	wantCode(t, err, codes.OutOfRange)
	_, err = r.read("blobs/"+d.String(), -1, 0)
	wantCode(t, err, codes.OutOfRange)
	_, err = r.read("compressed-blobs/zstd/"+d.String(), 0, 5)
	wantCode(t, err, codes.InvalidArgument)
}

func TestStreamsThatAreWrong(t *testing.T) {
	r := newRig(t)
	b := bytesOf("wrong", 300_000)
	d := cache.DigestOf(b)
	packed, _ := codecs.Pack(b)
	bomb, _ := codecs.Pack(make([]byte, 4<<20))
	for what, write := range map[string]func() (int64, error){
		"shorter": func() (int64, error) { return r.write("uploads/1/blobs/"+d.String(), 0, b[1:], true) },
		"longer":  func() (int64, error) { return r.write("uploads/2/blobs/"+d.String(), 0, append(b, 1), true) },
		"other": func() (int64, error) {
			return r.write("uploads/3/blobs/"+d.String(), 0, append([]byte{b[0] + 1}, b[1:]...), true)
		},
		"without an end":          func() (int64, error) { return r.write("uploads/4/blobs/"+d.String(), 0, b, false) },
		"compressed, without end": func() (int64, error) { return r.write("uploads/5/compressed-blobs/zstd/"+d.String(), 0, packed, false) },
		"compressed, half": func() (int64, error) {
			return r.write("uploads/6/compressed-blobs/zstd/"+d.String(), 0, packed[:len(packed)/2], true)
		},
		"compressed, more": func() (int64, error) {
			return r.write("uploads/7/compressed-blobs/zstd/"+d.String(), 0, append(packed[:len(packed):len(packed)], "junk"...), true)
		},
		"compressed, a bomb":       func() (int64, error) { return r.write("uploads/8/compressed-blobs/zstd/"+d.String(), 0, bomb, true) },
		"compressed, no zstd":      func() (int64, error) { return r.write("uploads/9/compressed-blobs/zstd/"+d.String(), 0, b, true) },
		"to be read":               func() (int64, error) { return r.write("blobs/"+d.String(), 0, b, true) },
		"a size that is not there": func() (int64, error) { return r.write("uploads/10/blobs/"+d.Hex(), 0, b, true) },
	} {
		_, err := write()
		if status.Code(err) != codes.InvalidArgument {
			t.Errorf("%s: %v", what, err)
		}
	}
	_, err := r.write("uploads/11/blobs/"+d.String(), 7, b, true)
	wantCode(t, err, codes.OutOfRange)
	if r.missing(d) != 1 {
		t.Error("it is there")
	}
	if n, err := r.write("uploads/12/compressed-blobs/zstd/"+d.String(), 0, packed, true); err != nil || n != int64(len(packed)) {
		t.Error(n, err)
	}
	if n, err := r.write("uploads/13/compressed-blobs/zstd/"+d.String(), 0, packed, true); err != nil || n != -1 { // it is there
		t.Error(n, err)
	}
	if r.missing(d) != 0 {
		t.Error("it is not there")
	}
}
