package serve

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	repb "github.com/bazelbuild/remote-apis/build/bazel/remote/execution/v2"
	bspb "google.golang.org/genproto/googleapis/bytestream"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/weftrun/weft/engine/cache"
)

// Tokens of the tests.
const (
	readToken   = "secret-to-read"
	writeToken  = "secret-to-write"
	branchToken = "secret-of-a-branch"
)

// tokensFile writes a file with the tokens, and returns its path.
func tokensFile(t *testing.T) string {
	t.Helper()
	line := func(right, token, more string) string {
		return fmt.Sprintf("%s sha256:%x%s\n", right, sha256.Sum256([]byte(token)), more)
	}
	path := filepath.Join(t.TempDir(), "tokens")
	text := "# who may\n\n" + line("read", readToken, " # everybody") + line("write", writeToken, "") + line("write", branchToken, " instance=branch # a branch")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// By the calls of rpcs, these blobs are stored.
var batched, streamed = []byte("x"), []byte("by a stream")

// rpcs are all methods, each with a call, and methods that do not exist.
func rpcs(r *rig) map[string]func(ctx context.Context, instance string) error {
	d := message(cache.DigestOf(batched))
	raw := func(full string) func(context.Context, string) error {
		return func(ctx context.Context, _ string) error {
			ctx, cancel := context.WithCancel(ctx)
			defer cancel()
			s, err := r.conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, full)
			if err != nil {
				return err
			}
			if err := s.SendMsg(new(emptypb.Empty)); err == nil {
				s.CloseSend()
			} // else RecvMsg says why
			return s.RecvMsg(new(emptypb.Empty))
		}
	}
	const blobs, health = "/build.bazel.remote.execution.v2.ContentAddressableStorage/", "/grpc.health.v1.Health/"
	return map[string]func(context.Context, string) error{
		"GetCapabilities": func(ctx context.Context, i string) error {
			_, err := repb.NewCapabilitiesClient(r.conn).GetCapabilities(ctx, &repb.GetCapabilitiesRequest{InstanceName: i})
			return err
		},
		"FindMissingBlobs": func(ctx context.Context, i string) error {
			_, err := r.cas.FindMissingBlobs(ctx, &repb.FindMissingBlobsRequest{InstanceName: i, BlobDigests: []*repb.Digest{d}})
			return err
		},
		"BatchReadBlobs": func(ctx context.Context, i string) error {
			_, err := r.cas.BatchReadBlobs(ctx, &repb.BatchReadBlobsRequest{InstanceName: i, Digests: []*repb.Digest{d}})
			return err
		},
		"BatchUpdateBlobs": func(ctx context.Context, i string) error {
			_, err := r.cas.BatchUpdateBlobs(ctx, &repb.BatchUpdateBlobsRequest{InstanceName: i, Requests: []*repb.BatchUpdateBlobsRequest_Request{{Digest: d, Data: batched}}})
			return err
		},
		"GetTree": func(ctx context.Context, i string) error {
			s, err := r.cas.GetTree(ctx, &repb.GetTreeRequest{InstanceName: i, RootDigest: d})
			if err == nil {
				_, err = s.Recv()
			}
			return err
		},
		"GetActionResult": func(ctx context.Context, i string) error {
			_, err := r.ac.GetActionResult(ctx, &repb.GetActionResultRequest{InstanceName: i, ActionDigest: d})
			return err
		},
		"UpdateActionResult": func(ctx context.Context, i string) error {
			_, err := r.ac.UpdateActionResult(ctx, &repb.UpdateActionResultRequest{InstanceName: i, ActionDigest: d, ActionResult: &repb.ActionResult{ExitCode: 1}})
			return err
		},
		"Read": func(ctx context.Context, i string) error {
			s, err := r.bytes.Read(ctx, &bspb.ReadRequest{ResourceName: i + "/blobs/" + emptyBlob.String()})
			if err == nil {
				_, err = s.Recv()
			}
			if err == io.EOF {
				err = nil
			}
			return err
		},
		"Write": func(ctx context.Context, i string) error {
			s, err := r.bytes.Write(ctx)
			if err == nil {
				s.Send(&bspb.WriteRequest{ResourceName: i + "/uploads/u/blobs/" + cache.DigestOf(streamed).String(), Data: streamed, FinishWrite: true})
				_, err = s.CloseAndRecv()
			}
			return err
		},
		"QueryWriteStatus": func(ctx context.Context, i string) error {
			_, err := r.bytes.QueryWriteStatus(ctx, &bspb.QueryWriteStatusRequest{ResourceName: i + "/uploads/u/blobs/" + emptyBlob.String()})
			return err
		},
		"Check": func(ctx context.Context, _ string) error {
			_, err := healthpb.NewHealthClient(r.conn).Check(ctx, &healthpb.HealthCheckRequest{})
			return err
		},
		"List": raw(health + "List"), "Watch": raw(health + "Watch"),
		"SplitBlob": raw(blobs + "SplitBlob"), "SpliceBlob": raw(blobs + "SpliceBlob"), "GetChunkMapping": raw(blobs + "GetChunkMapping"), "RegisterChunkMapping": raw(blobs + "RegisterChunkMapping"),
		noMethod: raw(blobs + noMethod), noService: raw(noService), "/build.bazel.remote.execution.v2.Execution/Execute": raw("/build.bazel.remote.execution.v2.Execution/Execute"),
		noServiceKnown: raw(noServiceKnown),
	}
}

