package serve

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"

	repb "github.com/bazelbuild/remote-apis/build/bazel/remote/execution/v2"
	"google.golang.org/protobuf/proto"

	"github.com/weftrun/weft/engine/cache"
)

func TestHTTPBlobs(t *testing.T) {
	r := newRig(t)
	b := bytesOf("http", 100_000)
	d := cache.DigestOf(b)
	path := "/cas/" + d.Hex()
	r.wantHTTP(404, "GET", path, nil)
	r.wantHTTP(200, "PUT", path, b)
	r.wantHTTP(200, "PUT", "/other/instance"+path, b) // it is there
	for _, p := range []string{path, "/moon-outputs" + path, "/" + path, "/a/b" + path} {
		if got := r.wantHTTP(200, "GET", p, nil); !bytes.Equal(got, b) {
			t.Errorf("%s: %d bytes", p, len(got))
		}
	}
	if r.missing(d) != 0 {
		t.Error("gRPC does not see it")
	}
	a, got := r.http("HEAD", path, nil)
	if a.StatusCode != 200 || a.ContentLength != d.Size || len(got) > 0 {
		t.Errorf("HEAD: %s, %d", a.Status, a.ContentLength)
	}
	a, got = r.http("GET", path, nil, "Range: bytes=10-19")
	if a.StatusCode != 206 || !bytes.Equal(got, b[10:20]) {
		t.Errorf("a range: %s, %d bytes", a.Status, len(got))
	}
	a, _ = r.http("GET", path, nil, "Range: bytes=100000-")
	if a.StatusCode != 416 {
		t.Errorf("a range beyond the end: %s", a.Status)
	}
	a, got = r.http("GET", path, nil, "Accept-Encoding: gzip, zstd")
	if a.StatusCode != 200 || a.Header.Get("Content-Encoding") != "zstd" || len(got) > len(b)*9/10 {
		t.Errorf("zstd: %s, %d bytes", a.Status, len(got))
	}
	if got, err := unpack(got, d.Size); err != nil || !bytes.Equal(got, b) {
		t.Errorf("zstd: %v", err)
	}
	if a, got = r.http("GET", path, nil, "Accept-Encoding: zstd;q=0"); !bytes.Equal(got, b) {
		t.Errorf("no zstd: %s, %d bytes", a.Status, len(got))
	}
	if got := r.wantHTTP(200, "GET", "/cas/"+emptyBlob.Hex(), nil); len(got) > 0 {
		t.Errorf("got %q", got)
	}
	r.wantHTTP(200, "PUT", "/cas/"+emptyBlob.Hex(), nil)

	other := bytesOf("packed", 200_000)
	packed, _ := codecs.Pack(other)
	path = "/cas/" + cache.DigestOf(other).Hex()
	r.wantHTTP(400, "PUT", path, other[1:])
	r.wantHTTP(400, "PUT", path, packed)
	r.wantHTTP(400, "PUT", path, other, "Content-Encoding: zstd")
	r.wantHTTP(400, "PUT", path, packed[:len(packed)/2], "Content-Encoding: zstd")
	r.wantHTTP(400, "PUT", path, packed, "Content-Encoding: br")
	r.wantHTTP(404, "GET", path, nil)
	r.wantHTTP(200, "PUT", path, packed, "Content-Encoding: zstd")
	if got := r.wantHTTP(200, "GET", path, nil); !bytes.Equal(got, other) {
		t.Errorf("%d bytes", len(got))
	}
}

// TestHTTPTooLarge: what is larger than allowed is refused, whether it says so or not.
func TestHTTPTooLarge(t *testing.T) {
	r := newRig(t, "--max-blob", "64KiB")
	b := make([]byte, 64<<10+1)
	path := "/cas/" + cache.DigestOf(b).Hex()
	r.wantHTTP(413, "PUT", path, b)
	packed, _ := codecs.Pack(b)
	r.wantHTTP(413, "PUT", path, packed, "Content-Encoding: zstd")
	r.wantHTTP(200, "PUT", "/cas/"+cache.DigestOf(b[1:]).Hex(), b[1:])
	if n := r.store.space.reservedBytes(); n != 0 {
		t.Errorf("%d bytes are reserved", n)
	}
}

// TestHTTPPaths: nothing of a path leads anywhere.
func TestHTTPPaths(t *testing.T) {
	r := newRig(t)
	hash := cache.DigestOf([]byte("x")).Hex()
	for path, want := range map[string]int{
		"/":                                404,
		"/cas":                             404,
		"/cas/":                            400,
		"/cas/" + strings.ToUpper(hash):    400,
		"/cas/" + hash[1:]:                 400,
		"/cas/" + hash + "/":               404,
		"/cas/../../../../etc/passwd":      404,
		"/cas/..%2f..%2f..%2fetc%2fpasswd": 404,
		"/cas/%2e%2e/ac/" + hash:           404,
		"/ac/%00" + hash[1:]:               400,
		"/%00/ac/" + hash:                  400,
		"/%ff/ac/" + hash:                  400,
		"/" + strings.Repeat("a", 2000) + "/ac/" + hash: 400,
		"//ac/" + hash:                404,
		"/v1/state":                   404,
		"/../v1/state":                404,
		"/cas/" + hash + "?x=/status": 404,
		"/statusx":                    404,
	} {
		r.wantHTTP(want, "GET", path, nil)
	}
	for _, method := range []string{"POST", "DELETE", "PATCH", "OPTIONS", "CONNECTS", "get"} {
		r.wantHTTP(405, method, "/cas/"+hash, nil)
	}
	r.wantHTTP(405, "PUT", "/status", nil)
	if got := r.wantHTTP(200, "GET", "/healthz", nil); string(got) != "ok\n" {
		t.Errorf("got %q", got)
	}
	if got := r.wantHTTP(200, "GET", "/status", nil); !strings.Contains(string(got), `"blobs":0`) {
		t.Errorf("got %q", got)
	}
}

