package client

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	repb "github.com/bazelbuild/remote-apis/build/bazel/remote/execution/v2"
	bspb "google.golang.org/genproto/googleapis/bytestream"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/weftrun/weft/engine/cache"
	"github.com/weftrun/weft/engine/channel"
)

// bare is a client without anything that it could do without: it makes the same calls one after
// another, and verifies what it receives.
type bare struct {
	b     testing.TB
	dir   string
	conn  *grpc.ClientConn
	cas   repb.ContentAddressableStorageClient
	bytes bspb.ByteStreamClient
}

func newBare(b testing.TB, address string) *bare {
	b.Helper()
	conn, err := grpc.NewClient("passthrough:///"+address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { conn.Close() })
	return &bare{b, b.TempDir(), conn, repb.NewContentAddressableStorageClient(conn), bspb.NewByteStreamClient(conn)}
}

// upload sends the blobs that the server lacks, from files named by their hashes.
func (c *bare) upload(dir string, digests []*repb.Digest) {
	c.b.Helper()
	ctx := context.Background()
	missing, err := c.cas.FindMissingBlobs(ctx, &repb.FindMissingBlobsRequest{BlobDigests: digests})
	c.check(err)
	q := new(repb.BatchUpdateBlobsRequest)
	size := int64(0)
	flush := func() {
		if size > 0 {
			_, err := c.cas.BatchUpdateBlobs(ctx, q)
			c.check(err)
		}
		q, size = new(repb.BatchUpdateBlobsRequest), 0
	}
	for _, d := range missing.MissingBlobDigests {
		if d.SizeBytes > maxSmall {
			c.write(filepath.Join(dir, d.Hash[:2], d.Hash), d)
			continue
		}
		if size+d.SizeBytes+blobMargin > batchLimit-batchMargin {
			flush()
		}
		data, err := os.ReadFile(filepath.Join(dir, d.Hash[:2], d.Hash))
		c.check(err)
		q.Requests = append(q.Requests, &repb.BatchUpdateBlobsRequest_Request{Digest: d, Data: data})
		size += d.SizeBytes + blobMargin
	}
	flush()
}

// write sends one file as a stream.
func (c *bare) write(file string, d *repb.Digest) {
	f, err := os.Open(file)
	c.check(err)
	defer f.Close()
	stream, err := c.bytes.Write(context.Background())
	c.check(err)
	buffer := make([]byte, streamMessage)
	for at := int64(0); at < d.SizeBytes; {
		n, err := io.ReadFull(f, buffer[:min(streamMessage, d.SizeBytes-at)])
		c.check(err)
		c.check(stream.Send(&bspb.WriteRequest{ResourceName: c.name(d, at), WriteOffset: at, Data: buffer[:n], FinishWrite: at+int64(n) == d.SizeBytes}))
		at += int64(n)
	}
	_, err = stream.CloseAndRecv()
	c.check(err)
}

// name returns the name of an upload, which is sent with its first message.
func (c *bare) name(d *repb.Digest, at int64) string {
	if at > 0 {
		return ""
	}
	return fmt.Sprintf("uploads/%s/blobs/%s/%d", newUUID(), d.Hash, d.SizeBytes)
}

// download puts blobs into files named by their hashes.
func (c *bare) download(digests []*repb.Digest) {
	c.b.Helper()
	q := new(repb.BatchReadBlobsRequest)
	size := int64(0)
	flush := func() {
		if size == 0 {
			return
		}
		a, err := c.cas.BatchReadBlobs(context.Background(), q)
		c.check(err)
		for _, r := range a.Responses {
			c.keep(r.Digest, func(w io.Writer) error { _, err := w.Write(r.Data); return err })
		}
		q, size = new(repb.BatchReadBlobsRequest), 0
	}
	for _, d := range digests {
		if d.SizeBytes > maxSmall {
			c.keep(d, func(w io.Writer) error { return c.read(d, w) })
			continue
		}
		if size+d.SizeBytes+blobMargin > batchLimit-batchMargin {
			flush()
		}
		q.Digests = append(q.Digests, d)
		size += d.SizeBytes + blobMargin
	}
	flush()
}

