package state

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/weftrun/weft/internal/statefile"
	"github.com/weftrun/weft/schema/diag"
)

// rig is a project with a directory of state.
type rig struct {
	t        testing.TB
	root     string
	o        Options
	warnings []string
}

func newRig(t testing.TB) *rig {
	r := &rig{t: t, root: t.TempDir()}
	r.o.Warn = func(d *diag.Diagnostic) { r.warnings = append(r.warnings, d.Error()) }
	return r
}

// open opens the state like a new process.
func (r *rig) open() *Store {
	return Open(statefile.Place{Base: r.root, Path: ".weft", Project: r.root}, r.o)
}

// path returns a path in the directory of state.
func (r *rig) path(name string) string { return filepath.Join(r.root, ".weft", name) }

func (r *rig) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) read(name string) []byte {
	r.t.Helper()
	b, err := os.ReadFile(r.path(name))
	r.must(err)
	return b
}

func (r *rig) write(name string, content []byte) {
	r.t.Helper()
	r.must(os.WriteFile(r.path(name), content, 0o644))
}

func (r *rig) names(pattern string) []string {
	names, err := filepath.Glob(r.path(pattern))
	r.must(err)
	return names
}

// succeed records a success in its own process.
func (r *rig) succeed(key, head, body string) {
	s := r.open()
	defer s.Close()
	succeed(s, key, head, body)
}

func succeed(s *Store, key, head, body string) {
	s.Remove(KeyOf("1", key)) // before the first command
	s.Put(KeyOf("1", key), []byte(head), []byte(body))
}

// get returns the record that a new process finds; ok is false if there is none.
func (r *rig) get(key string) (head, body string, ok bool) {
	s := r.open()
	defer s.Close()
	return get(s, key)
}

func get(s *Store, key string) (head, body string, ok bool) {
	k := KeyOf("1", key)
	rec, ok := s.Get(k)
	return string(rec.Head), string(s.Body(k, rec)), ok
}

// After any damage to the state file a record is the old one, or absent.
func TestDamagedState(t *testing.T) {
	for _, tt := range []struct {
		name   string
		damage func(r *rig)
		warns  bool
	}{
		{"empty", func(r *rig) { r.write("state", nil) }, false},
		{"older version", func(r *rig) { r.write("state", append([]byte("weft state 3\n"), r.read("state")[len(logMagic):]...)) }, true},
		{"newer version", func(r *rig) { r.write("state", append([]byte("weft state 9\n"), r.read("state")[len(logMagic):]...)) }, true},
		{"truncated", func(r *rig) { b := r.read("state"); r.write("state", b[:len(b)-1]) }, false},
		{"only the head", func(r *rig) { r.write("state", r.read("state")[:logHead+7]) }, false},
		{"flipped bit", func(r *rig) { b := r.read("state"); b[len(b)-5] ^= 1; r.write("state", b) }, true},
		{"length of nonsense", func(r *rig) {
			b := r.read("state")
			copy(b[logHead+1:], "\xff\xff\xff\xff")
			r.write("state", b)
		}, false},
		{"zeros after a crash", func(r *rig) {
			b := r.read("state")
			clear(b[logHead:])
			r.write("state", b)
		}, false},
		{"a directory", func(r *rig) {
			r.must(os.Remove(r.path("state")))
			r.must(os.Mkdir(r.path("state"), 0o755))
		}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t)
			r.succeed("k", "head", "body")
			if head, body, ok := r.get("k"); !ok || head != "head" || body != "body" {
				t.Fatalf("%q %q %v", head, body, ok)
			}
			tt.damage(r)
			if head, _, ok := r.get("k"); ok {
				t.Errorf("%q is believed", head)
			}
			if (r.warnings != nil) != tt.warns {
				t.Errorf("warnings: %q", r.warnings)
			}
			if tt.name == "a directory" {
				return
			}
			r.succeed("k", "new", "")
			if head, _, ok := r.get("k"); !ok || head != "new" {
				t.Errorf("does not recover: %q %v", head, ok)
			}
		})
	}
}

