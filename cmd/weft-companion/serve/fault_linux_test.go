package serve

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	repb "github.com/bazelbuild/remote-apis/build/bazel/remote/execution/v2"
	"golang.org/x/sys/unix"
	bspb "google.golang.org/genproto/googleapis/bytestream"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/weftrun/weft/engine/cache"
)

// writeAll does what changes a store, in one order.
func writeAll(t *testing.T, s *store) {
	var digests []cache.Digest
	for i := range 3 {
		b := bytesOf(fmt.Sprint("crash", i), 1000*i+1)
		d := cache.DigestOf(b)
		if err := s.put(d, b); err != nil {
			t.Fatal(err)
		}
		digests = append(digests, d)
	}
	for i, d := range digests {
		if err := s.putResult(key{byte(i), 1}, &repb.ActionResult{StdoutDigest: message(d)}); err != nil {
			t.Fatal(err)
		}
	}
	u, err := s.create(cache.DigestOf([]byte("xy")))
	if err != nil {
		t.Fatal(err)
	}
	u.Write([]byte("x"))
	u.discard()
	if err := s.putResult(key{0, 1}, &repb.ActionResult{StdoutDigest: message(digests[2])}); err != nil { // again
		t.Fatal(err)
	}
	s.remove(1<<40, time.Now().Add(time.Hour))
}

// TestKilled kills a process before each change that it makes of a store, and looks at what it
// left: whole files, and nothing else after the next start.
func TestKilled(t *testing.T) {
	if n, err := strconv.Atoi(os.Getenv("WEFT_TEST_KILL")); err == nil {
		s := storeAt(t, os.Getenv("WEFT_TEST_STORE"))
		var steps atomic.Int64
		s.onChange = func() {
			if int(steps.Add(1)) == n {
				syscall.Kill(os.Getpid(), syscall.SIGKILL)
				select {}
			}
		}
		writeAll(t, s)
		closeStore(t, s)
		return
	}
	for n := 1; ; n++ {
		dir := filepath.Join(t.TempDir(), "store")
		cmd := exec.Command(os.Args[0], "-test.run=^TestKilled$")
		cmd.Env = append(os.Environ(), "WEFT_TEST_KILL="+strconv.Itoa(n), "WEFT_TEST_STORE="+dir)
		out, err := cmd.CombinedOutput()
		var exit *exec.ExitError
		killed := errors.As(err, &exit) && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL
		if err != nil && !killed {
			t.Fatalf("%v: %s", err, out)
		}
		s := storeAt(t, dir)
		wholeStore(t, dir, n)
		if err := s.close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if !killed {
			if n < 20 {
				t.Errorf("only %d changes", n)
			}
			return
		}
	}
}

// wholeStore fails unless a store that was just opened has only files that are what their names say.
func wholeStore(t *testing.T, dir string, n int) {
	t.Helper()
	for _, path := range filesIn(t, dir) {
		b, err := os.ReadFile(filepath.Join(dir, path))
		if err != nil {
			t.Fatal(err)
		}
		parts := strings.Split(path, "/")
		name := parts[len(parts)-1]
		k, _ := parseKey(name)
		switch {
		case strings.HasPrefix(path, "v1/cas/"):
			if sum := sha256.Sum256(b); key(sum) != k {
				t.Errorf("before change %d: %s has other content", n, path)
			}
		case strings.HasPrefix(path, "v1/ac/"):
			if len(b) < sealSize || !bytes.Equal(b[:sealSize], sealOf(k, b[sealSize:])) {
				t.Errorf("before change %d: %s is not whole", n, path)
			}
		case path != "v1/state" && path != "v1/lock":
			t.Errorf("before change %d: there is %s", n, path)
		}
	}
}

