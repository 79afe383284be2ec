package cache

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weftrun/weft/internal/statefile"
)

// rig is a cache and a project.
type rig struct {
	testing.TB
	d     *Disk
	cache string
	root  string
}

func newRig(t testing.TB) *rig {
	r := &rig{TB: t, cache: filepath.Join(t.TempDir(), "cache"), root: t.TempDir()}
	r.reopen()
	return r
}

// elsewhere returns another project, with the cache of r.
func (r *rig) elsewhere(t testing.TB) *rig {
	o := newRig(t)
	o.cache = r.cache
	o.reopen()
	return o
}

// reopen opens the cache like another process.
func (r *rig) reopen() *Disk {
	r.Helper()
	if r.d != nil {
		r.d.Close()
	}
	d, err := Open(r.cache)
	r.must(err)
	r.Cleanup(d.Close)
	r.d = d
	return d
}

func (r *rig) must(err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
}

// tree makes files in the project: "path": "content", "path@": "target of a link",
// "path/": "" for a directory, "path*" for an executable.
func (r *rig) tree(files map[string]string) {
	r.Helper()
	for p, content := range files {
		perm := fs.FileMode(0o644)
		name, link := strings.CutSuffix(p, "@")
		name, program := strings.CutSuffix(name, "*")
		if program {
			perm = 0o755
		}
		file := filepath.Join(r.root, name)
		r.must(os.MkdirAll(filepath.Dir(file), 0o755))
		switch {
		case strings.HasSuffix(p, "/"):
			r.must(os.MkdirAll(file, 0o755))
		case link:
			r.must(os.Symlink(content, file))
		default:
			r.must(os.WriteFile(file, []byte(content), perm))
			r.must(os.Chmod(file, perm))
		}
	}
}

// look returns the contents of the project, in the form of tree.
func (r *rig) look() map[string]string { return lookAt(r.TB, r.root) }

