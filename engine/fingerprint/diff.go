package fingerprint

import (
	"context"
)

// diff is what became of recorded files.
type diff struct {
	reasons []change
	hashes  []hashed // of the items: what is known from the records
	todo    []int32  // items that must be read to know
	at      []int32  // the record of each item
}

// change is a difference that needs no reading.
type change struct {
	name, what string
}

func (c change) of(kind string) Reason { return Reason{Kind: kind, Name: c.name, New: c.what} }

// diff compares items with records; both are in the order of their paths.
func (s side) diff(root string, old []record) diff {
	d := diff{hashes: make([]hashed, len(s.items)), at: make([]int32, len(s.items))}
	j := 0
	for i, it := range s.items {
		prefix, name := it.place(root)
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
		switch st := &it.e.st; {
		case (o.st.mode&typeMask == typeLink) != (it.e.kind == isDangling):
			d.reasons = append(d.reasons, change{prefix + name, "link"})
		case o.target != it.e.target():
			d.reasons = append(d.reasons, change{prefix + name, "link"})
		case executable(o.st.mode) != executable(st.mode) || o.st.mode&typeMask != st.mode&typeMask:
			d.reasons = append(d.reasons, change{prefix + name, "mode"})
		case o.hashed && !o.young && o.st.same(st):
			d.hashes[i] = hashed{st: *st, digest: o.digest}
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

// same compares stats.
func (st *stat) same(o *stat) bool {
	return *st == *o
}

// restat looks at the sources again after the commands ran. One whose stat
// changed is read again: it may have been written as it was.
func (c *Check) restat(ctx context.Context) (unchanged bool, err error) {
	var todo []int32
	fd, open := -1, (*directory)(nil)
	defer func() {
		if fd >= 0 {
			closeDir(fd)
		}
	}()
	for i, it := range c.files.items {
		var st stat
		dangling := it.e.kind == isDangling
		if it.d == nowhere {
			st, err = statPath(it.e.name, !dangling)
		} else {
			if it.d != open {
				if fd >= 0 {
					closeDir(fd)
				}
				open = it.d
				if fd, err = openDir(it.d.prefix); err != nil {
					return false, nil
				}
			}
			st, err = statAt(fd, it.d.prefix, it.e.name, !dangling)
		}
		switch {
		case err != nil:
			return false, nil
		case st == it.e.st:
			continue
		case dangling: // another link, or none any more
			return false, nil
		case c.in.Method == Timestamp || executable(st.mode) != executable(it.e.st.mode) || st.size != it.e.st.size:
			return false, nil
		}
		c.files.items[i] = item{it.d, &dent{name: it.e.name, kind: it.e.kind, looked: true, st: st, more: it.e.more}}
		todo = append(todo, int32(i))
	}
	if len(todo) == 0 {
		return true, nil
	}
	again := make([]hashed, len(c.files.items))
	if err := c.t.read(ctx, c.files.items, todo, again); err != nil {
		return false, err
	}
	for _, i := range todo {
		if again[i].digest != c.files.hashes[i].digest || again[i].digest == (Digest{}) {
			return false, nil
		}
		c.files.hashes[i] = again[i]
	}
	return true, nil
}

// findMade finds what Generates match; false when a pattern matches nothing.
// Git ignores most of what is generated: here that makes no difference.
func (c *Check) findMade(ctx context.Context) error {
	match := (*Tree).matchMade
	if c.in.Loose {
		match = (*Tree).match
	}
	found, err := c.t.findBy(ctx, c.in.Dir, c.in.Generates, false, match)
	if err != nil {
		return err
	}
	c.whole = found.items
	for _, p := range found.unmatched {
		if c.in.Loose || !c.t.isDirectory(c.in.Dir, p.Glob) {
			c.reason = Reason{Kind: "generates", Name: p.Glob, New: "gone"}
			break
		}
	}
	return nil
}

// largeOutput is the size, in bytes, from which a generated file is known by
// its stat only: it is not read to tell an edit from a touch.
const largeOutput = 64 << 20

// hashMade makes the content of what was made known.
func (c *Check) hashMade(ctx context.Context) error {
	c.made.hashes = make([]hashed, len(c.made.items))
	var todo []int32
	for i, it := range c.made.items {
		if it.e.st.size < largeOutput {
			todo = append(todo, int32(i))
		}
	}
	return c.t.read(ctx, c.made.items, todo, c.made.hashes)
}

// compareMade checks that every pattern of Generates matches, and that what was
// made last time is still there as it was: not edited by hand, and not replaced
// by the same task with other arguments. What others have added since does not
// count.
func (c *Check) compareMade(ctx context.Context) (same, read bool, err error) {
	if err := c.findMade(ctx); err != nil || c.reason.Kind != "" {
		return false, false, err
	}
	if c.in.Loose {
		return true, false, nil
	}
	c.made = side{items: c.whole}
	if statsOf(c.in.Root, c.whole) == c.entry.made && !c.entry.young {
		if c.old != nil {
			c.made.hashes = c.made.diff(c.in.Root, c.old.made).hashes
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
	if err := c.t.read(ctx, c.made.items, d.todo, d.hashes); err != nil {
		return false, false, err
	}
	var last side
	for i, it := range c.made.items {
		if d.at[i] < 0 {
			continue
		}
		o := &c.old.made[d.at[i]]
		h := d.hashes[i]
		if h.digest != o.digest && !(o.digest == (Digest{}) && o.st.same(&it.e.st)) {
			c.reason = Reason{Kind: "generates", Name: o.prefix + o.name, New: "changed"}
			return false, false, nil
		}
		if o.digest == (Digest{}) {
			h = hashed{st: it.e.st}
		}
		last.items, last.hashes = append(last.items, it), append(last.hashes, h)
	}
	c.made = last
	return true, len(d.todo) > 0, nil
}
