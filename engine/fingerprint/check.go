package fingerprint

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"strings"

	"github.com/weftrun/weft/engine/glob"
	"github.com/weftrun/weft/schema/diag"
)

// Check is the verdict on Inputs. It is for one goroutine.
type Check struct {
	// Fresh tells that nothing has to be done, as far as files and texts go.
	Fresh bool
	// Digest is the fingerprint, when it is Fresh or committed.
	Digest Digest
	// Unmatched are the patterns of sources that match no file.
	Unmatched []glob.Pattern

	s  *Store
	t  *glob.Tree
	in *Inputs

	key       id
	at        int64 // when it began
	texts     Digest
	files     side
	stats     statSum // of files
	made      side
	generated []glob.File // everything Generates matches; made is that of last time
	entry     *entry      // of the last success, or nil
	old       *body       // of entry, once it was needed
	reason    Reason      // the first one found

	outputs []byte // to be recorded
}

// Check compares in, which must not change while the Check is in use, with
// what was recorded for its key. It reads the content of files whose stat is
// not known, unless the Store is read only and the verdict does not depend on
// it. The only error is that of ctx: what cannot be read is not fresh.
func (s *Store) Check(ctx context.Context, t *glob.Tree, in *Inputs) (*Check, error) {
	t.Hide(s.dir)
	c := &Check{s: s, t: t, in: in, key: idOf(in.Key), at: s.o.Now().UnixNano()}
	found, err := t.Find(ctx, in.Dir, in.Sources, in.Gitignore)
	if err != nil {
		return nil, err
	}
	c.files.files, c.Unmatched = found.Files, found.Unmatched
	c.stats = statsOf(in.Root, c.files.files)
	c.entry = s.load(c.key)
	c.texts = in.digest(s.salt())
	fresh, err := c.compare(ctx)
	if err != nil {
		return nil, err
	}
	if fresh {
		c.Fresh, c.Digest = true, combined(c.texts, c.entry.files)
		return c, nil
	}
	if !s.o.ReadOnly && in.Method == Checksum {
		err = c.hashAll(ctx)
	}
	return c, err
}

