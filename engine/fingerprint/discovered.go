package fingerprint

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/weftrun/weft/engine/depfile"
	"github.com/weftrun/weft/engine/fingerprint/state"
	"github.com/weftrun/weft/engine/glob"
	"github.com/weftrun/weft/schema/diag"
)

// The files that a depfile names are known when the commands have run. Commit records them with the
// sources, and the next Check treats both alike. They were not examined before the commands ran, so
// if one has changed since the check began, the commands may have read its old content. The time of
// a change is that of the file system's clock, as in Ninja, which advances in steps of some
// milliseconds.

// maxDepfile is the largest depfile, in bytes, that is read.
const maxDepfile = 16 << 20

// recall adds the files that were discovered at the last success to the sources. One that was
// removed since then is a difference to the record.
func (c *Check) recall() {
	if c.last == nil || !c.readBody() {
		return
	}
	paths := slices.Collect(maps.Keys(c.old.discovered(c.in.Root)))
	files, _ := c.by.files.Files(paths)
	c.sources.files, c.sources.found = glob.Merge(c.sources.files, files)
}

// discovered returns the sources that only a depfile named, by path, with their content; a zero
// digest is unknown.
func (b *body) discovered(root string) map[string]glob.Digest {
	found := map[string]glob.Digest{}
	for i := range b.sources {
		if o := &b.sources[i]; o.found {
			found[absolute(root, o.prefix+o.name)] = o.digest
		}
	}
	return found
}

// Discovered returns the files that the depfile named at the last success of in, by path, with
// their digests at that time; a zero digest is unknown. If no success is recorded it returns the
// files that the depfile names now, if it is usable, and unsure is set. The only error is that of
// ctx.
func (by *Checker) Discovered(ctx context.Context, in *Inputs) (found map[string]glob.Digest, unsure bool, err error) {
	c := &Check{by: by, in: in, key: state.KeyOf(formatVersion, in.Key)}
	if c.record, c.last = by.recorded(c.key); c.last != nil && c.readBody() {
		return c.old.discovered(in.Root), false, nil
	}
	if err := c.findGenerated(ctx); err != nil {
		return nil, false, err
	}
	files, problem, err := c.readDepfile(ctx)
	if err != nil || problem != nil {
		return nil, true, err
	}
	found = map[string]glob.Digest{}
	for _, f := range files {
		found[f.Path()] = glob.Digest{}
	}
	return found, true, nil
}

// absolute is the reverse of [glob.Relative]: it returns the path that is rel relative to root.
func absolute(root, rel string) string {
	for strings.HasPrefix(rel, "../") {
		root, rel = path.Dir(root), rel[len("../"):]
	}
	return strings.TrimSuffix(root, "/") + "/" + rel
}

// declared returns the files that patterns match.
func (s fileSet) declared() []glob.File {
	if len(s.found) == 0 {
		return s.files
	}
	files, found := make([]glob.File, 0, len(s.files)-len(s.found)), s.found
	for i, f := range s.files {
		if len(found) > 0 && int(found[0]) == i {
			found = found[1:]
			continue
		}
		files = append(files, f)
	}
	return files
}

// discover replaces the files that the depfile named before by those that it names now. It warns,
// and returns false, if the commands may have read other content.
func (c *Check) discover(ctx context.Context) (ok bool, err error) {
	files, problem, err := c.readDepfile(ctx)
	if err != nil {
		return false, err
	}
	if problem != nil {
		c.warnDepfile(problem)
		return false, nil
	}
	before := c.sources
	at := make(map[string]int32, len(before.files))
	for i, f := range before.files {
		at[f.Path()] = int32(i)
	}
	c.sources.files, c.sources.found = glob.Merge(before.declared(), files)
	if before.contents != nil {
		c.sources.contents = make([]glob.Content, len(c.sources.files))
	}
	var todo []int32
	for i, f := range c.sources.files {
		if j, known := at[f.Path()]; known {
			c.sources.files[i] = before.files[j]
			if before.contents != nil {
				c.sources.contents[i] = before.contents[j]
			}
			continue
		}
		if changedSince(f.Stat(), c.at) {
			c.warnDepfile(&depfileProblem{file: c.in.Depfile.Glob, about: c.shown(f.Path()), what: "has changed since the commands began",
				fix: "if the commands write it, add it to generates; if another task does, to sources"})
			return false, nil
		}
		todo = append(todo, int32(i))
	}
	if before.contents == nil {
		return true, nil
	}
	return true, c.by.files.Read(ctx, c.sources.files, todo, c.sources.contents)
}

// changedSince reports whether a file may have changed after a time, in nanoseconds.
func changedSince(st *glob.Stat, at int64) bool {
	if second := int64(time.Second); st.Ctime%second == 0 && st.Mtime%second == 0 { // so are all times there
		return st.Ctime >= at-at%second
	}
	return st.Ctime > at
}

// depfileProblem is the reason why a depfile does not list the files that were read.
type depfileProblem struct {
	file  string // the depfile
	about string // the file that it names; "" if it is about the depfile itself
	what  string
	fix   string
}

const notWritten = "is not written"

