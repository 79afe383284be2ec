package cache

import (
	"maps"
	"slices"
	"strconv"

	"github.com/weftrun/weft/internal/statefile"
)

// differences returns the differences between now and old: first those of the command, then files
// by path.
func (old *opened) differences(now *opened) ([]Difference, error) {
	var c comparison
	c.values(old.fields(), now.fields())
	if err := c.directories("", old, now, old.InputRoot, now.InputRoot); err != nil {
		return nil, err
	}
	return c.found, nil
}

// value is a text of an Action.
type value struct {
	kind, name string
	text       string
	hidden     bool // the text must not be shown
}

// fields returns all texts of o.
func (o *opened) fields() (all values) {
	a := o.act
	for i, c := range a.Commands {
		all.add("command", strconv.Itoa(i+1), string(c), false)
	}
	for _, e := range o.command.Env {
		all.add("env", e.Name, e.Value, true)
	}
	for _, e := range a.Inherited {
		all.add("cache", "env "+e.Name, strconv.FormatBool(e.Set)+e.Value, true)
	}
	for i, k := range a.Keys {
		all.add("cache", "key "+strconv.Itoa(i+1), k, true)
	}
	all.add("directory", "", a.Dir+"/", false)
	for _, g := range a.Generates {
		text := "included"
		if g.Exclude {
			text = "excluded"
		}
		all.add("generates", g.Glob, text, false)
	}
	for _, v := range a.Outputs {
		all.add("output", v.Name, string(v.Append(nil)), true)
	}
	if a.Captured {
		all.add("output", "", "captured", true)
	}
	for i, in := range a.Inputs {
		all.add("input", strconv.Itoa(i+1), string(in), true)
	}
	for i := range a.Elsewhere {
		all.add("file", a.Elsewhere[i].Path, string(a.Elsewhere[i].Append(nil)), true)
	}
	all.add("salt", "", string(o.Salt), true)
	all.add("platform", "", string(o.Platform.Append(nil)), true)
	return all
}

// values are the fields of an Action as texts.
type values []value

//go:noinline
func (vs *values) add(kind, name, text string, hidden bool) {
	*vs = append(*vs, value{kind, name, text, hidden})
}

// comparison collects differences.
type comparison struct{ found []Difference }

// values compares the texts of two Actions.
func (c *comparison) values(old, now values) {
	type name struct{ kind, name string }
	before := make(map[name]value, len(old))
	for _, v := range old {
		before[name{v.kind, v.name}] = v
	}
	for _, v := range now {
		o, known := before[name{v.kind, v.name}]
		delete(before, name{v.kind, v.name})
		switch {
		case !known:
			c.value(v, "new", value{}, v)
		case o.text != v.text:
			c.value(v, "changed", o, v)
		}
	}
	for _, v := range old {
		if _, left := before[name{v.kind, v.name}]; left {
			c.value(v, "gone", v, value{})
		}
	}
}

// value records that a value differs, in one word if it is hidden.
//
//go:noinline
func (c *comparison) value(v value, word string, old, now value) {
	d := Difference{Kind: v.kind, Name: v.name, Old: old.text, New: now.text}
	if v.hidden {
		d.Old, d.New = "", word
	}
	c.found = append(c.found, d)
}

// node is an entry of a Directory.
type node struct {
	directory Digest // zero: it is none
	file      Digest // zero: it is none
	mode      bool   // the file is executable
	target    string // of a link
}

// isOther reports whether n exists, and is not a directory.
func (n node) isOther() bool { return n != node{} && n.directory.IsZero() }

// nodes returns the entries of a directory of o by name, and the names. At the top it omits weft's
// own entries. The zero Digest is a missing directory.
func (o *opened) nodes(dir Digest, top bool) (byName map[string]node, names []string, err error) {
	if dir.IsZero() {
		return nil, nil, nil
	}
	d, err := readAs(o.read, dir, DecodeDirectory)
	if err != nil {
		return nil, nil, err
	}
	byName = map[string]node{}
	for _, f := range d.Files {
		byName[f.Name] = node{file: f.Digest, mode: f.Executable}
	}
	for _, s := range d.Directories {
		if !top || s.Name != statefile.DirName {
			byName[s.Name] = node{directory: s.Digest}
		}
	}
	for _, l := range d.Symlinks {
		byName[l.Name] = node{target: l.Target}
	}
	return byName, slices.Collect(maps.Keys(byName)), nil
}

// directories compares a directory of old with one of now; prefix is the path of both, with a
// slash at its end, "" of the root.
func (c *comparison) directories(prefix string, old, now *opened, was, is Digest) error {
	if was == is {
		return nil
	}
	before, names, err := old.nodes(was, prefix == "")
	if err != nil {
		return err
	}
	after, more, err := now.nodes(is, prefix == "")
	if err != nil {
		return err
	}
	names = append(names, more...)
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		o, n := before[name], after[name]
		c.files(prefix+name, o, n)
		if err := c.directories(prefix+name+"/", old, now, o.directory, n.directory); err != nil {
			return err
		}
	}
	if len(names) == 0 && prefix != "" {
		c.files(prefix, node{file: was}, node{file: is}) // an empty directory was added or removed
	}
	return nil
}

// files compares two entries of the same path that are not directories.
func (c *comparison) files(path string, o, n node) {
	d := Difference{Kind: "file", Name: path}
	switch {
	case o == n || !o.isOther() && !n.isOther():
		return
	case !o.isOther():
		d.New = "new"
	case !n.isOther():
		d.New = "gone"
	case o.target != n.target:
		d.New = "link"
	case o.file != n.file:
		d.Old, d.New = o.file.short(), n.file.short()
	default:
		d.New = "mode"
	}
	c.found = append(c.found, d)
}

// short returns a short form of d for users.
func (d Digest) short() string { return d.Hex()[:12] }
