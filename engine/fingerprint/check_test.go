package fingerprint

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weftrun/weft/engine/fingerprint/state"
	"github.com/weftrun/weft/engine/glob"
	"github.com/weftrun/weft/internal/statefile"
	"github.com/weftrun/weft/schema/diag"
)

// project is a directory with sources in src, and inputs that read them and
// make out/a.
type project struct {
	t    testing.TB
	root string
	in   Inputs
	o    state.Options
	warn []string

	secret func(text string) bool
	looked bool // the last check was not needed: a QuickCheck would have sufficed
}

func newProject(t testing.TB) *project {
	p := &project{t: t, root: t.TempDir()}
	p.in = Inputs{
		Key: "build", Name: "build", Root: p.root, Dir: p.root,
		Fields:  []Field{{Name: "command 1", Value: "cc"}, {Name: "var V", Value: "1"}, {Name: "env E", Value: "hunter2", Secret: true}},
		Sources: patterns("src/**/*.c", "m.txt"), Generates: patterns("out/*"),
	}
	p.o.Warn = func(d *diag.Diagnostic) { p.warn = append(p.warn, d.Error()) }
	p.write("src/a.c", "a")
	p.write("src/d/b.c", "b")
	p.write("m.txt", "m")
	p.age()
	return p
}

func (p *project) path(name string) string { return filepath.Join(p.root, name) }

func (p *project) write(name, content string) {
	p.t.Helper()
	p.must(os.MkdirAll(filepath.Dir(p.path(name)), 0o755))
	p.must(os.WriteFile(p.path(name), []byte(content), 0o644))
}

