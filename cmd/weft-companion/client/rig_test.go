package client

import (
	"bufio"
	"bytes"
	"context"
	"encoding/pem"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http/httptest"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/weftrun/weft/cmd/weft-companion/serve"
	"github.com/weftrun/weft/engine/cache"
	"github.com/weftrun/weft/engine/channel"
	"github.com/weftrun/weft/internal/tail"
)

// asServer is the variable that makes the test program a server with these flags.
const asServer = "WEFT_CLIENT_TEST_SERVE"

func TestMain(m *testing.M) {
	if flags := os.Getenv(asServer); flags != "" {
		os.Exit(serve.Main(strings.Split(flags, "\n"), os.Stdout, os.Stderr))
	}
	if work := os.Getenv(asMover); work != "" {
		if err := move(work); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		printPeak()
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// ownServer starts our server with flags, as a process of its own, and returns its address. It is
// killed at the end of the test.
func ownServer(t testing.TB, flags ...string) (address string) {
	t.Helper()
	address, _ = startServer(t, flags...)
	return address
}

func startServer(t testing.TB, flags ...string) (address string, cmd *exec.Cmd) {
	t.Helper()
	address, cmd, _ = runServer(t, flags)
	return address, cmd
}

// loggedServer is ownServer with its log.
func loggedServer(t testing.TB, flags ...string) (address string, log func() string) {
	t.Helper()
	address, _, log = runServer(t, flags)
	return address, log
}

func runServer(t testing.TB, flags []string) (address string, cmd *exec.Cmd, log func() string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	flags = append([]string{"--dir", filepath.Join(t.TempDir(), "store"), "--listen", "127.0.0.1:0"}, flags...)
	cmd = exec.Command(self)
	cmd.Env = append(os.Environ(), asServer+"="+strings.Join(flags, "\n"))
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(stderr)
	line, err := lines.ReadString('\n')
	i := strings.LastIndex(line, "://")
	if err != nil || i < 0 {
		t.Fatalf("%q, %v", line, err)
	}
	address = strings.TrimSpace(line[i+len("://"):])
	var reading sync.WaitGroup
	rest := tail.Buffer{Max: 1 << 20}
	reading.Go(func() { io.Copy(&rest, lines) })
	t.Cleanup(func() {
		cmd.Process.Kill()
		reading.Wait()
		cmd.Wait()
	})
	return address, cmd, func() string { return string(rest.Bytes()) }
}

// machine is a Room with a local cache of its own.
type machine struct {
	*Room
	t    testing.TB
	dir  string
	disk *cache.Disk
	said []string // warnings
}

func newMachine(t testing.TB, environ ...string) *machine {
	t.Helper()
	m := &machine{Room: New(Options{Environ: environ, Version: "v1"}), t: t, dir: filepath.Join(t.TempDir(), "cache")}
	var err error
	if m.disk, err = cache.Open(m.dir); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		m.Close()
		m.disk.Close()
	})
	return m
}

// connect connects to a URL, with a request that change may change.
func (m *machine) connect(url string, change ...func(*channel.ConnectRequest)) *channel.Connection {
	m.t.Helper()
	q := &channel.ConnectRequest{URL: url, Push: true, Local: m.dir, Run: "run-1"}
	for _, c := range change {
		c(q)
	}
	a, err := m.Connect(m.t.Context(), q)
	if err != nil {
		m.t.Fatal(err)
	}
	m.said = append(m.said, a.Warnings...)
	return a
}

// saved is the result of an action that was kept in the cache of a machine.
type saved struct {
	message, command []byte
	result           []byte
	action           cache.Digest
	blobs            []cache.Digest
}

// save keeps a result with outputs in the local cache.
func (m *machine) save(name string, outputs ...[]byte) *saved {
	m.t.Helper()
	c := cache.Command{Arguments: []string{name}}
	s := &saved{command: c.Append(nil)}
	a := cache.Action{Command: cache.DigestOf(s.command), InputRoot: cache.DigestOf(nil)}
	s.message = a.Append(nil)
	s.action = cache.DigestOf(s.message)
	r := cache.ActionResult{Metadata: cache.ExecutedActionMetadata{Worker: "weft/1"}}
	for i, o := range outputs {
		d, err := m.disk.Put(o)
		if err != nil {
			m.t.Fatal(err)
		}
		s.blobs = append(s.blobs, d)
		r.Files = append(r.Files, cache.OutputFile{Path: fmt.Sprintf("%s/%06d", path.Base(name), i), Digest: d})
	}
	log, err := m.disk.Put([]byte("log of " + name))
	if err != nil {
		m.t.Fatal(err)
	}
	r.Stdout = log
	s.blobs = append(s.blobs, log)
	r.SetLog(&cache.Log{})
	s.result = r.Append(nil)
	return s
}

