package fingerprint

import (
	"context"
	"fmt"

	"github.com/weftrun/weft/engine/fingerprint/state"
	"github.com/weftrun/weft/engine/glob"
	"github.com/weftrun/weft/schema/diag"
)

// Check is the verdict on Inputs. It is for one goroutine.
type Check struct {
	// Fresh reports that files and texts are unchanged since the last success.
	Fresh bool
	// Digest is the fingerprint, when it is Fresh or committed.
	Digest Digest
	// Unmatched are the patterns of sources that match no file.
	Unmatched []glob.Pattern

	by *Checker
	in *Inputs

	key       state.Key
	at        int64 // when it began
	texts     Digest
	sources   fileSet
	missed    error   // why some sources are not known; nil: all are
	stats     statSum // of sources
	made      fileSet
	generated []glob.File  // all files that Generates matches; made are those of last time
	known     *known       // content of what was generated now; nil: none
	record    state.Record // of the last success
	last      *head        // of record, or nil
	old       *body        // of record, read on demand
	reason    Reason       // the first one found
}

// Check compares in, which must not change while the Check is in use, with the record of its key.
// It reads the content of files whose stat is not known, unless the state is read only and the
// verdict does not depend on it. The only error is that of ctx: unreadable files are not fresh.
func (by *Checker) Check(ctx context.Context, in *Inputs) (*Check, error) {
	c := &Check{by: by, in: in, key: state.KeyOf(formatVersion, in.Key), at: by.state.Now().UnixNano()}
	c.record, c.last = by.recorded(c.key)
	find := by.files.Find
	if c.last == nil && c.readsSources() {
		find = by.files.FindAndRead
	}
	found, err := find(ctx, in.Dir, in.Sources, in.Gitignore)
	if err != nil {
		return nil, err
	}
	c.sources.files, c.Unmatched, c.missed = found.Files, found.Unmatched, found.Unreadable
	if in.Depfile != nil {
		c.recall()
	}
	c.stats = statsOf(in.Root, c.sources.files)
	c.texts = in.digest(by.state.Secret())
	fresh, err := c.compare(ctx)
	if err != nil {
		return nil, err
	}
	if fresh {
		c.Fresh, c.Digest = true, combined(c.texts, c.last.sources)
		return c, nil
	}
	if c.readsSources() {
		err = c.readSources(ctx)
	}
	return c, err
}

// readsSources reports whether the sources are read if they are not fresh.
func (c *Check) readsSources() bool { return !c.by.state.ReadOnly() && c.in.Method == Checksum }

// compare returns the verdict. It sets reason if that is false.
func (c *Check) compare(ctx context.Context) (bool, error) {
	switch {
	case c.in.Method == None:
		c.reason = Reason{Kind: "never", Name: "method: none"}
		return false, nil
	case c.last == nil:
		c.reason = Reason{Kind: "first"}
		return false, nil
	case c.last.texts != c.texts && !c.in.FilesOnly:
		c.reason = Reason{Kind: "unknown"} // Why finds out which
		return false, nil
	}
	sameStats := c.last.sourceStats == c.stats
	refresh := false
	if !c.in.V3 && (!sameStats || c.last.young) {
		ok, read, err := c.compareSources(ctx)
		if !ok || err != nil {
			return false, err
		}
		refresh = read
	}
	ok, read, err := c.compareMade(ctx)
	if !ok || err != nil {
		return false, err
	}
	if c.in.Method == Timestamp && !c.inTime(sameStats) {
		return false, nil
	}
	if c.in.Outputs && (!c.readBody() || c.old.outputs == nil) {
		c.reason = Reason{Kind: "outputs", New: "gone"}
		return false, nil
	}
	if refresh || read {
		c.refresh()
	}
	return true, nil
}

// Outputs returns the outputs passed to Commit at the last success, if it is fresh and Inputs
// requests them.
func (c *Check) Outputs() []byte {
	if !c.Fresh || c.old == nil {
		return nil
	}
	return c.old.outputs
}

// compareSources compares the sources one by one. read reports that their new stat
// should be recorded.
func (c *Check) compareSources(ctx context.Context) (same, read bool, err error) {
	if c.in.Method == Timestamp && c.sources.digest(c.in.Root) == c.last.sources {
		return true, false, nil
	}
	if !c.readBody() {
		return false, false, nil
	}
	d := c.sources.diff("file", c.in.Root, c.old.sources)
	if len(d.reasons) > 0 {
		c.reason = d.reasons[0]
		return false, false, nil
	}
	if c.in.Method == Timestamp {
		c.reason = Reason{Kind: "unknown"}
		return false, false, nil
	}
	c.sources.contents = d.contents
	if err := c.by.files.Read(ctx, c.sources.files, d.todo, d.contents); err != nil {
		return false, false, err
	}
	for _, i := range d.todo {
		if o := &c.old.sources[d.at[i]]; d.contents[i].Digest != o.digest {
			c.reason = contentReason(o, d.contents[i].Digest)
			return false, false, nil
		}
	}
	return true, len(d.todo) > 0, nil
}

// inTime is the rule of method timestamp: no source is newer than both the newest generated file
// and the last check that led to success.
func (c *Check) inTime(sameStats bool) bool {
	limit := c.last.at
	for _, f := range c.generated {
		limit = max(limit, f.Stat().Mtime)
	}
	if !sameStats {
		// A change within the clock tick of the check.
		limit -= int64(glob.Granularity)
	}
	for _, f := range c.sources.files {
		if f.Stat().Mtime > limit {
			prefix, name := f.Place(c.in.Root)
			c.reason = Reason{Kind: "file", Name: prefix + name, New: "newer"}
			return false
		}
	}
	return true
}

// readSources reads every source whose content is not known from the record.
func (c *Check) readSources(ctx context.Context) error {
	if c.sources.contents == nil {
		if c.last != nil && c.readBody() {
			c.sources.contents = c.sources.diff("file", c.in.Root, c.old.sources).contents
		} else {
			c.sources.contents = make([]glob.Content, len(c.sources.files))
		}
	}
	var todo []int32
	for i := range c.sources.contents {
		if c.sources.contents[i].Digest == (glob.Digest{}) {
			todo = append(todo, int32(i))
		}
	}
	if err := c.by.files.Read(ctx, c.sources.files, todo, c.sources.contents); err != nil {
		return err
	}
	for _, i := range todo {
		if c.sources.contents[i].Digest == (glob.Digest{}) {
			c.warnUnreadable(c.sources.files[i])
		}
	}
	return nil
}

// warnUnreadable warns of a source that cannot be read.
func (c *Check) warnUnreadable(f glob.File) {
	why := f.Unreadable()
	if why == nil {
		return
	}
	c.by.files.WarnOnce(f.Path(), func() *diag.Diagnostic {
		prefix, name := f.Place(c.in.Dir)
		return &diag.Diagnostic{Pos: c.in.Sources[0].Pos, Severity: diag.Warning, Kind: diag.Suspicious, What: fmt.Sprintf("%q cannot be read", prefix+name),
			Why: fmt.Sprintf("%v: %q is never up to date", why, c.in.Name), Fix: "make it readable, or exclude it"}
	})
}

// readBody sets c.old. It returns false, and sets reason, if it is lost.
func (c *Check) readBody() bool {
	if c.old == nil {
		if c.old = decodeBody(c.by.state.Body(c.key, c.record)); c.old == nil {
			c.reason = Reason{Kind: "unknown"}
			return false
		}
	}
	return true
}
