package fingerprint

import "github.com/weftrun/weft/engine/glob"

// diff is what became of recorded files.
type diff struct {
	reasons  []Reason       // differences that need no reading
	contents []glob.Content // of the files: what is known from the record
	todo     []int32        // files that must be read to know
	at       []int32        // the recorded file of each file, or -1
}

// diff compares files with those that were recorded; both are in the order of their
// paths. kind is that of the reasons.
func (s fileSet) diff(kind, root string, old []recordedFile) diff {
	d := diff{contents: make([]glob.Content, len(s.files)), at: make([]int32, len(s.files))}
	differs := func(prefix, name, how string) {
		d.reasons = append(d.reasons, Reason{Kind: kind, Name: prefix + name, New: how})
	}
	j := 0
	for i, f := range s.files {
		prefix, name := f.Place(root)
		d.at[i] = -1
		for ; j < len(old) && old[j].before(prefix, name); j++ {
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
			d.contents[i] = glob.Content{Stat: *st, Digest: o.digest}
		default:
			d.todo = append(d.todo, int32(i))
		}
	}
	for ; j < len(old); j++ {
		differs(old[j].prefix, old[j].name, "gone")
	}
	return d
}

// before reports whether the path of o comes before prefix+name.
func (o *recordedFile) before(prefix, name string) bool {
	if o.prefix == prefix {
		return o.name < name
	}
	return o.prefix+o.name < prefix+name
}

// contentReason says that the content of a source is another one than o had.
func contentReason(o *recordedFile, now glob.Digest) Reason {
	r := Reason{Kind: "file", Name: o.prefix + o.name, Old: short(o.digest), New: short(now)}
	if now == (glob.Digest{}) {
		r.Old, r.New = "", "cannot be read"
	}
	return r
}

// short is a digest for people.
func short(d glob.Digest) string { return d.String()[:12] }
