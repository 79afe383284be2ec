package executor

import (
	"context"
	"time"

	"github.com/weftrun/weft/engine/event"
)

// prompt shows the step's prompts, each of which must be answered with yes.
type prompt struct {
	next    Body
	confirm func(ctx context.Context, task, text string) error // prompts the user; an error ends the step
	flush   func()
	yes     bool // assume yes
	dry     bool
}

// Run implements Body.
func (l *prompt) Run(ctx context.Context, b *Bound) Result {
	if !l.dry && !b.asked {
		b.asked = true
		if err := l.ask(ctx, b); err != nil {
			return Ended(ctx, err)
		}
	}
	return l.next.Run(ctx, b)
}

func (l *prompt) ask(ctx context.Context, b *Bound) error {
	for _, text := range b.Step.Prompts() {
		switch {
		case text == "":
		case l.yes:
			b.Emit(&event.PromptAssumed{Time: time.Now(), Step: b.ID, Text: text})
			l.flush() // before the commands write to the same terminal
		default:
			if err := l.confirm(ctx, b.Step.Name, text); err != nil {
				return err
			}
		}
	}
	return nil
}
