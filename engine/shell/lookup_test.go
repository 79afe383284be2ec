package shell

import (
	"os"
	"path/filepath"
	"testing"

	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/interp"
)

// TestLookPath compares with the interpreter's own search.
func TestLookPath(t *testing.T) {
	dir := t.TempDir()
	for _, d := range []string{"a", "b", "b/prog2", "sub"} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, mode := range map[string]os.FileMode{"a/prog": 0o644, "b/prog": 0o755, "here": 0o755, "b/other": 0o711, "sub/x": 0o644} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, mode); err != nil {
			t.Fatal(err)
		}
	}
	os.Symlink("nowhere", filepath.Join(dir, "a/dangling"))
	for _, path := range []string{"", ":", ".", "a:b", "b:a", dir + "/a:" + dir + "/b", "::b", "b:", "nope:b", dir + "//b/", "../" + filepath.Base(dir) + "/b"} {
		for _, name := range []string{"prog", "prog2", "here", "other", "dangling", "none", "./here", "sub/x", "sub", "/", dir + "/b/prog", dir + "/b/../here", "..", ".", "a/dangling", "./none"} {
			want, wantErr := interp.LookPathDir(dir, expand.ListEnviron("PATH="+path), name)
			got, gotErr := lookPath(dir, path, name)
			if got != want || (gotErr == nil) != (wantErr == nil) || gotErr != nil && gotErr.Error() != wantErr.Error() {
				t.Errorf("PATH=%s %s: got %q, %v; want %q, %v", path, name, got, gotErr, want, wantErr)
			}
		}
	}
}

func BenchmarkLookPath(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		lookPath("/", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin", "env")
	}
}
