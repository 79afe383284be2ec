//go:build unix

package fingerprint

import (
	"os"
	"slices"
	"syscall"
	"testing"
	"time"
)

// A Look finds named files fresh if nothing has changed, and never disagrees with a check: see
// project.check, which compares the two.
func TestQuickCheck(t *testing.T) {
	tells := []string{"nothing", "an ignored file", "added", "output of others added", "the whole project moved", "parent becomes a link"} // the files are unchanged
	all := append(changes(),
		change{name: "source becomes a directory", make: func(p *project) {
			p.must(os.Remove(p.path("m.txt")))
			p.must(os.Mkdir(p.path("m.txt"), 0o755))
		}},
		change{name: "source becomes a link to itself", make: func(p *project) {
			p.must(os.Remove(p.path("m.txt")))
			p.must(os.Symlink("m.txt", p.path("m.txt")))
		}},
		change{name: "source becomes a pipe", make: func(p *project) {
			p.must(os.Remove(p.path("m.txt")))
			p.must(syscall.Mkfifo(p.path("m.txt"), 0o644))
		}},
		change{name: "output becomes a directory", make: func(p *project) {
			p.must(os.Remove(p.path("out/a")))
			p.must(os.Mkdir(p.path("out/a"), 0o755))
		}},
		change{name: "parent becomes a link", make: func(p *project) {
			p.must(os.Rename(p.path("src"), p.path("other")))
			p.must(os.Symlink("other", p.path("src")))
		}},
		change{name: "excluded", make: func(p *project) { p.in.Sources = append(p.in.Sources, patterns("!m.txt")...) }},
		change{name: "not ignored by git", make: func(p *project) { p.in.Gitignore = true }},
		change{name: "its output is wanted", make: func(p *project) { p.in.Outputs = true }},
		change{name: "never fresh", make: func(p *project) { p.in.Method = None }},
	)
	for _, tt := range all {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := newProject(t)
			p.in.Sources, p.in.Generates = patterns("src/a.c", "m.txt", "src/d/b.c", "m.txt"), patterns("out/a")
			p.settle()
			if !p.looked {
				t.Fatal("a quick check does not tell that nothing has changed")
			}
			tt.make(p)
			s := p.store()
			defer s.Close()
			p.check(s)
			if want := slices.Contains(tells, tt.name); p.looked != want {
				t.Errorf("a quick check tells: %v, want %v", p.looked, want)
			}
		})
	}
}

// With times a Look suffices, too, until a source is newer than the generated files.
func TestQuickCheckOfTimes(t *testing.T) {
	p := newProject(t)
	p.in.Method, p.in.Sources, p.in.Generates = Timestamp, patterns("m.txt"), patterns("out/a")
	p.settle()
	if !p.looked {
		t.Error("a quick check does not tell that nothing has changed")
	}
	p.write("m.txt", "new")
	if !p.run() || p.looked {
		t.Error("a newer source is not seen")
	}
}

// A file written within a clock tick before it was examined needs more than a Look.
func TestQuickCheckOfRecent(t *testing.T) {
	p := newProject(t)
	p.in.Sources, p.in.Generates = patterns("m.txt"), patterns("out/a")
	p.write("m.txt", "young")
	at := time.Now().Add(time.Hour)
	p.must(os.Chtimes(p.path("m.txt"), at, at))
	p.run()
	if p.run() || p.looked {
		t.Error("the times of a file of the future are believed")
	}
}

// A Look works for tasks in other directories, and the paths are those from the root.
func TestQuickCheckBelow(t *testing.T) {
	p := newProject(t)
	p.in.Dir = p.path("src")
	p.in.Sources, p.in.Generates = patterns("a.c", "d/b.c"), patterns("../out/a")
	p.settle()
	if p.looked {
		t.Error("a quick check tells of files outside its directory")
	}
	p.in.Generates = nil
	p.settle()
	if !p.looked {
		t.Error("a quick check does not tell of files in another directory than the root")
	}
	l := p.checker(p.store()).QuickCheck()
	defer l.Close()
	other := p.in
	other.Dir, other.Sources = p.root, patterns("m.txt")
	for range 2 { // from one directory to another, and back
		if _, fresh := l.Fresh(&p.in); !fresh {
			t.Error("not fresh")
		}
		if _, fresh := l.Fresh(&other); fresh {
			t.Error("another's record holds")
		}
	}
}
