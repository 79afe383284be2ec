package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// in returns the path of a file in the watched directory.
func (w *watched) in(name string) string { return filepath.Join(w.dir, name) }

// do fails the test if an operation on files has failed.
func (w *watched) do(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// TestWatchBase: when the directory of the sources, or one of its parents, is removed, renamed or
// replaced, and exists again, its changes are noticed.
func TestWatchBase(t *testing.T) {
	t.Parallel()
	away := func(path string) func(w *watched) {
		return func(w *watched) { w.do(os.Rename(w.in(path), w.in("elsewhere"))) }
	}
	removed := func(path string) func(w *watched) {
		return func(w *watched) { w.do(os.RemoveAll(w.in(path))) }
	}
	file := func(path string) func(w *watched) {
		return func(w *watched) { w.do(os.RemoveAll(w.in(path))); w.write(path, "a file") }
	}
	again := func(w *watched) {
		for _, p := range []string{"pkg", "pkg/src"} {
			if st, err := os.Lstat(w.in(p)); err == nil && !st.IsDir() {
				w.do(os.Remove(w.in(p)))
			}
		}
		w.write("pkg/src/a.txt", "again\n")
	}
	back := func(path string) func(w *watched) {
		return func(w *watched) {
			w.do(os.Rename(w.in("elsewhere"), w.in(path)))
			w.write("pkg/src/a.txt", "again\n")
		}
	}
	link := func(w *watched) {
		w.do(os.Rename(w.in("pkg/src"), w.in("elsewhere")))
		w.do(os.Symlink("../empty", w.in("pkg/src")))
	}
	linked := func(w *watched) {
		w.do(os.Remove(w.in("pkg/src")))
		w.do(os.Symlink("../elsewhere", w.in("pkg/src")))
		w.write("elsewhere/a.txt", "again\n")
	}
	for name, test := range map[string]struct{ goes, comes func(w *watched) }{
		"removed":                          {removed("pkg/src"), again},
		"renamed":                          {away("pkg/src"), back("pkg/src")},
		"renamed, another one comes":       {away("pkg/src"), again},
		"its parent removed":               {removed("pkg"), again},
		"its parent renamed":               {away("pkg"), back("pkg")},
		"its parent renamed, another one":  {away("pkg"), again},
		"a file":                           {file("pkg/src"), again},
		"its parent a file":                {file("pkg"), again},
		"a link, then a directory":         {link, again},
		"a link, then another one":         {link, linked},
		"it is below what is a file first": {func(w *watched) { w.do(os.RemoveAll(w.in("pkg"))); w.write("pkg", "") }, again},
	} {
		for _, pattern := range []string{"pkg/src/*.txt", "pkg/src/**/*.txt"} {
			for _, poll := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s/%s/poll=%t", name, strings.ReplaceAll(pattern, "/", ":"), poll), func(t *testing.T) {
					t.Parallel()
					args := []string{"-w", "build"}
					if poll {
						args = append(args, "--poll", "20ms")
					}
					w := newWatched(t, map[string]string{"pkg/src/a.txt": "one\n", "empty/x": "", "Taskfile.yml": "tasks:\n  build: {sources: ['" + pattern + "'], cmds: ['cat pkg/src/a.txt >out 2>&- || echo none >out']}\n"}, args...)
					w.has("out", "one\n")
					w.next("watch_ended")
					test.goes(w)
					w.has("out", "none\n")
					test.comes(w)
					w.has("out", "again\n")
					w.write("pkg/src/a.txt", "and changed\n")
					w.has("out", "and changed\n")
				})
			}
		}
	}
}

// TestWatchBaseMade: the directory of the sources is created after watch mode has started.
func TestWatchBaseMade(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"-w", "build"}, {"-w", "--poll", "20ms", "build"}} {
		w := newWatched(t, map[string]string{"Taskfile.yml": "tasks:\n  build: {sources: ['a/b/c/**/*.txt'], cmds: ['cat a/b/c/d/e.txt >out 2>&- || echo none >out']}\n"}, args...)
		w.next("watch_ended")
		w.write("a/b/x", "")
		w.write("a/b/c/d/e.txt", "made\n")
		w.has("out", "made\n")
		w.write("a/b/c/d/e.txt", "changed\n")
		w.has("out", "changed\n")
	}
}

// TestWatchProjectMoved: the directory of the project is renamed, and renamed back.
func TestWatchProjectMoved(t *testing.T) {
	t.Parallel()
	w := newWatched(t, map[string]string{"Taskfile.yml": "tasks:\n  build: {sources: [a], cmds: ['cp a out']}\n", "a": "one"}, "-w", "build")
	w.next("watch_ended")
	w.do(os.Rename(w.dir, w.dir+".away"))
	w.do(os.Rename(w.dir+".away", w.dir))
	w.write("a", "two")
	w.has("out", "two")
}

