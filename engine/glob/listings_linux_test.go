//go:build amd64 || arm64

package glob

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/weftrun/weft/internal/xxh3"
	"golang.org/x/sys/unix"
)

// listedTree makes a tree of directories, waits until it is old, and returns the listings of a search.
func listedTree(t *testing.T) (root string, b []byte) {
	t.Helper()
	root = t.TempDir()
	if fd, err := openDir(root); err != nil || !setsTimes(fd) {
		t.Skip("the file system of temporary files is not one whose times are trusted")
	} else {
		closeDir(fd)
	}
	for _, d := range []string{"", "d", "d/deep", "e", "f", "g"} {
		if err := os.MkdirAll(filepath.Join(root, d), 0o755); err != nil {
			t.Fatal(err)
		}
		for _, f := range []string{"a", "b.c", "b-d"} {
			if err := os.WriteFile(filepath.Join(root, d, f), []byte(f), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	for link, to := range map[string]string{"link": "a", "d/dangling": "none", "e/up": "../d/a"} {
		if err := os.Symlink(to, filepath.Join(root, link)); err != nil {
			t.Fatal(err)
		}
	}
	for _, d := range []string{"", "d", "d/deep", "e", "f", "g"} {
		waitUntilOld(t, filepath.Join(root, d))
	}
	tree := NewTree(nil)
	found(t, tree, root)
	if b = tree.Listings(harmless); b == nil {
		t.Fatal("nothing was kept")
	}
	return root, b
}

// found returns all files of a tree, and how many of its directories were not listed.
func found(t *testing.T, tree *Tree, root string) (files []string, recalled int) {
	t.Helper()
	set, err := tree.Find(t.Context(), root, patterns("**/*"), false)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range set.Files {
		files = append(files, fmt.Sprint(f.Path(), *f.Stat(), f.e.kind, f.Target()))
	}
	for _, s := range tree.slots {
		if s.d.recalled {
			recalled++
		}
	}
	return files, recalled
}

func harmless(string) bool { return false }

// recalling returns a Tree with the listings of another one.
func recalling(b []byte) *Tree {
	tree := NewTree(nil)
	tree.Recall(func() []byte { return b })
	return tree
}

// TestListings: a later run finds the same files without listing a directory, and keeps no listings
// anew; after any change to a directory it finds what is there.
func TestListings(t *testing.T) {
	root, b := listedTree(t)
	in := func(name string) string { return filepath.Join(root, name) }
	check := func(what string, want int) {
		t.Helper()
		fresh, _ := found(t, NewTree(nil), root)
		files, recalled := found(t, recalling(b), root)
		if !slices.Equal(files, fresh) {
			t.Errorf("%s: found\n%s\nwant\n%s", what, strings.Join(files, "\n"), strings.Join(fresh, "\n"))
		}
		if recalled != want {
			t.Errorf("%s: %d directories were not listed, want %d", what, recalled, want)
		}
	}
	check("unchanged", 6)
	if tree := recalling(b); true {
		found(t, tree, root)
		if tree.Listings(harmless) != nil {
			t.Error("listings that were all used are kept again")
		}
	}
	changes := []struct {
		what string
		do   func() error
		left int // directories that are not listed
	}{
		{"a file changed", func() error { return os.WriteFile(in("d/a"), []byte("longer"), 0o644) }, 6},
		{"a file added", func() error { return os.WriteFile(in("d/deep/new"), nil, 0o644) }, 5},
		{"a file removed", func() error { return os.Remove(in("e/a")) }, 4},
		{"a file renamed", func() error { return os.Rename(in("f/a"), in("f/z")) }, 3},
		{"a file replaced by a link", func() error { return os.Rename(in("link"), in("g/a")) }, 1},
		{"a directory renamed", func() error { return os.Rename(in("d"), in("old")) }, 0},
		{"a directory of the same name", func() error {
			os.Mkdir(in("d"), 0o755)
			return os.WriteFile(in("d/only"), nil, 0o644)
		}, 0},
	}
	for _, c := range changes {
		if err := c.do(); err != nil {
			t.Fatal(err)
		}
		check(c.what, c.left)
	}
}

// TestListingsPipe: a pipe is one in a later search, too, in this process and in another: it is not
// opened to be read.
func TestListingsPipe(t *testing.T) {
	root, _ := listedTree(t)
	if err := unix.Mkfifo(filepath.Join(root, "g/pipe"), 0o644); err != nil {
		t.Fatal(err)
	}
	waitUntilOld(t, filepath.Join(root, "g"))
	tree := NewTree(nil)
	found(t, tree, root)
	b := tree.Listings(harmless)
	tree.MarkDirty()
	for what, d := range map[string]*directory{"this process": tree.list(root+"/g/", none, false), "another": recalling(b).list(root+"/g/", none, false)} {
		if e := d.entry("pipe"); e == nil || e.kind != isOther || !d.keeps {
			t.Errorf("in %s: %+v", what, e)
		}
	}
}

func none(string) bool { return false }

// TestListingsYoung: a directory that may be changing is not kept.
func TestListingsYoung(t *testing.T) {
	_, b := listedTree(t)
	tree := recalling(b)
	tree.recalled("") // loads
	for prefix := range tree.recall.kept {
		if d := tree.list(prefix, nil, false); !d.recalled || !d.keeps {
			t.Errorf("%s was not recalled", prefix)
		}
	}
	for prefix := range tree.recall.kept {
		if err := os.WriteFile(prefix+"new", nil, 0o644); err != nil {
			t.Fatal(err)
		}
		tree.MarkDirty()
		if d := tree.list(prefix, nil, false); d.keeps == d.young {
			t.Errorf("%s: young %t, kept %t", prefix, d.young, d.keeps)
		}
	}
}

// TestListingsForgotten: listings of directories that a run has not searched are kept with those it
// has listed again.
func TestListingsForgotten(t *testing.T) {
	root, b := listedTree(t)
	if err := os.WriteFile(filepath.Join(root, "e/new"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	waitUntilOld(t, filepath.Join(root, "e"))
	tree := recalling(b)
	if _, err := tree.Find(t.Context(), root, patterns("e/*"), false); err != nil {
		t.Fatal(err)
	}
	again := tree.Listings(harmless)
	if again == nil {
		t.Fatal("the directory that was listed again is not kept")
	}
	if _, recalled := found(t, recalling(again), root); recalled != 6 {
		t.Errorf("%d directories are not listed, want 6", recalled)
	}
}

// TestListingsSecret: a directory with a secret in its name or in one of its names is not kept.
func TestListingsSecret(t *testing.T) {
	root, b := listedTree(t)
	reveals := func(text string) bool { return strings.Contains(text, "dangling") || strings.Contains(text, "deep/") }
	check := func(tree *Tree) {
		t.Helper()
		b := tree.Listings(reveals)
		if strings.Contains(string(b), "dangling") || strings.Contains(string(b), "deep/") {
			t.Errorf("the listings contain a secret: %q", b)
		}
		if _, recalled := found(t, recalling(b), root); recalled != 4 {
			t.Errorf("%d directories were not listed, want 4", recalled)
		}
	}
	tree := NewTree(nil)
	found(t, tree, root)
	check(tree)
	// Kept before it was secret.
	tree = recalling(b)
	if _, err := tree.Find(t.Context(), root, patterns("f/*"), false); err != nil {
		t.Fatal(err)
	}
	for _, s := range tree.slots {
		s.d.recalled = false // listed again
	}
	check(tree)
}

// TestListingsDamaged: listings that were cut off or changed are not used, or not wrong.
func TestListingsDamaged(t *testing.T) {
	root, b := listedTree(t)
	want, _ := found(t, NewTree(nil), root)
	for i := range b {
		changed := slices.Clone(b)
		changed[i]++
		for what, b := range map[string][]byte{"cut off": b[:i], "changed": changed} {
			if files, recalled := found(t, recalling(b), root); !slices.Equal(files, want) || recalled != 0 {
				t.Fatalf("%s at %d: %d directories were recalled, found %q", what, i, recalled, files)
			}
		}
	}
}

// FuzzListings: whatever a file of listings says, no name leads out of its directory.
func FuzzListings(f *testing.F) {
	d := &directory{self: Stat{Size: 1, Mtime: 2, Ctime: 3, Inode: 4, Mode: typeDir},
		entries: []entry{{name: "a", kind: isFile}, {name: "b", kind: isDangling}, {name: "d", kind: isDir}}}
	f.Add(d.appendListing(nil, "/p/"))
	f.Add(d.appendListing(d.appendListing(nil, "/p/"), "/q/"))
	f.Add(appendListing(nil, "/p/", listing{n: 1 << 40}, 1<<40))
	f.Add(append(appendListing(nil, "/p/", listing{n: 1}, 4), "\x02..\x00"...))
	f.Fuzz(func(t *testing.T, records []byte) {
		sum := xxh3.Hash128(records).Bytes()
		tree := recalling(append(append([]byte(listingsMagic), sum[:]...), records...))
		tree.recalled("")
		for prefix, l := range tree.recall.kept {
			d := directory{prefix: prefix}
			if !d.fill(l) && d.entries != nil {
				t.Fatalf("entries of an invalid listing: %v", d.entries)
			}
			for _, e := range d.entries {
				if e.name == "" || e.name == "." || e.name == ".." || strings.ContainsAny(e.name, "/\x00") {
					t.Fatalf("name %q", e.name)
				}
			}
		}
	})
}
