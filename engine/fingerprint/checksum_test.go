package fingerprint

import (
	"os"
	"sync"
	"testing"
	"time"

	"github.com/weftrun/weft/engine/glob"
)

// The values are those that the reference (3.54.0) puts into CHECKSUM for the
// same files.
func TestChecksumVariable(t *testing.T) {
	p := &project{t: t, root: t.TempDir()}
	p.write("a.txt", "")
	p.write("b.txt", "")
	for _, tt := range []struct {
		globs []string
		want  string
	}{
		{[]string{"a.txt", "b.txt"}, "b3911b02e7521d6bc0d24037bc5d32b"},
		{[]string{"zz"}, "99aa06d3014798d86001c324468d497f"},
		{[]string{"a.txt"}, "5e009c4ac9085a494697bfed4f1efbad"},
	} {
		got, err := p.checker(p.store()).Checksum(t.Context(), p.root, patterns(tt.globs...), false)
		if err != nil || got != tt.want {
			t.Errorf("%q: %s, want %s (error %v)", tt.globs, got, tt.want, err)
		}
	}
}

// The value is computed again if and only if a stat has changed.
func TestChecksumRemembered(t *testing.T) {
	p := newProject(t)
	sum := func() string {
		s := p.store()
		defer s.Close()
		v, err := p.checker(s).Checksum(t.Context(), p.root, p.in.Sources, false)
		p.must(err)
		return v
	}
	first := sum()
	if _, ok := p.store().Get(memoOf(p.root, p.in.Sources, false)); !ok {
		t.Error("nothing is remembered")
	}
	if again := sum(); again != first {
		t.Errorf("%s, then %s", first, again)
	}
	p.write("src/a.c", "A")
	if changed := sum(); changed == first {
		t.Error("a change is not seen")
	}
}

func TestTimestampVariable(t *testing.T) {
	p := newProject(t)
	at := time.Unix(1600000000, 123456789)
	for _, f := range []string{"src/a.c", "src/d/b.c", "m.txt"} {
		p.must(os.Chtimes(p.path(f), at, at))
		at = at.Add(-time.Hour)
	}
	got, err := p.checker(p.store()).Timestamp(t.Context(), p.root, p.in.Sources, false)
	if err != nil || got.UnixNano() != 1600000000123456789 || got.Location() != time.Local {
		t.Error(got, err)
	}
	got, err = p.checker(p.store()).Timestamp(t.Context(), p.root, patterns("none"), false)
	if err != nil || got.Unix() != 0 {
		t.Error(got, err)
	}
}

// Many steps of one run share a Tree and a Store, while commands write.
func TestManyAtOnce(t *testing.T) {
	p := newProject(t)
	for i := range 60 {
		p.write("src/x"+string(rune('a'+i%7))+"/f"+string(rune('0'+i))+".c", "")
	}
	p.age()
	for round := range 3 {
		s, tree := p.store(), glob.NewTree(nil)
		checker := New(s, tree, nil)
		var wg sync.WaitGroup
		for i := range 16 {
			wg.Go(func() {
				in := p.in
				in.Key = string(rune('a' + i))
				in.Gitignore = i%2 == 0
				in.Sources = patterns("src/**/*.c", "src/*/f?.c", "{m,n}*")
				in.Generates = patterns("out/" + in.Key)
				c, err := checker.Check(t.Context(), &in)
				if err != nil {
					t.Error(err)
					return
				}
				if round > 0 {
					if !c.Fresh {
						t.Errorf("%s: %v", in.Key, c.Why(t.Context()))
					}
					return
				}
				unlock, _, ok := c.TryLock("")
				if !ok {
					t.Error("the lock is not free")
					return
				}
				defer unlock()
				c.Begin()
				os.MkdirAll(p.path("out"), 0o755)
				os.WriteFile(p.path("out/"+in.Key), nil, 0o644)
				tree.MarkDirty()
				if err := c.Commit(t.Context(), nil); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		s.Close()
		p.age()
	}
}
