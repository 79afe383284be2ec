package cache

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// FuzzResult: for any result, only paths below the root are outputs, none of them twice or in
// another one; and a result without a valid seal is not read.
func FuzzResult(f *testing.F) {
	x := DigestOf([]byte("x"))
	for _, r := range []*ActionResult{
		{},
		{Files: []OutputFile{{Path: "a/b", Digest: x}, {Path: "a-b", Digest: x, Properties: NodeProperties{Mode: 0o755, HasMode: true}}}, Stdout: x},
		{Symlinks: []OutputSymlink{{"a/l", "../b"}}, Directories: []OutputDirectory{{Path: "d", Tree: emptyTree()}}},
		{Files: []OutputFile{{Path: "a", Digest: x}, {Path: "a/../../b", Digest: x}}},
	} {
		f.Add(r.Append(nil))
		f.Add(r.sealed(x))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if r, err := unseal(slices.Clone(b), x); err == nil && string(r.sealed(x)) != string(b) {
			t.Errorf("unsealed %q", b)
		}
		r, err := DecodeActionResult(b)
		if err != nil {
			return
		}
		outs, err := r.outputs(nil)
		if err != nil {
			return
		}
		for i, o := range outs {
			if !filepath.IsLocal(o.path) || filepath.Clean(o.path) != o.path || o.path == "." {
				t.Errorf("path %q", o.path)
			}
			if o.link != nil && !filepath.IsLocal(filepath.Join(filepath.Dir(o.path), o.link.Target)) {
				t.Errorf("link %q to %q", o.path, o.link.Target)
			}
			for _, other := range outs[:i] {
				if o.path == other.path || strings.HasPrefix(o.path, other.path+"/") || strings.HasPrefix(other.path, o.path+"/") {
					t.Errorf("%q and %q", o.path, other.path)
				}
			}
		}
		sealed := r.sealed(x)
		again, err := unseal(sealed, x)
		if err != nil || string(again.Append(nil)) != string(r.Append(nil)) {
			t.Errorf("%v", err)
		}
	})
}