func lookAt(t testing.TB, root string) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(root, func(p string, e fs.DirEntry, err error) error {
		if err != nil || p == root {
			return err
		}
		name, _ := filepath.Rel(root, p)
		name = filepath.ToSlash(name)
		st, err := e.Info()
		if err != nil {
			return err
		}
		switch {
		case e.IsDir():
			if entries, err := os.ReadDir(p); err != nil || len(entries) > 0 {
				return err
			}
			found[name+"/"] = ""
		case e.Type()&fs.ModeSymlink != 0:
			found[name+"@"], err = os.Readlink(p)
		case !e.Type().IsRegular():
			found[name+"?"] = ""
		default:
			b, err := os.ReadFile(p)
			if st.Mode()&0o111 != 0 {
				name += "*"
			}
			found[name] = string(b)
			return err
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func (r *rig) mustLook(want map[string]string) {
	r.Helper()
	if got := r.look(); !maps.Equal(got, want) {
		r.Errorf("the project has\n%s\nnot\n%s", show(got), show(want))
	}
}

func show(files map[string]string) string {
	var b strings.Builder
	for _, p := range slices.Sorted(maps.Keys(files)) {
		fmt.Fprintf(&b, "\t%s: %.40q\n", p, files[p])
	}
	return b.String()
}

// action is the digest of the n-th Action.
func action(n int) Digest { return DigestOf(fmt.Append(nil, "action ", n)) }

// save keeps outputs of the n-th Action.
func (r *rig) save(n int, outputs ...string) *ActionResult {
	r.Helper()
	res, err := r.d.Save(context.Background(), &Saving{Action: action(n), Root: r.root, Outputs: outputs})
	r.must(err)
	return res
}

// lookup finds the n-th result, which must exist.
func (r *rig) lookup(n int) *ActionResult {
	r.Helper()
	res, err := r.d.Lookup(action(n))
	r.must(err)
	if res == nil {
		r.Fatalf("no result %d", n)
	}
	return res
}

func (r *rig) restore(n int, stale ...string) error {
	r.Helper()
	return r.d.Restore(context.Background(), &Restoring{Root: r.root, Result: r.lookup(n), Stale: stale})
}

// clear removes everything in the project.
func (r *rig) clear() {
	entries, err := os.ReadDir(r.root)
	r.must(err)
	for _, e := range entries {
		r.must(os.RemoveAll(filepath.Join(r.root, e.Name())))
	}
}

// blobFile is the file of a blob.
func (r *rig) blobFile(d Digest) string {
	return filepath.Join(r.cache, "v1", "cas", d.Hex()[:2], d.Hex())
}

func (r *rig) resultFile(n int) string {
	return filepath.Join(r.cache, "v1", "ac", action(n).Hex()[:2], action(n).Hex())
}

var sample = map[string]string{
	"dist/a.js":       "alpha",
	"dist/b/b.js":     strings.Repeat("beta", 100_000),
	"dist/b/run*":     "#!/bin/sh\n",
	"dist/empty":      "",
	"dist/none/":      "",
	"dist/b/link@":    "../a.js",
	"dist/dangling@":  "nowhere",
	"dist/b-sides/x":  "x",
	"dist/b/ü ' \n x": "odd",
	"top":             "at the top",
}

func TestSaveAndRestore(t *testing.T) {
	r := newRig(t)
	r.tree(sample)
	r.save(1, "top", "dist", "dist/a.js")
	r.clear()
	r.reopen()
	r.must(r.restore(1))
	r.mustLook(sample)
	if st, err := os.Stat(filepath.Join(r.root, "dist/a.js")); err != nil || st.Mode().Perm() != 0o644 {
		t.Errorf("%v, %v", st.Mode(), err)
	}

	// Everything is right: nothing is written.
	before := stamps(t, r.root)
	r.must(r.restore(1))
	if after := stamps(t, r.root); !maps.Equal(before, after) {
		t.Errorf("written again:\n%v\n%v", before, after)
	}
}

// stamps returns identities of files.
func stamps(t testing.TB, root string) map[string]string {
	s := map[string]string{}
	filepath.WalkDir(root, func(p string, e fs.DirEntry, err error) error {
		if err != nil {
			t.Fatal(err)
		}
		st, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		s[p] = fmt.Sprint(st.ModTime(), st.Mode(), inodeOf(st))
		return nil
	})
	return s
}

// A result replaces another one: right files stay, the others are replaced, and stale ones are
// removed.
func TestRestoreOver(t *testing.T) {
	for _, tt := range []struct {
		name   string
		before map[string]string // changes of sample
		stale  []string
		left   map[string]string // additional files beside sample
	}{
		{name: "edited", before: map[string]string{"dist/a.js": "ALPHA", "dist/b/b.js": "short"}},
		{name: "gone"},
		{name: "mode", before: map[string]string{"dist/a.js*": "alpha"}},
		{name: "stale", before: map[string]string{"dist/old.js": "old", "dist/old/1/2": "old", "dist/mine": "mine", "dist/old/link@": "../../../etc"},
			stale: []string{"dist/old.js", "dist/old/1/2", "dist/old/link", "dist/a.js", "dist/gone", "../out", ".git/x"}, left: map[string]string{"dist/mine": "mine"}},
		{name: "a link where a file is to be", before: map[string]string{"dist/a.js@": "../outside"}},
		{name: "a file where a link is to be", before: map[string]string{"dist/dangling": "a file"}},
		{name: "another link", before: map[string]string{"dist/dangling@": "elsewhere"}},
		{name: "a directory where a file is to be", before: map[string]string{"dist/a.js/x/y": "1", "dist/a.js/z/": ""}, stale: []string{"dist/a.js/x/y"}},
		{name: "a file where a directory is to be", before: map[string]string{"dist": "a file"}, stale: []string{"dist"}},
		{name: "a link where a directory is to be", before: map[string]string{"dist/b@": "b-sides"}, stale: []string{"dist/b"}},
		{name: "a file where an empty directory is to be", before: map[string]string{"dist/none": "a file"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t)
			r.tree(sample)
			r.save(1, "top", "dist")
			r.must(os.RemoveAll(filepath.Join(r.root, "dist/a.js")))
			for p := range tt.before {
				os.RemoveAll(filepath.Join(r.root, strings.TrimRight(p, "/@*")))
			}
			r.tree(tt.before)
			r.must(r.restore(1, tt.stale...))
			want := maps.Clone(sample)
			maps.Copy(want, tt.left)
			r.mustLook(want)
		})
	}
}

// A file that blocks an output is not removed, and nothing else is changed.
func TestBlocked(t *testing.T) {
	outside := t.TempDir()
	for _, tt := range []struct {
		name    string
		prepare func(r *rig)
		why     string
	}{
		{"a link for a directory", func(r *rig) {
			r.must(os.RemoveAll(filepath.Join(r.root, "dist/b")))
			r.tree(map[string]string{"dist/b@": outside})
		}, `"dist/b" is in the way: it is a symbolic link`},
		{"a link in the project", func(r *rig) {
			r.must(os.RemoveAll(filepath.Join(r.root, "dist")))
			r.tree(map[string]string{"dist@": "src", "src/": ""})
		}, `"dist" is in the way: it is a symbolic link`},
		{"a file for a directory", func(r *rig) {
			r.must(os.RemoveAll(filepath.Join(r.root, "dist/b")))
			r.tree(map[string]string{"dist/b": "mine"})
		}, `"dist/b" is in the way: it is a file`},
		{"a directory with files", func(r *rig) {
			r.must(os.RemoveAll(filepath.Join(r.root, "dist/a.js")))
			r.tree(map[string]string{"dist/a.js/mine": "mine"})
		}, `"dist/a.js" is in the way: it is a directory with files that are not outputs`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t)
			r.tree(sample)
			r.save(1, "top", "dist")
			r.tree(map[string]string{"top": "edited", "dist/old": "old"})
			tt.prepare(r)
			before := stamps(t, r.root)
			err := r.restore(1, "dist/old")
			if b, ok := errors.AsType[*Blocked](err); !ok || b.Error() != tt.why {
				t.Errorf("%v", err)
			}
			after := stamps(t, r.root)
			delete(before, r.root) // a stage was in it
			delete(after, r.root)
			if !maps.Equal(before, after) {
				t.Errorf("changed:\n%v\n%v", before, after)
			}
			if entries, _ := os.ReadDir(outside); len(entries) > 0 {
				t.Errorf("outside: %v", entries)
			}
		})
	}
}

