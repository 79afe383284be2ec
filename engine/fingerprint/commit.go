package fingerprint

import (
	"context"

	"github.com/weftrun/weft/engine/glob"
)

// Begin invalidates the record: from now on a crash leaves "unknown". It must
// be called before the first command runs.
func (c *Check) Begin() {
	if c.Fresh {
		c.readBody() // for Commit: it holds the known contents of the sources, and is removed with the record
	}
	c.by.state.Remove(c.key)
}

// Forget releases what only [Check.Why] needs, which must not be called afterwards: how the sources
// were at the last success. Of many files that takes much memory, and the commands may take long.
func (c *Check) Forget() {
	if c.old != nil && c.sources.contents != nil {
		c.old.sources = nil
	}
}

// Discard invalidates the record after a failure, which may have changed files.
func (c *Check) Discard() {
	c.by.files.MarkDirty()
	c.Begin()
}

// Commit records a success. It records nothing if a source has changed since it was checked: the
// work is done, but not up to date. [Check.Outputs] will return outputs while the record is fresh;
// nil means none. The only error is that of ctx.
func (c *Check) Commit(ctx context.Context, outputs []byte) error {
	if c.by.state.ReadOnly() || c.in.Method == None {
		return nil
	}
	c.by.files.MarkDirty()
	if err := c.findGenerated(ctx); err != nil {
		return err
	}
	if c.in.Depfile != nil {
		if ok, err := c.discover(ctx); !ok || err != nil {
			c.Begin()
			return err
		}
	}
	if c.in.Method == Checksum && c.sources.contents == nil { // it was fresh, and has run in spite of that
		if err := c.readSources(ctx); err != nil {
			return err
		}
	}
	if c.in.Method == Checksum && !c.sources.complete() {
		c.Begin()
		return nil
	}
	unchanged, err := c.restat(ctx)
	if err != nil || !unchanged {
		c.Begin()
		return err
	}
	sources := c.sources.digest(c.in.Root)
	c.Digest = combined(c.texts, sources)
	if !c.in.V3 {
		c.made = fileSet{files: c.generated}
		if err := c.readMade(ctx); err != nil {
			return err
		}
	}
	c.by.state.Put(c.key, c.head(sources).encode(), c.body(outputs))
	return nil
}

// Unchanged reports whether the sources are unchanged since they were checked: it checks their
// times, and reads those again whose times may not reveal a change. The only error is that of ctx.
func (c *Check) Unchanged(ctx context.Context) (bool, error) {
	if c.in.Method == Checksum && c.sources.contents == nil {
		if err := c.readSources(ctx); err != nil {
			return false, err
		}
	}
	unchanged, err := c.restat(ctx)
	if !unchanged || err != nil {
		return false, err
	}
	var young []int32
	for i := range c.sources.contents {
		if c.sources.contents[i].Recent {
			young = append(young, int32(i))
		}
	}
	return c.readSame(ctx, young)
}

// readSame reads sources again, records their current state, and reports whether their content is
// the same.
func (c *Check) readSame(ctx context.Context, todo []int32) (same bool, err error) {
	if len(todo) == 0 {
		return true, nil
	}
	again := make([]glob.Content, len(c.sources.files))
	if err := c.by.files.Read(ctx, c.sources.files, todo, again); err != nil {
		return false, err
	}
	for _, i := range todo {
		if again[i].Digest != c.sources.contents[i].Digest || again[i].Digest == (glob.Digest{}) {
			return false, nil
		}
		c.sources.contents[i] = again[i]
	}
	return true, nil
}

// restat stats the sources again after the commands ran. One whose stat changed is read again: it
// may have been rewritten with the same content.
func (c *Check) restat(ctx context.Context) (unchanged bool, err error) {
	var todo []int32
	unchanged = true
	glob.Restat(c.sources.files, func(i int, now glob.Stat, err error) bool {
		f := &c.sources.files[i]
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
	if !unchanged {
		return false, nil
	}
	return c.readSame(ctx, todo)
}

// refresh records the new stat of files whose content is the same.
func (c *Check) refresh() {
	if c.by.state.ReadOnly() {
		return
	}
	if c.in.Method == Checksum && c.sources.contents == nil {
		if !c.readBody() {
			return
		}
		c.sources.contents = c.sources.diff("file", c.in.Root, c.old.sources).contents
	}
	if c.in.Method == Timestamp || c.sources.complete() {
		var outputs []byte
		if c.readBody() {
			outputs = c.old.outputs
		}
		c.by.state.PutLater(c.key, c.head(c.last.sources).encode(), c.body(outputs))
	}
}

// head returns the head of a record of the current state.
func (c *Check) head(sources Digest) *head {
	return &head{
		texts: c.texts, sources: sources, sourceStats: statsOf(c.in.Root, c.sources.files), madeStats: statsOf(c.in.Root, c.made.files),
		at: c.at, young: c.sources.young() || c.made.young(),
	}
}

// body returns the body of a record of the current state.
func (c *Check) body(outputs []byte) []byte {
	return encodeBody(c.by.explained(c.in), c.in.Root, c.sources, c.made, outputs)
}

// Lock prevents other processes and steps from doing the same work; see [state.Store.Lock]. The
// caller must check again: the work may be done by now.
func (c *Check) Lock(ctx context.Context, step string, onWait func(holder string)) (release func(), err error) {
	return c.by.state.Lock(ctx, c.key, step, onWait)
}

// TryLock is [Check.Lock] if the lock is free; otherwise ok is false, and nothing is locked.
// changed means that the record has changed since c was made: the caller must check again.
func (c *Check) TryLock(step string) (release func(), changed, ok bool) {
	release, ok = c.by.state.TryLock(c.key, step)
	return release, ok && !c.by.state.Unchanged(c.key, c.record), ok
}
