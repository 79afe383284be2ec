package engine

import (
	"sync"
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

// queue hands events from the goroutines of a run to the sink, in order and
// from one goroutine. Emit never blocks; the memory of output is bounded by
// the executor's buffers, that of all other events by what the run does.
type queue struct {
	mu      sync.Mutex // guards the fields below
	wake    *sync.Cond // something was added, or closed
	handled *sync.Cond // the sink has caught up
	pending []event.Event
	spare   []event.Event
	added   uint64
	done    uint64
	closed  bool
	ended   chan struct{}
}

func newQueue(sink func(event.Event)) *queue {
	q := &queue{ended: make(chan struct{})}
	q.wake, q.handled = sync.NewCond(&q.mu), sync.NewCond(&q.mu)
	go q.serve(sink)
	return q
}

// Emit adds an event.
func (q *queue) Emit(ev event.Event) {
	q.mu.Lock()
	q.pending = append(q.pending, ev)
	q.added++
	if len(q.pending) == 1 {
		q.wake.Signal()
	}
	q.mu.Unlock()
}

// Flush returns when everything added before has been handed to the sink.
func (q *queue) Flush() {
	q.mu.Lock()
	for until := q.added; q.done < until; {
		q.handled.Wait()
	}
	q.mu.Unlock()
}

// Close flushes and ends the queue.
func (q *queue) Close() {
	q.mu.Lock()
	q.closed = true
	q.wake.Signal()
	q.mu.Unlock()
	<-q.ended
}

func (q *queue) serve(sink func(event.Event)) {
	defer close(q.ended)
	q.mu.Lock()
	defer q.mu.Unlock()
	for {
		for len(q.pending) == 0 {
			if q.closed {
				return
			}
			q.wake.Wait()
		}
		batch := q.pending
		q.pending = q.spare[:0]
		q.mu.Unlock()
		for i, ev := range batch {
			sink(ev)
			batch[i] = nil
		}
		q.mu.Lock()
		q.spare = batch
		q.done += uint64(len(batch))
		q.handled.Broadcast()
	}
}
