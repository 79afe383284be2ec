package executor

import (
	"context"
	"errors"
	"time"

	"github.com/weftrun/weft/engine/event"
)

// ErrPrecondition is the error of a step whose precondition fails.
var ErrPrecondition = errors.New("precondition not met")

// require ends steps whose preconditions fail.
type require struct {
	next Body
	test Test
	dry  bool
}

// Run implements Body.
func (l *require) Run(ctx context.Context, b *Bound) Result {
	if !b.Forced {
		if err := l.check(ctx, b); err != nil {
			return Ended(ctx, err)
		}
	}
	return l.next.Run(ctx, b)
}

func (l *require) check(ctx context.Context, b *Bound) error {
	if l.dry && b.steps.unknown(b.Step.EachRead) != nil {
		return nil // the outputs they use are unknown
	}
	for _, p := range b.Step.Preconditions() {
		if b.test(ctx, l.test, p.Cmd) == nil {
			continue
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		b.Emit(&event.PreconditionFailed{Time: time.Now(), Step: b.ID, Message: p.Msg})
		return ErrPrecondition
	}
	return nil
}
