package executor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/weftrun/weft/engine/cache"
	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/schema/diag"
)

// Cache is the output cache of an Executor.
type Cache struct {
	Disk   *cache.Disk
	Index  *cache.Index // of the project
	Replay Replayer
	// SeparateStderr means that stdout and stderr are shown at different places: a log in which
	// they are merged cannot be shown.
	SeparateStderr bool
	Refresh        bool // nothing is looked up
	Shared         Shared
	Push           bool // results are stored in Shared, unless the task says otherwise
	// Taskfiles are the absolute paths of the files from which the run was read. They are neither
	// stored nor restored.
	Taskfiles []string
}

// Shared is a cache that several machines share; nil: there is none. Its methods report problems
// with the server by Warnings alone, and return when ctx is done.
type Shared interface {
	// Usable reports whether there may be results: whether a server was not given up yet.
	Usable() bool
	// Lookup returns the result of an Action of a task; nil if there is none. It may come from anyone.
	Lookup(ctx context.Context, task string, action cache.Digest) *cache.ActionResult
	// Fetch puts blobs of a task's result into the local cache. It reports whether all are there.
	Fetch(ctx context.Context, task string, blobs []cache.Digest) bool
	// Restored counts a result that was restored; Refuse warns of one that is not used.
	Restored()
	Refuse(task string, why error)
	// Store has a result stored, and returns at once. Its blobs are in the local cache.
	Store(task string, key *cache.Key, r *cache.ActionResult)
	// Warnings returns the warnings since the last call.
	Warnings() []string
}

// Replayer reports the commands of a step as if they ran now, with their recorded output: log, of
// size bytes, in which marks delimit the commands and streams. The error is that of ctx or of log,
// or says that marks do not fit the step.
type Replayer func(ctx context.Context, b *Bound, log io.Reader, marks []cache.Mark, size int64) error

// cached restores the result of a step from the cache, or stores it there after a run.
//
// An error of the cache does not fail the step: the step runs, and a warning is shown.
type cached struct {
	next   Body
	fresh  *fresh
	remote *elsewhere    // performs steps that are not for the cache; may be nil
	open   func() *Cache // nil, or returns nil: no cache
	warned sync.Map      // texts of shown warnings
	flush  func()        // returns when every event so far has been reported
}

// Run implements Body.
func (l *cached) Run(ctx context.Context, b *Bound) Result {
	if l.remote != nil {
		switch takes, err := l.remote.takes(ctx, b); {
		case err != nil:
			return Ended(ctx, err)
		case takes:
			return l.next.Run(ctx, b)
		}
		if err := l.remote.left.bring(b); err != nil {
			return Ended(ctx, err)
		}
	}
	return l.runHere(ctx, b)
}

// runHere restores the result of a step that is not performed elsewhere, or runs it, while it holds its
// slots.
func (l *cached) runHere(ctx context.Context, b *Bound) (r Result) {
	if l.remote == nil {
		return l.restoreOrRun(ctx, b)
	}
	b.hold(func() { r = l.restoreOrRun(ctx, b) })
	return r
}

func (l *cached) restoreOrRun(ctx context.Context, b *Bound) Result {
	// A step connected to another one is read as a stream, while it runs.
	if l.open == nil || b.check == nil || b.Streams.Connected() || b.Step.Cache() == nil {
		return l.next.Run(ctx, b)
	}
	if c := l.open(); c != nil {
		return l.runCached(ctx, b, c)
	}
	return l.next.Run(ctx, b)
}

// runCached restores the result of b from c, or runs it and stores the result in c.
func (l *cached) runCached(ctx context.Context, b *Bound, c *Cache) Result {
	e := &entry{cached: l, Cache: c, b: b}
	var err error
	if e.key, err = l.fresh.cacheKey(ctx, b); err != nil {
		e.warn(ctx, "is not cached", err)
		return l.next.Run(ctx, b)
	}
	if !c.Refresh && !b.Forced {
		r, err := e.restore(ctx)
		if r == nil && e.shares(ctx, err) {
			if r = e.restoreShared(ctx); r != nil {
				err = nil
			}
		}
		if r != nil {
			l.flush() // see record
			return *r
		}
		e.warn(ctx, "is not restored from the cache, and runs", err)
	}
	return e.record(ctx)
}

