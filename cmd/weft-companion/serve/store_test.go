package serve

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	repb "github.com/bazelbuild/remote-apis/build/bazel/remote/execution/v2"
	bspb "google.golang.org/genproto/googleapis/bytestream"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/weftrun/weft/engine/cache"
)

// storeAt opens a store without a server.
func storeAt(t testing.TB, dir string) *store {
	t.Helper()
	s, err := openStore(storeOptions{dir: dir, size: 1 << 30, maxBlob: 1 << 30, sync: func(*os.File) error { return nil }, log: newLogger(io.Discard, false), metrics: newMetrics()})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// closeStore closes a store.
func closeStore(t testing.TB, s *store) {
	t.Helper()
	if err := s.close(t.Context()); err != nil {
		t.Error(err)
	}
}

// keep has a store keep a blob that was last used some time ago.
func keep(t *testing.T, s *store, b []byte, ago time.Duration) cache.Digest {
	t.Helper()
	d := cache.DigestOf(b)
	if err := s.put(d, b); err != nil {
		t.Fatal(err)
	}
	s.blobs.age(d.Hash, ago)
	return d
}

// age makes a file one that was last used some time ago.
func (f *files) age(k key, ago time.Duration) {
	s := &f.shards[k[0]]
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.known[k]
	then := time.Now().Add(-ago)
	e.used, e.touched = seconds(then), seconds(then)
	s.known[k] = e
	s.dir.Touch(k.String(), then)
}

// scanned waits until the index has everything.
func (s *store) scanned(t testing.TB) {
	t.Helper()
	for _, f := range []*files{s.blobs, s.results} {
		eventually(t, "the index is complete", func() bool {
			last := &f.shards[255]
			last.mu.Lock()
			defer last.mu.Unlock()
			return last.scanned
		})
	}
}

// TestLeastRecentlyUsed: what was used longest ago goes first, results count as well, and what was
// used a short while ago stays, however much there is.
func TestLeastRecentlyUsed(t *testing.T) {
	s := storeAt(t, t.TempDir())
	defer closeStore(t, s)
	s.scanned(t)
	var digests []cache.Digest
	for i := range 20 {
		digests = append(digests, keep(t, s, bytesOf(fmt.Sprint("lru", i), 1000), time.Duration(20-i)*time.Hour))
	}
	if err := s.putResult(key{1}, &repb.ActionResult{StdoutDigest: message(digests[0])}); err != nil {
		t.Fatal(err)
	}
	s.results.age(key{1}, 30*time.Hour)
	s.blobs.age(digests[0].Hash, 20*time.Hour) // the check has used it
	here := func() (n int) {
		for _, d := range digests {
			s.blobs.shards[d.Hash[0]].mu.Lock()
			_, ok := s.blobs.shards[d.Hash[0]].known[d.Hash]
			s.blobs.shards[d.Hash[0]].mu.Unlock()
			if ok {
				n++
			}
		}
		return n
	}
	s.remove(1, time.Now().Add(-inUse))
	if _, ok := s.results.use(key{1}); ok || here() != 20 {
		t.Errorf("the oldest, a result, is there: %v; %d blobs are", ok, here())
	}
	s.remove(3500, time.Now().Add(-inUse))
	for i, d := range digests {
		if got := s.has(d); got != (i >= 4) {
			t.Errorf("blob %d is there: %v", i, got)
		}
	}
	s.remove(1<<30, time.Now().Add(-inUse)) // all were used right now
	if n := here(); n != 16 {
		t.Errorf("%d blobs are there", n)
	}
	if count, size := s.blobs.count.Load(), s.blobs.bytes.Load(); count != 16 || size != 16_000 {
		t.Errorf("%d blobs of %d bytes", count, size)
	}
}

// TestCollector: above the size, the store becomes a tenth smaller than that by itself, and the disk
// agrees with the index.
func TestCollector(t *testing.T) {
	dir := t.TempDir()
	s, err := openStore(storeOptions{dir: dir, size: 100_000, maxBlob: 1 << 30, sync: func(*os.File) error { return nil }, log: newLogger(io.Discard, false), metrics: newMetrics()})
	if err != nil {
		t.Fatal(err)
	}
	s.scanned(t)
	for i := range 100 {
		keep(t, s, bytesOf(fmt.Sprint("collect", i), 1000), time.Duration(i+1)*time.Hour)
	}
	keep(t, s, bytesOf("one more", 1000), 0)
	eventually(t, "the store is small enough", func() bool { return s.total() <= 90_000 })
	eventually(t, "eleven are counted", func() bool { return s.o.metrics.evicted.Load() == 11 })
	closeStore(t, s)
	if n := len(filesIn(t, filepath.Join(dir, "v1", "cas"))); n != 90 {
		t.Errorf("%d files are there", n)
	}
	again := storeAt(t, dir)
	defer closeStore(t, again)
	again.scanned(t)
	if count, size := again.blobs.count.Load(), again.blobs.bytes.Load(); count != 90 || size != 90_000 {
		t.Errorf("the next server counts %d blobs of %d bytes", count, size)
	}
}

// TestTouch: a use is noted in the time of the file if that is more than an hour old, and otherwise
// in memory alone.
func TestTouch(t *testing.T) {
	s := storeAt(t, t.TempDir())
	defer closeStore(t, s)
	for ago, want := range map[time.Duration]bool{30 * time.Minute: false, 2 * time.Hour: true} {
		d := keep(t, s, []byte(ago.String()), ago)
		s.has(d)
		_, modified, err := s.blobs.shards[d.Hash[0]].dir.Stat(d.Hex())
		if err != nil {
			t.Fatal(err)
		}
		if got := time.Since(modified) < 10*time.Minute; got != want {
			t.Errorf("after %s: touched: %v", ago, got)
		}
	}
}

// TestCrashOfTheMachine: after one, what is damaged is not given away, but removed; what was
// verified once is not read again; and the end of a server that was told to stop is noted.
func TestCrashOfTheMachine(t *testing.T) {
	dir := t.TempDir()
	s := storeAt(t, dir)
	good, bad, later := keep(t, s, []byte("good"), 0), keep(t, s, []byte("bad"), 0), keep(t, s, []byte("later"), 0)
	path := func(d cache.Digest) string { return filepath.Join(dir, "v1", "cas", d.Hex()[:2], d.Hex()) }
	damage := func(d cache.Digest) {
		t.Helper()
		if err := os.Chmod(path(d), 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := os.OpenFile(path(d), os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		f.Write([]byte("zz"))
		f.Close()
		past := time.Now().Add(-time.Second)
		if err := os.Chtimes(path(d), past, past); err != nil {
			t.Fatal(err)
		}
	}
	// The end is not noted, and the machine has another boot.
	last := s.state
	closeStore(t, s)
	last.Boot = "another"
	open := func() *store {
		t.Helper()
		return storeAt(t, dir)
	}
	note := func(write state) {
		t.Helper()
		s := open()
		if err := writeState(s.top, write); err != nil {
			t.Fatal(err)
		}
		s.crash()
	}
	note(last)
	damage(bad)
	s = open()
	if s.state.Since.IsZero() {
		t.Fatal("the crash was not noticed")
	}
	if !s.has(good) || s.has(bad) {
		t.Errorf("good: %v, bad: %v", s.has(good), s.has(bad))
	}
	if _, err := os.Stat(path(bad)); err == nil {
		t.Error("what is damaged is still there")
	}
	closeStore(t, s)
	s = open() // a start without a crash: what was not verified is still suspect
	s.scanned(t)
	damage(later)
	if _, err := s.read(later, 100); status.Code(statusOf(err)) != codes.NotFound {
		t.Errorf("got %v", err)
	}
	e, ok := s.blobs.use(good.Hash)
	if !ok || e.suspect {
		t.Errorf("what was verified: %v, %v", e, ok)
	}
	if d := keep(t, s, []byte("new"), 0); !s.has(d) {
		t.Error("what is new is not there")
	}
	closeStore(t, s)
}

// crash ends a store as a crash does: its end is not noted.
func (s *store) crash() {
	close(s.stop)
	s.ended.Wait()
	s.closeFiles()
}

// TestState: what cannot be read is a crash, and so is a boot without an end.
func TestState(t *testing.T) {
	s := storeAt(t, t.TempDir())
	defer closeStore(t, s)
	for text, crashed := range map[string]bool{
		`{"boot":"a","clean":true}`:  false,
		`{"boot":"a","clean":false}`: false,
		`{"boot":"b","clean":true}`:  false,
		`{"boot":"b","clean":false}`: true,
		`{`:                          true,
		``:                           true,
	} {
		if err := s.top.WriteFile(stateName, []byte(text)); err != nil {
			t.Fatal(err)
		}
		got, err := begin(s.top, "a", time.Now())
		if err != nil || got.Since.IsZero() == crashed {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
}

// TestSameBlobAtOnce: many clients that send the same are all told that it is there.
func TestSameBlobAtOnce(t *testing.T) {
	r := newRig(t)
	b := bytesOf("same", 400_000)
	d := cache.DigestOf(b)
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			if n, err := r.write(fmt.Sprintf("uploads/%d/blobs/%s", i, d), 0, b, true); err != nil || n != d.Size {
				t.Error(n, err)
			}
		})
	}
	wg.Wait()
	if count, size := r.store.blobs.count.Load(), r.store.blobs.bytes.Load(); count != 1 || size != d.Size {
		t.Errorf("%d blobs of %d bytes", count, size)
	}
	if n := r.store.space.reservedBytes(); n != 0 {
		t.Errorf("%d bytes are reserved", n)
	}
}

// TestCollectBesideReaders: fifty clients read while all that they read is removed: each gets
// the whole blob, or is told that there is none.
func TestCollectBesideReaders(t *testing.T) {
	r := newRig(t)
	r.store.scanned(t)
	blobs := make([][]byte, 20)
	var digests []cache.Digest
	for i := range blobs {
		blobs[i] = bytesOf(fmt.Sprint("beside", i), 300_000)
		digests = append(digests, r.put(blobs[i]))
	}
	done := make(chan struct{})
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			for j := 0; ; j++ {
				select {
				case <-done:
					return
				default:
				}
				at := (i + j) % len(blobs)
				b, err := r.read("blobs/"+digests[at].String(), 0, 0)
				if err == nil && !bytes.Equal(b, blobs[at]) {
					t.Errorf("other content, %d bytes", len(b))
				}
				if err != nil && status.Code(err) != codes.NotFound {
					t.Error(err)
				}
			}
		})
	}
	for i := range 100 {
		if i%5 == 0 {
			at := i / 5 % len(blobs)
			if err := r.store.put(digests[at], blobs[at]); err != nil {
				t.Error(err)
			}
		}
		r.store.remove(600_000, time.Now().Add(time.Hour))
	}
	close(done)
	wg.Wait()
	r.store.remove(1<<40, time.Now().Add(time.Hour))
	if n := len(filesIn(t, filepath.Join(r.o.dir, "v1", "cas"))); n != 0 || r.store.total() != 0 {
		t.Errorf("%d files are there, and %d bytes are counted", n, r.store.total())
	}
}