func (c *bare) read(d *repb.Digest, w io.Writer) error {
	stream, err := c.bytes.Read(context.Background(), &bspb.ReadRequest{ResourceName: fmt.Sprintf("blobs/%s/%d", d.Hash, d.SizeBytes)})
	for err == nil {
		var m *bspb.ReadResponse
		if m, err = stream.Recv(); err == nil {
			_, err = w.Write(m.Data)
		}
	}
	if err == io.EOF {
		return nil
	}
	return err
}

// keep writes a verified file, by another name first.
func (c *bare) keep(d *repb.Digest, content func(io.Writer) error) {
	c.b.Helper()
	dir := filepath.Join(c.dir, d.Hash[:2])
	os.Mkdir(dir, 0o700)
	f, err := os.OpenFile(filepath.Join(c.dir, "tmp"), os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o444)
	c.check(err)
	h := sha256.New()
	c.check(content(io.MultiWriter(f, h)))
	c.check(f.Close())
	if got := hex.EncodeToString(h.Sum(nil)); got != d.Hash {
		c.b.Fatalf("got %s, want %s", got, d.Hash)
	}
	c.check(os.Rename(f.Name(), filepath.Join(dir, d.Hash)))
}

func (c *bare) check(err error) {
	if err != nil {
		c.b.Helper()
		c.b.Fatal(err)
	}
}

// benchBytes is the size of the large blob in bytes, which WEFT_BYTES sets.
func benchBytes() int {
	if n, err := strconv.Atoi(os.Getenv("WEFT_BYTES")); err == nil {
		return n
	}
	return 256 << 20
}

// BenchmarkUpDown moves 1,000 files of 4 KiB, and a large one, to our server and back, in turn with a
// bare client. x-bare is the median of how many times as long it takes. Each upload goes to a server
// that has nothing.
func BenchmarkUpDown(b *testing.B) {
	for name, sizes := range map[string][]int{"files": slices.Repeat([]int{4096}, 1000), "large": {benchBytes()}} {
		b.Run(name, func(b *testing.B) {
			source := newMachine(b)
			var blobs []cache.Digest
			var digests []*repb.Digest
			for i, n := range sizes {
				d, err := source.disk.Put(bytesOf(fmt.Sprint(name, i), n))
				if err != nil {
					b.Fatal(err)
				}
				blobs, digests = append(blobs, d), append(digests, sent(d))
			}
			var up, down []float64
			for n := 0; b.Loop(); n++ {
				address, other := ownServer(b), ownServer(b)
				source.connect("grpc://" + address)
				bareUp := newBare(b, other)
				up = append(up, ratio(n, func() {
					c := source.all[len(source.all)-1].cache
					if err := c.upload(b.Context(), Call{}, must(c.missing(b.Context(), Call{}, blobs)), c.ofLocal); err != nil {
						b.Fatal(err)
					}
				}, func() { bareUp.upload(filepath.Join(source.dir, "v1", "cas"), digests) }))
				target := newMachine(b)
				target.connect("grpc://" + address)
				down = append(down, ratio(n, func() {
					if a := target.fetch(blobs...); a.Problem != "" || len(a.Missing) > 0 {
						b.Fatal(a)
					}
				}, func() { bareUp.download(digests) }))
				os.RemoveAll(bareUp.dir)
				os.RemoveAll(target.dir)
			}
			slices.Sort(up)
			slices.Sort(down)
			b.ReportMetric(up[len(up)/2], "up-x-bare")
			b.ReportMetric(down[len(down)/2], "down-x-bare")
		})
	}
}

