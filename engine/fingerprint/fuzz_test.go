package fingerprint

import (
	"os"
	"reflect"
	"testing"

	"github.com/weftrun/weft/engine/glob"
)

// A damaged body or head is an error, never a panic; a good one is decoded to the same value.
func FuzzDecode(f *testing.F) {
	in := &Inputs{Root: "/r", Dir: "/r/d", Fields: []Field{{Name: "command 1", Value: "cc"}, {Name: "env E", Value: "x", Secret: true}}, Generates: patterns("o/*", "!o/x")}
	root := f.TempDir() + "/r"
	in.Root, in.Dir = root, root+"/d"
	p := &project{t: f, root: root}
	p.write("src/a.c", "")
	p.write("../x/y", "")
	p.must(os.Symlink("a.c", p.path("src/l")))
	found, err := glob.NewTree(nil).Find(f.Context(), root, patterns("src/*", "../x/y"), false)
	p.must(err)
	files := fileSet{files: found.Files, contents: []glob.Content{{Digest: glob.Digest{1}}, {Digest: glob.Digest{2}, Recent: true}, {}}, found: []int32{1, 2}}
	fields := p.checker(p.store()).explained(in)
	good := encodeBody(fields, in.Root, files, fileSet{files: files.files[:1]}, []byte("out"))
	f.Add(good)
	f.Add((&head{at: 5, young: true}).encode())
	b := decodeBody(good)
	if b == nil {
		f.Fatal("what was encoded is not decoded")
	}
	want := body{
		fields: fields,
		sources: []recordedFile{
			{prefix: "src/", name: "a.c", st: *files.files[0].Stat(), hashed: true, digest: glob.Digest{1}},
			{prefix: "src/", name: "l", target: "a.c", st: *files.files[1].Stat(), hashed: true, digest: glob.Digest{2}, young: true, found: true},
			{prefix: "../x/", name: "y", st: *files.files[2].Stat(), hashed: true, found: true},
		},
		made:    []recordedFile{{prefix: "src/", name: "a.c", st: *files.files[0].Stat()}},
		outputs: []byte("out"),
	}
	if !reflect.DeepEqual(*b, want) {
		f.Fatalf("got  %+v\nwant %+v", *b, want)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		decodeBody(b)
		var h head
		if h.decode(b) {
			if got := string(h.encode()); got != string(b) {
				t.Errorf("%q is decoded, but encoded as %q", b, got)
			}
		}
	})
}
