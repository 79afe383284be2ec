package fingerprint

import "github.com/weftrun/weft/engine/glob"

// diff is what became of recorded files.
type diff struct {
	reasons  []change
	contents []glob.Content // of the files: what is known from the records
	todo     []int32        // files that must be read to know
	at       []int32        // the record of each file, or -1
}

// change is a difference that needs no reading.
type change struct {
	name, what string
}

func (c change) of(kind string) Reason { return Reason{Kind: kind, Name: c.name, New: c.what} }

// diff compares files with records; both are in the order of their paths.
func (s side) diff(root string, old []record) diff {
	d := diff{contents: make([]glob.Content, len(s.files)), at: make([]int32, len(s.files))}
	j := 0
	for i, f := range s.files {
		prefix, name := f.Place(root)
		d.at[i] = -1
		for j < len(old) && before(&old[j], prefix, name) {
			d.reasons = append(d.reasons, change{old[j].prefix + old[j].name, "gone"})
			j++
		}
		if j == len(old) || old[j].prefix != prefix || old[j].name != name {
			d.reasons = append(d.reasons, change{prefix + name, "new"})
			continue
		}
		o := &old[j]
		d.at[i] = int32(j)
		j++
		switch st := f.Stat(); {
		case o.st.IsLink() != f.Dangling():
			d.reasons = append(d.reasons, change{prefix + name, "link"})
		case o.target != f.Target():
			d.reasons = append(d.reasons, change{prefix + name, "link"})
		case o.st.Executable() != st.Executable() || o.st.Type() != st.Type():
			d.reasons = append(d.reasons, change{prefix + name, "mode"})
		case o.hashed && !o.young && o.st == *st:
			d.contents[i] = glob.Content{Stat: *st, Digest: o.digest}
		default:
			d.todo = append(d.todo, int32(i))
		}
	}
	for ; j < len(old); j++ {
		d.reasons = append(d.reasons, change{old[j].prefix + old[j].name, "gone"})
	}
	return d
}

// before reports whether the record's path comes before prefix+name.
func before(o *record, prefix, name string) bool {
	if o.prefix == prefix {
		return o.name < name
	}
	return o.prefix+o.name < prefix+name
}