// BenchmarkResults looks up 1,000 results with an output of 1 KiB and a log, and fetches these, 32 at a
// time, in turn with a bare client, which does one after another. x-bare is the median of how many times
// as long it takes.
func BenchmarkResults(b *testing.B) {
	const n = 1000
	source := newMachine(b)
	address := ownServer(b)
	source.connect("grpc://" + address)
	var all []*saved
	for i := range n {
		s := source.save(fmt.Sprint("t", i), bytesOf(fmt.Sprint("result", i), 1024))
		source.store(s)
		all = append(all, s)
	}
	if a := source.flush(); a.Pushed != n {
		b.Fatal(a)
	}
	var ratios []float64
	for i := 0; b.Loop(); i++ {
		target, theirs := newMachine(b), newBare(b, address)
		target.connect("grpc://" + address)
		ratios = append(ratios, ratio(i, func() {
			next := make(chan *saved)
			var asking sync.WaitGroup
			for range 32 {
				asking.Go(func() {
					for s := range next {
						target.wantAll(s)
					}
				})
			}
			for _, s := range all {
				next <- s
			}
			close(next)
			asking.Wait()
		}, func() {
			results := repb.NewActionCacheClient(theirs.conn)
			for _, s := range all {
				r, err := results.GetActionResult(context.Background(), &repb.GetActionResultRequest{ActionDigest: sent(s.action)})
				theirs.check(err)
				theirs.download([]*repb.Digest{r.OutputFiles[0].Digest, r.StdoutDigest})
			}
		}))
		os.RemoveAll(target.dir)
		os.RemoveAll(theirs.dir)
	}
	slices.Sort(ratios)
	b.ReportMetric(ratios[len(ratios)/2], "x-bare")
}

// ratio returns how many times as long ours takes as theirs. Which comes first depends on n: the
// second one may wait for what the first one has written.
func ratio(n int, ours, theirs func()) float64 {
	if n%2 == 0 {
		return timed(ours) / timed(theirs)
	}
	t := timed(theirs)
	return timed(ours) / t
}

func timed(f func()) float64 {
	began := time.Now()
	f()
	return time.Since(began).Seconds()
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// asMover is the variable that makes the test program move a large blob up or down, with the address
// of the server, the directory and the blob.
const asMover = "WEFT_CLIENT_TEST_MOVE"

// move is the work of such a process.
func move(text string) error {
	parts := strings.Split(text, "\n")
	r := New(Options{Version: "v1"})
	defer r.Close()
	ctx := context.Background()
	if _, err := r.Connect(ctx, &channel.ConnectRequest{URL: parts[1], Local: parts[2], Push: true}); err != nil {
		return err
	}
	hash, err := hex.DecodeString(parts[3])
	if err != nil {
		return err
	}
	size, err := strconv.ParseInt(parts[4], 10, 64)
	if err != nil {
		return err
	}
	blob := cache.Digest{Hash: [32]byte(hash), Size: size}
	c := r.all[0].cache
	if parts[0] == "up" {
		return c.upload(ctx, Call{}, []cache.Digest{blob}, c.ofLocal)
	}
	missing, err := c.fetch(ctx, Call{}, []cache.Digest{blob})
	if len(missing) > 0 {
		err = fmt.Errorf("%v is missing", missing)
	}
	return err
}

// TestMemory: whatever is moved, the client keeps below 96 MiB. It runs as a process of its own.
// WEFT_BYTES is how large the blob is.
func TestMemory(t *testing.T) {
	if runtime.GOOS != "linux" || testing.Short() || raceEnabled {
		t.Skip("the peak of a process is read from /proc; with -race it is that of the race detector")
	}
	size := 64 << 20
	if os.Getenv("WEFT_BYTES") != "" {
		size = benchBytes()
	}
	address := ownServer(t)
	source, target := newMachine(t), newMachine(t)
	blob, err := source.disk.Put(bytesOf("memory", size))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ url, direction, dir string }{
		{"grpc://" + address, "up", source.dir}, {"grpc://" + address, "down", target.dir},
	} {
		self, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(self)
		cmd.Env = append(os.Environ(), asMover+"="+strings.Join([]string{c.direction, c.url, c.dir, blob.Hex(), strconv.FormatInt(blob.Size, 10)}, "\n"))
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%s: %v, %s", c.direction, err, out)
		}
		kib, err := strconv.Atoi(strings.TrimSpace(string(out)))
		if err != nil || kib > 96<<10 {
			t.Errorf("%s: the peak is %q KiB", c.direction, out)
		}
		t.Logf("%s: the peak is %d KiB", c.direction, kib)
	}
	target.content(blob)
}

// printPeak prints the largest memory that this process has had, in KiB.
func printPeak() {
	status, err := os.ReadFile("/proc/self/status")
	if err == nil {
		_, text, _ := strings.Cut(string(status), "VmHWM:")
		fmt.Println(strings.Fields(text)[0])
	}
}
