package fingerprint

import (
	"crypto/sha256"
	"os"
	"testing"
	"time"

	"github.com/weftrun/weft/engine/glob"
)

// The content set for generated files is recorded, if they stay unchanged; if their times prove
// nothing, they are read the next time.
func TestKnow(t *testing.T) {
	for _, tt := range []struct {
		name   string
		said   string // the content of out/a
		old    bool   // its times prove something when it is observed
		change string // what is written before Commit; "": nothing
		now    string // what is written after that
		runs   bool
	}{
		{name: "true", said: "made", old: true, now: "made"},
		{name: "false, which is believed", said: "FALSE", old: true, now: "made", runs: true},
		{name: "true, then edited", said: "made", old: true, now: "MADE", runs: true},
		{name: "changed meanwhile", said: "made", old: true, change: "edited", now: "edited"},
		{name: "true and young", said: "made", now: "made"},
		{name: "false and young", said: "FALSE", runs: true},
		{name: "not said", old: true, now: "made"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := newProject(t)
			s := p.store()
			c := p.check(s)
			c.Begin()
			p.write("out/a", "made")
			p.write("out/b", "not said")
			if tt.old {
				p.age()
			} else { // however long the test takes
				later := time.Now().Add(time.Hour)
				p.must(os.Chtimes(p.path("out/a"), later, later))
			}
			p.must(c.Rescan(t.Context()))
			c.SetDigests(func(path string) (glob.Digest, bool) {
				return sha256.Sum256([]byte(tt.said)), path == "out/a" && tt.said != ""
			})
			if tt.change != "" {
				p.write("out/a", tt.change)
			}
			p.must(c.Commit(t.Context(), nil))
			s.Close()
			if tt.now != "" {
				p.age()
				p.write("out/a", tt.now)
			}
			if c := p.check(p.store()); c.Fresh == tt.runs {
				t.Errorf("fresh: %v, %v", c.Fresh, c.Why(t.Context()))
			}
		})
	}
}

// Files made last time need not be read to know that they are unchanged.
func TestUnedited(t *testing.T) {
	p := newProject(t)
	unedited := func() map[string]glob.Digest {
		s := p.store()
		defer s.Close()
		known, err := p.check(s).Unedited(t.Context())
		p.must(err)
		return known
	}
	if got := unedited(); len(got) > 0 {
		t.Errorf("before the first success: %v", got)
	}
	p.settle()
	p.write("src/a.c", "changed")
	want := glob.Digest(sha256.Sum256([]byte("out of cc")))
	if got := unedited(); len(got) != 1 || got["out/a"] != want {
		t.Errorf("as it was: %v", got)
	}
	p.write("out/other", "")
	p.write("out/a", "OUT OF cc")
	if got := unedited(); len(got) > 0 {
		t.Errorf("edited: %v", got)
	}
}