func (p *project) must(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

// age waits until the times of all files prove something.
func (p *project) age() {
	p.t.Helper()
	p.write(".clock", "")
	clock, err := glob.NewTree(nil).Find(p.t.Context(), p.root, patterns(".clock"), false)
	p.must(err)
	st := clock.Files[0].Stat()
	for deadline := time.Now().Add(10 * time.Second); st.Recent(time.Now()); {
		if time.Now().After(deadline) {
			p.t.Fatal("the clock stands still")
		}
		time.Sleep(time.Millisecond)
	}
}

func patterns(globs ...string) []glob.Pattern {
	ps := make([]glob.Pattern, len(globs))
	for i, g := range globs {
		ps[i].Glob, ps[i].Exclude = strings.CutPrefix(g, "!")
	}
	return ps
}

// placeOf returns the directory of state at a path.
func placeOf(dir string) statefile.Place {
	return statefile.Place{Base: filepath.Dir(dir), Path: filepath.Base(dir), Project: filepath.Dir(dir)}
}

func (p *project) store() *state.Store { return state.Open(placeOf(p.path(".weft")), p.o) }

// checker returns the Checker of another run with the same state.
func (p *project) checker(s *state.Store) *Checker { return New(s, glob.NewTree(nil), p.secret) }

func (p *project) check(s *state.Store) *Check {
	p.t.Helper()
	checker := p.checker(s)
	l := checker.QuickCheck()
	d, fresh := l.Fresh(&p.in)
	l.Close()
	c, err := checker.Check(p.t.Context(), &p.in)
	p.must(err)
	if fresh && (!c.Fresh || c.Digest != d) {
		p.t.Errorf("a quick check finds it fresh, %v, a check does not: %v, %v", d, c.Fresh, c.Digest)
	}
	p.looked = fresh
	return c
}

// run does the work of an executor, in its own process. It reports whether the commands ran.
func (p *project) run() bool {
	p.t.Helper()
	s := p.store()
	defer s.Close()
	c := p.check(s)
	if c.Fresh {
		if c.Digest == (Digest{}) {
			p.t.Error("fresh without a fingerprint")
		}
		return false
	}
	c.Begin()
	p.write("out/a", "out of "+p.in.Fields[0].Value)
	p.must(c.Commit(p.t.Context(), nil))
	return true
}

// settle runs until everything is fresh and the record is final.
func (p *project) settle() {
	p.t.Helper()
	p.run()
	p.age()
	for range 2 {
		if p.run() {
			p.t.Fatal("not up to date right after a success")
		}
	}
}

func (p *project) why() string {
	p.t.Helper()
	o := p.o
	o.ReadOnly = true
	var out []string
	for _, r := range p.check(state.Open(placeOf(p.path(".weft")), o)).Why(p.t.Context()) {
		out = append(out, strings.TrimSpace(fmt.Sprintf("%s %s %s>%s", r.Kind, r.Name, r.Old, r.New)))
	}
	return strings.Join(out, "; ")
}

// changes are edits of an up-to-date project, with whether they cause a run, and why.
func changes() []change {
	return []change{
		{"nothing", func(p *project) {}, false, ""},
		{"command", func(p *project) { p.in.Fields[0].Value = "cc -O" }, true, "command 1 cc>cc -O"},
		{"command added", func(p *project) {
			p.in.Fields = slices.Insert(p.in.Fields, 1, Field{Name: "command 2", Value: "ld"})
		}, true, "command 2 >ld"},
		{"variable", func(p *project) { p.in.Fields[1].Value = "2" }, true, "var V 1>2"},
		{"variable gone", func(p *project) { p.in.Fields = p.in.Fields[:1] }, true, "var V 1>; env E >gone"},
		{"secret", func(p *project) { p.in.Fields[2].Value = "hunter3" }, true, "env E >changed"},
		{"content", func(p *project) { p.write("src/a.c", "A") }, true, "file src/a.c ca978112ca1b>559aead08264"},
		{"content of other size", func(p *project) { p.write("src/a.c", "a ") }, true, "file src/a.c ca978112ca1b>6583dcd6056f"},
		{"content, times put back", func(p *project) {
			st, _ := os.Stat(p.path("src/a.c"))
			p.write("src/a.c", "A")
			p.must(os.Chtimes(p.path("src/a.c"), st.ModTime(), st.ModTime()))
		}, true, "file src/a.c ca978112ca1b>559aead08264"},
		{"replaced by a file of the same size and time", func(p *project) {
			st, _ := os.Stat(p.path("src/a.c"))
			p.write("x", "A")
			p.must(os.Chtimes(p.path("x"), st.ModTime(), st.ModTime()))
			p.must(os.Rename(p.path("x"), p.path("src/a.c")))
		}, true, "file src/a.c ca978112ca1b>559aead08264"},
		{"moved", func(p *project) { p.must(os.Rename(p.path("src/a.c"), p.path("src/d/a.c"))) }, true, "file src/a.c >gone; file src/d/a.c >new"},
		{"renamed", func(p *project) { p.must(os.Rename(p.path("src/a.c"), p.path("src/c.c"))) }, true, "file src/a.c >gone; file src/c.c >new"},
		{"mode", func(p *project) { p.must(os.Chmod(p.path("src/a.c"), 0o755)) }, true, "file src/a.c >mode"},
		{"mode of others", func(p *project) { p.must(os.Chmod(p.path("src/a.c"), 0o600)) }, false, ""},
		{"added", func(p *project) { p.write("src/e/f.c", "") }, true, "file src/e/f.c >new"},
		{"removed", func(p *project) { p.must(os.Remove(p.path("m.txt"))) }, true, "file m.txt >gone"},
		{"file to link", func(p *project) {
			p.must(os.Rename(p.path("m.txt"), p.path("n.txt")))
			p.must(os.Symlink("n.txt", p.path("m.txt")))
		}, true, "file m.txt >link"},
		{"promise", func(p *project) { p.in.Generates = patterns("out/*", "out/a") }, true, "generates out/a >included"},
		{"directory", func(p *project) {
			p.in.Dir = p.path("src")
			p.in.Sources = patterns("**/*.c")
			p.write("src/out/a", "")
		}, true, "directory  >src/; file m.txt >gone; generates out/a >gone"},
		{"method", func(p *project) { p.in.Method = Timestamp }, true, "method  checksum>timestamp"},
		{"other patterns, same files", func(p *project) { p.in.Sources = patterns("src/{a,d/b}.c", "*.txt") }, false, ""},
		{"touch", func(p *project) { p.must(os.Chtimes(p.path("src/a.c"), time.Now(), time.Now())) }, false, ""},
		{"touch of the output", func(p *project) { p.must(os.Chtimes(p.path("out/a"), time.Now(), time.Now())) }, false, ""},
		{"checkout of the same content", func(p *project) {
			p.must(os.Remove(p.path("src/a.c")))
			p.write("src/a.c", "a")
		}, false, ""},
		{"the whole project moved", func(p *project) {
			to := p.root + "-moved"
			p.must(os.Rename(p.root, to))
			p.root, p.in.Root, p.in.Dir = to, to, to
		}, false, ""},
		{"output deleted", func(p *project) { p.must(os.Remove(p.path("out/a"))) }, true, "generates out/* >gone"},
		{"output edited", func(p *project) { p.write("out/a", "mine") }, true, "generates out/a >changed"},
		{"output of others added", func(p *project) { p.write("out/b", "") }, false, ""},
		{"an ignored file", func(p *project) { p.write("src/a.h", "") }, false, ""},
		{"time in the future", func(p *project) {
			at := time.Now().Add(time.Hour)
			p.must(os.Chtimes(p.path("src/a.c"), at, at))
		}, false, ""},
		{"clock set back", func(p *project) {
			p.o.Now = func() time.Time { return time.Now().Add(-48 * time.Hour) }
			p.write("src/a.c", "A")
			at := time.Now().Add(-48 * time.Hour)
			p.must(os.Chtimes(p.path("src/a.c"), at, at))
		}, true, "file src/a.c ca978112ca1b>559aead08264"},
		{"state gone", func(p *project) { p.must(os.RemoveAll(p.path(".weft"))) }, true, "first  >"},
	}
}

type change struct {
	name string
	make func(*project)
	runs bool
	why  string
}

func TestWhatRuns(t *testing.T) {
	for _, tt := range changes() {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := newProject(t)
			if !p.run() {
				t.Fatal("fresh before it ever ran")
			}
			p.settle()
			tt.make(p)
			if got := p.why(); got != tt.why {
				t.Errorf("why: %s\nwant %s", got, tt.why)
			}
			if got := p.run(); got != tt.runs {
				t.Errorf("runs = %v", got)
			}
			if p.run() {
				t.Error("runs again")
			}
			if p.warn != nil {
				t.Errorf("warnings: %q", p.warn)
			}
		})
	}
}