// The remainder of a crash at the end of the file does not hide later records.
func TestTornTail(t *testing.T) {
	r := newRig(t)
	r.succeed("k", "head", "")
	r.write("state", append(r.read("state"), appendRecord(nil, Key{1}, 0, make([]byte, 500))[:300]...))
	r.succeed("other", "head", "")
	for _, key := range []string{"k", "other"} {
		if _, _, ok := r.get(key); !ok {
			t.Errorf("%s is forgotten", key)
		}
	}
}

// Large bodies are in their own files, which are removed with their records.
func TestLargeBodies(t *testing.T) {
	r := newRig(t)
	large := strings.Repeat("x", inlineBody+1)
	for _, body := range []string{large, large, large + "y"} {
		r.succeed("k", "head", body)
		if _, got, ok := r.get("k"); !ok || got != body {
			t.Fatalf("%d bytes of %d, %v", len(got), len(body), ok)
		}
		if files := r.names("files/*"); len(files) != 1 {
			t.Fatalf("%d files of one body", len(files))
		}
	}
	s := r.open()
	s.PutLater(KeyOf("1", "k"), []byte("later"), []byte(large+"z"))
	s.PutLater(KeyOf("1", "k"), []byte("later"), []byte(large+"zz"))
	s.Close()
	if head, body, _ := r.get("k"); head != "later" || body != large+"zz" {
		t.Errorf("%q with %d bytes", head, len(body))
	}
	files := r.names("files/*")
	if len(files) != 1 {
		t.Fatalf("%d files of one body", len(files))
	}
	r.must(os.WriteFile(files[0], []byte("x"), 0o644))
	if head, body, ok := r.get("k"); !ok || head != "later" || body != "" {
		t.Errorf("a damaged body: %q %q %v", head, body, ok)
	}
	r.succeed("k", "head", "small")
	if files := r.names("files/*"); len(files) != 0 {
		t.Errorf("left: %v", files)
	}
}

// A deferred record is not written in place of one that another process has invalidated, or
// replaced, and leaves no files.
func TestPutLater(t *testing.T) {
	large := strings.Repeat("x", inlineBody+1)
	for name, other := range map[string]func(s *Store){
		"removed":  func(s *Store) { s.Remove(KeyOf("1", "k")) },
		"replaced": func(s *Store) { succeed(s, "k", "other", "") },
	} {
		r := newRig(t)
		r.succeed("k", "head", "")
		one, two := r.open(), r.open()
		get(one, "k")
		one.PutLater(KeyOf("1", "k"), []byte("later"), []byte(large))
		other(two)
		one.Close()
		two.Close()
		if head, _, _ := r.get("k"); head == "later" || (head == "other") != (name == "replaced") {
			t.Errorf("%s: %q is recorded", name, head)
		}
		if files := r.names("files/*"); len(files) != 0 {
			t.Errorf("%s: left %v", name, files)
		}
	}
}

func TestReadOnly(t *testing.T) {
	r := newRig(t)
	r.o.ReadOnly = true
	r.succeed("k", "head", "body")
	if _, err := os.Lstat(r.path("")); err == nil {
		t.Error("something was written")
	}
	r.o.ReadOnly = false
	r.succeed("k", "head", "body")
	before := r.read("state")
	r.o.ReadOnly = true
	r.succeed("k", "other", "")
	if head, body, ok := r.get("k"); !ok || head != "head" || body != "body" {
		t.Errorf("%q %q %v", head, body, ok)
	}
	if !bytes.Equal(before, r.read("state")) {
		t.Error("the state was written")
	}
	if b := r.read(".gitignore"); string(b) != "*\n" {
		t.Errorf(".gitignore: %q", b)
	}
}

