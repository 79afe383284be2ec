package fingerprint

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// A damaged body or entry is an error, never a panic; a good one comes out as
// it went in.
func FuzzDecode(f *testing.F) {
	in := &Inputs{Root: "/r", Dir: "/r/d", Fields: []Field{{Name: "command 1", Value: "cc"}, {Name: "env E", Value: "x", Secret: true}}, Generates: patterns("o/*", "!o/x")}
	d := &directory{prefix: "/r/src/"}
	files := side{
		items: []item{
			{d, &dent{name: "a.c", kind: isFile, st: stat{size: 1, mtime: 2, ctime: 3, ino: 4, mode: typeReg}}},
			{d, &dent{name: "l", kind: isLink, more: &more{target: "a.c"}, st: stat{size: 1, mode: typeReg | 0o111}}},
			{nowhere, &dent{name: "/x/y", kind: isFile}},
		},
		hashes: []hashed{{digest: Digest{1}}, {digest: Digest{2}, young: true}, {}},
	}
	fields := new(Store).explained(in)
	good := encodeBody(fields, in.Root, files, side{items: files.items[:1]}, []byte("out"))
	f.Add(good)
	f.Add((&entry{body: good, at: 5, young: true}).encode(nil))
	f.Add((&entry{body: make([]byte, inlineBody+1)}).encode(nil))
	f.Add(appendRecord([]byte(logMagic), id{1}, 2, good))
	b, err := decodeBody(good)
	if err != nil {
		f.Fatal(err)
	}
	want := body{
		fields: fields,
		files: []record{
			{prefix: "src/", name: "a.c", st: files.items[0].e.st, hashed: true, digest: Digest{1}},
			{prefix: "src/", name: "l", target: "a.c", st: files.items[1].e.st, hashed: true, digest: Digest{2}, young: true},
			{prefix: "../x/", name: "y", hashed: true},
		},
		made:    []record{{prefix: "src/", name: "a.c", st: files.items[0].e.st}},
		outputs: []byte("out"),
	}
	if !reflect.DeepEqual(*b, want) {
		f.Fatalf("got  %+v\nwant %+v", *b, want)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		decodeBody(b)
		if e, err := decodeEntry(b); err == nil && e.body != nil {
			if got := string(e.encode(nil)); got != string(b) {
				t.Errorf("%q is decoded, but encoded as %q", b, got)
			}
		}
		l := log{live: map[id]stored{}, end: 0}
		l.scan(b, 0)
		if l.end > int64(len(b)) || l.size < 0 {
			t.Errorf("read to %d of %d, %d live", l.end, len(b), l.size)
		}
	})
}

// The walk of this package and the shell's own expansion agree on what both
// can do.
func FuzzSegments(f *testing.F) {
	root := f.TempDir()
	for _, name := range []string{"a", "ab", ".a", "b/a", "b/.c/a", "b/ab/a", ".h/a", "é/a", "b/é", "x y/a", "x y/.a"} {
		p := filepath.Join(root, name)
		if os.MkdirAll(filepath.Dir(p), 0o755) != nil || os.WriteFile(p, nil, 0o644) != nil {
			f.Fatal("cannot write")
		}
	}
	os.Symlink("b", filepath.Join(root, "link"))
	for _, s := range []string{"*", "**", "**/*", "*/**/a", "?", "?/a", "*a*", "b/**/a", ".*", "**/.*", "*/é", "x y/*", "l*/**/?b/a", "{a,ab}", "b/{a,**}", "a?*b", "*/*\xc3*"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, glob string) {
		base, rest := anchor(root, glob)
		if base != root+"/" || !simple(rest) || !strings.ContainsAny(rest, "*?") || len(rest) > 40 || strings.Count(rest, "*") > 8 {
			return
		}
		tree := NewTree(nil)
		paths := func(way func(*walk) error) []string {
			w := &walk{t: tree, ctx: t.Context()}
			if way(w) != nil {
				return nil
			}
			var out []string
			for _, it := range sorted(w.found) {
				out = append(out, it.path())
			}
			return out
		}
		here := paths(func(w *walk) error { return w.segments(base, rest) })
		// A quote of nothing makes it no pattern that shell would walk here.
		there := paths(func(w *walk) error { return w.shell(base, rest+"''") })
		if strings.Join(here, "\n") != strings.Join(there, "\n") {
			t.Errorf("%q: %q, the shell says %q", glob, here, there)
		}
	})
}
