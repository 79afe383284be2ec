package serve

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	repb "github.com/bazelbuild/remote-apis/build/bazel/remote/execution/v2"
	"go.uber.org/goleak"
	bspb "google.golang.org/genproto/googleapis/bytestream"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/weftrun/weft/engine/cache"
)

// serveVariable is the variable that makes the test program a server, in the directory it names.
const serveVariable = "WEFT_TEST_SERVE"

func TestMain(m *testing.M) {
	if dir := os.Getenv(serveVariable); dir != "" {
		os.Exit(Main([]string{"--dir", dir, "--listen", "127.0.0.1:0"}, os.Stdout, os.Stderr))
	}
	goleak.VerifyTestMain(m)
}

// serveProcess starts a server as a process of its own, and returns its address. It is killed at the
// end of the test.
func serveProcess(t *testing.T, dir string) (address string, cmd *exec.Cmd) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd = exec.Command(self)
	cmd.Env = append(os.Environ(), serveVariable+"="+dir)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	line, err := bufio.NewReader(stderr).ReadString('\n')
	_, address, ok := strings.Cut(strings.TrimSpace(line), "http://")
	if err != nil || !ok {
		t.Fatalf("%q, %v", line, err)
	}
	return address, cmd
}

// rig is a server on this machine, and clients of it.
type rig struct {
	*server
	t       testing.TB
	address string // HOST:PORT
	output  *syncBuffer
	cas     repb.ContentAddressableStorageClient
	ac      repb.ActionCacheClient
	bytes   bspb.ByteStreamClient
	conn    *grpc.ClientConn
	stopped sync.Once
}

// syncBuffer is a buffer that several goroutines may use.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// newRig starts a server with flags, in a directory of its own unless they name one.
func newRig(t testing.TB, flags ...string) *rig {
	t.Helper()
	r := startRig(t, flags...)
	r.dial()
	return r
}

// startRig is newRig without clients.
func startRig(t testing.TB, flags ...string) *rig {
	t.Helper()
	return startRigWith(t, func(*options) {}, flags...)
}

