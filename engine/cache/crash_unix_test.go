//go:build unix

package cache

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
)

var small = map[string]string{
	"out/a*":     "program",
	"out/b/c":    strings.Repeat("large", 60_000),
	"out/b/l@":   "c",
	"out/e/":     "",
	"top":        "at the top",
	"out/name d": "",
}

// before is the content of the project before small is restored.
var before = map[string]string{
	"out/a":     "another program",
	"out/b":     "a file",
	"out/stale": "stale",
	"mine":      "mine",
	"top@":      "mine",
}

var staleBefore = []string{"out/a", "out/b", "out/stale", "top"}

// crash runs a test in its own process, which kills itself before its n-th change of a file, and
// reports whether there was one.
func crash(t *testing.T, r *rig, n int) bool {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^"+strings.Split(t.Name(), "/")[0]+"$")
	cmd.Env = append(os.Environ(), "WEFT_TEST_CRASH="+strconv.Itoa(n), "WEFT_TEST_CACHE="+r.cache, "WEFT_TEST_ROOT="+r.root)
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL {
		return true
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return false
}

// crashing returns the rig of the process that crash has started; nil in another one.
func crashing(t *testing.T) *rig {
	n, err := strconv.Atoi(os.Getenv("WEFT_TEST_CRASH"))
	if err != nil {
		return nil
	}
	r := &rig{TB: t, cache: os.Getenv("WEFT_TEST_CACHE"), root: os.Getenv("WEFT_TEST_ROOT")}
	r.reopen()
	var steps atomic.Int64
	r.d.onChange = func() {
		if int(steps.Add(1)) == n {
			syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	}
	return r
}

// Whenever a process that keeps a result is killed, the result is complete or absent, and leftovers
// are removed.
func TestKilledSaving(t *testing.T) {
	if r := crashing(t); r != nil {
		r.save(1, "out", "top")
		return
	}
	t.Parallel()
	kept := 0
	for n := 1; ; n++ {
		r := newRig(t)
		r.tree(small)
		killed := crash(t, r, n)
		r.mustLook(small)
		res, err := r.d.Lookup(action(1))
		r.must(err)
		if res == nil {
			r.save(1, "out", "top")
		} else {
			kept++
		}
		r.clear()
		r.must(r.restore(1))
		r.mustLook(small)
		age(t, r.cache, 2*young)
		_, err = r.d.GC(t.Context(), DefaultLimit)
		r.must(err)
		if left := r.cached("tmp"); left > 0 || r.cached("ac") != 1 {
			t.Errorf("killed at %d: %d files left, %d results", n, left, r.cached("ac"))
		}
		if !killed {
			break
		}
	}
	if kept != 1 {
		t.Errorf("the result was there %d times before the end", kept-1)
	}
}

// Whenever a process that restores is killed, the next one restores, and removes the leftovers of
// the first.
func TestKilledRestoring(t *testing.T) {
	if r := crashing(t); r != nil {
		r.must(r.restore(1, staleBefore...))
		return
	}
	t.Parallel()
	saved := newRig(t)
	saved.tree(small)
	saved.save(1, "out", "top")
	want := maps.Clone(small)
	want["mine"] = "mine"
	halves := 0
	for n := 1; ; n++ {
		r := saved.elsewhere(t)
		r.tree(before)
		killed := crash(t, r, n)
		found := r.look()
		if found["mine"] != "mine" {
			t.Fatalf("killed at %d: %s", n, show(found))
		}
		if !killed {
			r.mustLook(want)
			break
		}
		stale := []string{}
		for p := range found {
			if p = strings.TrimRight(p, "*@/"); p != "mine" && !strings.Contains(p, ".weft-tmp") {
				stale = append(stale, p)
			}
		}
		if !maps.Equal(found, before) {
			halves++
		}
		r.must(r.restore(1, stale...))
		r.mustLook(want)
	}
	if halves < 5 {
		t.Errorf("killed only %d times between the first and the last change", halves)
	}
}

// Whichever rename fails, nothing is changed.
func TestRollback(t *testing.T) {
	saved := newRig(t)
	saved.tree(small)
	saved.save(1, "out", "top")
	undone := 0
	for n := 1; ; n++ {
		r := saved.elsewhere(t)
		r.tree(before)
		var steps atomic.Int64
		want := maps.Clone(before)
		r.d.onChange = func() {
			// Something appears that may not be replaced.
			if int(steps.Add(1)) == n {
				r.must(os.Remove(filepath.Join(r.root, "top")))
				r.must(syscall.Mkfifo(filepath.Join(r.root, "top"), 0o600))
				delete(want, "top@")
				want["top?"] = ""
			}
		}
		err := r.restore(1, staleBefore...)
		if int(steps.Load()) < n {
			break
		}
		if err != nil {
			if _, ok := errors.AsType[*Blocked](err); !ok {
				t.Errorf("%d: %v", n, err)
			}
			r.mustLook(want)
			undone++
		}
	}
	if undone < 10 {
		t.Errorf("undone %d times", undone)
	}
}

// Another step makes the same directory, and adds a file to it, at any moment: the files of both
// exist.
func TestSharedDirectory(t *testing.T) {
	saved := newRig(t)
	saved.tree(small)
	saved.save(1, "out", "top")
	want := maps.Clone(small)
	want["out/other"] = "of another step"
	for n := 1; ; n++ {
		r := saved.elsewhere(t)
		var steps atomic.Int64
		r.d.onChange = func() {
			if int(steps.Add(1)) == n {
				r.tree(map[string]string{"out/other": "of another step"})
			}
		}
		r.must(r.restore(1))
		if int(steps.Load()) < n {
			break
		}
		r.mustLook(want)
	}
	// The other's files stay if this one fails then.
	failed := 0
	for n := 1; ; n++ {
		r := saved.elsewhere(t)
		var steps atomic.Int64
		r.d.onChange = func() {
			if int(steps.Add(1)) == n {
				r.tree(map[string]string{"out/b/other": "of another step"})
				os.Remove(filepath.Join(r.root, "top"))
				r.must(syscall.Mkfifo(filepath.Join(r.root, "top"), 0o600))
			}
		}
		if err := r.restore(1); err != nil {
			failed++
			r.mustLook(map[string]string{"out/b/other": "of another step", "top?": ""})
		}
		if int(steps.Load()) < n {
			break
		}
	}
	if failed == 0 {
		t.Error("it never failed")
	}
	// And several that restore at the same time.
	both := newRig(t)
	both.cache = saved.cache
	both.reopen()
	var wg sync.WaitGroup
	want = map[string]string{}
	for n := 2; n < 6; n++ {
		own := fmt.Sprint("shared/deep/", n)
		saved.tree(map[string]string{own: own})
		want[own] = own
		saved.save(n, own)
	}
	for n := 2; n < 6; n++ {
		wg.Go(func() {
			res, err := both.d.Lookup(action(n))
			if err == nil {
				err = both.d.Restore(t.Context(), &Restoring{Root: both.root, Result: res})
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	both.mustLook(want)
}

// A full disk, for the cache or for the project: nothing is kept, or nothing is restored.
func TestDiskFull(t *testing.T) {
	const child = "WEFT_TEST_FULL_DISK"
	if os.Getenv(child) == "" {
		// The limit is the whole process's: the test runs in one of its own.
		cmd := exec.Command(os.Args[0], "-test.run=^TestDiskFull$")
		cmd.Env = append(os.Environ(), child+"=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	r := newRig(t)
	r.tree(small)
	r.save(1, "out", "top")
	r.clear()
	r.tree(before)
	limitFiles(t, 100_000, func() {
		if err := r.restore(1, staleBefore...); !errors.Is(err, syscall.EFBIG) {
			t.Errorf("restored: %v", err)
		}
	})
	r.mustLook(before)
	r.clear()
	r.tree(map[string]string{"out": strings.Repeat("x", 300_000), "small": "1"})
	limitFiles(t, 100_000, func() {
		_, err := r.d.Save(t.Context(), &Saving{Action: action(2), Root: r.root, Outputs: []string{"out", "small"}})
		if !errors.Is(err, syscall.EFBIG) {
			t.Errorf("kept: %v", err)
		}
	})
	if res, err := r.d.Lookup(action(2)); res != nil || err != nil {
		t.Errorf("%v, %v", res, err)
	}
	if left := r.cached("tmp"); left > 0 {
		t.Errorf("%d files left", left)
	}
}

func limitFiles(t *testing.T, size int64, do func()) {
	t.Helper()
	var old syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
		t.Fatal(err)
	}
	limit := old
	assign(&limit.Cur, size)
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		t.Fatal(err)
	}
	defer syscall.Setrlimit(syscall.RLIMIT_FSIZE, &old)
	do()
}

// assign sets a number that has a sign on some systems only.
func assign[T int64 | uint64](to *T, n int64) { *to = T(n) }

// Links in the directory of the cache are not followed.
func TestLinksInCache(t *testing.T) {
	for _, name := range []string{"v1", "v1/cas", "v1/ac", "v1/tmp", "v1/cas/*", "v1/ac/*", "v1/ac/*/*", "v1/cas/*/*"} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.tree(map[string]string{"a": "content"})
			r.save(1, "a")
			found, err := filepath.Glob(filepath.Join(r.cache, name))
			r.must(err)
			if len(found) != 1 {
				t.Fatalf("%q", found)
			}
			elsewhere := filepath.Join(t.TempDir(), "moved")
			r.must(os.Rename(found[0], elsewhere))
			r.must(os.Symlink(elsewhere, found[0]))
			before := stamps(t, elsewhere)
			d, err := Open(r.cache)
			if err == nil {
				defer d.Close()
				var res *ActionResult
				res, err = d.Lookup(action(1))
				if err == nil && name != "v1/tmp" {
					err = d.Restore(t.Context(), &Restoring{Root: t.TempDir(), Result: res})
				}
				r.tree(map[string]string{"a": "another"})
				_, e := d.Save(t.Context(), &Saving{Action: action(1), Root: r.root, Outputs: []string{"a"}})
				d.GC(t.Context(), 0)
				if name == "v1/tmp" {
					err = e
				}
			}
			if err == nil || !strings.Contains(err.Error(), "symbolic link") {
				t.Errorf("%v", err)
			}
			if after := stamps(t, elsewhere); !maps.Equal(before, after) {
				t.Errorf("changed behind the link: %v\n%v", before, after)
			}
		})
	}
}

// A read-only cache keeps nothing.
func TestReadOnly(t *testing.T) {
	if os.Getenv("WEFT_TEST_CRASH") != "" {
		if err := syscall.Setuid(12345); err != nil {
			t.Fatal(err)
		}
		r := crashing(t)
		r.must(r.restore(1))
		r.mustLook(map[string]string{"a": "content"})
		for _, err := range []error{
			func() error { _, err := r.d.Put([]byte("other")); return err }(),
			func() error { _, err := r.d.Remove(action(1)); return err }(),
			func() error { _, err := r.d.GC(t.Context(), 0); return err }(),
		} {
			if !errors.Is(err, fs.ErrPermission) {
				t.Errorf("%v", err)
			}
		}
		return
	}
	if os.Geteuid() != 0 {
		t.Skip("only root can be somebody else")
	}
	r := newRig(t)
	r.tree(map[string]string{"a": "content"})
	r.save(1, "a")
	r.clear()
	for _, dir := range []string{r.root, r.cache} {
		r.must(filepath.WalkDir(dir, func(p string, e fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			return os.Chown(p, 12345, -1)
		}))
		for d := filepath.Dir(dir); d != os.TempDir() && d != "/"; d = filepath.Dir(d) {
			r.must(os.Chmod(d, 0o755))
		}
	}
	// Root still owns it except for its files: another owner's cache is not used.
	if _, err := Open(r.cache); err == nil || !strings.Contains(err.Error(), "belongs to user 12345") {
		t.Errorf("another owner's: %v", err)
	}
	r.must(filepath.WalkDir(r.cache, func(p string, e fs.DirEntry, err error) error {
		if err == nil && e.IsDir() {
			err = os.Chmod(p, 0o500)
		}
		return err
	}))
	if crash(t, r, -1) {
		t.Error("killed")
	}
}
