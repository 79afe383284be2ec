package executor

import (
	"context"
	"time"

	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/plan"
)

// skip ends steps that their condition or their platforms exclude.
type skip struct{ next Body }

// Run implements Body.
func (l *skip) Run(ctx context.Context, b *Bound) Result {
	reason := event.ByIf
	switch b.Step.Skip {
	case plan.NotSkipped:
		return l.next.Run(ctx, b)
	case plan.ByPlatform:
		reason = event.ByPlatform
	}
	b.Emit(&event.TaskSkipped{Time: time.Now(), Step: b.ID, Reason: reason})
	return Result{Outcome: event.Skipped}
}