func TestUnwritable(t *testing.T) {
	r := newRig(t)
	if os.Getuid() == 0 {
		// Root may write everywhere, so only the other half can be seen.
		r.must(os.WriteFile(r.path(""), []byte("a file where the directory should be"), 0o644))
	} else {
		r.succeed("k", "head", "")
		r.must(os.Chmod(r.path(""), 0o555))
		defer os.Chmod(r.path(""), 0o755)
	}
	for range 2 {
		r.succeed("k", "head", "")
		if _, _, ok := r.get("k"); ok {
			t.Error("a record, though nothing could invalidate it")
		}
	}
	if len(r.warnings) != 4 { // one for each process
		t.Errorf("warnings: %q", r.warnings)
	}
}

// Two stores write in turn; neither loses records of the other, even if one of them compacts the
// file.
func TestSharedState(t *testing.T) {
	r := newRig(t)
	stores := [2]*Store{r.open(), r.open()}
	key := func(i int) string { return string(rune('a' + i)) }
	for i := range 20 {
		succeed(stores[i%2], key(i), "head", "")
		if i == 10 {
			r.must(stores[0].log.compact(func(Key, stored) bool { return true }))
		}
	}
	for _, s := range []*Store{r.open(), stores[0], stores[1]} {
		s.reread()
		for i := range 20 {
			if _, _, ok := get(s, key(i)); !ok {
				t.Errorf("%s is lost", key(i))
			}
		}
	}
}

func TestCompact(t *testing.T) {
	r := newRig(t)
	now := time.Now()
	r.o.Now = func() time.Time { return now }
	r.succeed("rare", "head", "")
	r.succeed("used", "head", "")
	for range 5 {
		now = now.Add(9 * 24 * time.Hour)
		if _, _, ok := r.get("used"); !ok {
			t.Fatal("used, and dropped")
		}
	}
	s := r.open()
	s.Read()
	if _, ok := s.log.get(KeyOf("1", "rare")); ok || len(s.log.live) != 1 {
		t.Errorf("%d records after 45 days", len(s.log.live))
	}
	// A lock file of a process that was killed, unused bodies, of this version and of an older one,
	// and a file that is being written.
	x := KeyOf("1", "x").String()
	for _, name := range []string{"locks/" + x, "files/" + bodyName(KeyOf("1", "x"), 1), "files/" + x + "-01234567", "files/not-ours", "state.0123456789abcdef.new"} {
		r.write(name, nil)
		r.must(os.Chtimes(r.path(name), time.Now().Add(-2*time.Hour), time.Now().Add(-2*time.Hour)))
	}
	for i := range 2000 { // enough records that later ones replace
		succeed(s, "k", strings.Repeat("x", i%100), "")
	}
	s.Close()
	left := append(r.names("*/*"), r.names("*.new")...)
	if size := len(r.read("state")); size > 64<<10 || len(left) != 1 || filepath.Base(left[0]) != "not-ours" {
		t.Errorf("%d bytes, %v", size, left)
	}
}

// FuzzRecord: damaged records and files are errors, or lost, never a panic; a good record is
// decoded to the same value.
func FuzzRecord(f *testing.F) {
	small, large := newRecord([]byte("head"), []byte("body")), newRecord([]byte("head"), make([]byte, inlineBody+1))
	f.Add(small.payload)
	f.Add(large.payload)
	f.Add(appendRecord([]byte(logMagic), Key{1}, 2, small.payload))
	for _, want := range []Record{small, large} {
		got, err := parseRecord(want.payload)
		if err != nil || string(got.Head) != "head" || !want.isApart() && string(got.body) != "body" || got.apart != want.apart {
			f.Fatalf("%+v of %+v: %v", got, want, err)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if r, err := parseRecord(b); err == nil && !r.isApart() {
			if again := newRecord(r.Head, r.body); len(r.body) <= inlineBody && !bytes.Equal(again.Head, r.Head) {
				t.Errorf("%q is read, and written as %q", b, again.payload)
			}
		}
		l := log{live: map[Key]stored{}}
		l.scan(b, 0)
		if l.end > int64(len(b)) || l.size < 0 {
			t.Errorf("read to %d of %d, %d live", l.end, len(b), l.size)
		}
	})
}
