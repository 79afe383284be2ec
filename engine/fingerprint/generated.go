package fingerprint

import (
	"context"

	"github.com/weftrun/weft/engine/fingerprint/state"
	"github.com/weftrun/weft/engine/glob"
)

// findGenerated finds the files that Generates match, and sets reason if a pattern matches nothing.
func (c *Check) findGenerated(ctx context.Context) (err error) {
	var found glob.Set
	if c.in.V3 {
		found, err = c.by.files.Find(ctx, c.in.Dir, c.in.Generates, false)
	} else {
		found, err = c.by.files.FindGenerated(ctx, c.in.Dir, c.in.Generates)
	}
	if err != nil {
		return err
	}
	c.generated = found.Files
	for _, p := range found.Unmatched {
		if c.in.V3 || !c.by.files.IsDirectory(c.in.Dir, p.Glob) {
			c.reason = Reason{Kind: "generates", Name: p.Glob, New: "gone"}
			break
		}
	}
	return nil
}

// largeOutput is the size, in bytes, from which a generated file is known by
// its stat only: it is not read to distinguish an edit from a touch.
const largeOutput = 64 << 20

// readMade determines the content of the generated files.
func (c *Check) readMade(ctx context.Context) error {
	c.made.contents = make([]glob.Content, len(c.made.files))
	var todo []int32
	for i, f := range c.made.files {
		if f.Stat().Size >= largeOutput {
			continue
		}
		if content, ok := c.known.of(i, f, c.in.Root); ok {
			c.made.contents[i] = content
			continue
		}
		todo = append(todo, int32(i))
	}
	return c.by.files.Read(ctx, c.made.files, todo, c.made.contents)
}

// compareMade checks that every pattern of Generates matches, and that the files made last time are
// unchanged: not edited by hand, and not replaced by the same task with other arguments. Files that
// others have added since do not count.
func (c *Check) compareMade(ctx context.Context) (same, read bool, err error) {
	if err := c.findGenerated(ctx); err != nil || c.reason.Kind != "" {
		return false, false, err
	}
	if c.in.V3 {
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

// GeneratedByOthers returns the files, by path from the root, that other tasks have made when they
// last succeeded: those are not up to date without them.
func (c *Check) GeneratedByOthers() map[string]bool {
	made := map[string]bool{}
	c.by.state.Each(func(k state.Key, r state.Record) {
		if k == c.key {
			return
		}
		if b := decodeBody(c.by.state.Body(k, r)); b != nil {
			for i := range b.made {
				made[b.made[i].prefix+b.made[i].name] = true
			}
		}
	})
	return made
}
