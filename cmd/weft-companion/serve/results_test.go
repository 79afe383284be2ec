package serve

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	repb "github.com/bazelbuild/remote-apis/build/bazel/remote/execution/v2"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/weftrun/weft/engine/cache"
)

// keepResult has the server keep a result.
func (r *rig) keepResult(instance, action string, result *repb.ActionResult) error {
	_, err := r.ac.UpdateActionResult(r.t.Context(), &repb.UpdateActionResultRequest{InstanceName: instance, ActionDigest: message(cache.DigestOf([]byte(action))), ActionResult: result})
	return err
}

func (r *rig) result(instance, action string) (*repb.ActionResult, error) {
	return r.ac.GetActionResult(r.t.Context(), &repb.GetActionResultRequest{InstanceName: instance, ActionDigest: message(cache.DigestOf([]byte(action)))})
}

// blobOf has the server keep a message, and returns its digest.
func (r *rig) blobOf(m proto.Message) *repb.Digest {
	r.t.Helper()
	return message(r.put(mustMarshal(r.t, m)))
}

// TestInstances: results are kept apart, blobs are not.
func TestInstances(t *testing.T) {
	r := newRig(t)
	for i, instance := range []string{"", "main", "main/sub"} {
		if err := r.keepResult(instance, "act", &repb.ActionResult{ExitCode: int32(i)}); err != nil {
			t.Fatal(err)
		}
	}
	for i, instance := range []string{"", "main", "main/sub"} {
		if got, err := r.result(instance, "act"); err != nil || int(got.ExitCode) != i {
			t.Errorf("%q: %v, %v", instance, got, err)
		}
	}
	_, err := r.result("mai", "act")
	wantCode(t, err, codes.NotFound)
	wantCode(t, r.keepResult("a\x00b", "act", &repb.ActionResult{}), codes.InvalidArgument)
	wantCode(t, r.keepResult("", "act", nil), codes.InvalidArgument)
}

// TestActionIsUsed: an action is kept as long as its result.
func TestActionIsUsed(t *testing.T) {
	r := newRig(t)
	r.store.scanned(t)
	action := r.put([]byte("act"))
	if err := r.keepResult("main", "act", &repb.ActionResult{}); err != nil {
		t.Fatal(err)
	}
	r.store.blobs.age(action.Hash, 20*time.Hour)
	if _, err := r.result("main", "act"); err != nil {
		t.Fatal(err)
	}
	r.store.remove(1<<30, time.Now().Add(-inUse))
	if !r.store.has(action) {
		t.Error("the action is gone")
	}
}

// TestCompleteResults: a result is taken, and given, only if everything that it names is here.
func TestCompleteResults(t *testing.T) {
	r := newRig(t)
	here, gone := message(r.put([]byte("here"))), message(cache.DigestOf([]byte("gone")))
	directory := func(file *repb.Digest, dirs ...*repb.DirectoryNode) *repb.Directory {
		return &repb.Directory{Files: []*repb.FileNode{{Name: "f", Digest: file}}, Directories: dirs}
	}
	good := directory(here)
	bad := directory(gone)
	nested := func(d *repb.Directory) *repb.Directory {
		return directory(here, &repb.DirectoryNode{Name: "sub", Digest: r.blobOf(d)})
	}
	missing := &repb.Directory{Directories: []*repb.DirectoryNode{{Name: "sub", Digest: gone}}}
	file := func(path string, d *repb.Digest) *repb.ActionResult {
		return &repb.ActionResult{OutputFiles: []*repb.OutputFile{{Path: path, Digest: d}}}
	}
	tree := func(root *repb.Directory, children ...*repb.Directory) *repb.ActionResult {
		return &repb.ActionResult{OutputDirectories: []*repb.OutputDirectory{{Path: "d", TreeDigest: r.blobOf(&repb.Tree{Root: root, Children: children})}}}
	}
	root := func(d *repb.Directory) *repb.ActionResult {
		return &repb.ActionResult{OutputDirectories: []*repb.OutputDirectory{{Path: "", RootDirectoryDigest: r.blobOf(d)}}}
	}
	link := func(path, target string) *repb.ActionResult {
		return &repb.ActionResult{OutputSymlinks: []*repb.OutputSymlink{{Path: path, Target: target}}}
	}
	for what, c := range map[string]struct {
		result *repb.ActionResult
		want   codes.Code
	}{
		"nothing":                  {&repb.ActionResult{}, codes.OK},
		"a file":                   {file("a/b", here), codes.OK},
		"an empty file":            {file("a", message(emptyBlob)), codes.OK},
		"a missing file":           {file("a/b", gone), codes.FailedPrecondition},
		"another size":             {file("a/b", &repb.Digest{Hash: here.Hash, SizeBytes: 3}), codes.FailedPrecondition},
		"no digest":                {file("a/b", nil), codes.InvalidArgument},
		"out of the root":          {file("../b", here), codes.InvalidArgument},
		"an absolute path":         {file("/b", here), codes.InvalidArgument},
		"a path that is not clean": {file("a/./b", here), codes.InvalidArgument},
		"no path":                  {file("", here), codes.InvalidArgument},
		"a zero in the path":       {file("a\x00b", here), codes.InvalidArgument},
		"a link":                   {link("a", "/anywhere"), codes.OK},
		"a link outside":           {link("../a", "b"), codes.InvalidArgument},
		"stdout":                   {&repb.ActionResult{StdoutDigest: gone}, codes.FailedPrecondition},
		"stderr":                   {&repb.ActionResult{StderrDigest: gone}, codes.FailedPrecondition},
		"a tree":                   {tree(good, good), codes.OK},
		"a tree without a file":    {tree(good, bad), codes.FailedPrecondition},
		"a tree without a root's":  {tree(bad), codes.FailedPrecondition},
		"no tree":                  {&repb.ActionResult{OutputDirectories: []*repb.OutputDirectory{{Path: "d", TreeDigest: gone}}}, codes.FailedPrecondition},
		"what is not a tree":       {&repb.ActionResult{OutputDirectories: []*repb.OutputDirectory{{Path: "d", TreeDigest: here}}}, codes.InvalidArgument},
		"no digest of a tree":      {&repb.ActionResult{OutputDirectories: []*repb.OutputDirectory{{Path: "d"}}}, codes.InvalidArgument},
		"a directory":              {root(nested(nested(good))), codes.OK},
		"a directory without":      {root(nested(nested(bad))), codes.FailedPrecondition},
		"a missing directory":      {root(nested(missing)), codes.FailedPrecondition},
	} {
		wantCodeOf(t, what, r.keepResult("", what, c.result), c.want)
		got, err := r.result("", what)
		if c.want == codes.OK && (err != nil || !proto.Equal(got, c.result)) {
			t.Errorf("%s: got %v, %v", what, got, err)
		}
		if c.want != codes.OK {
			wantCodeOf(t, what, err, codes.NotFound)
		}
	}
}