// TestServerKilled kills a whole server while clients send: the next one has what was acknowledged.
func TestServerKilled(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	var kept sync.Map
	for round := range 3 {
		address, cmd := serveProcess(t, dir)
		var wg sync.WaitGroup
		var acknowledged atomic.Int64
		for i := range 4 {
			wg.Go(func() {
				for j := 0; ; j++ {
					b := bytesOf(fmt.Sprint(round, i, j), 20_000)
					d := cache.DigestOf(b)
					q, err := http.NewRequest("PUT", "http://"+address+"/cas/"+d.Hex(), bytes.NewReader(b))
					if err != nil {
						t.Error(err)
						return
					}
					a, err := http.DefaultClient.Do(q)
					if err != nil {
						return // it was killed
					}
					a.Body.Close()
					if a.StatusCode != 200 {
						t.Error(a.Status)
						return
					}
					kept.Store(d, true)
					acknowledged.Add(1)
				}
			})
		}
		eventually(t, "some are kept", func() bool { return acknowledged.Load() > 20 })
		cmd.Process.Kill()
		wg.Wait()
		cmd.Wait()
		http.DefaultClient.CloseIdleConnections()
	}
	s := storeAt(t, dir)
	wholeStore(t, dir, 0)
	kept.Range(func(d, _ any) bool {
		if !s.has(d.(cache.Digest)) {
			t.Errorf("%s is lost", d)
		}
		return true
	})
	if err := s.close(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestFullDisk: on a full disk the server refuses what is sent, by either protocol, gives what it
// has, and takes more when it has been given room.
func TestFullDisk(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "disk")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=8m"); err != nil {
		t.Skip("only root may mount a disk that small: ", err)
	}
	t.Cleanup(func() { unix.Unmount(dir, unix.MNT_DETACH) })
	r := newRig(t, "--dir", filepath.Join(dir, "store"))
	first := r.put(bytesOf("first", 1_000_000))
	if err := r.keepResult("", "act", &repb.ActionResult{StdoutDigest: message(first)}); err != nil {
		t.Fatal(err)
	}
	var err error
	n := 0
	for ; err == nil && n < 20; n++ {
		b := bytesOf(fmt.Sprint("filler", n), 1_000_000)
		_, err = r.write(fmt.Sprintf("uploads/%d/blobs/%s", n, cache.DigestOf(b)), 0, b, true)
	}
	if status.Code(err) != codes.ResourceExhausted || n < 5 {
		t.Errorf("after %d: %v", n, err)
	}
	b := bytesOf("more", 1_000_000)
	r.wantHTTP(507, "PUT", "/cas/"+cache.DigestOf(b).Hex(), b)
	packed, _ := codecs.Pack(b)
	r.wantHTTP(507, "PUT", "/cas/"+cache.DigestOf(b).Hex(), packed, "Content-Encoding: zstd") // it does not say how large it is
	if got, err := r.result("", "act"); err != nil || got.StdoutDigest.Hash != first.Hex() {
		t.Errorf("a result: %v, %v", got, err)
	}
	if got, err := r.read("blobs/"+first.String(), 0, 0); err != nil || len(got) != 1_000_000 {
		t.Errorf("a blob: %d bytes, %v", len(got), err)
	}
	// Other programs fill it to the last byte: what is written fails in the middle.
	f, err := os.Create(filepath.Join(dir, "filler"))
	for err == nil {
		_, err = f.Write(make([]byte, 4096))
	}
	f.Close()
	wantCode(t, r.keepResult("", "act2", &repb.ActionResult{StdoutDigest: message(first)}), codes.ResourceExhausted)
	if got, err := r.read("blobs/"+first.String(), 0, 0); err != nil || len(got) != 1_000_000 {
		t.Errorf("a blob: %d bytes, %v", len(got), err)
	}
	if err := os.Remove(f.Name()); err != nil {
		t.Fatal(err)
	}
	r.store.remove(3_000_000, time.Now())
	if _, err := r.write("uploads/more/blobs/"+cache.DigestOf(b).String(), 0, b, true); err != nil {
		t.Errorf("with room: %v", err)
	}
	if left := filesIn(t, filepath.Join(dir, "store", "v1", "tmp")); len(left) > 0 {
		t.Errorf("there is %v", left)
	}
	if n := r.store.space.reservedBytes(); n != 0 {
		t.Errorf("%d bytes are reserved", n)
	}
}

// TestStopMidUpload: a call that is under way may end when the server is told to stop, no other
// begins, and nothing is left open.
func TestStopMidUpload(t *testing.T) {
	signals := make(chan os.Signal, 2)
	r := newRig(t)
	b := bytesOf("stop", 300_000)
	d := cache.DigestOf(b)
	stream, err := r.bytes.Write(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	name := "uploads/1/blobs/" + d.String()
	if err := stream.Send(&bspb.WriteRequest{ResourceName: name, Data: b[:100_000]}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the upload has begun", func() bool { n, _ := r.partial.reached(name); return n == 100_000 })
	ended := make(chan error, 1)
	r.stopped.Do(func() { go func() { ended <- r.await(signals) }() })
	signals <- syscall.SIGTERM
	eventually(t, "nothing is accepted", func() bool {
		c, err := net.Dial("tcp", r.address)
		if err == nil {
			c.Close()
		}
		return err != nil
	})
	select {
	case err := <-ended:
		t.Fatalf("it has not waited: %v", err)
	default:
	}
	if err := stream.Send(&bspb.WriteRequest{WriteOffset: 100_000, Data: b[100_000:], FinishWrite: true}); err != nil {
		t.Fatal(err)
	}
	if a, err := stream.CloseAndRecv(); err != nil || a.CommittedSize != d.Size {
		t.Errorf("got %v, %v", a, err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	s := storeAt(t, r.o.dir)
	if !s.has(d) {
		t.Error("it is lost")
	}
	if err := s.close(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestStopAtOnce: a second signal cuts off what does not end.
func TestStopAtOnce(t *testing.T) {
	signals := make(chan os.Signal, 2)
	r := newRig(t, "--grace", "1h")
	d := cache.DigestOf(bytesOf("stop", 300_000))
	stream, err := r.bytes.Write(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	name := "uploads/1/blobs/" + d.String()
	if err := stream.Send(&bspb.WriteRequest{ResourceName: name, Data: []byte("begin")}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the upload has begun", func() bool { _, ok := r.partial.reached(name); return ok })
	ended := make(chan error, 1)
	r.stopped.Do(func() { go func() { ended <- r.await(signals) }() })
	signals <- syscall.SIGTERM
	signals <- syscall.SIGINT
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if !strings.Contains(r.output.String(), "were cut off") {
		t.Errorf("the log: %s", r.output)
	}
	if left := filesIn(t, filepath.Join(r.o.dir, "v1", "tmp")); len(left) > 0 {
		t.Errorf("there is %v", left)
	}
}
