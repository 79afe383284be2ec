package cache

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
)

type countedWorker struct{ now *atomic.Int32 }

func (w countedWorker) close() { w.now.Add(-1) }

// TestMostWorkers: however many callers of parallel there are, they have a few workers together, all
// items are done, and a caller whose context ends does not wait for a worker.
func TestMostWorkers(t *testing.T) {
	var now, done atomic.Int32
	newWorker := func() countedWorker {
		if n := now.Add(1); n > mostWorkers {
			t.Errorf("%d workers", n)
		}
		return countedWorker{&now}
	}
	const callers, items = 500, 5
	var all sync.WaitGroup
	for range callers {
		all.Go(func() {
			err := parallel(t.Context(), items, newWorker, func(context.Context, countedWorker, int) error {
				done.Add(1)
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := done.Load(); n != callers*items || now.Load() != 0 {
		t.Errorf("%d items done, %d workers left", n, now.Load())
	}

	for range mostWorkers {
		working <- struct{}{}
	}
	defer func() {
		for range mostWorkers {
			<-working
		}
	}()
	ended := errors.New("the run has ended")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(ended)
	if err := parallel(ctx, items, newWorker, func(context.Context, countedWorker, int) error { return nil }); !errors.Is(err, ended) {
		t.Errorf("%v, want %v", err, ended)
	}
}
