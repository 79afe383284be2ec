package fingerprint

import (
	"context"
	"time"

	"github.com/weftrun/weft/engine/glob"
)

// known are generated files with content that Commit need not read.
type known struct {
	files []glob.File
	at    time.Time // when they were examined
	made  []glob.Content
}

// Rescan checks the generated files anew, for [Check.SetDigests]. A caller that creates files calls
// it afterwards; one that reads them calls it before. The only error is that of ctx.
func (c *Check) Rescan(ctx context.Context) error {
	at := time.Now()
	c.by.files.MarkDirty()
	found, err := c.by.files.FindGenerated(ctx, c.in.Dir, c.in.Generates)
	if err != nil {
		return err
	}
	c.known = &known{files: found.Files, at: at}
	return nil
}

// SetDigests sets the content of the files that Rescan has found, so that Commit does not read
// them, unless they have changed since. digest returns the digest of a path from the root, if it is
// known.
func (c *Check) SetDigests(digest func(path string) (glob.Digest, bool)) {
	k := c.known
	if k == nil {
		return
	}
	k.made = make([]glob.Content, len(k.files))
	for i, f := range k.files {
		if !f.Stat().Regular() || f.Linked() {
			continue
		}
		prefix, name := f.Place(c.in.Root)
		if d, ok := digest(prefix + name); ok {
			k.made[i] = glob.Content{Stat: *f.Stat(), Digest: d, Recent: f.Stat().Recent(k.at)}
		}
	}
}

// of returns the content of f, the i-th file that is generated, if it is known.
func (k *known) of(i int, f glob.File, root string) (glob.Content, bool) {
	if k == nil || i >= len(k.made) || k.made[i].Digest == (glob.Digest{}) || k.made[i].Stat != *f.Stat() {
		return glob.Content{}, false
	}
	prefix, name := f.Place(root)
	wasPrefix, wasName := k.files[i].Place(root)
	return k.made[i], prefix == wasPrefix && name == wasName
}

// Unedited returns the content of those generated files that are unchanged since the last success,
// by path from the root. It reads none of them. The only error is that of ctx.
func (c *Check) Unedited(ctx context.Context) (map[string]glob.Digest, error) {
	if c.in.V3 || c.last == nil || !c.readBody() {
		return nil, nil
	}
	found, err := c.by.files.FindGenerated(ctx, c.in.Dir, c.in.Generates)
	if err != nil {
		return nil, err
	}
	known := map[string]glob.Digest{}
	d := fileSet{files: found.Files}.diff("generates", c.in.Root, c.old.made)
	for i, f := range found.Files {
		if content := d.contents[i]; content.Digest != (glob.Digest{}) && !f.Linked() {
			prefix, name := f.Place(c.in.Root)
			known[prefix+name] = content.Digest
		}
	}
	return known, nil
}