// For any damage to a blob nothing is changed, and the blob is removed, so that it can be kept
// again.
func TestDamage(t *testing.T) {
	for _, tt := range []struct {
		name   string
		damage func(r *rig, file string)
		why    string
	}{
		{"missing", func(r *rig, file string) { r.must(os.Remove(file)) }, "is missing"},
		{"shorter", func(r *rig, file string) { r.must(os.Truncate(file, 3)) }, "has 3 bytes instead of 400000"},
		{"empty", func(r *rig, file string) { r.must(os.Truncate(file, 0)) }, "has 0 bytes instead of 400000"},
		{"other", func(r *rig, file string) {
			r.must(os.WriteFile(file, bytes.Repeat([]byte("BETA"), 100_000), 0))
		}, "has other content"},
		{"link", func(r *rig, file string) {
			r.must(os.Remove(file))
			r.must(os.Symlink(filepath.Join(r.root, "top"), file))
		}, "symbolic link"},
		{"directory", func(r *rig, file string) {
			r.must(os.Remove(file))
			r.must(os.Mkdir(file, 0o755))
		}, "directory"},
		{"hard link", func(r *rig, file string) { r.must(os.Link(file, file+"x")) }, "hard link"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t)
			r.tree(sample)
			res := r.save(1, "top", "dist")
			i := slices.IndexFunc(res.Files, func(f OutputFile) bool { return f.Path == "dist/b/b.js" })
			file := r.blobFile(res.Files[i].Digest)
			r.must(os.Chmod(file, 0o600))
			tt.damage(r, file)
			r.clear()
			r.tree(map[string]string{"top": "edited", "dist/old": "old"})
			err := r.restore(1, "dist/old")
			if err == nil || !strings.Contains(err.Error(), tt.why) {
				t.Errorf("%v", err)
			}
			r.mustLook(map[string]string{"top": "edited", "dist/old": "old"})
			if tt.name == "directory" {
				return // nothing can take its place
			}
			r.clear()
			r.tree(sample)
			r.save(1, "top", "dist")
			r.clear()
			r.must(r.restore(1))
			r.mustLook(sample)
		})
	}
}

