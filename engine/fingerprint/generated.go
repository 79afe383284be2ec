package fingerprint

import (
	"context"

	"github.com/weftrun/weft/engine/glob"
)

// findGenerated finds what Generates match, and sets reason when a pattern matches
// nothing.
func (c *Check) findGenerated(ctx context.Context) (err error) {
	var found glob.Set
	if c.in.Loose {
		found, err = c.by.files.Find(ctx, c.in.Dir, c.in.Generates, false)
	} else {
		found, err = c.by.files.FindGenerated(ctx, c.in.Dir, c.in.Generates)
	}
	if err != nil {
		return err
	}
	c.generated = found.Files
	for _, p := range found.Unmatched {
		if c.in.Loose || !c.by.files.IsDirectory(c.in.Dir, p.Glob) {
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
	return c.by.files.Read(ctx, c.made.files, todo, c.made.contents)
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
	c.made = fileSet{files: c.generated}
	if statsOf(c.in.Root, c.generated) == c.last.madeStats && !c.last.young {
		if c.old != nil {
			c.made.contents = c.made.diff("generates", c.in.Root, c.old.made).contents
		}
		return true, false, nil
	}
	if !c.readBody() {
		return false, false, nil
	}
	d := c.made.diff("generates", c.in.Root, c.old.made)
	for _, r := range d.reasons {
		if r.New != "new" {
			c.reason = r
			return false, false, nil
		}
	}
	if err := c.by.files.Read(ctx, c.made.files, d.todo, d.contents); err != nil {
		return false, false, err
	}
	var last fileSet
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
