// Package cache answers whether something that was made from files and texts
// is still what it would be if it were made again, and why not. It owns globs,
// fingerprints and the state directory. It has no idea of tasks.
//
// # The fingerprint
//
// A SHA-256 over a canonical, length-framed, versioned encoding of [Inputs]:
// first everything that is text, then one record per source file. Files are
// known by what lstat says of them as long as that does not change; their
// content is read when it does.
//
// # The state
//
// One small file per [Inputs.Key], written only by [Check.Commit] after
// success, by temporary file and rename: a crash leaves "unknown", never "up to
// date". An entry that cannot be read is an entry that is not there.
package cache

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"time"

	"github.com/weftrun/weft/schema/diag"
)

// formatVersion is part of every fingerprint: a changed encoding must never
// read as a hit.
const formatVersion = "weft fingerprint 1"

// Digest is a fingerprint. The zero Digest means that there is none.
type Digest [sha256.Size]byte

// String returns the digest in hexadecimal.
func (d Digest) String() string { return hex.EncodeToString(d[:]) }

// Method is how files are compared.
type Method uint8

const (
	Checksum  Method = iota // by content
	Timestamp               // by time of modification
	None                    // not at all: never fresh
)

// Pattern is one glob; patterns apply in order, an excluding one takes away
// what those before it matched.
type Pattern struct {
	Glob    string
	Exclude bool
	Pos     diag.Pos
}

// Field is a text that the fingerprint covers.
type Field struct {
	Name, Value string
	Secret      bool // only its digest is stored
}

// Inputs is everything a fingerprint covers.
type Inputs struct {
	Key       string // whose state this is
	Name      string // for messages
	Root, Dir string // the root directory, and what patterns are relative to; absolute
	Fields    []Field
	Sources   []Pattern
	Generates []Pattern
	Gitignore bool
	Method    Method
	HasStatus bool
}

// Check is the verdict on Inputs.
type Check struct {
	Fresh  bool
	Digest Digest // set when Fresh, and by Commit
	// Unmatched are the patterns of sources that match no file.
	Unmatched []Pattern

	s       *Store
	tree    *Tree
	in      *Inputs
	texts   Digest
	files   []file
	outputs []file // what generates match, where that was looked at
	entry   *entry // of the last success, or nil
	at      time.Time
	reason  Reason // the first one found
}

// Reason is one difference between now and the last success.
type Reason struct {
	Kind     string // first, field, file, generates, need, status, unknown
	Name     string
	Old, New string
}

// Check compares in with what was recorded for its key.
func (s *Store) Check(ctx context.Context, t *Tree, in *Inputs) (*Check, error) {
	c := &Check{s: s, tree: t, in: in, at: s.o.Now()}
	var err error
	if c.files, c.Unmatched, err = t.files(ctx, in.Dir, in.Sources, in.Gitignore); err != nil {
		return nil, err
	}
	c.texts = in.digest()
	c.entry = s.load(in.Key)
	if c.entry == nil {
		c.reason = Reason{Kind: "first"}
		return c, nil
	}
	if c.entry.texts != c.texts {
		c.reason = Reason{Kind: "field"}
		return c, nil
	}
	ok, refresh, err := c.compareFiles(ctx)
	if err != nil || !ok {
		return c, err
	}
	if in.Method == None {
		return c, nil
	}
	outputs, missing, err := t.generated(ctx, in)
	if err != nil {
		return nil, err
	}
	if missing != "" {
		c.reason = Reason{Kind: "generates", Name: missing, New: "gone"}
		return c, nil
	}
	if in.Method == Timestamp && c.newerThan(outputs) {
		return c, nil
	}
	intact, learned := c.compareOutputs(ctx, outputs)
	if !intact {
		return c, nil
	}
	refresh = refresh || learned
	c.Fresh, c.Digest = true, c.entry.digest
	if refresh && !s.o.ReadOnly {
		c.refresh()
	}
	return c, nil
}

// newerThan finds a source that is newer than what was made of it.
func (c *Check) newerThan(outputs []file) bool {
	newest := c.entry.saved
	for i := range outputs {
		newest = max(newest, outputs[i].mtime)
	}
	for i := range c.files {
		if c.files[i].mtime > newest {
			c.reason = Reason{Kind: "file", Name: c.files[i].path, New: "newer"}
			return true
		}
	}
	return false
}