// A result with any changed byte is not valid.
func TestDamagedResult(t *testing.T) {
	r := newRig(t)
	r.tree(map[string]string{"a": "1", "b@": "a", "c/": ""})
	r.save(1, "a", "b", "c")
	whole, err := os.ReadFile(r.resultFile(1))
	r.must(err)
	try := func(b []byte, what string, at int) {
		t.Helper()
		r.must(os.WriteFile(r.resultFile(1), b, 0))
		if res, err := r.d.Lookup(action(1)); err == nil {
			t.Errorf("%s %d: %v", what, at, res)
		}
	}
	for i := 0; i < len(whole); i += 3 {
		try(whole[:i], "cut off at", i)
		other := bytes.Clone(whole)
		other[i] ^= 1
		try(other, "other byte at", i)
	}
	try(make([]byte, len(whole)), "zeros", 0)
	r.must(os.WriteFile(r.resultFile(1), whole, 0))
	r.lookup(1)
	r.must(os.MkdirAll(filepath.Dir(r.resultFile(2)), 0o700))
	r.must(os.Rename(r.resultFile(1), r.resultFile(2)))
	if res, err := r.d.Lookup(action(2)); err == nil {
		t.Errorf("of another action: %v", res)
	}
}

func TestUnusable(t *testing.T) {
	x := DigestOf([]byte("x"))
	file := func(paths ...string) *ActionResult {
		r := &ActionResult{}
		for _, p := range paths {
			r.Files = append(r.Files, OutputFile{Path: p, Digest: x})
		}
		return r
	}
	link := func(p, target string) *ActionResult {
		return &ActionResult{Symlinks: []OutputSymlink{{p, target}}}
	}
	for _, tt := range []struct {
		name   string
		result *ActionResult
		why    string // "": it is usable
	}{
		{"nothing", &ActionResult{}, ""},
		{"usual", file("a", "b/c", "b-c", "b.c", "b/d"), ""},
		{"failure", &ActionResult{ExitCode: 1}, "exit code 1"},
		{"empty", file(""), "not a path below"},
		{"root", file("."), "not a path below"},
		{"absolute", file("/etc/passwd"), "not a path below"},
		{"up", file("../x"), "not a path below"},
		{"up later", file("a/../../x"), "not a path below"},
		{"unclean", file("a//b"), "not a path below"},
		{"directory", file("a/"), "not a path below"},
		{"zero byte", file("a\x00b"), "not a path below"},
		{"git", file("a/.GIT/hooks/pre-commit"), "nothing in .git"},
		{"git on Windows", file("Git~1/x"), "nothing in git~1"},
		{"git with more", file(".git ./x"), "nothing in .git"},
		{"others", file("git/x", "git~2/x", ".gitignore", ".github/x"), ""},
		{"mercurial", file(".hg/hgrc"), "nothing in .hg"},
		{"state", file(".weft/x"), "nothing in .weft"},
		{"temporary", file("a.weft-tmp/x"), "temporary"},
		{"deep", file(strings.Repeat("d/", maxDepth) + "x"), ""},
		{"too deep", file(strings.Repeat("d/", maxDepth+1) + "x"), "nested more than 256 levels"},
		{"twice", file("a", "b", "a"), "twice"},
		{"in a file", file("a", "a-b", "a/b"), `in "a"`},
		{"in a link", &ActionResult{Files: []OutputFile{{Path: "a/b", Digest: x}}, Symlinks: []OutputSymlink{{"a", "c"}}}, `in "a"`},
		{"undeclared", file("other"), "does not declare"},
		{"no digest", &ActionResult{Files: []OutputFile{{Path: "a"}}}, "digest is missing"},
		{"not empty", &ActionResult{Files: []OutputFile{{Path: "a", Digest: Digest{Hash: x.Hash}}}}, "that of other content"},
		{"full directory", &ActionResult{Directories: []OutputDirectory{{Path: "a", Tree: x}}}, "not empty"},
		{"link", link("a", "b"), ""},
		{"link up", link("a/b/c", "../../d"), ""},
		{"link to root", link("a/b", ".."), ""},
		{"link out", link("a/b", "../../c"), "outside of the root"},
		{"link up later", link("a/b/c", "d/../../../../e"), "outside of the root"},
		{"link up in disguise", link("a/b", "./../../c"), "outside of the root"},
		{"link to the top", link("a", "/etc"), "not relative"},
		{"link to nothing", link("a", ""), "without a target"},
	} {
		_, err := tt.result.outputs(func(p string) bool { return p != "other" })
		if tt.why == "" && err != nil || tt.why != "" && (err == nil || !strings.Contains(err.Error(), tt.why)) {
			t.Errorf("%s: %v", tt.name, err)
		}
		if _, ok := errors.AsType[*Unusable](err); err != nil && !ok {
			t.Errorf("%s: %T", tt.name, err)
		}
	}
}

