package cache

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// inputs are some of each kind.
func inputs() *Inputs {
	return &Inputs{
		Files: []File{
			{Path: "src/a.c", Digest: digestA}, {Path: "src/a/b.c", Digest: digestB}, {Path: "src/a-b/c.c", Digest: digestB},
			{Path: "run.sh", Digest: digestB, Executable: true}, {Path: "ü", Digest: empty},
			{Path: "link", Target: "src/a.c", Digest: digestA}, {Path: "src/dangling", Target: "/nowhere"},
			{Path: "../other/x", Digest: digestA},
		},
		Dirs: []string{"src", "empty/inner"},
		Act: Act{
			Dir: "src", Commands: [][]byte{[]byte("one"), []byte("two")}, Generates: []Pattern{{"out/*", false}, {"out/*.tmp", true}},
			Outputs: []Value{{Name: "version", Made: "stdout json .a"}}, Captured: true, Inputs: [][]byte{[]byte("digest")},
			Keys: []string{"go1", "x"}, Inherited: []Inherited{{"CC", "gcc", true}, {"CFLAGS", "", false}},
		},
		Env:  []EnvironmentVariable{{"B", "b"}, {"A", ""}},
		Salt: "salt",
	}
}

func keyOf(t *testing.T, in *Inputs) *Key {
	t.Helper()
	k, err := NewKey(in)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// TestKeyHasNoOrder: unordered inputs make the same key in any order.
func TestKeyHasNoOrder(t *testing.T) {
	want := keyOf(t, inputs())
	for range 100 {
		in := inputs()
		rand.Shuffle(len(in.Files), func(i, j int) { in.Files[i], in.Files[j] = in.Files[j], in.Files[i] })
		rand.Shuffle(len(in.Dirs), func(i, j int) { in.Dirs[i], in.Dirs[j] = in.Dirs[j], in.Dirs[i] })
		rand.Shuffle(len(in.Env), func(i, j int) { in.Env[i], in.Env[j] = in.Env[j], in.Env[i] })
		if got := keyOf(t, in); got.Action != want.Action || !bytes.Equal(bytes.Join(got.Messages, nil), bytes.Join(want.Messages, nil)) {
			t.Fatalf("%+v makes another key", in)
		}
	}
}

// TestEverythingCounts: another value anywhere makes another key, and all of these are different.
func TestEverythingCounts(t *testing.T) {
	seen := map[Digest]string{keyOf(t, inputs()).Action: "nothing"}
	for name, change := range map[string]func(in *Inputs){
		"content":            func(in *Inputs) { in.Files[0].Digest = empty },
		"size":               func(in *Inputs) { in.Files[0].Digest.Size++ },
		"path":               func(in *Inputs) { in.Files[0].Path = "src/b.c" },
		"directory":          func(in *Inputs) { in.Files[0].Path = "a.c" },
		"executable":         func(in *Inputs) { in.Files[0].Executable = true },
		"another file":       func(in *Inputs) { in.Files = append(in.Files, File{Path: "z", Digest: empty}) },
		"no file":            func(in *Inputs) { in.Files = in.Files[1:] },
		"a link":             func(in *Inputs) { in.Files[0].Target = "x" },
		"where it leads":     func(in *Inputs) { in.Files[5].Target = "src/a/b.c" },
		"what it leads to":   func(in *Inputs) { in.Files[5].Digest = digestB },
		"leads to a program": func(in *Inputs) { in.Files[5].Executable = true },
		"leads nowhere":      func(in *Inputs) { in.Files[5].Digest = Digest{} },
		"dangling":           func(in *Inputs) { in.Files[6].Target = "/nowhere/else" },
		"outside":            func(in *Inputs) { in.Files[7].Digest = digestB },
		"outside, its path":  func(in *Inputs) { in.Files[7].Path = "../../other/x" },
		"outside, mode":      func(in *Inputs) { in.Files[7].Executable = true },
		"empty directory":    func(in *Inputs) { in.Dirs[1] = "empty" },
		"no empty directory": func(in *Inputs) { in.Dirs = in.Dirs[:1] },
		"dir":                func(in *Inputs) { in.Act.Dir = "" },
		"command":            func(in *Inputs) { in.Act.Commands[0] = []byte("three") },
		"order of commands":  func(in *Inputs) { c := in.Act.Commands; c[0], c[1] = c[1], c[0] },
		"commands joined":    func(in *Inputs) { in.Act.Commands = [][]byte{[]byte("onetwo")} },
		"generates":          func(in *Inputs) { in.Act.Generates[0].Glob = "out/**" },
		"generates, exclude": func(in *Inputs) { in.Act.Generates[1].Exclude = false },
		"output name":        func(in *Inputs) { in.Act.Outputs[0].Name = "v" },
		"output made of":     func(in *Inputs) { in.Act.Outputs[0].Made = "stderr" },
		"captured":           func(in *Inputs) { in.Act.Captured = false },
		"inputs":             func(in *Inputs) { in.Act.Inputs[0] = []byte("digest2") },
		"keys":               func(in *Inputs) { in.Act.Keys[0] = "go2" },
		"keys joined":        func(in *Inputs) { in.Act.Keys = []string{"go1x"} },
		"inherited":          func(in *Inputs) { in.Act.Inherited[0].Value = "clang" },
		"inherited name":     func(in *Inputs) { in.Act.Inherited[0].Name = "CXX" },
		"inherited, set":     func(in *Inputs) { in.Act.Inherited[1].Set = true },
		"env":                func(in *Inputs) { in.Env[0].Value = "c" },
		"env name":           func(in *Inputs) { in.Env[0].Name = "C" },
		"env gone":           func(in *Inputs) { in.Env = in.Env[:1] },
		"salt":               func(in *Inputs) { in.Salt = "" },
	} {
		in := inputs()
		change(in)
		k := keyOf(t, in)
		if other, ok := seen[k.Action]; ok {
			t.Errorf("%s and %s make the same key", name, other)
		}
		seen[k.Action] = name
		for _, m := range k.Messages[1:] {
			if d := DigestOf(m); !bytes.Contains(bytes.Join(k.Messages, nil), []byte(d.Hex())) {
				t.Errorf("%s: nothing names the message %x", name, m)
			}
		}
	}
}

// TestNoKey: inputs that cannot be encoded in messages.
func TestNoKey(t *testing.T) {
	deep := strings.Repeat("d/", maxDepth+1)
	for want, change := range map[string]func(in *Inputs){
		`the name of "\xff", or its target, is not UTF-8`:                                func(in *Inputs) { in.Files[0].Path = "\xff" },
		`the name of "src/dangling", or its target, is not UTF-8`:                        func(in *Inputs) { in.Files[6].Target = "\xff" },
		`"/etc/x" is not a path from the root`:                                           func(in *Inputs) { in.Files[0].Path = "/etc/x" },
		`"" is not a path from the root`:                                                 func(in *Inputs) { in.Files[0].Path = "" },
		`"a/../b" is not a path from the root`:                                           func(in *Inputs) { in.Files[0].Path = "a/../b" },
		`"a/" is not a path from the root`:                                               func(in *Inputs) { in.Files[0].Path = "a/" },
		`"../.." is not a path from the root`:                                            func(in *Inputs) { in.Files[0].Path = "../.." },
		`the content of "src/a.c" is not known`:                                          func(in *Inputs) { in.Files[0].Digest = Digest{} },
		`"run.sh" is listed twice, as a file, a link or a directory`:                     func(in *Inputs) { in.Files[0].Path = "run.sh" },
		`"src/a" is listed twice, as a file, a link or a directory`:                      func(in *Inputs) { in.Files[0].Path = "src/a" },
		`"link" is listed twice, as a file, a link or a directory`:                       func(in *Inputs) { in.Dirs[0] = "link" },
		`".weft/in/act" is listed twice, as a file, a link or a directory`:               func(in *Inputs) { in.Files[0].Path = ".weft/in/act" },
		`the directory "." is not below the root, or its name is not UTF-8`:              func(in *Inputs) { in.Dirs[0] = "." },
		`the directory "../x" is not below the root, or its name is not UTF-8`:           func(in *Inputs) { in.Dirs[0] = "../x" },
		`the text "\xff" is not UTF-8`:                                                   func(in *Inputs) { in.Act.Keys[0] = "\xff" },
		`the text "\xfe" is not UTF-8`:                                                   func(in *Inputs) { in.Env[0].Value = "\xfe" },
		`"` + strings.Repeat("d/", maxDepth+1) + `" is nested more than 256 levels deep`: func(in *Inputs) { in.Files[0].Path = deep + "x" },
	} {
		in := inputs()
		change(in)
		if k, err := NewKey(in); err == nil || err.Error() != want {
			t.Errorf("got %v, %v; want %s", k, err, want)
		}
	}
}

// BenchmarkNewKey makes the key of 100,000 files.
func BenchmarkNewKey(b *testing.B) {
	files := make([]File, 100_000)
	for i := range files {
		files[i] = File{Path: fmt.Sprintf("src/dir%d/file%d.c", i/100, i), Digest: DigestOf([]byte{byte(i)})}
	}
	taken := make([]File, 0, len(files)+1)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := NewKey(&Inputs{Files: append(taken, files...)}); err != nil {
			b.Fatal(err)
		}
	}
}