// A change at the moment in which a file was examined leaves the same times on a coarse clock; here
// the same times are forced.
func TestRacy(t *testing.T) {
	p := newProject(t)
	p.write("src/a.c", "1") // young
	p.run()
	st, err := os.Stat(p.path("src/a.c"))
	p.must(err)
	f, err := os.OpenFile(p.path("src/a.c"), os.O_WRONLY, 0)
	p.must(err)
	f.WriteString("2")
	f.Close()
	p.must(os.Chtimes(p.path("src/a.c"), st.ModTime(), st.ModTime()))
	// The record of a coarse clock:
	s := p.store()
	c := p.check(s)
	if c.Fresh {
		t.Fatal("a young file was believed")
	}
	h := *c.last
	h.sourceStats = c.stats
	if !h.young {
		t.Fatal("a young file was not marked")
	}
	s.Put(c.key, h.encode(), s.Body(c.key, c.record))
	if p.check(s).Fresh {
		t.Error("a young file was believed because its times are the same")
	}
}

func TestSourcesChangedMeanwhile(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*project)
		stored bool
	}{
		{"edited", func(p *project) { p.write("src/a.c", "A") }, false},
		{"removed", func(p *project) { p.must(os.Remove(p.path("src/a.c"))) }, false},
		{"written as it was", func(p *project) { p.write("src/a.c", "a") }, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := newProject(t)
			s := p.store()
			c := p.check(s)
			c.Begin()
			tt.change(p)
			p.write("out/a", "")
			p.must(c.Commit(t.Context(), nil))
			p.write("src/a.c", "a")
			if got := p.check(s).Fresh; got != tt.stored {
				t.Errorf("recorded = %v", got)
			}
		})
	}
}

