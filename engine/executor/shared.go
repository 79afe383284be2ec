package executor

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/weftrun/weft/engine/cache"
	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/schema/diag"
)

// shares reports whether the step is looked up in the shared cache. local is why its local entry
// cannot be used, or nil.
func (e *entry) shares(ctx context.Context, local error) bool {
	if e.Shared == nil || ctx.Err() != nil || !e.b.Step.Shares() {
		return false
	}
	if _, damaged := errors.AsType[*cache.Damage](local); local != nil && !damaged {
		return false // another copy would not help
	}
	return !slices.ContainsFunc(e.key.Messages, e.secret) && e.Shared.Usable()
}

// restoreShared is restore for the shared cache. It returns nil if nothing was restored; the
// reason was shown. The local cache keeps what was restored.
func (e *entry) restoreShared(ctx context.Context) *Result {
	defer e.tellShared()
	var found *cache.ActionResult
	var meta *cache.Log
	var err error
	e.b.Env.Ask(func() { found, meta, err = e.fetch(ctx) })
	var r *Result
	if err == nil && found != nil {
		r, err = e.restoreResult(ctx, found, meta)
	}
	switch {
	case r != nil:
		e.Shared.Restored()
		e.warn(ctx, "was restored from the shared cache, but is not kept", e.Disk.Keep(e.key, found))
		e.note(ctx)
	case err != nil && ctx.Err() == nil:
		e.Shared.Refuse(e.b.Step.Name, err)
	}
	return r
}

// fetch looks up the result of the step in the shared cache, checks it, as it may come from anyone, and
// then fetches its blobs. found is nil if it cannot be had.
func (e *entry) fetch(ctx context.Context) (found *cache.ActionResult, meta *cache.Log, err error) {
	e.stage(event.Lookup)
	result := e.Shared.Lookup(ctx, e.b.Step.Name, e.key.Action)
	if result == nil {
		return nil, nil, nil
	}
	if meta, err = e.usable(result); err != nil {
		return nil, nil, err
	}
	declared, err := e.generated().declaredIn(ctx, result)
	if err != nil {
		return nil, nil, err
	}
	if err := result.Check(declared); err != nil {
		return nil, nil, err
	}
	e.stage(event.Download)
	if !e.Shared.Fetch(ctx, e.b.Step.Name, result.Blobs(meta)) {
		return nil, nil, nil
	}
	return result, meta, nil
}

// push stores the result of the step in the shared cache, if it is to be there.
func (e *entry) push(result *cache.ActionResult) {
	if e.Shared != nil && e.b.Step.Pushes(e.Push) {
		e.stage(event.Upload)
		e.Shared.Store(e.b.Step.Name, e.key, result)
		e.tellShared()
	}
}

// stage reports what is done with the shared cache.
func (e *entry) stage(s event.Stage) {
	e.b.Emit(&event.Progress{Time: time.Now(), Step: e.b.ID, Stage: s})
}

// tellShared shows the warnings of the shared cache.
func (e *entry) tellShared() {
	for _, text := range e.Shared.Warnings() {
		e.b.Emit(&event.DiagnosticFound{Time: time.Now(), Diagnostic: &diag.Diagnostic{Severity: diag.Warning, Kind: diag.SharedCache, What: "cache: " + text}})
	}
}