// TestResume: an interrupted upload continues where it was, over another connection, too.
func TestResume(t *testing.T) {
	r := newRig(t)
	b := bytesOf("resume", 1_000_000)
	d := cache.DigestOf(b)
	name := "main/uploads/u-1/blobs/" + d.String()
	reached := func() int64 {
		t.Helper()
		a, err := r.bytes.QueryWriteStatus(t.Context(), &bspb.QueryWriteStatusRequest{ResourceName: name})
		if err != nil {
			t.Fatal(err)
		}
		if a.Complete != (a.CommittedSize == d.Size) {
			t.Errorf("got %v", a)
		}
		return a.CommittedSize
	}
	_, err := r.bytes.QueryWriteStatus(t.Context(), &bspb.QueryWriteStatusRequest{ResourceName: name})
	wantCode(t, err, codes.NotFound)
	if _, err := r.write(name, 0, b[:300_000], false); status.Code(err) != codes.InvalidArgument { // it did not say that this is all
		t.Error(err)
	}
	if n := reached(); n != 300_000 {
		t.Errorf("%d bytes are there", n)
	}
	_, err = r.write(name, 200_000, b[200_000:], true)
	wantCode(t, err, codes.OutOfRange)
	// Another connection continues while the first stream is still open.
	stream, err := r.bytes.Write(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(&bspb.WriteRequest{ResourceName: name, WriteOffset: 300_000, Data: b[300_000:400_000]}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the first stream has written", func() bool { return reached() == 400_000 })
	if n, err := r.write(name, 400_000, b[400_000:], true); err != nil || n != d.Size {
		t.Errorf("got %d, %v", n, err)
	}
	stream.Send(&bspb.WriteRequest{WriteOffset: 400_000, Data: b[400_000:], FinishWrite: true})
	_, err = stream.CloseAndRecv()
	wantCode(t, err, codes.Aborted)
	if n := reached(); n != d.Size || r.missing(d) != 0 {
		t.Errorf("%d bytes are there", n)
	}
	// From the start again, which forgets what was there.
	b = bytesOf("again", 500_000)
	d = cache.DigestOf(b)
	name = "uploads/u-2/blobs/" + d.String()
	r.write(name, 0, b[:100_000], false)
	if n, err := r.write(name, 0, b, true); err != nil || n != d.Size {
		t.Errorf("got %d, %v", n, err)
	}
	// What is not resumed goes, and its space with it.
	b = bytesOf("never", 500_000)
	name = "uploads/u-3/blobs/" + cache.DigestOf(b).String()
	r.write(name, 0, b[:100_000], false)
	r.partial.expire(time.Now())
	if _, ok := r.partial.reached(name); !ok {
		t.Error("it went too early")
	}
	r.partial.expire(time.Now().Add(partialLife))
	if _, ok := r.partial.reached(name); ok || r.store.space.reservedBytes() != 0 || len(filesIn(t, filepath.Join(r.o.dir, "v1", "tmp"))) > 0 {
		t.Error("it is still there")
	}
}
