package fingerprint

import (
	"context"
	"slices"
	"strings"

	"github.com/weftrun/weft/engine/glob"
)

// Why returns every difference from the last success: texts first, in their order, then files by
// path, then generated files. There are none if it is fresh. It may read files.
func (c *Check) Why(ctx context.Context) []Reason {
	switch {
	case c.Fresh:
		return nil
	case c.last == nil && c.in.Method == Checksum:
		if unread := append(c.unreadable(), c.badDepfile(ctx)...); len(unread) > 0 {
			return unread // nothing can have been recorded
		}
		return []Reason{c.reason}
	case c.last == nil || c.in.Method == None || !c.readBody():
		return []Reason{c.reason}
	}
	reasons := c.fieldReasons()
	reasons = append(reasons, c.fileReasons(ctx)...)
	listed := func(r Reason) bool { return r.Kind == c.reason.Kind && r.Name == c.reason.Name }
	if c.reason.Kind != "unknown" && !slices.ContainsFunc(reasons, listed) {
		reasons = append(reasons, c.reason)
	}
	if c.reason.Kind != "generates" {
		c.reason = Reason{}
		if same, _, err := c.compareMade(ctx); !same && err == nil && c.reason.Kind != "" {
			reasons = append(reasons, c.reason)
		}
	}
	if len(reasons) == 0 {
		return []Reason{{Kind: "unknown"}}
	}
	return reasons
}

// unreadable are the sources that cannot be read. Those that were read are not opened again.
func (c *Check) unreadable() (reasons []Reason) {
	for i, f := range c.sources.files {
		wasRead := c.sources.contents != nil && c.sources.contents[i].Digest != (glob.Digest{})
		if !wasRead && f.Stat().Regular() && f.Unreadable() != nil {
			prefix, name := f.Place(c.in.Root)
			reasons = append(reasons, Reason{Kind: "file", Name: prefix + name, New: "cannot be read"})
		}
	}
	return reasons
}

func (c *Check) fieldReasons() []Reason {
	var reasons []Reason
	old := make(map[string]Field, len(c.old.fields))
	for _, f := range c.old.fields {
		old[f.Name] = f
	}
	for _, f := range c.by.explained(c.in) {
		o, known := old[f.Name]
		delete(old, f.Name)
		switch {
		case !known:
			reasons = append(reasons, fieldReason(f.Name, "", f, "new"))
		case o.Value != f.Value || o.Secret != f.Secret:
			reasons = append(reasons, fieldReason(f.Name, show(o), f, "changed"))
		}
	}
	for _, f := range c.old.fields {
		if _, left := old[f.Name]; left {
			delete(old, f.Name)
			reasons = append(reasons, fieldReason(f.Name, show(f), Field{}, "gone"))
		}
	}
	return reasons
}

// show returns a field's value for users: none if it is secret.
func show(f Field) string {
	if f.Secret {
		return ""
	}
	return f.Value
}

func fieldReason(name, old string, now Field, change string) Reason {
	kind, rest, _ := strings.Cut(name, " ")
	r := Reason{Kind: kind, Name: rest, Old: old, New: show(now)}
	if r.Old == "" && r.New == "" {
		r.New = change
	}
	return r
}

func (c *Check) fileReasons(ctx context.Context) []Reason {
	d := c.sources.diff("file", c.in.Root, c.old.sources)
	reasons := d.reasons
	if c.in.Method != Checksum || c.sources.contents == nil && c.by.files.Read(ctx, c.sources.files, d.todo, d.contents) != nil {
		return reasons
	}
	for _, i := range d.todo {
		if o := &c.old.sources[d.at[i]]; d.contents[i].Digest != o.digest {
			reasons = append(reasons, contentReason(o, d.contents[i].Digest))
		}
	}
	return reasons
}

// diff is the change of recorded files.
type diff struct {
	reasons  []Reason       // differences found without reading
	contents []glob.Content // of the files, as far as known from the record; those of the set, if it has any
	todo     []int32        // files that must be read to know
	at       []int32        // the recorded file of each file, or -1
}

// diff compares files with the recorded ones; both are sorted by path. kind is that of the reasons.
func (s fileSet) diff(kind, root string, old []recordedFile) diff {
	d := diff{contents: s.contents, at: make([]int32, len(s.files))}
	if s.contents == nil {
		d.contents = make([]glob.Content, len(s.files))
	}
	differs := func(prefix, name, how string) {
		d.reasons = append(d.reasons, Reason{Kind: kind, Name: prefix + name, New: how})
	}
	j := 0
	for i, f := range s.files {
		prefix, name := f.Place(root)
		d.at[i] = -1
		for ; j < len(old) && old[j].before(root, prefix, name); j++ {
			differs(old[j].prefix, old[j].name, "gone")
		}
		if j == len(old) || old[j].prefix != prefix || old[j].name != name {
			differs(prefix, name, "new")
			continue
		}
		o, st := &old[j], f.Stat()
		d.at[i] = int32(j)
		j++
		switch {
		case o.st.IsLink() != f.Dangling() || o.target != f.Target():
			differs(prefix, name, "link")
		case o.st.Executable() != st.Executable() || o.st.Type() != st.Type():
			differs(prefix, name, "mode")
		case o.hashed && !o.young && o.st == *st:
			if s.contents == nil {
				d.contents[i] = glob.Content{Stat: *st, Digest: o.digest}
			}
		default:
			d.todo = append(d.todo, int32(i))
		}
	}
	for ; j < len(old); j++ {
		differs(old[j].prefix, old[j].name, "gone")
	}
	return d
}

// before reports whether the path of o comes before prefix+name; all are relative to root.
func (o *recordedFile) before(root, prefix, name string) bool {
	if o.prefix == prefix {
		return o.name < name
	}
	a, b := o.prefix+o.name, prefix+name
	if strings.HasPrefix(a, "../") || strings.HasPrefix(b, "../") {
		return absolute(root, a) < absolute(root, b)
	}
	return a < b
}

// contentReason is the reason that the content of a source differs from that of o.
func contentReason(o *recordedFile, now glob.Digest) Reason {
	r := Reason{Kind: "file", Name: o.prefix + o.name, Old: short(o.digest), New: short(now)}
	if now == (glob.Digest{}) {
		r.Old, r.New = "", "cannot be read"
	}
	return r
}

// short returns a short form of a digest for users.
func short(d glob.Digest) string { return d.String()[:12] }
