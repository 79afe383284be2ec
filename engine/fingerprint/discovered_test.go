package fingerprint

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/weftrun/weft/engine/glob"
	"github.com/weftrun/weft/schema/diag"
)

// discovering is a project with a depfile that lists names.
func discovering(t *testing.T, names string) *project {
	p := newProject(t)
	p.in.Root, p.in.Dir = p.path("p"), p.path("p")
	p.in.Depfile = &glob.Pattern{Glob: "x.d"}
	p.in.Generates = patterns("made/*", "x.d")
	p.root = p.in.Root
	p.write("src/a.c", "a")
	p.write("x.d", "x: "+names+"\n")
	for _, name := range []string{"inc/h", "made/m", "../out.h", "m.txt", "z/h"} {
		p.write(name, name)
	}
	p.must(os.Symlink("../z", p.path("inc/link"))) // so inc/link/../h is not inc/h
	p.write("h", "another one")
	p.age()
	return p
}

// TestDiscovered: a change of files that a depfile names causes a run, and --why reports it.
func TestDiscovered(t *testing.T) {
	const names = "inc/h src/a.c ./made/m ../out.h inc/../h inc/link/../h"
	for name, tt := range map[string]struct {
		change func(p *project)
		why    string
	}{
		"nothing":          {func(p *project) {}, ""},
		"a header":         {func(p *project) { p.write("inc/h", "2") }, "file inc/h >changed"},
		"one that is gone": {func(p *project) { p.must(os.Remove(p.path("inc/h"))) }, "file inc/h >gone"},
		"one outside": {func(p *project) {
			p.write("../out.h", "2")
			p.write("src/b.c", "") // which comes before it
		}, "file src/b.c >new; file ../out.h >changed"},
		"two dots":      {func(p *project) { p.write("h", "2") }, "file h >changed; file inc/link/../h >changed"},
		"what it makes": {func(p *project) { p.write("made/m", "2") }, "generates made/m >changed"},
		"the depfile":   {func(p *project) { p.write("x.d", "x: inc/h\n") }, "generates x.d >changed"},
		"none":          {func(p *project) { p.must(os.Remove(p.path("x.d"))) }, "generates x.d >gone"},
		"another file":  {func(p *project) { p.write("z/h", "2") }, ""},
		"now a source, too": {func(p *project) {
			p.in.Sources = append(p.in.Sources, patterns("inc/*")...)
		}, ""},
		"excluded from sources": {func(p *project) {
			p.in.Sources = append(p.in.Sources, patterns("!src/a.c")...)
		}, "file src/a.c >gone"},
	} {
		t.Run(name, func(t *testing.T) {
			p := discovering(t, names)
			p.settleDiscovered()
			tt.change(p)
			why := digests.ReplaceAllString(p.why(), ">changed")
			if why != tt.why {
				t.Errorf("why: %q, want %q", why, tt.why)
			}
			if len(p.warn) > 0 {
				t.Errorf("warned: %q", p.warn)
			}
		})
	}
}

// digests are those of a file before and after a change of its content.
var digests = regexp.MustCompile(`[0-9a-f]{12}>[0-9a-f]{12}`)

// settleDiscovered is settle for commands that do not change existing files.
func (p *project) settleDiscovered() {
	p.t.Helper()
	for want := range 2 {
		s := p.store()
		c := p.check(s)
		if c.Fresh != (want == 1) {
			p.t.Fatalf("fresh: %v", c.Fresh)
		}
		if !c.Fresh {
			c.Begin()
			p.must(c.Commit(p.t.Context(), nil))
		}
		s.Close()
		p.age()
	}
}

// TestCovered: files that a key made of the sources does not cover are reported in one warning.
func TestCovered(t *testing.T) {
	for names, want := range map[string]string{
		"src/a.c m.txt":               "",
		"src/a.c ../out.h /dev/null":  "",
		"src/a.c made/m":              "",
		"src/a.c z/h inc/h src/a.c h": `task "build" is not cached: it reads "h", which its sources do not match; cache entries are found by the sources, before the depfile is known; add it to sources`,
		"src/a.c \\":                  "",
	} {
		p := discovering(t, names)
		s := p.store()
		defer s.Close()
		tree := glob.NewTree(nil)
		var warned []string
		tree.Warn = func(d *diag.Diagnostic) { warned = append(warned, d.Error()) }
		by := New(s, tree, nil)
		c, err := by.Check(t.Context(), &p.in)
		p.must(err)
		for range 2 {
			ok, err := c.Covered(t.Context())
			p.must(err)
			if bad := strings.HasSuffix(names, "\\"); ok != (want == "" && !bad) {
				t.Errorf("%s: covered: %v", names, ok)
			}
		}
		if want == "" && len(warned) > 0 || want != "" && !slices.Equal(warned, []string{want}) {
			t.Errorf("%s: warned of %q", names, warned)
		}
	}
}

// TestChangedSince: if times are whole seconds, a change in the second of the check counts.
func TestChangedSince(t *testing.T) {
	for _, tt := range []struct {
		ctime, mtime, at int64
		want             bool
	}{
		{5e9 + 1, 1, 5e9, true},
		{5e9 + 1, 1, 5e9 + 1, false}, // by the clock of the file system, which is a little late
		{5e9 + 1, 5e9 + 1, 5e9 + 2, false},
		{5e9, 5e9, 5e9 + 2, true},
		{5e9, 3e9, 6e9, false},
		{5e9, 3, 5e9 + 2, false},
	} {
		if got := changedSince(&glob.Stat{Ctime: tt.ctime, Mtime: tt.mtime}, tt.at); got != tt.want {
			t.Errorf("%+v: %v", tt, got)
		}
	}
}
