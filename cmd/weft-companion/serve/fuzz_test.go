package serve

import (
	"strings"
	"testing"

	repb "github.com/bazelbuild/remote-apis/build/bazel/remote/execution/v2"
)

// clean fails unless an instance and a key are what may become a key of the store.
func clean(t *testing.T, instance string) {
	t.Helper()
	if again, ok := cleanInstance(instance); !ok || again != instance {
		t.Errorf("the instance %q", instance)
	}
}

func FuzzPath(f *testing.F) {
	hash := strings.Repeat("0a", 32)
	for _, seed := range []string{"/ac/" + hash, "//cas/" + hash, "/a/b/ac/" + hash, "/status", "/cas/../" + hash, "/\x00/ac/" + hash} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, path string) {
		p, err := parsePlace(path)
		if err != nil {
			if _, ok := reasonOf(err); !ok {
				t.Errorf("no refusal: %v", err)
			}
			return
		}
		clean(t, p.instance)
		if p.kind == "ac" || p.kind == "cas" {
			if !strings.HasSuffix(path, "/"+p.kind+"/"+p.hash.String()) {
				t.Errorf("%q is %v", path, p)
			}
		}
	})
}

func FuzzResource(f *testing.F) {
	d := emptyBlob.String()
	for _, seed := range []string{"blobs/" + d, "a/b/blobs/" + d, "uploads/u/blobs/" + d + "/x", "uploads/u/compressed-blobs/zstd/" + d, "compressed-blobs/zstd/" + d, "uploads//blobs/" + d} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		r, err := parseResource(name)
		if err != nil {
			if why, _ := reasonOf(err); why != malformed {
				t.Errorf("%v is %s", err, why)
			}
			return
		}
		clean(t, r.instance)
		if r.digest.Size < 0 || !strings.Contains(name, r.digest.String()) || strings.Contains(r.upload, "/") {
			t.Errorf("%q is %v", name, r)
		}
	})
}

func FuzzTokens(f *testing.F) {
	f.Add("read sha256:"+strings.Repeat("0a", 32)+" # name\nwrite cn:x instance=a/b", "x")
	f.Fuzz(func(t *testing.T, text, token string) {
		list, err := parseTokens("file", text)
		if err != nil {
			if len(list) > 0 || !strings.HasPrefix(err.Error(), "file:") {
				t.Errorf("%d lines, %v", len(list), err)
			}
			return
		}
		k := new(tokens)
		k.list.Store(&list)
		if _, ok := k.byToken(token); ok { // somebody knows a SHA-256 that is in the text
			t.Logf("%q", token)
		}
		for _, g := range list {
			clean(t, g.instance)
			if g.right != mayRead && g.right != mayWrite || !g.known {
				t.Errorf("%v", g)
			}
		}
		tokenIn(text)
	})
}

func FuzzResultPaths(f *testing.F) {
	for _, seed := range []string{"a/b", "..", "../a", "a/../b", "/a", "", "a\x00"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, path string) {
		if checkPaths(&repb.ActionResult{OutputFiles: []*repb.OutputFile{{Path: path}}}) != nil {
			return
		}
		for part := range strings.SplitSeq(path, "/") {
			if part == "" || part == ".." || part == "." && path != "." || strings.Contains(part, "\x00") {
				t.Errorf("%q is taken", path)
			}
		}
	})
}
