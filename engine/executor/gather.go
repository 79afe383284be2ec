package executor

import (
	"bytes"
	"context"
	"io"

	"github.com/weftrun/weft/engine/cache"
	"github.com/weftrun/weft/engine/glob"
	"github.com/weftrun/weft/engine/plan"
)

// Gathering makes an Executor perform an act: the only step of its run leaves its result in the
// root directory, as [cache.Gather] describes.
type Gathering struct {
	Generates []plan.Glob // relative to the root
	Dir       string      // where the commands run, absolute
	Captured  bool        // the standard output of its commands is kept
	// Ended is called once, when everything is gathered or the step has failed, with the marks of the
	// log, which was reported in events.
	Ended func(marks []cache.Mark, err error)
}

// gather leaves the result of the step where a worker takes it from.
type gather struct {
	*Gathering
	next  Body
	root  string
	tree  *glob.Tree
	flush func() // returns when every event so far has been reported
}

// Run implements Body.
func (l *gather) Run(ctx context.Context, b *Bound) Result {
	rec := newRecording(b.Env, true)
	defer rec.close()
	b.Dir = l.Dir
	b.Env, b.Recorded, b.Capture = rec, true, b.Capture || l.Captured
	r := l.next.Run(ctx, b)
	l.flush()
	log, marks, err := rec.end()
	saving := &cache.Saving{Root: l.root, Log: log, Meta: cache.Log{Marks: marks}}
	if r.Err == nil {
		if err == nil {
			err = l.save(ctx, b, saving, r.Output)
		}
		if err != nil {
			r = Ended(ctx, err)
		}
	}
	l.Ended(marks, r.Err)
	return r
}

// save gathers the outputs of a step that has succeeded.
func (l *gather) save(ctx context.Context, b *Bound, s *cache.Saving, o *Output) (err error) {
	g := &generated{root: l.root, dir: l.root, patterns: Patterns(l.Generates)}
	if err := g.checkSinks(ctx, b); err != nil {
		return err
	}
	l.tree.MarkDirty()
	if s.Outputs, err = g.outputs(ctx, l.tree); err != nil {
		return err
	}
	var stdout io.Reader
	if b.readable() {
		var kept []byte
		if kept, err = describe(o, &s.Meta); err != nil {
			return err
		}
		stdout = bytes.NewReader(kept)
	}
	return cache.Gather(ctx, s, stdout)
}