// compare is the verdict. It sets reason where it is false.
func (c *Check) compare(ctx context.Context) (bool, error) {
	switch {
	case c.in.Method == None:
		c.reason = Reason{Kind: "never", Name: "method: none"}
		return false, nil
	case c.entry == nil:
		c.reason = Reason{Kind: "first"}
		return false, nil
	case c.entry.texts != c.texts && !c.in.FilesOnly:
		c.reason = Reason{Kind: "unknown"} // Why finds out which
		return false, nil
	}
	sameStats := c.entry.stats == c.stats
	refresh := false
	if !c.in.Loose && (!sameStats || c.entry.young) {
		ok, read, err := c.compareFiles(ctx)
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
	if c.in.Outputs && (!c.body() || c.old.outputs == nil) {
		c.reason = Reason{Kind: "outputs", New: "gone"}
		return false, nil
	}
	if refresh || read {
		c.refresh()
	}
	return true, nil
}

// Outputs returns what Commit was given with the last success, if it is fresh and
// Inputs asked for it.
func (c *Check) Outputs() []byte {
	if !c.Fresh || c.old == nil {
		return nil
	}
	return c.old.outputs
}

// compareFiles compares the sources one by one. read tells that the entry
// should learn their new stat.
func (c *Check) compareFiles(ctx context.Context) (same, read bool, err error) {
	if c.in.Method == Timestamp && filesDigest(c.in.Root, c.files.files, nil) == c.entry.files {
		return true, false, nil
	}
	if !c.body() {
		return false, false, nil
	}
	d := c.files.diff(c.in.Root, c.old.files)
	if len(d.reasons) > 0 {
		c.reason = d.reasons[0].of("file")
		return false, false, nil
	}
	if c.in.Method == Timestamp {
		c.reason = Reason{Kind: "unknown"}
		return false, false, nil
	}
	c.files.contents = d.contents
	if err := c.t.Read(ctx, c.files.files, d.todo, d.contents); err != nil {
		return false, false, err
	}
	for _, i := range d.todo {
		if o := &c.old.files[d.at[i]]; d.contents[i].Digest != o.digest {
			c.reason = Reason{Kind: "file", Name: o.prefix + o.name, Old: short(o.digest), New: short(d.contents[i].Digest)}
			if d.contents[i].Digest == (glob.Digest{}) {
				c.reason.Old, c.reason.New = "", "cannot be read"
			}
			return false, false, nil
		}
	}
	return true, len(d.todo) > 0, nil
}

// inTime is the rule of method timestamp: no source is newer than the newest
// of what was generated and of the last check that led to success.
func (c *Check) inTime(sameStats bool) bool {
	limit := c.entry.at
	for _, f := range c.generated {
		limit = max(limit, f.Stat().Mtime)
	}
	if !sameStats {
		// A change within the tick of the clock in which we checked.
		limit -= int64(glob.Granularity)
	}
	for _, f := range c.files.files {
		if f.Stat().Mtime > limit {
			prefix, name := f.Place(c.in.Root)
			c.reason = Reason{Kind: "file", Name: prefix + name, New: "newer"}
			return false
		}
	}
	return true
}

// hashAll makes the content of every source known, taking what it can from the
// entry.
func (c *Check) hashAll(ctx context.Context) error {
	if c.files.contents == nil {
		c.files.contents = make([]glob.Content, len(c.files.files))
		if c.entry != nil && c.body() {
			c.files.contents = c.files.diff(c.in.Root, c.old.files).contents
		}
	}
	var todo []int32
	for i := range c.files.contents {
		if c.files.contents[i].Digest == (glob.Digest{}) {
			todo = append(todo, int32(i))
		}
	}
	if err := c.t.Read(ctx, c.files.files, todo, c.files.contents); err != nil {
		return err
	}
	for _, i := range todo {
		if c.files.contents[i].Digest == (glob.Digest{}) {
			c.warnUnreadable(c.files.files[i])
		}
	}
	return nil
}

// warnUnreadable tells of a source that could not be read.
func (c *Check) warnUnreadable(f glob.File) {
	why := f.Unreadable()
	if why == nil {
		return
	}
	c.t.WarnOnce(f.Path(), func() *diag.Diagnostic {
		prefix, name := f.Place(c.in.Dir)
		return &diag.Diagnostic{Pos: c.in.Sources[0].Pos, Severity: diag.Warning, Kind: diag.Suspicious, What: fmt.Sprintf("%q cannot be read", prefix+name),
			Why: fmt.Sprintf("%v: %q is never up to date", why, c.in.Name), Fix: "make it readable, or exclude it"}
	})
}

// body makes c.old available.
func (c *Check) body() bool {
	if c.old == nil {
		if c.old = c.s.body(c.key, c.entry); c.old == nil {
			c.reason = Reason{Kind: "unknown"}
			return false
		}
	}
	return true
}

// Begin makes void what is recorded: from now on a crash leaves "unknown". It
// must be called before the first command runs.
func (c *Check) Begin() {
	if !c.s.o.ReadOnly {
		c.s.remove(c.key)
	}
}

// Discard forgets that it was ever up to date: it failed.
func (c *Check) Discard() {
	c.t.Dirty()
	c.Begin()
}

// Commit records success. Where sources are not what they were when they were
// checked, nothing is recorded: it counts as done, not as up to date. Outputs are
// what a fresh step gives to others instead of running; nil means none. The only
// error is that of ctx.
func (c *Check) Commit(ctx context.Context, outputs []byte) error {
	c.outputs = outputs
	if c.s.o.ReadOnly || c.in.Method == None {
		return nil
	}
	c.t.Dirty()
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
	c.store(files, false)
	return nil
}

// refresh records what is the same with its new stat.
func (c *Check) refresh() {
	if c.s.o.ReadOnly {
		return
	}
	if c.in.Method == Checksum && c.files.contents == nil {
		if !c.body() {
			return
		}
		c.files.contents = c.files.diff(c.in.Root, c.old.files).contents
	}
	if c.in.Method == Timestamp || complete(c.files.contents, len(c.files.files)) {
		if c.body() {
			c.outputs = c.old.outputs
		}
		c.store(c.entry.files, true)
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

func (c *Check) store(files Digest, late bool) {
	e := &entry{texts: c.texts, files: files, stats: statsOf(c.in.Root, c.files.files), made: statsOf(c.in.Root, c.made.files), at: c.at}
	e.young = c.files.young() || c.made.young()
	e.body = encodeBody(c.s.explained(c.in), c.in.Root, c.files, c.made, c.outputs)
	c.s.save(c.key, e, late)
}

// explained are the fields as the state keeps them, together with what else
// the texts' digest covers. What gives a secret away is kept as a digest with a key, which
// tells a change, and nothing to who has not the key.
func (s *Store) explained(in *Inputs) []Field {
	key := s.secretKey()
	out := make([]Field, 0, len(in.Fields)+len(in.Generates)+3)
	add := func(f Field) {
		if s.holdsSecret(f.Name) {
			kind, rest, _ := strings.Cut(f.Name, " ")
			f.Name = kind + " " + hex.EncodeToString([]byte(sealed(key, rest)))
		}
		if f.Secret = f.Secret || s.holdsSecret(f.Value); f.Secret {
			f.Value = sealed(key, f.Value)
		}
		out = append(out, f)
	}
	for _, f := range in.Fields {
		add(f)
	}
	add(Field{Name: "directory", Value: glob.Relative(in.Root, in.Dir+"/")})
	add(Field{Name: "method", Value: [...]string{"checksum", "timestamp", "none"}[in.Method]})
	for _, g := range in.Generates {
		f := Field{Name: "generates " + g.Glob, Value: "included"}
		if g.Exclude {
			f.Value = "excluded"
		}
		add(f)
	}
	return out
}

// holdsSecret reports whether a text gives a secret away.
func (s *Store) holdsSecret(text string) bool { return s.o.Secret != nil && s.o.Secret(text) }

// sealed is a digest of a secret.
func sealed(key [keySize]byte, secret string) string {
	h := hmac.New(sha256.New, key[:])
	io.WriteString(h, secret)
	return string(h.Sum(nil)[:16])
}

// short is a digest for people.
func short(d glob.Digest) string { return d.String()[:12] }
