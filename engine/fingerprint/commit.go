package fingerprint

import (
	"context"

	"github.com/weftrun/weft/engine/glob"
)

// Begin invalidates what is recorded: from now on a crash leaves "unknown". It must
// be called before the first command runs.
func (c *Check) Begin() {
	c.by.state.Remove(c.key)
}

// Discard forgets that it was ever up to date: it failed.
func (c *Check) Discard() {
	c.by.files.Dirty()
	c.Begin()
}

// Commit records success. Where sources are not what they were when they were
// checked, nothing is recorded: it counts as done, not as up to date. Outputs are
// what a fresh step gives to others instead of running; nil means none. The only
// error is that of ctx.
func (c *Check) Commit(ctx context.Context, outputs []byte) error {
	if c.by.state.ReadOnly() || c.in.Method == None {
		return nil
	}
	c.by.files.Dirty()
	if c.in.Method == Checksum && !complete(c.files.contents, len(c.files.files)) {
		c.Begin()
		return nil
	}
	unchanged, err := c.restat(ctx)
	if err != nil || !unchanged {
		c.Begin()
		return err
	}
	files := filesDigest(c.in.Root, c.files.files, c.files.contents)
	c.Digest = combined(c.texts, files)
	if err := c.findGenerated(ctx); err != nil {
		return err
	}
	if !c.in.Loose {
		c.made = side{files: c.generated}
		if err := c.readMade(ctx); err != nil {
			return err
		}
	}
	c.by.state.Put(c.key, c.head(files).encode(), c.body(outputs))
	return nil
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
	if err := c.by.files.Read(ctx, c.files.files, todo, again); err != nil {
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

// refresh records what is the same with its new stat.
func (c *Check) refresh() {
	if c.by.state.ReadOnly() {
		return
	}
	if c.in.Method == Checksum && c.files.contents == nil {
		if !c.readBody() {
			return
		}
		c.files.contents = c.files.diff(c.in.Root, c.old.files).contents
	}
	if c.in.Method == Timestamp || complete(c.files.contents, len(c.files.files)) {
		var outputs []byte
		if c.readBody() {
			outputs = c.old.outputs
		}
		c.by.state.PutLater(c.key, c.head(c.last.files).encode(), c.body(outputs))
	}
}

// complete reports whether the content of n files is known.
func complete(contents []glob.Content, n int) bool {
	for i := range contents {
		if contents[i].Digest == (glob.Digest{}) {
			return false
		}
	}
	return len(contents) == n
}

// head is that of the record of what is there now.
func (c *Check) head(files Digest) *head {
	return &head{
		texts: c.texts, files: files, stats: statsOf(c.in.Root, c.files.files), made: statsOf(c.in.Root, c.made.files),
		at: c.at, young: c.files.young() || c.made.young(),
	}
}

// body is that of the record of what is there now.
func (c *Check) body(outputs []byte) []byte {
	return encodeBody(c.by.explained(c.in), c.in.Root, c.files, c.made, outputs)
}