// Success with one input, killed with another, back to the first: the output is half of the
// other's.
func TestKilledHalfWay(t *testing.T) {
	p := newProject(t)
	p.in.Generates = nil
	p.settle()
	p.write("src/a.c", "A")
	s := p.store()
	c := p.check(s)
	c.Begin()
	// kill -9
	p.write("src/a.c", "a")
	if !p.run() {
		t.Error("believed to be up to date")
	}
}

func TestFailure(t *testing.T) {
	p := newProject(t)
	p.settle()
	s := p.store()
	p.check(s).Discard()
	if !p.run() {
		t.Error("fresh after a failure")
	}
}

func TestMethods(t *testing.T) {
	p := newProject(t)
	p.in.Method = Timestamp
	p.in.Generates = nil
	if !p.run() {
		t.Fatal("timestamp: fresh before it ever ran")
	}
	p.age()
	if p.run() {
		t.Error("timestamp: runs though nothing changed")
	}
	p.must(os.Chtimes(p.path("src/a.c"), time.Now(), time.Now()))
	if !p.run() {
		t.Error("timestamp: a touched source does not run it")
	}
	p.age()
	old := time.Now().Add(-time.Hour)
	p.write("src/a.c", "older and different")
	p.must(os.Chtimes(p.path("src/a.c"), old, old))
	if p.run() {
		t.Error("timestamp: an older source runs it")
	}
	p.in.Generates = patterns("none")
	if first, second := p.run(), p.run(); !first || !second {
		t.Error("timestamp: fresh without what it generates")
	}
	p.in.Method = None
	p.in.Generates = nil
	if first, second := p.run(), p.run(); !first || !second {
		t.Error("none: fresh")
	}
	if p.why() != "never method: none >" {
		t.Errorf("none: why %q", p.why())
	}
}

func TestUnmatched(t *testing.T) {
	p := newProject(t)
	p.in.Sources = patterns("src/*.c", "!none", "src/*.go", "gone")
	c := p.check(p.store())
	if len(c.Unmatched) != 2 || c.Unmatched[0].Glob != "src/*.go" || c.Unmatched[1].Glob != "gone" {
		t.Errorf("unmatched: %v", c.Unmatched)
	}
	p.in.Sources = patterns("gone")
	p.settle() // no source at all is stable
}

// A task whose sources are everything is fresh although running it writes the
// state.
func TestStateIsNoSource(t *testing.T) {
	for _, dir := range []string{".weft", "tmp/state"} {
		p := newProject(t)
		p.must(os.MkdirAll(p.path("out"), 0o755))
		p.write("out/a", "out of cc")
		p.in.Sources = patterns("**/*")
		for i := range 3 {
			s := state.Open(placeOf(p.path(dir)), p.o)
			c := p.check(s)
			if i == 2 && !c.Fresh {
				t.Errorf("%s: %v", dir, c.Why(t.Context()))
			}
			c.Begin()
			p.must(c.Commit(t.Context(), nil))
			s.Close()
		}
	}
}

// TestForced: an up-to-date task that is forced to run is up to date afterwards, with few sources
// and with so many that their record is in its own file; unless one has changed meanwhile.
func TestForced(t *testing.T) {
	for name, many := range map[string]int{"few": 0, "many": 1000} {
		t.Run(name, func(t *testing.T) {
			p := newProject(t)
			for i := range many {
				p.write(fmt.Sprintf("src/more/%d.c", i), "more")
			}
			force := func(commands func()) {
				s := p.store()
				defer s.Close()
				c := p.check(s)
				if !c.Fresh {
					t.Fatalf("it is not up to date: %v", c.Why(t.Context()))
				}
				c.Begin()
				commands()
				p.must(c.Commit(t.Context(), nil))
			}
			p.settle()
			force(func() {})
			if p.run() {
				t.Error("it ran again after a forced run")
			}
			p.settle()
			force(func() { p.write("src/a.c", "A") })
			if !p.run() {
				t.Error("it did not run again after a source had changed under a forced run")
			}
		})
	}
}