func TestHTTPResults(t *testing.T) {
	r := newRig(t)
	d := r.put([]byte("output"))
	result := &repb.ActionResult{OutputFiles: []*repb.OutputFile{{Path: "a/b", Digest: message(d), IsExecutable: true}}, ExitCode: 3}
	b, err := proto.Marshal(result)
	if err != nil {
		t.Fatal(err)
	}
	hash := cache.DigestOf([]byte("no action at all")).Hex()
	r.wantHTTP(404, "GET", "/ac/"+hash, nil)
	r.wantHTTP(200, "PUT", "/ac/"+hash, b)
	same := func(b []byte) {
		t.Helper()
		got := new(repb.ActionResult)
		if err := proto.Unmarshal(b, got); err != nil || !proto.Equal(got, result) {
			t.Errorf("got %v, %v", got, err)
		}
	}
	same(r.wantHTTP(200, "GET", "/ac/"+hash, nil))
	same(r.wantHTTP(200, "GET", "//ac/"+hash, nil))
	r.wantHTTP(404, "GET", "/other/ac/"+hash, nil)
	got, err := r.ac.GetActionResult(t.Context(), &repb.GetActionResultRequest{ActionDigest: &repb.Digest{Hash: hash, SizeBytes: 16}})
	if err != nil || !proto.Equal(got, result) {
		t.Errorf("gRPC: %v, %v", got, err)
	}
	// As moon has it: JSON of either spelling, with numbers or texts, and what is not known here.
	for i, json := range []string{
		`{"outputFiles":[{"path":"a/b","digest":{"hash":"%s","sizeBytes":"6"},"isExecutable":true}],"exitCode":3,"later":{"a":[1]}}`,
		`{"output_files":[{"path":"a/b","digest":{"hash":"%s","size_bytes":6},"is_executable":true}],"exit_code":3}`,
	} {
		path := fmt.Sprintf("/moon-outputs/%d/ac/%s", i, hash)
		r.wantHTTP(200, "PUT", path, fmt.Appendf(nil, json, d.Hex()), "Content-Type: application/json; charset=utf-8")
		same(r.wantHTTP(200, "GET", path, nil))
		text := string(r.wantHTTP(200, "GET", path, nil, "Accept: application/json"))
		if text = strings.ReplaceAll(text, " ", ""); !strings.Contains(text, `"sizeBytes":"6"`) || !strings.Contains(text, `"outputFiles":`) {
			t.Errorf("got %s", text)
		}
	}
	for what, body := range map[string][]byte{
		"no message":    []byte("\xff\xff\xff"),
		"missing blobs": mustMarshal(t, &repb.ActionResult{StdoutDigest: message(cache.DigestOf([]byte("not here")))}),
		"a path":        mustMarshal(t, &repb.ActionResult{OutputFiles: []*repb.OutputFile{{Path: "../x", Digest: message(d)}}}),
	} {
		a, _ := r.http("PUT", "/ac/"+cache.DigestOf([]byte(what)).Hex(), body)
		if a.StatusCode != 400 {
			t.Errorf("%s: %s", what, a.Status)
		}
	}
	r.wantHTTP(400, "PUT", "/ac/"+hash, []byte("{"), "Content-Type: application/json")
	r.wantHTTP(413, "PUT", "/ac/"+hash, make([]byte, maxResult+1))
	packed, _ := codecs.Pack(make([]byte, maxResult+1))
	r.wantHTTP(413, "PUT", "/ac/"+hash, packed, "Content-Encoding: zstd")
	same(r.wantHTTP(200, "GET", "/ac/"+hash, nil)) // the old one
}

func mustMarshal(t testing.TB, m proto.Message) []byte {
	t.Helper()
	b, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestWebPages: a page in a browser on this machine can do nothing where everyone may write, also
// by a name that was made to lead here.
func TestWebPages(t *testing.T) {
	r := newRig(t)
	_, port, err := net.SplitHostPort(r.address)
	if err != nil {
		t.Fatal(err)
	}
	r.wantHTTP(200, "GET", "/status", nil, "Host: localhost:"+port)
	r.wantHTTP(200, "GET", "/status", nil, "Host: LOCALHOST")
	for _, header := range []string{"Host: evil.example:" + port, "Host: evil.example", "Host: 127.0.0.1.evil.example", "Origin: http://evil.example", "Origin: null"} {
		r.wantHTTP(403, "GET", "/status", nil, header)
		r.wantHTTP(403, "PUT", "/cas/"+cache.DigestOf([]byte("x")).Hex(), []byte("x"), header)
	}
	a, _ := r.http("OPTIONS", "/status", nil, "Origin: http://evil.example")
	for name := range a.Header {
		if strings.HasPrefix(http.CanonicalHeaderKey(name), "Access-Control") {
			t.Errorf("there is %s", name)
		}
	}
}
