package fingerprint

import (
	"context"

	"github.com/weftrun/weft/engine/glob"
)

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

// restat looks at the sources again after the commands ran. One whose stat
// changed is read again: it may have been written as it was.
func (c *Check) restat(ctx context.Context) (unchanged bool, err error) {
	var todo []int32
	unchanged = true
	glob.Restat(c.files.files, func(i int, now glob.Stat, err error) bool {
		f := &c.files.files[i]
		was := f.Stat()
		switch {
		case err == nil && now == *was:
			return true
		case err != nil || f.Dangling(), // another link, or none any more
			c.in.Method == Timestamp || now.Executable() != was.Executable() || now.Size != was.Size:
			unchanged = false
			return false
		}
		*f = f.WithStat(now)
		todo = append(todo, int32(i))
		return true
	})
	if !unchanged || len(todo) == 0 {
		return unchanged, nil
	}
	again := make([]glob.Content, len(c.files.files))
	if err := c.t.Read(ctx, c.files.files, todo, again); err != nil {
		return false, err
	}
	for _, i := range todo {
		if again[i].Digest != c.files.contents[i].Digest || again[i].Digest == (glob.Digest{}) {
			return false, nil
		}
		c.files.contents[i] = again[i]
	}
	return true, nil
}

// findGenerated finds what Generates match, and sets reason when a pattern matches
// nothing.
func (c *Check) findGenerated(ctx context.Context) (err error) {
	var found glob.Set
	if c.in.Loose {
		found, err = c.t.Find(ctx, c.in.Dir, c.in.Generates, false)
	} else {
		found, err = c.t.FindGenerated(ctx, c.in.Dir, c.in.Generates)
	}
	if err != nil {
		return err
	}
	c.generated = found.Files
	for _, p := range found.Unmatched {
		if c.in.Loose || !c.t.IsDirectory(c.in.Dir, p.Glob) {
			c.reason = Reason{Kind: "generates", Name: p.Glob, New: "gone"}
			break
		}
	}
	return nil
}

// largeOutput is the size, in bytes, from which a generated file is known by
// its stat only: it is not read to tell an edit from a touch.
const largeOutput = 64 << 20

// readMade makes the content of what was made known.
func (c *Check) readMade(ctx context.Context) error {
	c.made.contents = make([]glob.Content, len(c.made.files))
	var todo []int32
	for i, f := range c.made.files {
		if f.Stat().Size < largeOutput {
			todo = append(todo, int32(i))
		}
	}
	return c.t.Read(ctx, c.made.files, todo, c.made.contents)
}

// compareMade checks that every pattern of Generates matches, and that what was
// made last time is still there as it was: not edited by hand, and not replaced
// by the same task with other arguments. What others have added since does not
// count.
func (c *Check) compareMade(ctx context.Context) (same, read bool, err error) {
	if err := c.findGenerated(ctx); err != nil || c.reason.Kind != "" {
		return false, false, err
	}
	if c.in.Loose {
		return true, false, nil
	}
	c.made = side{files: c.generated}
	if statsOf(c.in.Root, c.generated) == c.entry.made && !c.entry.young {
		if c.old != nil {
			c.made.contents = c.made.diff(c.in.Root, c.old.made).contents
		}
		return true, false, nil
	}
	if !c.body() {
		return false, false, nil
	}
	d := c.made.diff(c.in.Root, c.old.made)
	for _, r := range d.reasons {
		if r.what != "new" {
			c.reason = r.of("generates")
			return false, false, nil
		}
	}
	if err := c.t.Read(ctx, c.made.files, d.todo, d.contents); err != nil {
		return false, false, err
	}
	var last side
	for i, f := range c.made.files {
		if d.at[i] < 0 {
			continue
		}
		o := &c.old.made[d.at[i]]
		now := d.contents[i]
		if now.Digest != o.digest && !(o.digest == (glob.Digest{}) && o.st == *f.Stat()) {
			c.reason = Reason{Kind: "generates", Name: o.prefix + o.name, New: "changed"}
			return false, false, nil
		}
		if o.digest == (glob.Digest{}) {
			now = glob.Content{Stat: *f.Stat()}
		}
		last.files, last.contents = append(last.files, f), append(last.contents, now)
	}
	c.made = last
	return true, len(d.todo) > 0, nil
}