// compareFiles compares the sources with those of the entry. What lstat says
// is different is read. refresh tells that the entry should learn the new
// times of files whose content is the same.
func (c *Check) compareFiles(ctx context.Context) (same, refresh bool, err error) {
	old := c.entry.files
	if len(old) != len(c.files) {
		c.reason = Reason{Kind: "file"}
		return false, false, nil
	}
	for i := range c.files {
		f, o := &c.files[i], &old[i]
		if f.path != o.path || f.mode != o.mode {
			c.reason = Reason{Kind: "file", Name: f.path}
			return false, false, nil
		}
		if f.sameStat(o) {
			f.digest = o.digest
			continue
		}
		if c.in.Method == Timestamp {
			continue // times are compared with what was made, not with each other
		}
		if f.size == o.size || o.digest == (Digest{}) {
			if err := f.hash(ctx, c.in.Dir); err != nil {
				return false, false, nil
			}
		}
		if f.digest != o.digest {
			c.reason = Reason{Kind: "file", Name: f.path}
			return false, false, nil
		}
		refresh = true
	}
	return true, refresh, nil
}

// compareOutputs compares what generates match now with what they matched after
// the last success. A file that was changed since, by hand or by the same task
// with other arguments, is not what would be made now.
func (c *Check) compareOutputs(ctx context.Context, now []file) (intact, learned bool) {
	c.outputs = now
	i := 0
	for j := range c.entry.outputs {
		o := &c.entry.outputs[j]
		for i < len(now) && now[i].path < o.path {
			i++
		}
		if i == len(now) || now[i].path != o.path {
			c.reason = Reason{Kind: "generates", Name: o.path, New: "gone"}
			return false, false
		}
		f := &now[i]
		f.digest = o.digest
		switch {
		case f.sameStat(o):
			continue
		case o.digest == (Digest{}):
			// Too much to read: size and time must do.
			if f.size == o.size && f.mtime == o.mtime {
				continue
			}
		case f.size == o.size && f.hash(ctx, c.in.Dir) == nil && f.digest == o.digest:
			learned = true
			continue
		}
		c.reason = Reason{Kind: "generates", Name: o.path, New: "changed"}
		return false, false
	}
	return true, learned
}

// refresh writes the entry again with the files' new times.
func (c *Check) refresh() {
	e := *c.entry
	e.files = settled(c.files, c.s.o.Now())
	if e.outputs = c.outputs; readable(c.outputs) {
		e.outputs = settled(c.outputs, c.s.o.Now())
	}
	c.s.save(c.in.Key, &e)
}

// Of more or larger outputs than these only size and time are recorded.
const (
	maxOutputs     = 2_000
	maxOutputBytes = 64 << 20
)

// readable reports whether outputs are few and small enough to be read.
func readable(outputs []file) bool {
	if len(outputs) > maxOutputs {
		return false
	}
	total := int64(0)
	for i := range outputs {
		total += outputs[i].size
	}
	return total <= maxOutputBytes
}

// recordOutputs returns what generates match after a success.
func (c *Check) recordOutputs(ctx context.Context) []file {
	outputs, _, err := c.tree.generated(ctx, c.in)
	if err != nil || !readable(outputs) {
		return outputs
	}
	for i := range outputs {
		if outputs[i].hash(ctx, c.in.Dir) != nil {
			return outputs[:i]
		}
	}
	return settled(outputs, c.s.o.Now())
}

// Commit records the success of what c was checked for. Inputs that changed
// since the check are not recorded: then it counts as done, not as up to date.
func (c *Check) Commit(ctx context.Context) error {
	if c.s.o.ReadOnly {
		return nil
	}
	for i := range c.files {
		f := &c.files[i]
		now, err := statFile(c.in.Dir, f.path)
		if err != nil || !now.sameStat(f) {
			c.s.remove(c.in.Key)
			return nil
		}
		if c.in.Method == Timestamp || f.digest != (Digest{}) {
			continue
		}
		if err := f.hash(ctx, c.in.Dir); err != nil {
			c.s.remove(c.in.Key)
			return nil
		}
	}
	c.tree.Dirty()
	e := &entry{texts: c.texts, fields: stored(c.in), outputs: c.recordOutputs(ctx), files: settled(c.files, c.at), saved: c.s.o.Now().UnixNano()}
	e.digest = c.in.whole(c.texts, c.files)
	c.Digest = e.digest
	return c.s.save(c.in.Key, e)
}

// Forget drops what is recorded for a key.
func (s *Store) Forget(key string) {
	if !s.o.ReadOnly {
		s.remove(key)
	}
}

// Discard forgets that it was ever up to date.
func (c *Check) Discard() {
	if !c.s.o.ReadOnly && c.entry != nil {
		c.s.remove(c.in.Key)
	}
}