// store has a result stored, and reports whether that was accepted.
func (m *machine) store(s *saved) bool {
	m.t.Helper()
	q := &channel.StoreRequest{Task: "build", Action: channel.Blob(s.action), Message: s.message, Command: s.command, Result: s.result}
	if len(s.result) > channel.MaxInline {
		d, err := m.disk.Put(s.result)
		if err != nil {
			m.t.Fatal(err)
		}
		q.Result, q.Large = nil, channel.Blob(d)
	}
	a, err := m.Store(m.t.Context(), q)
	if err != nil {
		m.t.Fatal(err)
	}
	m.said = append(m.said, a.Warnings...)
	return a.Accepted
}

// flush waits until everything is stored.
func (m *machine) flush() *channel.Totals {
	m.t.Helper()
	a, err := m.Flush(m.t.Context(), &channel.FlushRequest{Limit: 2 * time.Minute})
	if err != nil {
		m.t.Fatal(err)
	}
	m.said = append(m.said, a.Warnings...)
	return a
}

// push stores a result, and fails unless it is stored.
func (m *machine) push(s *saved) {
	m.t.Helper()
	before := m.flush().Pushed
	if !m.store(s) {
		m.t.Fatalf("not accepted: %q", m.said)
	}
	if a := m.flush(); a.Pushed != before+1 || a.Pending != 0 {
		m.t.Fatalf("got %+v, %q", a, m.said)
	}
}

func (m *machine) lookup(action cache.Digest) *channel.Found {
	m.t.Helper()
	a, err := m.Lookup(m.t.Context(), &channel.LookupRequest{Action: channel.Blob(action), Task: "build"})
	if err != nil {
		m.t.Fatal(err)
	}
	m.said = append(m.said, a.Warnings...)
	return a
}

func (m *machine) fetch(blobs ...cache.Digest) *channel.Fetched {
	m.t.Helper()
	q := &channel.FetchRequest{Task: "build"}
	for _, b := range blobs {
		q.Blobs = append(q.Blobs, channel.Blob(b))
	}
	a, err := m.Fetch(m.t.Context(), q)
	if err != nil {
		m.t.Fatal(err)
	}
	m.said = append(m.said, a.Warnings...)
	return a
}

// wantAll looks a result up, and fails unless it and all its blobs arrive.
func (m *machine) wantAll(s *saved) {
	m.t.Helper()
	f := m.lookup(s.action)
	got := f.Result
	if f.Large != (channel.Blob{}) {
		got = m.content(cache.Digest(f.Large))
	}
	if f.Lookup != channel.Hit || !bytes.Equal(got, s.result) {
		m.t.Fatalf("got %v with %d bytes, want %d; %q", f.Lookup, len(got), len(s.result), m.said)
	}
	if a := m.fetch(s.blobs...); len(a.Missing) > 0 || a.Problem != "" {
		m.t.Fatalf("got %+v, %q", a, m.said)
	}
	for _, b := range s.blobs {
		m.content(b)
	}
}

// content returns a blob of the local cache, and fails if it is not whole.
func (m *machine) content(blob cache.Digest) []byte {
	m.t.Helper()
	f, err := m.disk.OpenBlob(context.Background(), blob)
	if err != nil {
		m.t.Fatal(err)
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	if err != nil {
		m.t.Fatal(err)
	}
	return b
}

// bytesOf returns n bytes that no other seed gives, half of which can be compressed.
func bytesOf(seed string, n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8(cache.DigestOf([]byte(seed)).Hash).Read(b)
	for i := 32; i < n; i += 64 {
		copy(b[i:], "the same in every blob, again, ."[:min(32, n-i)])
	}
	return b
}

// tamper replaces the file of a blob in the local cache.
func tamper(t testing.TB, dir string, blob cache.Digest, content []byte) {
	t.Helper()
	file := filepath.Join(dir, "v1", "cas", blob.Hex()[:2], blob.Hex())
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// caFile returns the path of the certificate of a server.
func caFile(t testing.TB, s *httptest.Server) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
