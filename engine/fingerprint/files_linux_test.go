package fingerprint

import (
	"context"
	"crypto/sha256"
	"os"
	"reflect"
	"strings"
	"syscall"
	"testing"

	"github.com/weftrun/weft/engine/glob"
)

// filesOf returns all that EachFile visits.
func filesOf(c *Check) (files []File, err error) {
	err = c.EachFile(context.Background(), func(f File) { files = append(files, f) })
	return files, err
}

// TestFiles: the sources are those of the fingerprint, whether or not they were read for it.
func TestFiles(t *testing.T) {
	p := newProject(t)
	p.in.Sources = patterns("src/**/*", "m.txt", "link", "dangling")
	p.must(os.Chmod(p.path("src/d/b.c"), 0o755))
	p.must(os.Symlink("src/d/b.c", p.path("link")))
	p.must(os.Symlink("nowhere", p.path("dangling")))
	content := func(s string) glob.Digest { return sha256.Sum256([]byte(s)) }
	want := []File{
		{Path: "dangling", Target: "nowhere"},
		{Path: "link", Digest: content("b"), Size: 1, Executable: true, Target: "src/d/b.c"},
		{Path: "m.txt", Digest: content("m"), Size: 1},
		{Path: "src/a.c", Digest: content("a"), Size: 1},
		{Path: "src/d/b.c", Digest: content("b"), Size: 1, Executable: true},
	}
	look := func(name string) {
		t.Helper()
		s := p.store()
		defer s.Close()
		if got, err := filesOf(p.check(s)); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, %v", name, got, err)
		}
	}
	look("unknown")
	p.settle()
	look("fresh")
	p.write("a.d", "x: other.c src/a.c\n")
	p.write("other.c", "")
	p.in.Depfile = &glob.Pattern{Glob: "a.d"}
	p.in.Fields = append(p.in.Fields, Field{Name: "depfile", Value: "a.d"})
	p.age()
	if !p.run() || strings.Join(p.warn, "\n") != "" {
		t.Errorf("with a depfile: %q", p.warn)
	}
	look("with a depfile")
	p.in.Method = Timestamp
	look("by time")
}

// TestFilesThatCannotBeHad: EachFile fails if one of the sources cannot be read.
func TestFilesThatCannotBeHad(t *testing.T) {
	for name, tt := range map[string]struct {
		make func(p *project) error
		want string
	}{
		"a pipe": {func(p *project) error { return syscall.Mkfifo(p.path("src/x"), 0o644) }, `"src/x" is not a regular file`},
		"a file": {func(p *project) error { return os.Symlink("/proc/self/mem", p.path("src/x")) }, `"src/x" cannot be read: input/output error`},
		"a directory": {func(p *project) error {
			if os.Geteuid() == 0 {
				p.t.Skip("root can read every directory")
			}
			return os.Mkdir(p.path("src/x"), 0)
		}, `"src/x" cannot be read: permission denied`},
	} {
		t.Run(name, func(t *testing.T) {
			p := newProject(t)
			p.in.Sources = patterns("src/**/*")
			p.must(tt.make(p))
			s := p.store()
			defer s.Close()
			if files, err := filesOf(p.check(s)); err == nil || err.Error() != tt.want {
				t.Errorf("got %v, %v; want %s", files, err, tt.want)
			}
			p.in.Sources = patterns("src/**/*", "!src/x", "!src/x/**")
			if files, err := filesOf(p.check(s)); err != nil || len(files) != 2 {
				t.Errorf("excluded: got %v, %v", files, err)
			}
		})
	}
}
