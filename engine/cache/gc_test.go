package cache

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// age makes everything in the cache older.
func age(t testing.TB, cache string, by time.Duration) {
	t.Helper()
	err := filepath.WalkDir(cache, func(p string, e fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || e.IsDir() {
			return err
		}
		st, err := e.Info()
		if err == nil {
			at := st.ModTime().Add(-by)
			err = os.Chtimes(p, at, at)
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// cached returns the number of files in a part of the cache.
func (r *rig) cached(part string) (n int) {
	r.Helper()
	err := filepath.WalkDir(filepath.Join(r.cache, "v1", part), func(p string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			n++
		}
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		r.Fatal(err)
	}
	return n
}

// action3 is an Action with a tree of inputs, as messages.
func action3(n int) (action Digest, messages [][]byte) {
	add := func(b []byte) Digest {
		messages = append(messages, b)
		return DigestOf(b)
	}
	act := add(fmt.Append(nil, "act ", n))
	in := add((&Directory{Files: []FileNode{{Name: "act", Digest: act}}}).Append(nil))
	weft := add((&Directory{Directories: []DirectoryNode{{"in", in}}}).Append(nil))
	root := add((&Directory{
		Files:       []FileNode{{Name: "source", Digest: DigestOf([]byte("not in the cache"))}},
		Directories: []DirectoryNode{{".weft", weft}},
	}).Append(nil))
	command := add((&Command{Arguments: []string{"weft"}}).Append(nil))
	action = add((&Action{Command: command, InputRoot: root}).Append(nil))
	return action, messages
}

func TestGC(t *testing.T) {
	r := newRig(t)
	var sizes int64
	for n := range 4 {
		r.clear()
		r.tree(map[string]string{
			"common": strings.Repeat("c", 10_000),
			"own":    strings.Repeat(string(rune('a'+n)), 100_000),
		})
		key, messages := action3(n)
		_, err := r.d.Save(t.Context(), &Saving{Action: key, Messages: messages, Root: r.root, Outputs: []string{"common", "own"}})
		r.must(err)
		age(t, r.cache, 2*time.Hour)
		sizes += 100_000
	}
	lookup := func(n int) *ActionResult {
		key, _ := action3(n)
		res, err := r.d.Lookup(key)
		r.must(err)
		return res
	}
	stats, err := r.d.GC(t.Context(), DefaultLimit)
	r.must(err)
	if stats.Results != 4 || stats.Blobs != r.cached("cas") || stats.Freed != 0 || stats.Size < sizes+10_000 || stats.Size > sizes+14_000 {
		t.Errorf("nothing to do: %+v", stats)
	}

	lookup(0) // used last
	stats, err = r.d.GC(t.Context(), 230_000)
	r.must(err)
	if stats.Results != 2 || stats.RemovedResults != 2 || stats.RemovedBlobs < 2 || stats.Freed < 200_000 || stats.Size > 230_000 {
		t.Errorf("over the limit: %+v", stats)
	}
	if stats.Blobs != r.cached("cas") {
		t.Errorf("%+v, and there are %d blobs", stats, r.cached("cas"))
	}
	for n, want := range []bool{true, false, false, true} {
		res := lookup(n)
		if (res != nil) != want {
			t.Errorf("result %d: %v", n, res)
		}
		if res == nil {
			continue
		}
		_, messages := action3(n)
		for _, m := range messages {
			if _, err := os.Stat(r.blobFile(DigestOf(m))); err != nil {
				t.Error(err)
			}
		}
		r.clear()
		r.must(r.d.Restore(t.Context(), &Restoring{Root: r.root, Result: res}))
		r.mustLook(map[string]string{"common": strings.Repeat("c", 10_000), "own": strings.Repeat(string(rune('a'+n)), 100_000)})
	}

	// Old blobs that no result needs are removed.
	key, _ := action3(0)
	if ok, err := r.d.Remove(key); !ok || err != nil {
		t.Errorf("%v, %v", ok, err)
	}
	if ok, err := r.d.Remove(key); ok || err != nil {
		t.Errorf("again: %v, %v", ok, err)
	}
	young, err := r.d.Put([]byte("of a result to be"))
	r.must(err)
	r.must(os.WriteFile(filepath.Join(r.cache, "v1", "tmp", "killed"), nil, 0o600))
	r.must(os.WriteFile(filepath.Join(filepath.Dir(r.blobFile(young)), "foreign"), nil, 0o600))
	stats, err = r.d.GC(t.Context(), DefaultLimit)
	r.must(err)
	if _, err := os.Stat(r.blobFile(young)); err != nil {
		t.Errorf("young: %v", err)
	}
	age(t, r.cache, 2*time.Hour)
	stats, err = r.d.GC(t.Context(), DefaultLimit)
	r.must(err)
	if stats.Results != 1 || r.cached("cas") != stats.Blobs || r.cached("tmp") != 0 || stats.Blobs > 9 {
		t.Errorf("%+v, %d blobs, %d temporary", stats, r.cached("cas"), r.cached("tmp"))
	}
	stats, err = r.d.GC(t.Context(), 0)
	r.must(err)
	if stats.Results+stats.Blobs != 0 || stats.Size != 0 || r.cached("cas") != 0 || r.cached("ac") != 0 {
		t.Errorf("everything: %+v", stats)
	}
}

// A cache below its limit is not walked at the end of each run.
func TestTrim(t *testing.T) {
	r := newRig(t)
	const limit = 250_000
	save := func(n int) Stats {
		t.Helper()
		r.reopen()
		r.clear()
		r.tree(map[string]string{"own": strings.Repeat(string(rune('a'+n)), 100_000)})
		r.save(n, "own")
		stats, err := r.d.Trim(t.Context(), limit)
		r.must(err)
		age(t, r.cache, 2*time.Hour)
		return stats
	}
	if stats := save(0); stats != (Stats{}) {
		t.Errorf("a new one was looked through: %+v", stats)
	}
	// A blob that no result needs shows whether the cache was walked.
	junk := r.blobFile(DigestOf([]byte("junk")))
	r.must(os.MkdirAll(filepath.Dir(junk), 0o700))
	r.must(os.WriteFile(junk, []byte("junk"), 0o600))
	old := time.Now().Add(-2 * time.Hour)
	r.must(os.Chtimes(junk, old, old))
	save(1)
	if _, err := os.Stat(junk); err != nil {
		t.Errorf("looked through below the limit: %v", err)
	}
	save(2)
	if _, err := os.Stat(junk); err == nil || r.cached("ac") != 2 {
		t.Errorf("above the limit: %v, %d results", err, r.cached("ac"))
	}
	save(2) // exists: only the result is added
	if r.cached("ac") != 2 {
		t.Errorf("%d results", r.cached("ac"))
	}
	for _, damage := range []string{"", "x", strings.Repeat("\xff", 16), strings.Repeat("12345678", maxUsage)} {
		r.must(os.WriteFile(filepath.Join(r.cache, "v1", "usage"), []byte(damage), 0o600))
		save(3)
		if b, err := os.ReadFile(filepath.Join(r.cache, "v1", "usage")); err != nil || damage != "" && len(b) != 8 {
			t.Errorf("%d bytes, %v", len(b), err)
		}
	}
	r.reopen()
	if stats, err := r.d.Trim(t.Context(), 0); err != nil || stats != (Stats{}) {
		t.Errorf("nothing was kept: %+v, %v", stats, err)
	}
}

func TestVerify(t *testing.T) {
	r := newRig(t)
	for n := range 3 {
		r.clear()
		r.tree(map[string]string{"a": fmt.Sprint("content ", n)})
		r.save(n, "a")
	}
	var problems []string
	verify := func() Stats {
		problems = nil
		stats, err := r.d.Verify(t.Context(), func(p Problem) {
			if !strings.HasPrefix(p.Path, r.cache) {
				t.Errorf("path: %s", p.Path)
			}
			problems = append(problems, p.Why)
		})
		r.must(err)
		return stats
	}
	if stats := verify(); stats.Results != 3 || stats.Blobs != 3 || len(problems) > 0 {
		t.Errorf("%+v, %q", stats, problems)
	}
	bad := r.blobFile(DigestOf([]byte("content 1")))
	r.must(os.Chmod(bad, 0o600))
	r.must(os.WriteFile(bad, []byte("content X"), 0))
	r.must(os.WriteFile(r.resultFile(2), nil, 0))
	r.must(os.WriteFile(filepath.Join(filepath.Dir(bad), "README"), nil, 0o600))
	stats := verify()
	if stats.Results != 1 || stats.RemovedResults != 2 || stats.Blobs != 2 || stats.RemovedBlobs != 1 || len(problems) != 4 {
		t.Errorf("%+v, %q", stats, problems)
	}
	all := strings.Join(problems, "\n")
	for _, want := range []string{"has other content", "is missing", "its seal does not match", "not that of a blob"} {
		if !strings.Contains(all, want) {
			t.Errorf("no %q in %q", want, problems)
		}
	}
	if stats := verify(); stats.Results != 1 || stats.Blobs != 2 || len(problems) != 1 {
		t.Errorf("again: %+v, %q", stats, problems)
	}
}

// An empty cache is valid, and is not made by reading.
func TestNoCache(t *testing.T) {
	r := newRig(t)
	if res, err := r.d.Lookup(action(1)); res != nil || err != nil {
		t.Errorf("%v, %v", res, err)
	}
	if stats, err := r.d.GC(t.Context(), 0); stats != (Stats{}) || err != nil {
		t.Errorf("%v, %v", stats, err)
	}
	if stats, err := r.d.Verify(t.Context(), nil); stats != (Stats{}) || err != nil {
		t.Errorf("%v, %v", stats, err)
	}
	if ok, err := r.d.Remove(action(1)); ok || err != nil {
		t.Errorf("%v, %v", ok, err)
	}
	if _, err := os.Stat(r.cache); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("made: %v", err)
	}
}

// Processes that keep, restore, collect and verify at the same time: a restore is complete and
// right, or changes nothing.
func TestAtOnce(t *testing.T) {
	cache := filepath.Join(t.TempDir(), "cache")
	state := func(n int) map[string]string {
		return map[string]string{
			"out/a":                   strings.Repeat(fmt.Sprint("a", n%3), 1000),
			"out/b*":                  strings.Repeat(fmt.Sprint("b", n), 200_000),
			"out/c/d":                 "same",
			fmt.Sprint("out/only", n): "",
		}
	}
	var wg sync.WaitGroup
	restored := make([]int, 4)
	deadline := time.Now().Add(700 * time.Millisecond)
	for p := range 4 {
		wg.Go(func() {
			r := &rig{TB: t, cache: cache, root: t.TempDir()}
			random := rand.New(rand.NewPCG(1, uint64(p)))
			for i := 0; i < 5 || time.Now().Before(deadline) && restored[p] < 20; i++ {
				d, err := Open(cache)
				if err != nil {
					t.Error(err)
					return
				}
				r.d = d
				n := random.IntN(5)
				switch random.IntN(6) {
				case 0:
					age(t, cache, 2*time.Hour)
					if _, err := d.GC(t.Context(), 2_000_000); err != nil {
						t.Errorf("GC: %v", err)
					}
				case 1:
					d.Verify(t.Context(), func(p Problem) {
						if strings.Contains(p.Why, "other content") {
							t.Errorf("damaged: %v", p)
						}
					})
				default:
					res, err := d.Lookup(action(n))
					if err != nil {
						t.Errorf("Lookup: %v", err)
					}
					before := lookAt(t, r.root)
					var stale []string
					for p := range before {
						stale = append(stale, strings.TrimRight(p, "*"))
					}
					if res != nil {
						if err = d.Restore(t.Context(), &Restoring{Root: r.root, Result: res, Stale: stale}); err == nil {
							restored[p]++
							r.mustLook(state(n))
							break
						}
						if _, ok := errors.AsType[*Damage](err); !ok {
							t.Errorf("Restore: %v", err)
						}
						if after := lookAt(t, r.root); !maps.Equal(before, after) {
							t.Errorf("half restored: %s\n%s", show(before), show(after))
						}
					}
					os.RemoveAll(filepath.Join(r.root, "out"))
					r.tree(state(n))
					// A file being written may be removed when it is no longer young.
					if _, err := d.Save(t.Context(), &Saving{Action: action(n), Root: r.root, Outputs: []string{"out"}}); err != nil && !errors.Is(err, fs.ErrNotExist) {
						t.Errorf("Save: %v", err)
					}
				}
				d.Close()
			}
		})
	}
	wg.Wait()
	if n := restored[0] + restored[1] + restored[2] + restored[3]; n == 0 {
		t.Error("nothing was restored")
	}
}
