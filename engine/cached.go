package engine

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"

	"github.com/weftrun/weft/engine/cache"
	"github.com/weftrun/weft/engine/command"
	"github.com/weftrun/weft/engine/executor"
	"github.com/weftrun/weft/schema/diag"
)

// outputCache is the cache of a run. It is opened at the first use.
type outputCache struct {
	once   sync.Once
	opened *executor.Cache // nil: there is none
}

// cached returns the function that opens the cache of a run whose steps run locally; nil if the run
// has none.
func (e *Engine) cached(here *command.Local) func() *executor.Cache {
	if e.o.NoCache || e.o.DescribeOnly {
		return nil
	}
	return func() *executor.Cache {
		e.cache.once.Do(func() { e.cache.opened = e.openCache(here) })
		return e.cache.opened
	}
}

func (e *Engine) openCache(here *command.Local) *executor.Cache {
	disk, err := OpenCache(e.o.CacheDir)
	if err != nil {
		e.warn(&diag.Diagnostic{Severity: diag.Warning, Kind: diag.Other, What: "the cache cannot be used", Why: err.Error()})
		return nil
	}
	return &executor.Cache{Disk: disk, Index: e.CacheIndex(), Replay: here.Replay, Refresh: e.o.Refresh, Shared: e.o.Shared, Push: e.o.Push, SeparateStderr: e.apart(), Taskfiles: e.o.Workflow.Files()}
}

// closeCache releases the cache, and removes what exceeds its size limit.
func (e *Engine) closeCache(ctx context.Context) {
	c := e.cache.opened
	if c == nil {
		return
	}
	if _, err := c.Disk.Trim(ctx, cache.DefaultLimit); err != nil && ctx.Err() == nil {
		e.warn(&diag.Diagnostic{Severity: diag.Warning, Kind: diag.Other, What: "the cache cannot be made smaller", Why: err.Error()})
	}
	c.Disk.Close()
}

// OpenCache opens the cache in a directory, which need not exist.
func OpenCache(dir string) (*cache.Disk, error) {
	switch {
	case dir == "":
		return nil, errors.New("the user's cache directory is not known: set WEFT_CACHE_DIR")
	case !filepath.IsAbs(dir):
		return nil, fmt.Errorf("WEFT_CACHE_DIR is %q, which is not an absolute path", dir)
	}
	return cache.Open(dir)
}

// CacheIndex returns the index of the project's entries in the cache.
func (e *Engine) CacheIndex() *cache.Index {
	return &cache.Index{Place: StatePlace(e.o.Workflow.Dir, e.o.TempDir, e.o.Environ)}
}
