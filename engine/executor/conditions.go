package executor

import (
	"context"
	"errors"

	"github.com/weftrun/weft/engine/event"
)

// ErrPrecondition is why a step whose precondition does not hold fails.
var ErrPrecondition = errors.New("precondition not met")

// preconditions checks what must hold before anything else of the step.
func (r *run) preconditions(ctx context.Context) error {
	if r.x.o.Dry && r.x.unknown(r.step.EachRead) != nil {
		return nil // what they ask about is not known
	}
	for _, p := range r.step.Preconditions() {
		if err := r.condition(ctx, p.Cmd); err != nil {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			r.emit(&event.PreconditionFailed{Time: now(), Step: r.id(), Message: p.Msg})
			return ErrPrecondition
		}
	}
	return nil
}

// prompts asks the step's questions; each must be answered with yes.
func (r *run) prompts(ctx context.Context) error {
	if r.x.o.Dry {
		return nil
	}
	for _, text := range r.step.Prompts() {
		if text == "" {
			continue
		}
		if r.x.o.AssumeYes {
			r.emit(&event.PromptAssumed{Time: now(), Step: r.id(), Text: text})
			r.x.o.Flush() // before the commands write to the same terminal
			continue
		}
		if err := r.x.o.Confirm(ctx, r.step.Name, text); err != nil {
			return err
		}
	}
	return nil
}