// What does not exist: a method, a service, and a service with a method as others have it.
const noMethod, noService, noServiceKnown = "DeleteBlobs", "/weft.Admin/Stop", "/weft.Admin/UpdateActionResult"

// TestTokenMatrix calls every method with every token: what a token does not allow is refused, and
// has no effect.
func TestTokenMatrix(t *testing.T) {
	r := newRig(t, "--tokens", tokensFile(t), "--log=requests")
	const ok, unknown, denied = codes.OK, codes.Unauthenticated, codes.PermissionDenied
	tokens := []struct{ token, instance string }{{"", "main"}, {"not-known", "main"}, {readToken, "main"}, {branchToken, "main"}, {branchToken, "branch"}, {branchToken, "branch/sub"}, {branchToken, "branches"}, {writeToken, "main"}}
	read := []codes.Code{unknown, unknown, ok, ok, ok, ok, ok, ok}
	write := []codes.Code{unknown, unknown, denied, ok, ok, ok, ok, ok}
	const none = codes.Unimplemented
	nothing := []codes.Code{unknown, unknown, none, none, none, none, none, none}
	refused := []codes.Code{unknown, unknown, denied, none, none, none, none, none}
	never := []codes.Code{none, none, none, none, none, none, none, none}
	all := []codes.Code{ok, ok, ok, ok, ok, ok, ok, ok}
	want := map[string][]codes.Code{
		"GetCapabilities": read, "FindMissingBlobs": read, "BatchReadBlobs": read, "Read": read,
		"BatchUpdateBlobs": write, "Write": write, "QueryWriteStatus": write,
		"GetTree": nothing, "SplitBlob": nothing, "GetChunkMapping": nothing,
		"List": all, "Watch": all,
		noMethod: never, noService: never, "/build.bazel.remote.execution.v2.Execution/Execute": never,
		noServiceKnown: refused, "SpliceBlob": refused, "RegisterChunkMapping": refused,
		"UpdateActionResult": {unknown, unknown, denied, denied, ok, ok, denied, ok},
		"GetActionResult":    {unknown, unknown, codes.NotFound, codes.NotFound, ok, ok, codes.NotFound, ok},
		"Check":              all,
	}
	calls := rpcs(r)
	order := []string{"Check", "List", "Watch", "GetCapabilities", "FindMissingBlobs", "BatchReadBlobs", "Read", "GetTree", "SplitBlob", "GetChunkMapping", "SpliceBlob", "RegisterChunkMapping", "BatchUpdateBlobs", "Write", "QueryWriteStatus", "UpdateActionResult", "GetActionResult",
		noMethod, noService, noServiceKnown, "/build.bazel.remote.execution.v2.Execution/Execute"}
	for service, info := range r.fronts.grpc.GetServiceInfo() {
		for _, m := range info.Methods {
			if !slices.Contains(order, m.Name) {
				t.Errorf("%s of %s is not tried", m.Name, service)
			}
		}
	}
	for i, who := range tokens {
		ctx := t.Context()
		if who.token != "" {
			ctx = withToken(ctx, who.token)
		}
		for _, method := range order {
			if got := status.Code(calls[method](ctx, who.instance)); got != want[method][i] {
				t.Errorf("%s, %q, %q: %s, want %s", method, who.token, who.instance, got, want[method][i])
			}
		}
		for _, b := range [][]byte{batched, streamed} {
			if has := r.store.has(cache.DigestOf(b)); has != (write[i] == ok || i > 3) {
				t.Errorf("%q, after %q: it is there: %t", b, who.token, has)
			}
		}
	}
	if len(order) != len(want) || len(calls) != len(want) {
		t.Errorf("%d methods are tried, of %d and %d", len(order), len(want), len(calls))
	}
	hash := cache.DigestOf([]byte("of HTTP")).Hex()
	unsupported, absent := slices.Repeat([]int{405}, len(tokens)), slices.Repeat([]int{404}, len(tokens))
	result := mustMarshal(t, &repb.ActionResult{ExitCode: 1})
	for i, who := range tokens {
		headers := []string{"Accept: */*"}
		if who.token != "" {
			headers = []string{"Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte("anybody:"+who.token))}
		}
		for _, c := range []struct {
			method, path string
			want         []int
		}{
			{"GET", "/healthz", []int{200, 200, 200, 200, 200, 200, 200, 200}},
			{"GET", "/status", []int{401, 401, 200, 200, 200, 200, 200, 200}},
			{"GET", "/metrics", []int{401, 401, 200, 200, 200, 200, 200, 200}},
			{"HEAD", "/cas/" + emptyBlob.Hex(), []int{401, 401, 200, 200, 200, 200, 200, 200}},
			{"GET", "/cas/" + emptyBlob.Hex(), []int{401, 401, 200, 200, 200, 200, 200, 200}},
			{"PUT", "/" + who.instance + "/ac/" + hash, []int{401, 401, 403, 403, 200, 200, 403, 200}},
			{"GET", "/" + who.instance + "/ac/" + hash, []int{401, 401, 404, 404, 200, 200, 404, 200}},
			{"PUT", "/cas/" + emptyBlob.Hex(), []int{401, 401, 403, 200, 200, 200, 200, 200}},
			{"HEAD", "/" + who.instance + "/ac/" + hash, []int{401, 401, 404, 404, 200, 200, 404, 200}},
			{"GET", "/cas/" + hash, []int{401, 401, 404, 404, 404, 404, 404, 404}},
			{"PUT", "/cas/" + cache.DigestOf([]byte("by HTTP")).Hex(), []int{401, 401, 403, 200, 200, 200, 200, 200}},
			{"DELETE", "/cas/" + emptyBlob.Hex(), unsupported},
			{"DELETE", "/ac/" + hash, unsupported},
			{"POST", "/cas/" + emptyBlob.Hex(), unsupported},
			{"PATCH", "/ac/" + hash, unsupported},
			{"OPTIONS", "/ac/" + hash, unsupported},
			{"TRACE", "/status", unsupported},
			{"NONE", "/cas/" + emptyBlob.Hex(), unsupported},
			{"PUT", "/status", unsupported},
			{"PUT", "/metrics", unsupported},
			{"GET", "/", absent},
			{"GET", "/admin", absent},
			{"PUT", "/admin", absent},
			{"PUT", "/blobs/" + hash, absent},
		} {
			body := []byte(nil)
			if strings.Contains(c.path, "/ac/") && c.method == "PUT" {
				body = result
			} else if strings.HasSuffix(c.path, cache.DigestOf([]byte("by HTTP")).Hex()) {
				body = []byte("by HTTP")
			}
			a, _ := r.http(c.method, c.path, body, headers...)
			if a.StatusCode != c.want[i] {
				t.Errorf("%s %s, %q: %s, want %d", c.method, c.path, who.token, a.Status, c.want[i])
			}
			if a.StatusCode == 401 && len(a.Header.Values("WWW-Authenticate")) != 2 {
				t.Errorf("%s %s: it does not say how: %v", c.method, c.path, a.Header)
			}
		}
	}
	for _, secret := range []string{readToken, writeToken, branchToken, "not-known", base64.StdEncoding.EncodeToString([]byte("anybody:" + writeToken))} {
		if strings.Contains(r.output.String(), secret) || strings.Contains(string(r.wantHTTP(200, "GET", "/metrics", nil, "Authorization: Bearer "+readToken)), secret) {
			t.Errorf("%s is told", secret)
		}
	}
}

// TestRightsInCapabilities: only who may write is told so.
func TestRightsInCapabilities(t *testing.T) {
	r := newRig(t, "--tokens", tokensFile(t), "--anonymous", "read")
	for token, want := range map[string]bool{"": false, readToken: false, writeToken: true} {
		ctx := t.Context()
		if token != "" {
			ctx = withToken(ctx, token)
		}
		c, err := repb.NewCapabilitiesClient(r.conn).GetCapabilities(ctx, &repb.GetCapabilitiesRequest{})
		if err != nil || c.CacheCapabilities.ActionCacheUpdateCapabilities.UpdateEnabled != want {
			t.Errorf("%q: %v, %v", token, c, err)
		}
	}
	// Who may read only because all may is told to show who it is, and a wrong token counts as a mistake.
	wantCode(t, r.keepResult("", "act", &repb.ActionResult{}), codes.Unauthenticated)
	_, err := r.cas.FindMissingBlobs(withToken(t.Context(), "not-known"), &repb.FindMissingBlobsRequest{})
	wantCode(t, err, codes.Unauthenticated)
	// What is not a token of ours is not a token.
	_, err = r.cas.FindMissingBlobs(metadata.AppendToOutgoingContext(t.Context(), "authorization", "Digest x"), &repb.FindMissingBlobsRequest{})
	wantCode(t, err, codes.Unauthenticated)
}

// TestReload: after a hangup, other tokens count; a file that is wrong changes nothing.
func TestReload(t *testing.T) {
	path := tokensFile(t)
	r := newRig(t, "--tokens", path)
	find := func(token string) codes.Code {
		_, err := r.cas.FindMissingBlobs(withToken(t.Context(), token), &repb.FindMissingBlobsRequest{})
		return status.Code(err)
	}
	if got := find(readToken); got != codes.OK {
		t.Fatal(got)
	}
	if err := os.WriteFile(path, []byte("read "+readToken+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r.reload()
	if got := find(readToken); got != codes.OK {
		t.Error(got)
	}
	if log := r.output.String(); !strings.Contains(log, path+":1: the second word is neither") || strings.Contains(log, readToken) {
		t.Errorf("the log: %s", log)
	}
	if err := os.WriteFile(path, fmt.Appendf(nil, "read sha256:%x", sha256.Sum256([]byte("new"))), 0o600); err != nil {
		t.Fatal(err)
	}
	r.reload()
	if old, new := find(readToken), find("new"); old != codes.Unauthenticated || new != codes.OK {
		t.Error(old, new)
	}
}

func TestTokensFile(t *testing.T) {
	hash := strings.Repeat("ab", 32)
	for text, want := range map[string]string{
		"":                      "",
		"read sha256:" + hash:   "",
		"write cn:builder # CI": "",
		"write sha256:" + hash + " instance=a/b # x":     "",
		"delete sha256:" + hash:                          "1: a line must begin with read or write",
		"\nread":                                         "2: the holder is missing",
		"read " + hash:                                   "neither sha256:HEX nor cn:NAME",
		"read cn:":                                       "neither sha256:HEX nor cn:NAME",
		"read sha256:" + hash[1:]:                        "64 hexadecimal digits",
		"read sha256:" + strings.ToUpper(hash):           "64 hexadecimal digits",
		"read sha256:" + hash + " instance=":             "only be instance=PREFIX",
		"read sha256:" + hash + " instance=///":          "not a name of an instance",
		"read sha256:" + hash + " instances=a":           "only be instance=PREFIX",
		"read sha256:" + hash + " instance=a instance=b": "only be instance=PREFIX",
	} {
		_, err := parseTokens("file", text)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "tokens")
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := openTokens(path); runtime.GOOS != "windows" && (err == nil || !strings.Contains(err.Error(), "chmod 600")) {
		t.Errorf("others may read it: %v", err)
	}
	if _, err := openTokens(dir); err == nil || !strings.Contains(err.Error(), "is not a file") {
		t.Errorf("a directory: %v", err)
	}
	if _, err := openTokens(filepath.Join(dir, "none")); err == nil {
		t.Error("there is none")
	}
}

func TestNewToken(t *testing.T) {
	var out strings.Builder
	if code := Main([]string{"--new-token=write"}, &out, io.Discard); code != 0 {
		t.Fatal(code)
	}
	first, second, _ := strings.Cut(strings.TrimSpace(out.String()), "\n")
	_, token, _ := strings.Cut(first, ": ")
	_, line, _ := strings.Cut(second, ": ")
	list, err := parseTokens("file", line)
	if err != nil || len(list) != 1 || list[0].right != mayWrite || list[0].token != sha256.Sum256([]byte(strings.TrimSpace(token))) {
		t.Errorf("%s: %v, %v", out.String(), list, err)
	}
}

// TestExposure: what would let others in by mistake does not start.
func TestExposure(t *testing.T) {
	tokens := tokensFile(t)
	for _, c := range []struct {
		flags []string
		want  string // of the error
	}{
		{[]string{"--listen", "0.0.0.0:0"}, "set --tokens or --client-ca"},
		{[]string{"--listen", "127.0.0.1:0", "--listen", "[::]:0"}, "set --tokens or --client-ca"},
		{[]string{"--listen", "0.0.0.0:0", "--tokens", tokens}, "--plaintext behind a proxy"},
		{[]string{"--listen", "0.0.0.0:0", "--tokens", tokens, "--plaintext", "--anonymous", "write"}, "only for local addresses"},
		{[]string{"--listen", "0.0.0.0:0", "--plaintext", "--anonymous", "read"}, "set --tokens or --client-ca"},
		{[]string{"--listen", "127.0.0.1"}, "HOST:PORT or unix:PATH"},
		{[]string{"--listen", "127.0.0.1:0", "--tokens", filepath.Join(t.TempDir(), "none")}, "--tokens: "},
	} {
		o, err := parseFlags(append(c.flags, "--dir", t.TempDir()), io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := start(o, io.Discard); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v, want %q", c.flags, err, c.want)
		}
	}
	startRig(t, "--listen", "0.0.0.0:0", "--tokens", tokens, "--plaintext")
}

func TestFlags(t *testing.T) {
	for _, c := range []struct {
		flags string
		want  string // of stderr
	}{
		{"--size 0", "a size is a number above 0"},
		{"--size 10GB", "KiB, MiB, GiB or TiB"},
		{"--max-blob 9000000TiB", "a size is a number"},
		{"--tls cert", "two files are needed"},
		{"--client-ca x", "--client-ca needs --tls"},
		{"--plaintext --tls a,b", "contradict"},
		{"--anonymous all", "none, read, write"},
		{"--log all", "requests"},
		{"--grace -1s", "is negative"},
		{"--nothing", "not defined"},
		{"word", "word is not a flag"},
	} {
		var stderr strings.Builder
		if code := Main(strings.Fields(c.flags), io.Discard, &stderr); code != 2 || !strings.Contains(stderr.String(), c.want) {
			t.Errorf("%s: %d, %s", c.flags, code, stderr.String())
		}
	}
	var out strings.Builder
	if code := Main([]string{"--help"}, &out, io.Discard); code != 0 || !strings.Contains(out.String(), "--max-blob SIZE") {
		t.Errorf("%d: %s", code, out.String())
	}
	for text, want := range map[string]int64{"1": 1, "12B": 12, "1KiB": 1 << 10, "10GiB": 10 << 30, "2TiB": 2 << 40} {
		if got, err := parseSize(text); got != want || err != nil {
			t.Errorf("%s: %d, %v", text, got, err)
		}
	}
	for n, want := range map[int64]string{5: "5 B", 1 << 10: "1.0 KiB", 1<<20 - 1: "1.0 MiB", 10 << 30: "10.0 GiB"} {
		if got := formatSize(n); got != want {
			t.Errorf("%d: %s", n, got)
		}
	}
}

// TestOneServerForADirectory also tells who has it.
func TestOneServerForADirectory(t *testing.T) {
	r := startRig(t)
	o := *r.o
	if _, err := start(&o, io.Discard); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("is used by another server (process %d)", os.Getpid())) {
		t.Errorf("got %v", err)
	}
}

// TestSignals: a server reads its files again on a hangup, and ends on the first signal that stops;
// what it has is there for the next one.
func TestSignals(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "tokens")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	signals := make(chan os.Signal)
	r := startRig(t, "--dir", dir, "--tokens", path)
	ended := make(chan error)
	r.stopped.Do(func() { go func() { ended <- r.await(signals) }() })
	signals <- syscall.SIGHUP
	signals <- syscall.SIGTERM
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(time.Minute):
		t.Fatal("it does not end")
	}
	for _, want := range []string{"reloaded", "stopping: terminated", "stopped after"} {
		if !strings.Contains(r.output.String(), want) {
			t.Errorf("the log has no %q: %s", want, r.output)
		}
	}
	again := startRig(t, "--dir", dir)
	if !again.store.state.Since.IsZero() {
		t.Error("the end was not noted")
	}
}