func TestNotSaved(t *testing.T) {
	for _, tt := range []struct {
		name    string
		files   map[string]string
		outputs []string
		change  func(r *rig, s *Saving)
		why     string
	}{
		{name: "missing", outputs: []string{"a"}, why: `output "a": `},
		{name: "outside", outputs: []string{"../a"}, why: "not a path below the root"},
		{name: "link out", files: map[string]string{"a@": "/etc"}, outputs: []string{"a"}, why: "not relative"},
		{name: "through a link", files: map[string]string{"a@": "b", "b/c": "1"}, outputs: []string{"a/c"}, why: "symbolic link"},
		{name: "secret in a message", change: func(r *rig, s *Saving) {
			s.Messages = [][]byte{[]byte("--password=hunter2")}
			s.Secret = func(b []byte) bool { return bytes.Contains(b, []byte("hunter2")) }
		}, why: "secret"},
		{name: "secret in a path", files: map[string]string{"hunter2": "1"}, outputs: []string{"hunter2"}, change: func(r *rig, s *Saving) {
			s.Secret = func(b []byte) bool { return bytes.Contains(b, []byte("hunter2")) }
		}, why: "secret"},
		{name: "cancelled", files: map[string]string{"a": "1"}, outputs: []string{"a"}, change: func(r *rig, s *Saving) {}, why: "canceled"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t)
			r.tree(tt.files)
			s := &Saving{Action: action(1), Root: r.root, Outputs: tt.outputs}
			if tt.change != nil {
				tt.change(r, s)
			}
			ctx, cancel := context.WithCancel(t.Context())
			if tt.name == "cancelled" {
				cancel()
			}
			defer cancel()
			if _, err := r.d.Save(ctx, s); err == nil || !strings.Contains(err.Error(), tt.why) {
				t.Errorf("%v", err)
			}
			if res, err := r.d.Lookup(action(1)); res != nil || err != nil {
				t.Errorf("%v, %v", res, err)
			}
		})
	}
}

// The log and the messages are kept, too.
func TestLog(t *testing.T) {
	r := newRig(t)
	log, err := os.CreateTemp(t.TempDir(), "")
	r.must(err)
	defer log.Close()
	text := strings.Repeat("line\n", 100_000)
	_, err = log.WriteString(text)
	r.must(err)
	meta := Log{Marks: []Mark{{Offset: 0, Stream: 1}, {Offset: 5, Stream: 2}}, Outputs: []byte(`{"a":1}`)}
	act := []byte("the action")
	_, err = r.d.Save(t.Context(), &Saving{Action: DigestOf(act), Messages: [][]byte{act}, Root: r.root, Log: log, Meta: meta})
	r.must(err)
	r.reopen()
	res, err := r.d.Lookup(DigestOf(act))
	r.must(err)
	got, err := res.Log()
	r.must(err)
	if len(got.Marks) != 2 || got.Marks[1].Stream != 2 || string(got.Outputs) != `{"a":1}` || len(res.Metadata.Auxiliary) != 1 {
		t.Errorf("%+v", got)
	}
	for range 2 { // verified, and recorded as verified
		f, err := r.d.OpenLog(t.Context(), res)
		r.must(err)
		b, err := io.ReadAll(f)
		f.Close()
		if err != nil || string(b) != text {
			t.Errorf("%d bytes, %v", len(b), err)
		}
	}
	r.must(os.Chmod(r.blobFile(res.Stdout), 0o600))
	r.must(os.WriteFile(r.blobFile(res.Stdout), []byte(strings.Repeat("evil\n", 100_000)), 0))
	if _, err := r.d.OpenLog(t.Context(), res); err == nil || !strings.Contains(err.Error(), "other content") {
		t.Errorf("%v", err)
	}
	if b, err := os.ReadFile(r.blobFile(DigestOf(act))); err != nil || string(b) != string(act) {
		t.Errorf("the action: %q, %v", b, err)
	}
	r.d.Save(t.Context(), &Saving{Action: action(2), Root: r.root})
	empty, err := r.d.OpenLog(t.Context(), r.lookup(2))
	r.must(err)
	defer empty.Close()
	if b, err := io.ReadAll(empty); err != nil || len(b) > 0 {
		t.Errorf("empty: %q, %v", b, err)
	}
}