// TestWatchLinks: a change of a file is noticed through every link that leads to it.
func TestWatchLinks(t *testing.T) {
	t.Parallel()
	for _, poll := range []bool{false, true} {
		t.Run(fmt.Sprintf("poll=%t", poll), func(t *testing.T) {
			t.Parallel()
			const tasks = `tasks:
  own: {sources: ['pkg/sub/*.txt'], cmds: ['cp pkg/sub/a.txt own.out']}
  dir: {sources: ['other/link/*.txt'], cmds: ['cp other/link/a.txt dir.out']}
  deep: {sources: ['other/**/*.txt'], cmds: ['cp other/link/a.txt deep.out']}
  file: {sources: ['third/f.txt'], cmds: ['cp third/f.txt file.out']}
  files: {sources: ['third/*.txt'], cmds: ['cp third/f.txt files.out']}
  chain: {sources: ['fourth/*.txt'], cmds: ['cp fourth/f.txt chain.out']}
  above: {sources: ['up/sub/*.txt'], cmds: ['cp up/sub/a.txt above.out']}
`
			files := map[string]string{"Taskfile.yml": tasks, "pkg/sub/a.txt": "one", "other/x.txt": "", "third/x": "", "fourth/x": ""}
			links := map[string]string{"other/link": "../pkg/sub", "third/f.txt": "../pkg/sub/a.txt", "fourth/f.txt": "../third/f.txt", "up": "pkg", "other/loop": "..", "pkg/sub/back": "../../other"}
			args := []string{"-w"}
			if poll {
				args = append(args, "--poll", "20ms")
			}
			w := prepareWatched(t, files)
			for l, to := range links {
				w.do(os.Symlink(to, w.in(l)))
			}
			w.start(append(args, "own", "dir", "deep", "file", "files", "chain", "above")...)
			all := []string{"own.out", "dir.out", "deep.out", "file.out", "files.out", "chain.out", "above.out"}
			check := func(want string, outs ...string) {
				t.Helper()
				for _, out := range outs {
					w.has(out, want)
				}
			}
			check("one", all...)
			w.write("pkg/sub/a.txt", "two")
			check("two", all...)
			// The target is written by another path, and replaced as editors do.
			w.write("pkg/sub/new", "three")
			w.do(os.Rename(w.in("pkg/sub/new"), w.in("up/sub/a.txt")))
			check("three", all...)
			// The link gets another target.
			w.write("elsewhere/a.txt", "four")
			w.do(os.Remove(w.in("other/link")))
			w.do(os.Symlink("../elsewhere", w.in("other/link")))
			check("four", "dir.out", "deep.out")
			w.write("elsewhere/a.txt", "five")
			check("five", "dir.out", "deep.out")
			w.do(os.Remove(w.in("third/f.txt")))
			w.do(os.Symlink("../elsewhere/a.txt", w.in("third/f.txt")))
			check("five", "file.out", "files.out", "chain.out")
			w.write("elsewhere/a.txt", "six")
			check("six", "dir.out", "deep.out", "file.out", "files.out", "chain.out")
			check("three", "own.out", "above.out")
		})
	}
}

// TestWatchHardLinks: a file with several hard links may be changed by each of them. Weft notices
// that because it checks recently changed files again.
func TestWatchHardLinks(t *testing.T) {
	t.Parallel()
	w := prepareWatched(t, map[string]string{"a/x": "one", "b/y": "", "Taskfile.yml": "tasks:\n  one: {sources: [a/x], cmds: ['cp a/x one.out']}\n  two: {sources: ['b/*'], cmds: ['cp b/x two.out']}\n"})
	w.do(os.Link(w.in("a/x"), w.in("b/x")))
	w.start("-w", "one", "two")
	for _, text := range []string{"one", "two"} {
		w.write("a/x", text)
		w.has("one.out", text)
		w.has("two.out", text)
	}
	w.write("b/x", "four")
	w.has("one.out", "four")
	w.has("two.out", "four")
}

// TestWatchMapped: a write to a memory-mapped file is noticed when the file is closed, or when weft
// checks recently changed files again.
func TestWatchMapped(t *testing.T) {
	t.Parallel()
	w := newWatched(t, map[string]string{"Taskfile.yml": "tasks:\n  build: {sources: [src/a], cmds: ['cp src/a out']}\n", "src/a": "one"}, "-w", "build")
	w.has("out", "one")
	w.idle()
	mapped := func() []byte {
		f, err := os.OpenFile(w.in("src/a"), os.O_RDWR, 0)
		w.do(err)
		defer f.Close()
		b, err := unix.Mmap(int(f.Fd()), 0, 3, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
		w.do(err)
		return b
	}
	b := mapped()
	copy(b, "two")
	w.do(unix.Munmap(b))
	w.has("out", "two")
	w.idle()
	b = mapped()
	copy(b, "six")
	w.has("out", "six")
	w.idle()
	// The times of the file may stay the same.
	copy(b, "ten")
	w.do(unix.Munmap(b))
	w.has("out", "ten")
	w.stop(syscall.SIGINT)
}
