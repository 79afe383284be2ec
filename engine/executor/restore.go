package executor

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"sort"

	"github.com/weftrun/weft/engine/cache"
	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/fingerprint"
	"github.com/weftrun/weft/engine/glob"
	"github.com/weftrun/weft/engine/pipe"
)

// restore restores the files of the step, and shows the output of its commands. It returns nil if
// nothing is cached, with an error if the cached result is unusable.
func (e *entry) restore(ctx context.Context) (*Result, error) {
	result, err := e.Disk.Lookup(e.key.Action)
	if result == nil || err != nil {
		return nil, err
	}
	meta, err := e.usable(result)
	if err != nil {
		return nil, err
	}
	r, err := e.restoreResult(ctx, result, meta)
	if r != nil {
		e.note(ctx)
	}
	return r, err
}

// usable returns the description of a result's log, or why that does not fit the step.
func (e *entry) usable(result *cache.ActionResult) (*cache.Log, error) {
	meta, err := result.Log()
	if err == nil {
		err = checkMarks(meta.Marks, result.Stdout.Size, e.commands(), e.SeparateStderr)
	}
	return meta, err
}

// restoreResult is restore for a result, whose blobs are in the cache, or of a run elsewhere.
func (e *entry) restoreResult(ctx context.Context, result *cache.ActionResult, meta *cache.Log) (*Result, error) {
	return e.accept(ctx, result, meta, func(ctx context.Context) error { return e.restoreFiles(ctx, result) })
}

// accept makes a result that of the step; files puts its files where they belong.
func (e *entry) accept(ctx context.Context, result *cache.ActionResult, meta *cache.Log, files func(context.Context) error) (*Result, error) {
	output, err := e.output(ctx, meta)
	if err != nil {
		return nil, err
	}
	log, err := e.Disk.OpenLog(ctx, result)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	if err := files(ctx); err != nil {
		return nil, err
	}
	outcome := event.Succeeded
	if !e.b.Elsewhere() {
		outcome = event.Restored
		switch stale, err := e.fresh.stale(ctx, e.b); {
		case err != nil:
			return nil, err
		case stale:
			return nil, errors.New("the restored files are not up to date according to status")
		}
	}
	r := &Result{Outcome: outcome, Output: output}
	if err := e.Replay(ctx, e.b, log, meta.Marks, result.Stdout.Size); ctx.Err() != nil {
		*r = Ended(ctx, context.Cause(ctx))
		return r, nil
	} else if err != nil {
		e.warn(ctx, "has succeeded, but its output cannot be shown", err)
	}
	if output != nil {
		e.b.steps.outputs.Store(e.b.Step, output)
	}
	return r, nil
}

// errMarks is the error of invalid marks.
var errMarks = errors.New("its stored output is damaged")

// checkMarks returns an error unless marks can belong to a log of size bytes of this number of
// commands, with separate streams if they are shown at different places.
func checkMarks(marks []cache.Mark, size int64, commands int, apart bool) error {
	if size > 0 && len(marks) == 0 {
		return errMarks
	}
	at := int64(0)
	for i, m := range marks {
		command := m.Command > 0 && int(m.Command) <= commands && m.Stream == 0
		stream := i > 0 && m.Command == 0 && m.Stream >= uint8(event.Stdout) && m.Stream <= uint8(event.Merged)
		switch {
		case m.Offset < at || m.Offset > size || i == 0 && m.Offset > 0 || !command && !stream:
			return errMarks
		case apart && m.Stream == uint8(event.Merged):
			return errors.New("its standard output and standard error were stored together, and are now separate")
		}
		at = m.Offset
	}
	return nil
}

// commands returns how many commands the step has.
func (e *entry) commands() (n int) {
	for range e.b.Step.Commands() {
		n++
	}
	return n
}

// output returns the cached outputs of the step.
func (e *entry) output(ctx context.Context, meta *cache.Log) (*Output, error) {
	if !e.b.readable() {
		return nil, nil
	}
	o := &Output{}
	if meta.Outputs != nil {
		if err := json.Unmarshal(meta.Outputs, &o.Values); err != nil {
			return nil, fmt.Errorf("its stored outputs are damaged: %w", err)
		}
	}
	if meta.Stdout.IsZero() {
		if e.b.Capture {
			return nil, errors.New("its standard output is not stored")
		}
		return o, nil
	}
	stdout, err := e.Disk.OpenBlob(ctx, meta.Stdout)
	if err != nil {
		return nil, err
	}
	defer stdout.Close()
	o.Stdout = pipe.NewCapture(meta.Stdout.Size, pipe.Fail)
	_, err = io.Copy(o.Stdout, stdout)
	return o, err
}

// restoreFiles restores the files of result, and removes others that the step would not leave.
func (e *entry) restoreFiles(ctx context.Context, result *cache.ActionResult) error {
	g := e.generated()
	declared, err := g.declaredIn(ctx, result)
	if err != nil {
		return err
	}
	there, err := g.find(ctx, e.fresh.tree)
	if err != nil {
		return err
	}
	stale, err := e.stale(ctx, result, there.paths)
	if err != nil {
		return err
	}
	unedited, err := e.b.check.Unedited(ctx)
	if err != nil {
		return err
	}
	known := func(p string) (hash [sha256.Size]byte, ok bool) {
		hash, ok = unedited[p]
		return hash, ok
	}
	e.b.begin()
	err = e.Disk.Restore(ctx, &cache.Restoring{Root: e.fresh.root, Result: result, Declared: declared, Stale: stale, Known: known})
	if err != nil {
		return err
	}
	if err := e.b.check.Rescan(ctx); err != nil {
		return err
	}
	e.recordDigests(result)
	return nil
}

// stale returns those of the existing files of the step that it would not leave.
func (e *entry) stale(ctx context.Context, result *cache.ActionResult, existing []string) ([]string, error) {
	keep := make(map[string]bool, len(result.Files))
	output := func(p string) { // including its parents: a link there would be the user's own
		for ; p != "." && !keep[p]; p = path.Dir(p) {
			keep[p] = true
		}
	}
	for i := range result.Files {
		output(result.Files[i].Path)
	}
	for i := range result.Symlinks {
		output(result.Symlinks[i].Path)
	}
	for i := range result.Directories {
		output(result.Directories[i].Path)
	}
	stale := slices.DeleteFunc(existing, func(p string) bool { return keep[p] })
	if len(stale) == 0 {
		return nil, nil
	}
	others := e.b.check.GeneratedByOthers()
	stale = slices.DeleteFunc(stale, func(p string) bool { return others[p] })
	sources := map[string]bool{} // sources among the outputs
	for _, p := range stale {
		sources[p] = false
	}
	err := e.b.check.EachFile(ctx, func(f fingerprint.File) {
		if _, is := sources[f.Path]; is {
			sources[f.Path] = true
		}
	})
	return slices.DeleteFunc(stale, func(p string) bool { return sources[p] }), err
}

// recordDigests records the digests of the restored files, so that they need not be read again.
func (e *entry) recordDigests(result *cache.ActionResult) {
	e.b.check.SetDigests(func(p string) (glob.Digest, bool) {
		i := sort.Search(len(result.Files), func(i int) bool { return result.Files[i].Path >= p })
		if i == len(result.Files) || result.Files[i].Path != p {
			return glob.Digest{}, false
		}
		return result.Files[i].Digest.Hash, true
	})
}
