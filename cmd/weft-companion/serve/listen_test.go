package serve

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	repb "github.com/bazelbuild/remote-apis/build/bazel/remote/execution/v2"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/weftrun/weft/engine/cache"
)

// authority signs certificates of a test.
type authority struct {
	t    *testing.T
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{t: t, dir: t.TempDir()}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	a.key = key
	a.cert = &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	a.write("ca.pem", a.cert, key)
	return a
}

// write writes a certificate, signed by the authority, and its key. It returns their paths.
func (a *authority) write(name string, c *x509.Certificate, key *ecdsa.PrivateKey) (cert, keyFile string) {
	a.t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, c, a.cert, &key.PublicKey, a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	cert, keyFile = filepath.Join(a.dir, name), filepath.Join(a.dir, name+".key")
	for path, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, keyFile: {Type: "PRIVATE KEY", Bytes: raw}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			a.t.Fatal(err)
		}
	}
	return cert, keyFile
}

// issue writes a certificate for a name, as a server's or a client's.
func (a *authority) issue(common string, serial int64) (cert, key string) {
	a.t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	return a.write(common+".pem", &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: common}, NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"localhost"}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
	}, k)
}

// client returns how a client connects, with a certificate if there is one.
func (a *authority) client(cert, key string) *tls.Config {
	a.t.Helper()
	pool, err := readPool(filepath.Join(a.dir, "ca.pem"))
	if err != nil {
		a.t.Fatal(err)
	}
	c := &tls.Config{RootCAs: pool}
	if cert != "" {
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			a.t.Fatal(err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c
}

// findBy returns the code of a call over TLS.
func findBy(t *testing.T, address string, c *tls.Config) error {
	t.Helper()
	conn, err := grpc.NewClient("dns:///"+address, grpc.WithTransportCredentials(credentials.NewTLS(c)))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, err = repb.NewContentAddressableStorageClient(conn).FindMissingBlobs(t.Context(), &repb.FindMissingBlobsRequest{})
	return err
}

// TestTLS: both protocols are on one port, by what the client offers; a certificate is a name.
func TestTLS(t *testing.T) {
	a := newAuthority(t)
	cert, key := a.issue("server", 2)
	builder, builderKey := a.issue("builder", 3)
	stranger, strangerKey := a.issue("stranger", 4)
	tokens := filepath.Join(a.dir, "tokens")
	if err := os.WriteFile(tokens, []byte("write cn:builder\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := startRig(t, "--tls", cert+","+key, "--client-ca", filepath.Join(a.dir, "ca.pem"), "--tokens", tokens)
	if err := findBy(t, r.address, a.client(builder, builderKey)); err != nil {
		t.Error(err)
	}
	wantCode(t, findBy(t, r.address, a.client(stranger, strangerKey)), codes.Unauthenticated)
	wantCode(t, findBy(t, r.address, a.client("", "")), codes.Unauthenticated)
	get := func(c *tls.Config, http2 bool) int {
		t.Helper()
		transport := &http.Transport{TLSClientConfig: c, ForceAttemptHTTP2: http2}
		defer transport.CloseIdleConnections()
		a, err := (&http.Client{Transport: transport}).Get("https://" + r.address + "/status")
		if err != nil {
			t.Fatal(err)
		}
		a.Body.Close()
		if a.ProtoMajor != 1 {
			t.Errorf("it is %s", a.Proto)
		}
		return a.StatusCode
	}
	if got := get(a.client(builder, builderKey), true); got != 200 {
		t.Errorf("got %d", got)
	}
	if got := get(a.client(stranger, strangerKey), false); got != 401 {
		t.Errorf("got %d", got)
	}
	old := a.client(builder, builderKey)
	old.MaxVersion = tls.VersionTLS11
	if c, err := tls.Dial("tcp", r.address, old); err == nil {
		c.Close()
		t.Error("TLS 1.1 is taken")
	}
	// A new certificate after a hangup, and the old one as long as the new one is wrong.
	serial := func() int64 {
		t.Helper()
		c, err := tls.Dial("tcp", r.address, a.client("", ""))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		return c.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
	}
	if err := os.WriteFile(cert, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	r.reload()
	if n := serial(); n != 2 || !strings.Contains(r.output.String(), "not reloaded: --tls") {
		t.Errorf("serial %d: %s", n, r.output)
	}
	a.issue("server", 5)
	r.reload()
	if n := serial(); n != 5 {
		t.Errorf("serial %d", n)
	}
}

// TestClientAuthority: without tokens, who has a certificate may write.
func TestClientAuthority(t *testing.T) {
	a := newAuthority(t)
	cert, key := a.issue("server", 2)
	r := startRig(t, "--listen", "0.0.0.0:0", "--tls", cert+","+key, "--client-ca", filepath.Join(a.dir, "ca.pem"))
	if err := findBy(t, r.address, a.client(a.issue("anybody", 3))); err != nil {
		t.Error(err)
	}
	wantCode(t, findBy(t, r.address, a.client("", "")), codes.Unauthenticated)
	foreign := newAuthority(t)
	client := a.client("", "")
	client.Certificates = foreign.client(foreign.issue("anybody", 3)).Certificates
	if err := findBy(t, r.address, client); err == nil {
		t.Error("a certificate of another authority is taken")
	}
}

// TestUnixSocket: only the owner may enter the directory, and a socket that is left over is
// replaced.
func TestUnixSocket(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("modes of directories")
	}
	dir, err := os.MkdirTemp("", "serve") // a short path
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	path := filepath.Join(dir, "s", "socket")
	left := func() {
		t.Helper()
		l, err := net.Listen("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		l.(*net.UnixListener).SetUnlinkOnClose(false)
		l.Close()
	}
	if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	left()
	r := startRig(t, "--listen", "unix:"+path)
	if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", st, err)
	}
	conn, err := grpc.NewClient("unix:"+path, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := repb.NewContentAddressableStorageClient(conn).FindMissingBlobs(t.Context(), &repb.FindMissingBlobsRequest{}); err != nil {
		t.Error(err)
	}
	transport := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return net.Dial("unix", path) }}
	defer transport.CloseIdleConnections()
	a, err := (&http.Client{Transport: transport}).Get("http://any.name/status")
	if err != nil || a.StatusCode != 200 {
		t.Errorf("%v, %v", a, err)
	}
	if err == nil {
		a.Body.Close()
	}
	for what, address := range map[string]string{"another program listens": path, "is not a socket": r.o.dir + "/v1/state", "others can access": filepath.Join(os.TempDir(), "weft-test-socket")} {
		l, err := listenUnix(address)
		if err == nil {
			l.Close()
		}
		if err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: %v, want %q", address, err, what)
		}
	}
}

// TestManyConnections: a thousand clients are served, one more is turned away, and when one has gone
// another one is served.
func TestManyConnections(t *testing.T) {
	r := startRig(t)
	conns := make([]net.Conn, maxConnections)
	for i := range conns {
		c, err := net.Dial("tcp", r.address)
		if err != nil {
			t.Skipf("only %d connections are possible here: %v", i, err)
		}
		defer c.Close()
		conns[i] = c
		eventually(t, "it is admitted", func() bool { return r.metrics.connections.Load() == int64(i+1) })
	}
	for _, c := range []net.Conn{conns[0], conns[maxConnections/2], conns[maxConnections-1]} {
		if _, err := io.WriteString(c, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
			t.Error(err)
		}
		if n, err := c.Read(make([]byte, 100)); n == 0 || err != nil {
			t.Errorf("%d bytes, %v", n, err)
		}
	}
	c, err := net.Dial("tcp", r.address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if n, err := c.Read(make([]byte, 1)); err == nil {
		t.Errorf("%d bytes from one too many", n)
	}
	conns[1].Close()
	eventually(t, "one has gone", func() bool { return r.metrics.connections.Load() == maxConnections-1 })
	r.wantHTTP(200, "GET", "/healthz", nil)
}

// TestSlowSenders: who does not say what it speaks, or does not send the head of a request, or no
// byte for long, is cut off.
func TestSlowSenders(t *testing.T) {
	r := startRigWith(t, func(o *options) { o.greeting = 50 * time.Millisecond })
	dial := func(text string) net.Conn {
		t.Helper()
		c, err := net.Dial("tcp", r.address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		if _, err := io.WriteString(c, text); err != nil {
			t.Fatal(err)
		}
		return c
	}
	cutOff := func(c net.Conn) {
		t.Helper()
		c.SetReadDeadline(time.Now().Add(time.Minute))
		if _, err := io.Copy(io.Discard, c); os.IsTimeout(err) {
			t.Error("it is not cut off")
		}
	}
	for _, text := range []string{"", "GE", "GET /status HTTP/1.1\r\nHost: ", "PRI ", http2Preface[:20]} {
		cutOff(dial(text))
	}
	body := dial("PUT /cas/" + cache.DigestOf([]byte("slow")).Hex() + " HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\ns")
	eventually(t, "the upload has begun", func() bool { return r.calls.n.Load() == 1 })
	r.entry.closeOlder(time.Now().Add(-time.Minute)) // it was heard of lately
	if n := r.metrics.connections.Load(); n != 1 {
		t.Errorf("%d connections", n)
	}
	r.entry.closeOlder(time.Now().Add(time.Minute))
	cutOff(body)
	eventually(t, "the upload has ended", func() bool { return r.calls.n.Load() == 0 })
	if n := r.store.space.reservedBytes(); n != 0 {
		t.Errorf("%d bytes are reserved", n)
	}
	// A head that is too long.
	c := dial("GET /status HTTP/1.1\r\nHost: localhost\r\nX: " + strings.Repeat("x", 2*maxHeaders) + "\r\n\r\n")
	b, _ := io.ReadAll(c)
	if !strings.Contains(string(b), " 431 ") {
		t.Errorf("got %q", b)
	}
}

// TestTooManyCalls: beyond what it can do at a time, the server refuses, and says so.
func TestTooManyCalls(t *testing.T) {
	r := newRig(t)
	r.calls.n.Store(maxCalls)
	_, err := r.cas.FindMissingBlobs(t.Context(), &repb.FindMissingBlobsRequest{})
	wantCode(t, err, codes.ResourceExhausted)
	r.wantHTTP(503, "GET", "/status", nil)
	r.calls.n.Store(0)
	if text := string(r.wantHTTP(200, "GET", "/metrics", nil)); !strings.Contains(text, `weft_cache_refusals_total{reason="busy"} 2`) {
		t.Errorf("got %s", text)
	}
}

// TestMetrics has a line of each family.
func TestMetrics(t *testing.T) {
	r := newRig(t)
	d := r.put([]byte("hello"))
	r.missing(d)
	if _, err := r.read("blobs/"+d.String(), 0, 0); err != nil {
		t.Fatal(err)
	}
	if err := r.keepResult("", "act", &repb.ActionResult{}); err != nil {
		t.Fatal(err)
	}
	r.result("", "act")
	r.result("", "none")
	r.read("blobs/"+cache.DigestOf([]byte("none")).String(), 0, 0)
	r.wantHTTP(405, "TRACE", "/status", nil)
	text := string(r.wantHTTP(200, "GET", "/metrics", nil))
	for _, want := range []string{
		`weft_cache_files{kind="blob"} 1`, `weft_cache_bytes{kind="blob"} 5`, `weft_cache_files{kind="result"} 1`,
		`weft_cache_lookups_total{kind="result",outcome="hit"} 1`, `weft_cache_lookups_total{kind="result",outcome="miss"} 1`,
		`weft_cache_lookups_total{kind="blob",outcome="hit"} 1`, `weft_cache_lookups_total{kind="blob",outcome="miss"} 1`,
		`weft_cache_blob_bytes_total{direction="in"} 5`, `weft_cache_blob_bytes_total{direction="out"} 5`,
		`weft_cache_calls_total{method="Read",code="OK"} 1`, `weft_cache_calls_total{method="Read",code="NotFound"} 1`,
		`weft_cache_calls_total{method="other",code="405"} 1`, `weft_cache_refusals_total{reason="unsupported"} 1`,
		`weft_cache_call_seconds_total{method="FindMissingBlobs",code="OK"} 0.`, `weft_cache_evicted_files_total 0`, "# TYPE weft_cache_evicted_files_total counter\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("there is no %s in\n%s", want, text)
		}
	}
}
