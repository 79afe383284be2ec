package cache

import (
	"reflect"
	"testing"
)

// TestNearest: each kind of difference is reported, and the Action that differs least is found.
func TestNearest(t *testing.T) {
	inputs := func() *Inputs {
		return &Inputs{
			Files: []File{
				{Path: "a", Digest: DigestOf([]byte("a"))},
				{Path: "d/b", Digest: DigestOf([]byte("b"))},
				{Path: "d/e/c", Digest: DigestOf([]byte("c"))},
				{Path: "l", Target: "a"},
				{Path: "../outside", Digest: DigestOf([]byte("o"))},
			},
			Dirs: []string{"empty"},
			Act: Act{Dir: "d", Commands: [][]byte{[]byte("one"), []byte("two")}, Generates: []Pattern{{Glob: "out"}}, Outputs: []Value{{Name: "v", Made: "stdout"}},
				Inputs: [][]byte{[]byte("read")}, Keys: []string{"cc 1"}, Inherited: []Inherited{{"CC", "cc", true}}},
			Env: []EnvironmentVariable{{Name: "E", Value: "1"}},
		}
	}
	d, err := Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	keep := func(in *Inputs) *Key {
		key, err := NewKey(in)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range key.Messages {
			if _, err := d.Put(m); err != nil {
				t.Fatal(err)
			}
		}
		return key
	}
	earlier := keep(inputs()).Action
	short := func(s string) string { return DigestOf([]byte(s)).short() }
	for name, tt := range map[string]struct {
		change func(in *Inputs)
		want   []Difference
	}{
		"content":      {func(in *Inputs) { in.Files[2].Digest = DigestOf([]byte("x")) }, []Difference{{"file", "d/e/c", short("c"), short("x")}}},
		"mode":         {func(in *Inputs) { in.Files[1].Executable = true }, []Difference{{"file", "d/b", "", "mode"}}},
		"target":       {func(in *Inputs) { in.Files[3].Target = "d" }, []Difference{{"file", "l", "", "link"}}},
		"moved":        {func(in *Inputs) { in.Files[2].Path = "d/f/c" }, []Difference{{"file", "d/e/c", "", "gone"}, {"file", "d/f/c", "", "new"}}},
		"kind":         {func(in *Inputs) { in.Files[0].Path = "a/x" }, []Difference{{"file", "a", "", "gone"}, {"file", "a/x", "", "new"}}},
		"outside":      {func(in *Inputs) { in.Files[4].Executable = true }, []Difference{{"file", "../outside", "", "changed"}}},
		"empty":        {func(in *Inputs) { in.Dirs = nil }, []Difference{{"file", "empty/", "", "gone"}}},
		"no files":     {func(in *Inputs) { in.Files, in.Dirs = in.Files[4:], nil }, []Difference{{"file", "a", "", "gone"}, {"file", "d/b", "", "gone"}, {"file", "d/e/c", "", "gone"}, {"file", "empty/", "", "gone"}, {"file", "l", "", "gone"}}},
		"command":      {func(in *Inputs) { in.Act.Commands[1] = []byte("2") }, []Difference{{"command", "2", "two", "2"}}},
		"no command":   {func(in *Inputs) { in.Act.Commands = in.Act.Commands[:1] }, []Difference{{"command", "2", "two", ""}}},
		"env":          {func(in *Inputs) { in.Env[0].Value = "2" }, []Difference{{"env", "E", "", "changed"}}},
		"another env":  {func(in *Inputs) { in.Env[0].Name = "F" }, []Difference{{"env", "F", "", "new"}, {"env", "E", "", "gone"}}},
		"inherited":    {func(in *Inputs) { in.Act.Inherited[0] = Inherited{Name: "CC"} }, []Difference{{"cache", "env CC", "", "changed"}}},
		"cache.key":    {func(in *Inputs) { in.Act.Keys = append(in.Act.Keys, "x") }, []Difference{{"cache", "key 2", "", "new"}}},
		"directory":    {func(in *Inputs) { in.Act.Dir = "" }, []Difference{{"directory", "", "d/", "/"}}},
		"generates":    {func(in *Inputs) { in.Act.Generates[0].Exclude = true }, []Difference{{"generates", "out", "included", "excluded"}}},
		"output":       {func(in *Inputs) { in.Act.Outputs[0].Made = "stdout json" }, []Difference{{"output", "v", "", "changed"}}},
		"captured":     {func(in *Inputs) { in.Act.Captured = true }, []Difference{{"output", "", "", "new"}}},
		"read":         {func(in *Inputs) { in.Act.Inputs[0] = []byte("other") }, []Difference{{"input", "1", "", "changed"}}},
		"salt":         {func(in *Inputs) { in.Salt = "other" }, []Difference{{"salt", "", "", "changed"}}},
		"not anything": {func(in *Inputs) {}, nil},
	} {
		in := inputs()
		tt.change(in)
		key, err := NewKey(in)
		if err != nil {
			t.Fatal(name, err)
		}
		nearest, got := d.Nearest(key, []Digest{earlier, DigestOf([]byte("not there"))})
		if nearest != earlier || !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: got %q of %v, want %q", name, got, nearest, tt.want)
		}
	}

	other := func(salt string) *Inputs {
		in := inputs()
		in.Act.Commands[0], in.Env, in.Salt = []byte("1"), nil, salt
		return in
	}
	nearer := keep(other("")).Action
	key, err := NewKey(other("other"))
	if err != nil {
		t.Fatal(err)
	}
	if nearest, got := d.Nearest(key, []Digest{earlier, nearer, earlier}); nearest != nearer || len(got) != 1 {
		t.Errorf("the nearest of two: got %q", got)
	}
	if nearest, got := d.Nearest(key, nil); !nearest.IsZero() || got != nil {
		t.Errorf("of none: got %q", got)
	}
}
