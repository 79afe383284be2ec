package report

import "github.com/weftrun/weft/engine/event"

// quiet shows a run without the output of commands.
type quiet struct{ Reporter }

// WithoutOutput returns a reporter that passes all events except output to r.
func WithoutOutput(r Reporter) Reporter { return quiet{r} }

// Handle implements Reporter.
func (q quiet) Handle(ev event.Event) {
	if out, ok := ev.(*event.Output); ok {
		release(out)
		return
	}
	q.Reporter.Handle(ev)
}
