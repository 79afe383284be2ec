package engine

import (
	"time"

	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/schema/diag"
)

// emit sends an event to the sink: through the queue of a run, or at once.
func (e *Engine) emit(ev event.Event) {
	switch {
	case e.queue != nil:
		e.queue.Emit(ev)
	case e.o.Sink != nil:
		e.asking.Lock()
		defer e.asking.Unlock()
		e.o.Sink(ev)
	}
}

func (e *Engine) warn(d *diag.Diagnostic) {
	e.emit(&event.DiagnosticFound{Time: time.Now(), Diagnostic: d})
}

func (e *Engine) computed(cmd, result string) {
	e.emit(&event.VarComputed{Time: time.Now(), Text: cmd, Result: result})
}

// observe keeps account of a run beside handing its events on.
func (e *Engine) observe(sink func(event.Event)) func(event.Event) {
	if sink == nil {
		sink = release
	}
	return func(ev event.Event) {
		e.progress.note(ev)
		sink(ev)
	}
}

// release is the sink of a run that nobody watches.
func release(ev event.Event) {
	if o, ok := ev.(*event.Output); ok && o.Release != nil {
		o.Release()
	}
}