// readDepfile returns the files that the depfile names, sorted, without those that Generates
// match, which findGenerated has found. The only error is that of ctx.
func (c *Check) readDepfile(ctx context.Context) ([]glob.File, *depfileProblem, error) {
	found, err := c.by.files.Find(ctx, c.in.Dir, []glob.Pattern{*c.in.Depfile}, false)
	if err != nil {
		return nil, nil, err
	}
	if len(found.Files) == 0 {
		return nil, &depfileProblem{file: c.in.Depfile.Glob, what: notWritten, fix: "have the compiler write it (gcc -MD -MF FILE)"}, nil
	}
	made := make(map[string]bool, len(c.generated))
	for _, f := range c.generated {
		made[f.Path()] = true
	}
	var paths []string
	from := map[string]string{} // the depfile that names a path
	for _, f := range found.Files {
		names, err := inputsIn(f)
		if err != nil {
			return nil, &depfileProblem{file: c.shown(f.Path()), what: "cannot be used: " + err.Error(), fix: "the commands must rewrite it completely each time"}, nil
		}
		for _, n := range names {
			if p := located(c.in.Dir, n); !made[p] && from[p] == "" {
				paths, from[p] = append(paths, p), c.shown(f.Path())
			}
		}
	}
	files, none := c.by.files.Files(paths)
	if len(none) > 0 {
		return nil, &depfileProblem{file: from[none[0]], about: c.shown(none[0]), what: "is not a file",
			fix: "names in it are relative to the directory of the task; the commands must rewrite it completely each time"}, nil
	}
	return files, nil, nil
}

// inputsIn returns the names in one depfile.
func inputsIn(f glob.File) ([]string, error) {
	if !f.Stat().Regular() {
		return nil, errors.New("it is not a regular file")
	}
	r, err := f.Open()
	if err != nil {
		return nil, f.Unreadable()
	}
	defer r.Close()
	text, err := io.ReadAll(io.LimitReader(r, maxDepfile+1))
	switch {
	case err != nil:
		return nil, err
	case len(text) > maxDepfile:
		return nil, fmt.Errorf("it has more than %d MiB", maxDepfile>>20)
	}
	return depfile.Inputs(text)
}

// located returns the path of a name in a depfile of commands that run in dir. It is clean,
// unless that would make it the path of another file, after a link to a directory.
func located(dir, name string) string {
	p := filepath.ToSlash(name)
	if !path.IsAbs(p) && !filepath.IsAbs(p) {
		p = dir + "/" + p
	}
	clean := path.Clean(p)
	if !strings.Contains(p, "/../") {
		return clean
	}
	a, err := os.Stat(p)
	if err != nil {
		return clean
	}
	if b, err := os.Stat(clean); err != nil || !os.SameFile(a, b) {
		return p
	}
	return clean
}

// shown returns a path for users: relative to the root if it is below.
func (c *Check) shown(p string) string { return strings.TrimPrefix(p, c.in.Root+"/") }

// warnDepfile warns that a depfile does not list the files that were read.
func (c *Check) warnDepfile(p *depfileProblem) {
	c.by.files.WarnOnce("depfile\x00"+p.file, func() *diag.Diagnostic {
		return &diag.Diagnostic{Pos: c.in.Depfile.Pos, Severity: diag.Warning, Kind: diag.Suspicious,
			What: "depfile " + p.text(), Why: fmt.Sprintf("so %q is not up to date", c.in.Name), Fix: p.fix}
	})
}

func (p *depfileProblem) text() string {
	if p.about != "" {
		return fmt.Sprintf("%q names %q, which %s", p.file, p.about, p.what)
	}
	return fmt.Sprintf("%q %s", p.file, p.what)
}

// badDepfile returns why nothing is recorded, if that is because of the depfile. A missing depfile
// is no reason: the commands may never have run.
func (c *Check) badDepfile(ctx context.Context) []Reason {
	if c.in.Depfile == nil {
		return nil
	}
	_, p, err := c.readDepfile(ctx)
	switch {
	case err != nil || p == nil || p.what == notWritten:
		return nil
	case p.about != "":
		return []Reason{{Kind: "depfile", Name: p.file, New: fmt.Sprintf("it names %q, which %s", p.about, p.what)}}
	}
	return []Reason{{Kind: "depfile", Name: p.file, New: p.what}}
}

// Covered reports whether Sources match every file inside the root that the depfile names after
// the commands have run, so that a key made of the sources alone covers what they read. If not,
// it warns of the first one. It is true where there is no depfile. The only error is that of
// ctx.
func (c *Check) Covered(ctx context.Context) (bool, error) {
	if c.in.Depfile == nil {
		return true, nil
	}
	c.by.files.MarkDirty()
	if err := c.findGenerated(ctx); err != nil {
		return false, err
	}
	files, problem, err := c.readDepfile(ctx)
	if err != nil || problem != nil { // Commit reports it
		return false, err
	}
	all, only := glob.Merge(c.sources.declared(), files)
	for _, i := range only {
		prefix, name := all[i].Place(c.in.Root)
		if strings.HasPrefix(prefix, "../") {
			continue
		}
		c.by.files.WarnOnce("covered\x00"+c.in.Name, func() *diag.Diagnostic {
			return &diag.Diagnostic{Pos: c.in.Depfile.Pos, Severity: diag.Warning, Kind: diag.Suspicious,
				What: fmt.Sprintf("task %q is not cached: it reads %q, which its sources do not match", c.in.Name, prefix+name),
				Why:  "cache entries are found by the sources, before the depfile is known", Fix: "add it to sources"}
		})
		return false, nil
	}
	return true, nil
}