func wantCodeOf(t *testing.T, what string, err error, want codes.Code) {
	t.Helper()
	if got := status.Code(err); got != want {
		t.Errorf("%s: got %v, want %s", what, err, want)
	}
}

// TestIncompleteLater: a result of which something has gone is a miss, and is not kept.
func TestIncompleteLater(t *testing.T) {
	r := newRig(t)
	d := r.put([]byte("output"))
	if err := r.keepResult("", "act", &repb.ActionResult{StdoutDigest: message(d)}); err != nil {
		t.Fatal(err)
	}
	k := resultKey("", cache.DigestOf([]byte("act")).Hash)
	if err := os.Remove(filepath.Join(r.o.dir, "v1", "cas", d.Hex()[:2], d.Hex())); err != nil {
		t.Fatal(err)
	}
	r.store.checked.expire(time.Now().Add(time.Hour))
	if _, err := r.read("blobs/"+d.String(), 0, 0); status.Code(err) != codes.NotFound { // notices it
		t.Error(err)
	}
	_, err := r.result("", "act")
	wantCode(t, err, codes.NotFound)
	if _, ok := r.store.results.use(k); ok {
		t.Error("it is kept")
	}
}

// TestDamagedResult: a file that is not as it was written is a miss.
func TestDamagedResult(t *testing.T) {
	r := newRig(t)
	if err := r.keepResult("", "act", &repb.ActionResult{ExitCode: 1}); err != nil {
		t.Fatal(err)
	}
	k := resultKey("", cache.DigestOf([]byte("act")).Hash)
	path := filepath.Join(r.o.dir, "v1", "ac", k.String()[:2], k.String())
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)-1]++
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = r.result("", "act")
	wantCode(t, err, codes.NotFound)
	if _, err := os.Stat(path); err == nil {
		t.Error("it is kept")
	}
}

func TestInline(t *testing.T) {
	r := newRig(t)
	small, large := r.put([]byte("small")), r.put(bytesOf("large", maxInline))
	err := r.keepResult("", "act", &repb.ActionResult{
		OutputFiles:  []*repb.OutputFile{{Path: "small", Digest: message(small)}, {Path: "large", Digest: message(large)}, {Path: "other", Digest: message(small)}},
		StdoutDigest: message(small),
	})
	if err != nil {
		t.Fatal(err)
	}
	got, err := r.ac.GetActionResult(t.Context(), &repb.GetActionResultRequest{
		ActionDigest: message(cache.DigestOf([]byte("act"))), InlineStdout: true, InlineStderr: true, InlineOutputFiles: []string{"small", "large", "none"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if string(got.StdoutRaw) != "small" || string(got.OutputFiles[0].Contents) != "small" || len(got.OutputFiles[1].Contents) > 0 || len(got.OutputFiles[2].Contents) > 0 {
		t.Errorf("got %v", got)
	}
}