// entry is a step and its cache key.
type entry struct {
	*cached
	*Cache
	b   *Bound
	key *cache.Key
}

// warn shows, once per run, why the cache was not used for the step; it does nothing if why is nil,
// or the run ends.
func (e *entry) warn(ctx context.Context, what string, why error) {
	if why != nil {
		e.tell(ctx, fmt.Sprintf("task %q %s", e.b.Step.Name, what), why.Error())
	}
}

// tell shows a warning about the task, once per run, unless the run ends.
func (e *entry) tell(ctx context.Context, what, why string) {
	if ctx.Err() != nil {
		return
	}
	d := &diag.Diagnostic{Pos: e.b.Step.TaskPos(), Severity: diag.Warning, Kind: diag.Other, What: what, Why: why}
	if _, told := e.warned.LoadOrStore(d.Error(), true); !told {
		e.b.Emit(&event.DiagnosticFound{Time: time.Now(), Diagnostic: d})
	}
}

// record runs the step, and stores its result.
func (e *entry) record(ctx context.Context) Result {
	b := e.b
	rec := newRecording(b.Env, e.SeparateStderr)
	defer rec.close()
	b.Env, b.Recorded = rec, true
	r := e.next.Run(ctx, b)
	// The output must be reported first: dependents may write to the same place directly.
	e.flush()
	if r.Outcome != event.Succeeded || r.OnEnd != nil {
		return r
	}
	if covered, err := b.check.Covered(ctx); !covered || err != nil { // it has shown the reason
		return r
	}
	e.warn(ctx, "was not stored in the cache", e.save(ctx, rec, r.Output))
	return r
}

// save stores the files of the step, and the output of its commands.
func (e *entry) save(ctx context.Context, rec *recording, o *Output) error {
	log, marks, err := rec.end()
	if err != nil {
		return err
	}
	if err := e.b.check.Rescan(ctx); err != nil {
		return err
	}
	switch same, err := e.b.check.Unchanged(ctx); {
	case err != nil:
		return err
	case !same:
		return errors.New("its sources changed while it ran")
	}
	g := e.generated()
	if err := g.checkSinks(ctx, e.b); err != nil {
		return err
	}
	outputs, err := g.outputs(ctx, e.fresh.tree)
	if err != nil {
		return err
	}
	meta := cache.Log{Marks: marks}
	if err := e.keepOutput(o, &meta); err != nil {
		return err
	}
	saving := &cache.Saving{Action: e.key.Action, Messages: e.key.Messages, Root: e.fresh.root, Outputs: outputs, Log: log, Meta: meta, Secret: e.secret}
	result, err := e.Disk.Save(ctx, saving)
	if err != nil {
		return err
	}
	e.recordDigests(result)
	e.note(ctx)
	e.push(result)
	return nil
}

// secret reports whether a message contains the value of a secret.
func (e *entry) secret(message []byte) bool {
	s := e.fresh.secrets
	return s.Any() && s.Contains(string(message)) // a message may be large
}

// keepOutput stores the outputs of the step, and describes them in meta.
func (e *entry) keepOutput(o *Output, meta *cache.Log) (err error) {
	if !e.b.readable() {
		return nil
	}
	if o == nil {
		o = &Output{}
	}
	if o.encode(e.fresh.secrets) == nil {
		return errors.New("its output contains a secret")
	}
	stdout, err := describe(o, meta)
	if err == nil {
		meta.Stdout, err = e.Disk.Put(stdout)
	}
	return err
}

// describe describes the named outputs in o, which may be nil, in meta, and returns what was captured
// of standard output.
func describe(o *Output, meta *cache.Log) (stdout []byte, err error) {
	if o == nil {
		return nil, nil
	}
	if o.Values != nil {
		if meta.Outputs, err = json.Marshal(o.Values); err != nil {
			return nil, err
		}
	}
	if o.Stdout == nil {
		return nil, nil
	}
	return o.Stdout.Bytes()
}

// note adds the entry to the index of the project. An error only means that it is not listed.
func (e *entry) note(ctx context.Context) {
	e.warn(ctx, "is not listed by --cache=ls", e.Index.Note(cache.Indexed{Task: e.b.Step.Name, Action: e.key.Action, Time: time.Now()}))
}
