package main

import (
	"cmp"
	"context"
	"errors"
	"os"

	"github.com/weftrun/weft/cmd/weft/report"
	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/engine/watch"
	"github.com/weftrun/weft/internal/heap"
	"github.com/weftrun/weft/schema"
)

// watch reruns the calls when files change, until weft is stopped.
func (r *runner) watch(ctx context.Context, s *signals, calls []plan.Call) int {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	r.broken = func() { cancel(errBrokenPipe) }
	s.await()
	heap.TuneForWatching()
	o := watch.Options{Engine: r.options, Interval: cmp.Or(r.opts.interval, r.workflow.Interval), Poll: r.opts.poll, Load: r.reload}
	if keys := r.keys(ctx, &o); keys != nil {
		defer keys.pause()
	}
	w := watch.New(o)
	s.route(w)
	r.controller.route(w)
	return r.finish(ctx, w.Run(ctx, calls))
}

// keys handles the user's keys while nothing runs: Enter runs again, q quits, c clears the screen,
// l lists the tasks.
func (r *runner) keys(ctx context.Context, o *watch.Options) *keys {
	if r.dropIn() {
		return nil
	}
	asked := make(chan watch.Key, 1)
	k := newKeys(os.Stdin, func(key byte) {
		switch key {
		case '\n', '\r':
			asked <- watch.KeyRun
		case 'q':
			asked <- watch.KeyQuit
		case 'c':
			r.err.Write([]byte(report.ClearScreen))
		case 'l':
			r.list(ctx)
		}
	})
	if k == nil {
		return nil
	}
	o.Keys = asked
	o.Idle = func(idle bool) {
		if idle {
			k.listen()
		} else {
			k.pause()
		}
	}
	return k
}

// reload loads the workflow again, and shows errors.
func (r *runner) reload(ctx context.Context) (*schema.Workflow, error) {
	w, code := r.load(ctx)
	if w == nil || code != 0 {
		return nil, errors.New("the Taskfile is invalid; the previous version stays in use")
	}
	return w, nil
}
