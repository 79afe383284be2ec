package serve

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"

	repb "github.com/bazelbuild/remote-apis/build/bazel/remote/execution/v2"
	bspb "google.golang.org/genproto/googleapis/bytestream"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/weftrun/weft/engine/cache"
)

// Both ends are in one process, so times and allocations are those of both.

// benchRig is newRig for benchmarks.
func benchRig(b *testing.B) *rig {
	b.Helper()
	r := newRig(b)
	r.store.scanned(b)
	b.ReportAllocs()
	b.ResetTimer()
	return r
}

// batch returns a thousand blobs of 4 KiB, which no other seed gives, and their digests.
func batch(seed string) (blobs [][]byte, digests []*repb.Digest) {
	for i := range 1000 {
		blob := bytesOf(fmt.Sprint(seed, i), 4096)
		blobs, digests = append(blobs, blob), append(digests, message(cache.DigestOf(blob)))
	}
	return blobs, digests
}

// update sends blobs in two batches.
func (r *rig) update(b *testing.B, blobs [][]byte, digests []*repb.Digest) {
	for at := 0; at < len(blobs); at += 500 {
		q := new(repb.BatchUpdateBlobsRequest)
		for i := at; i < at+500; i++ {
			q.Requests = append(q.Requests, &repb.BatchUpdateBlobsRequest_Request{Digest: digests[i], Data: blobs[i]})
		}
		if _, err := r.cas.BatchUpdateBlobs(b.Context(), q); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkUpload1000x4KiB(b *testing.B) {
	r := benchRig(b)
	for n := 0; b.Loop(); n++ {
		b.StopTimer()
		blobs, digests := batch(strconv.Itoa(n))
		b.StartTimer()
		r.update(b, blobs, digests)
	}
}

func BenchmarkDownload1000x4KiB(b *testing.B) {
	r := benchRig(b)
	blobs, digests := batch("down")
	r.update(b, blobs, digests)
	for b.Loop() {
		for at := 0; at < len(digests); at += 500 {
			a, err := r.cas.BatchReadBlobs(b.Context(), &repb.BatchReadBlobsRequest{Digests: digests[at : at+500]})
			if err != nil || len(a.Responses) != 500 {
				b.Fatal(err)
			}
		}
	}
}

func BenchmarkFindMissing10000(b *testing.B) {
	r := benchRig(b)
	q := new(repb.FindMissingBlobsRequest)
	for i := range 10 {
		blobs, digests := batch(strconv.Itoa(i))
		r.update(b, blobs, digests)
		q.BlobDigests = append(q.BlobDigests, digests...)
	}
	for b.Loop() {
		if a, err := r.cas.FindMissingBlobs(b.Context(), q); err != nil || len(a.MissingBlobDigests) > 0 {
			b.Fatal(a, err)
		}
	}
}

// BenchmarkLookUp asks for a result with an output and a log.
func BenchmarkLookUp(b *testing.B) {
	r := benchRig(b)
	d := message(r.put([]byte("output")))
	if err := r.keepResult("", "act", &repb.ActionResult{OutputFiles: []*repb.OutputFile{{Path: "a", Digest: d}}, StdoutDigest: d}); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := r.result("", "act"); err != nil {
			b.Fatal(err)
		}
	}
}

// largeBlob is the size of the blobs that are streamed, in bytes.
const largeBlob = 256 << 20

func BenchmarkUploadLarge(b *testing.B) {
	r := benchRig(b)
	b.SetBytes(largeBlob)
	content := make([]byte, largeBlob)
	for n := 0; b.Loop(); n++ {
		b.StopTimer()
		copy(content, strconv.Itoa(n))
		d := cache.DigestOf(content)
		b.StartTimer()
		stream, err := r.bytes.Write(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		name := fmt.Sprintf("uploads/%d/blobs/%s", n, d)
		for at := 0; at < len(content); at += 1 << 20 {
			if err := stream.Send(&bspb.WriteRequest{ResourceName: name, WriteOffset: int64(at), Data: content[at : at+1<<20], FinishWrite: at+1<<20 == len(content)}); err != nil {
				b.Fatal(err)
			}
		}
		if _, err := stream.CloseAndRecv(); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		r.store.blobs.remove(d.Hash, nil)
		b.StartTimer()
	}
}

// keepLarge has the store of r keep a large blob.
func (r *rig) keepLarge(b *testing.B) cache.Digest {
	b.Helper()
	content := make([]byte, largeBlob)
	d := cache.DigestOf(content)
	if err := r.store.put(d, content); err != nil {
		b.Fatal(err)
	}
	return d
}

func BenchmarkDownloadLarge(b *testing.B) {
	r := benchRig(b)
	d := r.keepLarge(b)
	b.SetBytes(largeBlob)
	for b.Loop() {
		stream, err := r.bytes.Read(b.Context(), &bspb.ReadRequest{ResourceName: "blobs/" + d.String()})
		if err != nil {
			b.Fatal(err)
		}
		n := 0
		for {
			m, err := stream.Recv()
			if err == io.EOF {
				break
			}
			if err != nil {
				b.Fatal(err)
			}
			n += len(m.Data)
		}
		if n != largeBlob {
			b.Fatal(n)
		}
	}
}

func BenchmarkDownloadLargeHTTP(b *testing.B) {
	r := benchRig(b)
	d := r.keepLarge(b)
	b.SetBytes(largeBlob)
	transport := new(http.Transport)
	defer transport.CloseIdleConnections()
	for b.Loop() {
		a, err := (&http.Client{Transport: transport}).Get("http://" + r.address + "/cas/" + d.Hex())
		if err != nil {
			b.Fatal(err)
		}
		if n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{a.Body}, make([]byte, 1<<20)); err != nil || n != largeBlob {
			b.Fatal(n, err)
		}
		a.Body.Close()
	}
}

// TestIndexMemory: a blob takes at most 120 bytes of the index. WEFT_BLOBS is how many there are.
func TestIndexMemory(t *testing.T) {
	n := 200_000
	if v, err := strconv.Atoi(os.Getenv("WEFT_BLOBS")); err == nil {
		n = v
	}
	f := new(files)
	for i := range f.shards {
		f.shards[i].known, f.shards[i].scanned = map[key]entry{}, true
	}
	heap := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := heap()
	for i := range n {
		k := key(cache.DigestOf(strconv.AppendInt(nil, int64(i), 10)).Hash)
		f.note(&f.shards[k[0]], k, entry{size: 1})
	}
	if each := (heap() - before) / int64(n); each > 120 {
		t.Errorf("%d bytes for each of %d", each, n)
	} else {
		t.Logf("%d bytes for each of %d", each, n)
	}
	runtime.KeepAlive(f)
}

// TestMemory: whatever is moved, beside many connections, the server keeps below 64 MiB. It runs as a process of its own.
// WEFT_BYTES is how large the blobs are.
func TestMemory(t *testing.T) {
	if runtime.GOOS != "linux" || testing.Short() {
		t.Skip("the peak of a process is read from /proc; with -short it may have the memory of the race detector")
	}
	size := 64 << 20
	if v, err := strconv.Atoi(os.Getenv("WEFT_BYTES")); err == nil {
		size = v
	}
	address, cmd := serveProcess(t, t.TempDir())
	content := bytes.Repeat([]byte("0123456789abcdef"), size/16)
	d := cache.DigestOf(content)
	path := "http://" + address + "/cas/" + d.Hex()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	do := func(method string, body io.Reader, header string) {
		t.Helper()
		q, err := http.NewRequestWithContext(ctx, method, path, body)
		if err != nil {
			t.Fatal(err)
		}
		if header != "" {
			q.Header.Set("Accept-Encoding", header)
		}
		a, err := http.DefaultClient.Do(q)
		if err != nil {
			t.Fatal(err)
		}
		defer a.Body.Close()
		if n, err := io.Copy(io.Discard, a.Body); a.StatusCode != 200 || err != nil {
			t.Fatalf("%s: %s, %d bytes, %v", method, a.Status, n, err)
		}
	}
	defer http.DefaultClient.CloseIdleConnections()
	for range 200 { // of gRPC, which stay
		c, err := grpc.NewClient("dns:///"+address, grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := repb.NewContentAddressableStorageClient(c).FindMissingBlobs(ctx, &repb.FindMissingBlobsRequest{}); err != nil {
			t.Fatal(err)
		}
	}
	do("PUT", bytes.NewReader(content), "")
	do("GET", nil, "")
	do("GET", nil, "zstd")
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(string(status), "VmHWM:")
	kib, err := strconv.Atoi(strings.Fields(text)[0])
	if err != nil || kib > 64<<10 {
		t.Errorf("the peak is %d KiB, %v", kib, err)
	}
	t.Logf("the peak is %d KiB", kib)
}