// startRigWith is startRig with options that have no flags.
func startRigWith(t testing.TB, change func(*options), flags ...string) *rig {
	t.Helper()
	flags = append([]string{"--dir", filepath.Join(t.TempDir(), "store"), "--listen", "127.0.0.1:0", "--grace", "1m"}, flags...)
	o, err := parseFlags(flags, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	o.sync = func(*os.File) error { return nil } // it would wait for all who write on this machine
	change(o)
	r := &rig{t: t, output: new(syncBuffer)}
	if r.server, err = start(o, r.output); err != nil {
		t.Fatal(err)
	}
	r.address = r.entry.listeners[0].Addr().String()
	t.Cleanup(r.end)
	return r
}

func (r *rig) dial() {
	r.t.Helper()
	r.conn = r.connect()
	r.cas, r.ac, r.bytes = repb.NewContentAddressableStorageClient(r.conn), repb.NewActionCacheClient(r.conn), bspb.NewByteStreamClient(r.conn)
}

// connect returns another connection.
func (r *rig) connect() *grpc.ClientConn {
	r.t.Helper()
	c, err := grpc.NewClient("dns:///"+r.address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { c.Close() })
	return c
}

// end stops the server, once.
func (r *rig) end() {
	r.stopped.Do(func() {
		if r.conn != nil {
			r.conn.Close()
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := r.stop(ctx); err != nil {
			r.t.Error(err)
		}
		if r.t.Failed() {
			r.t.Logf("the log of the server:\n%s", r.output)
		}
	})
}

// withToken returns a context whose calls show a token.
func withToken(ctx context.Context, token string) context.Context {
	return metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+token)
}

// message returns a digest as it is sent.
func message(d cache.Digest) *repb.Digest { return &repb.Digest{Hash: d.Hex(), SizeBytes: d.Size} }

// put has the server keep a blob, by a batch.
func (r *rig) put(b []byte) cache.Digest {
	r.t.Helper()
	d := cache.DigestOf(b)
	a, err := r.cas.BatchUpdateBlobs(r.t.Context(), &repb.BatchUpdateBlobsRequest{Requests: []*repb.BatchUpdateBlobsRequest_Request{{Digest: message(d), Data: b}}})
	if err == nil {
		err = status.ErrorProto(a.Responses[0].Status)
	}
	if err != nil {
		r.t.Fatal(err)
	}
	return d
}

// missing returns how many of the blobs are not there.
func (r *rig) missing(digests ...cache.Digest) int {
	r.t.Helper()
	q := new(repb.FindMissingBlobsRequest)
	for _, d := range digests {
		q.BlobDigests = append(q.BlobDigests, message(d))
	}
	a, err := r.cas.FindMissingBlobs(r.t.Context(), q)
	if err != nil {
		r.t.Fatal(err)
	}
	return len(a.MissingBlobDigests)
}

// read returns a blob by a stream, whose name is after the instance.
func (r *rig) read(name string, offset, limit int64) ([]byte, error) {
	stream, err := r.bytes.Read(r.t.Context(), &bspb.ReadRequest{ResourceName: name, ReadOffset: offset, ReadLimit: limit})
	if err != nil {
		return nil, err
	}
	var b []byte
	for {
		m, err := stream.Recv()
		if err == io.EOF {
			return b, nil
		}
		if err != nil {
			return b, err
		}
		b = append(b, m.Data...)
	}
}

// write sends b in pieces as an upload called name, from offset on. finish says that this is all.
func (r *rig) write(name string, offset int64, b []byte, finish bool) (int64, error) {
	stream, err := r.bytes.Write(r.t.Context())
	if err != nil {
		return 0, err
	}
	for first := true; first || len(b) > 0; first = false {
		n := min(len(b), 100_000)
		m := &bspb.WriteRequest{WriteOffset: offset, Data: b[:n], FinishWrite: finish && n == len(b)}
		if first {
			m.ResourceName = name
		}
		if stream.Send(m) != nil {
			break // CloseAndRecv says why
		}
		offset += int64(n)
		b = b[n:]
	}
	a, err := stream.CloseAndRecv()
	return a.GetCommittedSize(), err
}

// wantCode fails unless err has a code.
func wantCode(t *testing.T, err error, want codes.Code) {
	t.Helper()
	if status.Code(err) != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// http does a request to a path, which is sent as it is, over a connection of its own.
func (r *rig) http(method, path string, body []byte, headers ...string) (*http.Response, []byte) {
	r.t.Helper()
	c, err := net.Dial("tcp", r.address)
	if err != nil {
		r.t.Fatal(err)
	}
	var sent sync.WaitGroup
	defer sent.Wait()
	defer c.Close()
	if !slices.ContainsFunc(headers, func(h string) bool { return strings.HasPrefix(h, "Host: ") }) {
		headers = append(headers, "Host: "+r.address)
	}
	head := fmt.Sprintf("%s %s HTTP/1.1\r\nConnection: close\r\nContent-Length: %d\r\n%s\r\n\r\n", method, path, len(body), strings.Join(headers, "\r\n"))
	sent.Go(func() { c.Write(append([]byte(head), body...)) }) // it may be refused half way
	a, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: method})
	if err != nil {
		r.t.Fatalf("%s %s: %v", method, path, err)
	}
	b, err := io.ReadAll(a.Body)
	if err != nil {
		r.t.Fatalf("%s %s: %v", method, path, err)
	}
	return a, b
}

// wantHTTP does a request and fails unless the answer has a status.
func (r *rig) wantHTTP(want int, method, path string, body []byte, headers ...string) []byte {
	r.t.Helper()
	a, b := r.http(method, path, body, headers...)
	if a.StatusCode != want {
		r.t.Errorf("%s %s: %s, want %d: %s", method, path, a.Status, want, b)
	}
	return b
}

// bytesOf returns n bytes that no other seed gives, half of which can be compressed.
func bytesOf(seed string, n int) []byte {
	b := make([]byte, 0, n+80)
	for i := 0; len(b) < n; i++ {
		d := cache.DigestOf([]byte(fmt.Sprint(seed, i)))
		b = append(b, d.Hash[:]...)
		b = append(b, "the same in every blob, again, ."...)
	}
	return b[:n]
}

// eventually fails unless a condition comes true.
func eventually(t testing.TB, what string, condition func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !condition(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not so after a minute: %s", what)
		}
	}
}

// files returns the paths of all files in a directory, from there.
func filesIn(t testing.TB, dir string) (paths []string) {
	t.Helper()
	if err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			rel, _ := filepath.Rel(dir, path)
			paths = append(paths, filepath.ToSlash(rel))
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return paths
}

// reservedBytes returns how much is set aside.
func (s *space) reservedBytes() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reserved
}
