//go:build amd64 || arm64

package glob

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestFindAndRead: what it finds and reads is what Find finds and Read reads, and it reads small
// regular files alone.
func TestFindAndRead(t *testing.T) {
	root := t.TempDir()
	write := func(name string, size int) {
		t.Helper()
		name = filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, bytes.Repeat([]byte{'x'}, size), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	n := len(buffer{})
	small := []string{"empty", "one", "d/executable", "d/almost"}
	for _, f := range small {
		write(f, map[string]int{"one": 1, "d/executable": 10, "d/almost": n - 1}[f])
	}
	if err := os.Chmod(filepath.Join(root, "d/executable"), 0o755); err != nil {
		t.Fatal(err)
	}
	write("d/full", n)
	write("d/more", 3*n)
	for i := range maxSmallFiles + 10 {
		write(fmt.Sprint("many/f", i), i)
	}
	for link, to := range map[string]string{"link": "one", "dangling": "none", "tofifo": "fifo"} {
		if err := os.Symlink(to, filepath.Join(root, link)); err != nil {
			t.Fatal(err)
		}
	}
	if err := unix.Mkfifo(filepath.Join(root, "fifo"), 0o644); err != nil {
		t.Fatal(err)
	}
	write("last", 1)
	waitUntilOld(t, filepath.Join(root, "last"))

	all := func(tree *Tree, find func(ps []Pattern) (Set, error), ps []Pattern) ([]File, []Content) {
		t.Helper()
		found, err := find(ps)
		if err != nil {
			t.Fatal(err)
		}
		contents, todo := make([]Content, len(found.Files)), make([]int32, len(found.Files))
		for i := range todo {
			todo[i] = int32(i)
		}
		if err := tree.Read(t.Context(), found.Files, todo, contents); err != nil {
			t.Fatal(err)
		}
		return found.Files, contents
	}
	for _, globs := range [][]string{{"**/*"}, {"*", "d/*", "many/*"}, {"*", "{d,many}/*"}} {
		one, other := NewTree(nil), NewTree(nil)
		read, err := other.FindAndRead(t.Context(), root, patterns(globs...), false)
		if err != nil {
			t.Fatal(err)
		}
		had := map[string]bool{}
		for _, f := range read.Files {
			had[f.Path()[len(root)+1:]] = f.e.content != nil
		}
		for _, f := range small {
			if !had[f] {
				t.Errorf("%q: %q was not read", globs, f)
			}
		}
		for _, f := range []string{"d/full", "d/more", "link", "dangling", "fifo", "tofifo"} {
			if had[f] {
				t.Errorf("%q: %q was read", globs, f)
			}
		}
		files, contents := all(one, func(ps []Pattern) (Set, error) { return one.Find(t.Context(), root, ps, false) }, patterns(globs...))
		again, those := all(other, func([]Pattern) (Set, error) { return read, nil }, nil)
		if len(files) != len(small)+2+maxSmallFiles+10+5 || len(again) != len(files) {
			t.Fatalf("%q: %d and %d files", globs, len(files), len(again))
		}
		for i, f := range files {
			a := again[i]
			if a.Path() != f.Path() || *a.Stat() != *f.Stat() || a.e.kind != f.e.kind || those[i] != contents[i] {
				t.Errorf("%q: %s %v %v, want %s %v %v", globs, a.Path(), *a.Stat(), those[i], f.Path(), *f.Stat(), contents[i])
			}
		}
	}
}

// TestNotReadWhileListing: what is excluded or ignored, and what may still be changing, is not read; a
// directory that holds many files is read in part.
func TestNotReadWhileListing(t *testing.T) {
	root := t.TempDir()
	for i := range maxSmallFiles + 10 {
		if err := os.WriteFile(filepath.Join(root, fmt.Sprint("f", i)), []byte("x"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	reads := func(ps []Pattern, gitignore bool) int {
		found, err := NewTree(nil).FindAndRead(t.Context(), root, ps, gitignore)
		if err != nil || len(found.Files) < maxSmallFiles {
			t.Fatal(len(found.Files), err)
		}
		return len(slices.DeleteFunc(found.Files, func(f File) bool { return f.e.content == nil }))
	}
	waitUntilOld(t, filepath.Join(root, fmt.Sprint("f", maxSmallFiles+9)))
	if n := reads(patterns("*"), false); n != maxSmallFiles {
		t.Errorf("%d files were read, not %d", n, maxSmallFiles)
	}
	if n := reads(append(patterns("*"), Pattern{Glob: "f1", Exclude: true}), false); n != 0 {
		t.Errorf("%d files were read beside an exclusion", n)
	}
	if n := reads(patterns("*"), true); n != 0 {
		t.Errorf("%d files were read that git may ignore", n)
	}
	d := NewTree(nil).list(root+"/", nil, false)
	fd, err := openDir(root)
	if err != nil {
		t.Fatal(err)
	}
	defer closeDir(fd)
	one := readSmall()
	defer one.done()
	if one.now = time.Unix(0, d.entries[0].st.Ctime); one.read(&d.entries[0], fd) {
		t.Error("a file was read that was just written")
	}
}
