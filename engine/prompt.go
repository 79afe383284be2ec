package engine

import (
	"context"
	"errors"

	"github.com/weftrun/weft/engine/plan"
)

// Asker prompts the user. Its methods are called from one goroutine at a time, after every earlier
// event has been passed to the sink.
type Asker interface {
	// Confirm shows text and reports whether the answer was yes. It returns ErrNoTerminal if there is
	// no user to answer.
	Confirm(ctx context.Context, text string) (bool, error)
	// Value prompts for the value of a variable; choices, if any, are the allowed ones.
	Value(ctx context.Context, name string, choices []string) (string, error)
}

// ErrNoTerminal means that there is no user to answer a prompt.
var ErrNoTerminal = errors.New("not a terminal")

// PromptError is a prompt that was not answered with yes.
type PromptError struct {
	Task       string
	NoTerminal bool // there was no user to answer
}

func (e *PromptError) Error() string {
	if e.NoTerminal {
		return "Task \"" + e.Task + "\" cancelled because it has a prompt and the environment is not a terminal. Use --yes (-y) to run anyway."
	}
	return "Task \"" + e.Task + "\" cancelled by user"
}

// confirm shows one prompt at a time.
func (e *Engine) confirm(ctx context.Context, task, text string) error {
	e.asking.Lock()
	defer e.asking.Unlock()
	if e.o.Ask == nil {
		return &PromptError{Task: task, NoTerminal: true}
	}
	e.queue.Flush()
	yes, err := e.o.Ask.Confirm(ctx, e.secrets.Mask(text))
	switch {
	case errors.Is(err, ErrNoTerminal):
		return &PromptError{Task: task, NoTerminal: true}
	case err != nil:
		return err
	case !yes:
		return &PromptError{Task: task}
	}
	return nil
}

// Ask implements plan.Host.
func (h host) Ask(ctx context.Context, name string, choices func() ([]string, error)) (string, error) {
	defer h.e.asked.Add(1)
	if !h.e.o.Interactive || h.e.o.Ask == nil {
		return "", plan.ErrCannotAsk
	}
	allowed, err := choices()
	if err != nil {
		return "", err
	}
	h.e.asking.Lock()
	defer h.e.asking.Unlock()
	if h.e.queue != nil {
		h.e.queue.Flush()
	}
	s, err := h.e.o.Ask.Value(ctx, name, allowed)
	if errors.Is(err, ErrNoTerminal) {
		return "", plan.ErrCannotAsk
	}
	return s, err
}
