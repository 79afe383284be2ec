package watch

import (
	"context"
	"time"

	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/schema/diag"
)

// deliver hands the event of a run to the sink.
func (w *Watcher) deliver(ev event.Event) {
	w.telling.Lock()
	defer w.telling.Unlock()
	w.sink(ev)
}

// tell hands an event of the watching itself to the sink.
func (w *Watcher) tell(ev event.Event) {
	if w.sink == nil {
		return
	}
	if secrets := w.o.Engine.Secrets; secrets.Any() {
		ev = event.Masked(ev, secrets.Mask)
	}
	w.deliver(ev)
}

func (w *Watcher) warn(problem string) {
	w.tell(&event.DiagnosticFound{Time: time.Now(), Diagnostic: &diag.Diagnostic{Severity: diag.Warning, Kind: diag.Suspicious, What: problem}})
}

// failed tells why something could not be done, unless it was the end of the watching.
func (w *Watcher) failed(ctx context.Context, err error) {
	if ctx.Err() == nil {
		w.tell(&event.WatchFailed{Time: time.Now(), Err: err})
	}
}