// A use is recorded, but not every time.
func TestLastUse(t *testing.T) {
	r := newRig(t)
	r.save(1)
	used := func() time.Time {
		e, err := r.d.Entry(action(1))
		r.must(err)
		return e.Used
	}
	recently := time.Now().Add(-30 * time.Minute).Truncate(time.Second)
	r.must(os.Chtimes(r.resultFile(1), recently, recently))
	r.lookup(1)
	if !used().Equal(recently) {
		t.Error("noted too often")
	}
	r.must(os.Chtimes(r.resultFile(1), time.Time{}, time.Now().Add(-2*time.Hour)))
	r.lookup(1)
	if time.Since(used()) > time.Minute {
		t.Error("not noted")
	}
	if e, err := r.d.Entry(action(2)); e != nil || err != nil {
		t.Errorf("%v, %v", e, err)
	}
}

// A blob counts as verified until its file is written or replaced, or the system is restarted.
func TestStamp(t *testing.T) {
	r := newRig(t)
	if r.d.boot == "" {
		t.Skip("the boot of the system is not known")
	}
	content := bytes.Repeat([]byte("content "), stampedFrom/8)
	blob, err := r.d.Put(content)
	r.must(err)
	file := r.blobFile(blob)
	verified := func() bool {
		st, err := os.Stat(file)
		r.must(err)
		return r.d.verified(st, blob)
	}
	if !verified() {
		t.Error("not when it was written")
	}
	if _, ok := r.d.stamp(time.Now(), DigestOf(content[1:]), 1); ok {
		t.Error("it takes longer to stamp a smaller one than to verify it again")
	}
	st, err := os.Stat(file)
	r.must(err)
	older := st.ModTime().Add(-time.Hour)
	r.must(os.Chtimes(file, older, older))
	if !verified() || !r.d.has(blob) || !verified() {
		t.Error("not when it is older")
	}
	if st, err := os.Stat(file); err != nil || time.Since(st.ModTime()) > time.Minute {
		t.Error("found to be there, and still old")
	}
	for name, change := range map[string]func(){
		"written": func() {
			r.must(os.Chmod(file, 0o600))
			r.must(os.WriteFile(file, bytes.ToUpper(content), 0))
			r.must(os.WriteFile(file, content, 0))
		},
		"copied with its times": func() {
			st, err := os.Stat(file)
			r.must(err)
			r.must(os.Rename(file, file+"x"))
			r.must(os.WriteFile(file, content, 0o444))
			r.must(os.Chtimes(file, st.ModTime(), st.ModTime()))
			r.must(os.Remove(file + "x"))
		},
		"another boot": func() { r.d.boot = "another" },
	} {
		change()
		if verified() {
			t.Errorf("%s: still", name)
		}
		f, err := r.d.OpenBlob(t.Context(), blob)
		r.must(err)
		f.Close()
		if !verified() {
			t.Errorf("%s: not after it was read", name)
		}
	}
}

// TestAbandonedStages: a Disk looks for what killed processes have left once in each directory, so
// that a restore does not take longer the more files are beside its outputs.
func TestAbandonedStages(t *testing.T) {
	r := newRig(t)
	r.tree(sample)
	r.save(1, "top", "dist")
	for _, test := range []struct {
		first bool // of its Disk in this directory
		left  string
	}{{true, "restore.00000001"}, {false, "restore.00000002"}, {true, "restore.00000003"}} {
		abandoned := filepath.Join(r.root, test.left+statefile.BesideSuffix)
		r.must(os.Mkdir(abandoned, 0o700))
		if test.first {
			r.reopen()
		}
		r.must(r.restore(1))
		if _, err := os.Stat(abandoned); (err != nil) != test.first {
			t.Errorf("%s: %v", test.left, err)
		}
	}
}

// BenchmarkRestoreBeside restores a small file beside 10,000 others.
func BenchmarkRestoreBeside(b *testing.B) {
	r := newRig(b)
	for i := range 10_000 {
		r.must(os.WriteFile(filepath.Join(r.root, fmt.Sprint("f", i)), nil, 0o644))
	}
	r.tree(map[string]string{"top": "content"})
	r.save(1, "top")
	for b.Loop() {
		r.must(os.Remove(filepath.Join(r.root, "top")))
		r.must(r.restore(1))
	}
}
