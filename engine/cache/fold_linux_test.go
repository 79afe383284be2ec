package cache

import (
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// foldingDisk mounts at dir a file system that ignores case, in its directory w: ext4 with casefold, which also
// ignores the form of accents, or NTFS. It returns whether the form of accents is ignored, too.
func foldingDisk(t *testing.T, dir string) (forms bool) {
	t.Helper()
	image := filepath.Join(t.TempDir(), "image")
	if err := os.WriteFile(image, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(image, 32<<20); err != nil {
		t.Fatal(err)
	}
	run := func(command string, args ...string) error {
		out, err := exec.Command(command, args...).CombinedOutput()
		if err != nil {
			t.Logf("%s: %v: %s", command, err, out)
		}
		return err
	}
	for _, way := range []func() error{
		func() error {
			return errors.Join(run("mkfs.ext4", "-q", "-O", "casefold", "-E", "encoding=utf8", image), run("mount", "-o", "loop", image, dir), os.Mkdir(filepath.Join(dir, "w"), 0o755), run("chattr", "+F", filepath.Join(dir, "w")))
		},
		func() error {
			return errors.Join(run("mkntfs", "-q", "-F", "-f", image), run("lowntfs-3g", "-o", "ignore_case", image, dir), os.Mkdir(filepath.Join(dir, "w"), 0o755))
		},
	} {
		if way() != nil {
			syscall.Unmount(dir, syscall.MNT_DETACH)
			continue
		}
		t.Cleanup(func() {
			if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
				t.Error(err)
			}
		})
		same := func(a, b string) bool {
			if err := os.WriteFile(filepath.Join(dir, "w", a), nil, 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := os.Lstat(filepath.Join(dir, "w", b))
			os.Remove(filepath.Join(dir, "w", a))
			return err == nil
		}
		if same("a", "A") {
			return same("\u00e9", "e\u0301")
		}
		syscall.Unmount(dir, syscall.MNT_DETACH)
	}
	t.Skip("no file system that ignores case can be mounted: neither ext4 with casefold nor NTFS (lowntfs-3g)")
	return false
}

// TestFolded: outputs that are one file for the file system are not restored, and nothing is changed.
func TestFolded(t *testing.T) {
	r := newRig(t)
	if err := os.Mkdir(filepath.Join(r.root, "d"), 0o755); err != nil {
		t.Fatal(err)
	}
	forms := foldingDisk(t, filepath.Join(r.root, "d"))
	content := func(text string) Digest {
		d, err := r.d.Put([]byte(text))
		r.must(err)
		return d
	}
	result := func(paths ...string) *ActionResult {
		res := &ActionResult{}
		for _, p := range paths {
			text := "content of " + p
			if strings.HasSuffix(p, "=") {
				p, text = p[:len(p)-1], "the same"
			}
			res.Files = append(res.Files, OutputFile{Path: p, Digest: content(text), Executable: true})
		}
		return res
	}
	for _, tt := range []struct {
		name   string
		before map[string]string
		result *ActionResult
		stale  []string
		after  map[string]string // nil: an error, and as before
	}{
		{"case", nil, result("A", "a"), nil, nil},
		{"case, more around", nil, result("0", "A", "M", "a", "z"), nil, nil},
		{"one is there", map[string]string{"a": "old"}, result("A", "a"), []string{"a"}, nil},
		{"one is right", map[string]string{"a*": "content of a"}, result("A", "a"), []string{"a"}, nil},
		{"both are right", map[string]string{"a*": "the same"}, result("A=", "a="), []string{"a"}, nil},
		{"in a new directory", nil, result("new/A", "new/a"), nil, nil},
		{"by their directories", nil, result("new/A/x", "new/a/x"), nil, nil},
		{"by directories at the top", nil, result("N/x", "n/x"), nil, nil},
		{"renamed", map[string]string{"a*": "content of d/a"}, &ActionResult{Files: []OutputFile{{Path: "A", Digest: content("content of d/a"), Executable: true}}}, []string{"a"}, map[string]string{"a": "content of d/a"}},
		{"apart", map[string]string{"B": "old"}, result("A", "b"), []string{"B"}, map[string]string{"a": "content of A", "b": "content of b"}},
		{"accents", nil, result("\u00e9", "e\u0301"), nil, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.name == "accents" && !forms {
				t.Skip("on this file system the form of accents counts")
			}
			r := *r
			r.TB, r.root = t, filepath.Join(r.root, "d/w")
			r.clear()
			r.tree(tt.before)
			before := lower(r.look())
			err := r.d.Restore(t.Context(), &Restoring{Root: r.root, Result: tt.result, Stale: tt.stale})
			after := lower(r.look())
			want := tt.after
			if want == nil {
				want = before
				if _, ok := errors.AsType[*Unusable](err); !ok && !errors.Is(err, errMeanwhile) {
					t.Errorf("got %v, want that names are the same", err)
				}
			} else if err != nil {
				t.Error(err)
			}
			if !maps.Equal(after, want) {
				t.Errorf("there is %q, want %q", after, want)
			}
		})
	}
}

// lower returns files by their names in lower case, without modes: a file system may change them.
func lower(files map[string]string) map[string]string {
	out := map[string]string{}
	for p, content := range files {
		if !strings.HasSuffix(p, "/") {
			out[strings.ToLower(strings.TrimSuffix(p, "*"))] = content
		}
	}
	return out
}
