package engine

import (
	"sync"
	"time"

	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/schema/diag"
)

// emit sends an event to the sink: through the queue of a run, or directly.
func (e *Engine) emit(ev event.Event) {
	switch {
	case e.queue != nil:
		e.queue.Emit(ev)
	default:
		e.asking.Lock()
		defer e.asking.Unlock()
		e.o.Sink(ev)
		if e.o.Drained != nil {
			e.o.Drained()
		}
	}
}

func (e *Engine) warn(d *diag.Diagnostic) {
	e.emit(&event.DiagnosticFound{Time: time.Now(), Diagnostic: d})
}

// observe updates the engine's state from an event, and passes it to the sink.
func (e *Engine) observe(ev event.Event) {
	e.progress.note(ev)
	e.up.note(ev)
	e.o.Sink(ev)
}

// release is the sink of a run without a sink.
func release(ev event.Event) {
	if o, ok := ev.(*event.Output); ok && o.Release != nil {
		o.Release()
	}
}

// queue passes events from the goroutines of a run to the sink, in order and from one goroutine.
// Emit never blocks; the memory for output is limited by the executor's buffers, that for other
// events only by the run's activity.
type queue struct {
	sink  func(event.Event)
	pause pause // of the serving goroutine

	mu      sync.Mutex // guards the fields below
	wake    *sync.Cond // an event was added, the pause is due, or closed
	handled *sync.Cond // the sink has received all events
	pending []event.Event
	spare   []event.Event
	added   uint64
	done    uint64
	roused  bool
	closed  bool
	ended   chan struct{}
}

// newQueue returns a queue for the sink. tick and drained are those of Options.
func newQueue(sink func(event.Event), tick func(time.Time), drained func()) *queue {
	q := &queue{sink: sink, ended: make(chan struct{})}
	q.pause = pause{tick: tick, drained: drained, wake: q.wakeUp}
	q.wake, q.handled = sync.NewCond(&q.mu), sync.NewCond(&q.mu)
	go q.serve()
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

// wakeUp makes the pause act.
func (q *queue) wakeUp() {
	q.mu.Lock()
	q.roused = true
	q.wake.Signal()
	q.mu.Unlock()
}

// Flush returns when all events added before have been passed to the sink.
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

func (q *queue) serve() {
	defer close(q.ended)
	q.mu.Lock()
	defer q.mu.Unlock()
	for {
		for len(q.pending) == 0 && !q.roused {
			if q.closed {
				q.pause.end()
				return
			}
			q.wake.Wait()
		}
		q.roused = false
		batch := q.pending
		q.pending = q.spare[:0]
		q.mu.Unlock()
		for i, ev := range batch {
			q.sink(ev)
			batch[i] = nil
		}
		q.mu.Lock()
		q.spare = batch
		q.done += uint64(len(batch))
		q.handled.Broadcast()
		if q.pause.needed() {
			empty := len(q.pending) == 0
			q.mu.Unlock()
			q.pause.act(time.Now(), len(batch) > 0, empty)
			q.mu.Lock()
		}
	}
}
