package main

import (
	"context"
	"errors"
	"os"
	"slices"
	"time"

	"github.com/weftrun/weft/cmd/weft/report"
	"github.com/weftrun/weft/engine"
	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/schema"
)

// watch runs the calls again when files change, until weft is stopped.
func (r *runner) watch(ctx context.Context, calls []plan.Call) int {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	r.broken = func() { cancel(errBrokenPipe) }
	tuneForWatching()
	o := engine.WatchOptions{Interval: r.interval(), Poll: r.opts.poll, Load: r.reload}
	if keys := r.keys(ctx, &o); keys != nil {
		defer keys.pause()
	}
	err := r.engine.Watch(ctx, calls, o)
	return r.finish(ctx, err)
}

// keys lets the user say what to do while nothing runs: Enter runs again, q quits, c
// clears the screen, l lists the tasks.
func (r *runner) keys(ctx context.Context, o *engine.WatchOptions) *keys {
	if r.dropIn() {
		return nil
	}
	asked := make(chan engine.Key, 1)
	k := newKeys(os.Stdin, func(key byte) {
		switch key {
		case '\n', '\r':
			asked <- engine.KeyRun
		case 'q':
			asked <- engine.KeyQuit
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

// watchSome runs the calls that are not watched, and then watches the others.
func (r *runner) watchSome(ctx context.Context, calls []plan.Call, watched []string) int {
	isWatched := func(c plan.Call) bool { return slices.Contains(watched, c.Name) }
	if others := slices.DeleteFunc(slices.Clone(calls), isWatched); len(others) > 0 {
		if err := r.engine.Run(ctx, others); err != nil {
			return r.finish(ctx, err)
		}
	}
	return r.watch(ctx, slices.DeleteFunc(slices.Clone(calls), func(c plan.Call) bool { return !isWatched(c) }))
}

// interval is what the command line says, or else the file; 0 leaves it to the
// watching.
func (r *runner) interval() time.Duration {
	if r.opts.interval > 0 {
		return r.opts.interval
	}
	return r.workflow.Interval
}

var errReload = errors.New("the Taskfile cannot be used as it is now; what was loaded before stays")

// reload loads the workflow again. What is wrong with it is shown.
func (r *runner) reload(ctx context.Context) (*schema.Workflow, error) {
	w, code := r.load(ctx)
	if w == nil || code != 0 {
		return nil, errReload
	}
	return w, nil
}
