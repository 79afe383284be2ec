package pipe

import (
	"context"
	"os"
	"path/filepath"
	"testing"
)

// TestTargetLinks: a link is followed to its end; it stays, and its target is written completely or
// not at all.
func TestTargetLinks(t *testing.T) {
	for _, test := range []struct {
		name  string
		links map[string]string // name to what it holds
		open  string
		at    string // where it is written; "" if it cannot be
	}{
		{"none", nil, "new", "new"},
		{"file", map[string]string{"l": "old"}, "l", "old"},
		{"chain", map[string]string{"l": "m", "m": "old"}, "l", "old"},
		{"dangling", map[string]string{"l": "new"}, "l", "new"},
		{"dangling chain", map[string]string{"l": "m", "m": "new"}, "l", "new"},
		{"dangling below", map[string]string{"l": "made/below/new"}, "l", "made/below/new"},
		{"of its directory", map[string]string{"d": "sub", "sub/l": "../old"}, "d/l", "old"},
		{"up from a link", map[string]string{"d": "sub", "l": "d/../new"}, "l", "new"},
		{"loop", map[string]string{"l": "m", "m": "l"}, "l", ""},
		{"itself", map[string]string{"l": "l"}, "l", ""},
		{"directory", map[string]string{"l": "sub"}, "l", ""},
		{"directory itself", nil, "sub", ""},
		{"below a file", nil, "old/new", ""},
	} {
		for mode, name := range map[Mode]string{Atomic: "atomic", InPlace: "in place", Append: "append", AppendAtCommit: "added"} {
			for _, keep := range []bool{true, false} {
				t.Run(test.name+"/"+name, func(t *testing.T) {
					dir := t.TempDir()
					in := func(name string) string { return filepath.Join(dir, name) }
					os.Mkdir(in("sub"), 0o777)
					os.WriteFile(in("old"), []byte("old\n"), 0o666)
					for l, to := range test.links {
						if err := os.Symlink(to, in(l)); err != nil {
							t.Fatal(err)
						}
					}
					target, err := OpenTarget(context.Background(), in(test.open), mode)
					if err == nil {
						target.File.WriteString("new\n")
						if keep {
							err = target.Commit()
						} else {
							target.Discard()
						}
					}
					for l, to := range test.links {
						if got, _ := os.Readlink(in(l)); got != to {
							t.Errorf("the link %s is %q now", l, got)
						}
					}
					if test.at == "" {
						if err == nil && keep {
							t.Error("no error")
						}
						return
					}
					if err != nil {
						t.Fatal(err)
					}
					want := "new\n"
					was := test.at == "old"
					if was && (mode == Append || mode == AppendAtCommit) {
						want = "old\nnew\n"
					}
					if whole := mode == Atomic || mode == AppendAtCommit; whole && !keep {
						if want = ""; was {
							want = "old\n"
						}
						if _, err := os.Stat(in(test.at)); !was && err == nil {
							t.Error("it was made")
						}
					}
					if b, _ := os.ReadFile(in(test.at)); string(b) != want {
						t.Errorf("%q, want %q", b, want)
					}
					if left, _ := filepath.Glob(in("*weft-tmp*")); len(left) > 0 {
						t.Errorf("%s is left", left)
					}
				})
			}
		}
	}
}

// TestTargetHardLink: a file is replaced under the written name; its other names keep the old
// content.
func TestTargetHardLink(t *testing.T) {
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	os.WriteFile(a, []byte("old"), 0o640)
	if err := os.Link(a, b); err != nil {
		t.Skip(err)
	}
	target, err := OpenTarget(context.Background(), b, Atomic)
	if err != nil {
		t.Fatal(err)
	}
	target.File.WriteString("new")
	if err := target.Commit(); err != nil {
		t.Fatal(err)
	}
	if text, _ := os.ReadFile(a); string(text) != "old" {
		t.Errorf("the other name has %q", text)
	}
	if text, _ := os.ReadFile(b); string(text) != "new" {
		t.Errorf("it has %q", text)
	}
	if st, err := os.Stat(b); err != nil || st.Mode().Perm() != 0o640 {
		t.Errorf("%v, %v", st.Mode(), err)
	}
}

// TestTargetAddedWhole: concurrent appends are not mixed.
func TestTargetAddedWhole(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	const n, size = 8, 3 << 20
	done := make(chan error, n)
	for i := range n {
		go func() {
			target, err := OpenTarget(context.Background(), path, AppendAtCommit)
			if err == nil {
				for range size / 4096 {
					b := make([]byte, 4096)
					for j := range b {
						b[j] = byte('a' + i)
					}
					target.File.Write(b)
				}
				err = target.Commit()
			}
			done <- err
		}()
	}
	for range n {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	b, _ := os.ReadFile(path)
	if len(b) != n*size {
		t.Fatalf("%d bytes", len(b))
	}
	for i := range n {
		part := b[i*size : (i+1)*size]
		for _, c := range part {
			if c != part[0] {
				t.Fatal("mixed")
			}
		}
	}
}
