package sched

import (
	"fmt"

	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/plan"
)

// Messages between steps. A sender needs the receiver: a service must be ready, any other step
// starts together with the sender and settles before it, so that the sender fails with it. The
// receiver is notified when the last of its senders has ended.

// messageLinks are the message connections of a step, as sender or receiver.
type messageLinks struct {
	receivers []*node       // steps that receive messages of this one
	senders   int           // number of senders to this step that have not ended
	last      chan struct{} // closed when the last sender has ended; nil: no senders are possible
	closed    bool          // last is closed
}

// ClosedError is the error of sending messages to a service that accepts no more, although it is
// still needed: all its earlier senders have ended.
type ClosedError struct {
	Sender, Receiver *plan.Step
}

func (e *ClosedError) Error() string {
	return fmt.Sprintf("task %q sends messages to service %q, whose channel was closed when the other senders had ended; make all senders needs of one task", e.Sender.Label, e.Receiver.Label)
}

// sendsTooLate reports whether b sends messages to steps that accept no more, but that could be
// started anew.
func (l *loop) sendsTooLate(b *batch) bool {
	if !l.closedChannels {
		return false
	}
	for _, needs := range b.plan.Needs {
		for _, edge := range needs {
			if known := l.shared[b.plan.Steps[edge.Step]]; edge.Messages && known != nil && known.service == nil && known.ties.messages != nil && known.ties.messages.closed {
				return true
			}
		}
	}
	return false
}

// Unsent returns a channel that is closed when all senders to this step have ended. It is nil for a
// step without a message channel.
func (e *Env) Unsent() <-chan struct{} {
	if e.node.ties.messages == nil {
		return nil
	}
	return e.node.ties.messages.last
}

// receives prepares n to receive messages, if it may.
func (n *node) receives() {
	if n.step.HasChannel() {
		n.tie().messages = &messageLinks{last: make(chan struct{})}
	}
}

// send makes n a sender to one of its needs; if together is set, n does not wait for it.
func send(n, to *node, together bool) {
	if n.ties.messages == nil {
		n.tie().messages = &messageLinks{}
	}
	n.ties.messages.receivers = append(n.ties.messages.receivers, to)
	to.ties.messages.senders++
	switch {
	case to.ties.messages.closed:
		n.verdict = &Outcome{Result: event.Failed, Err: &ClosedError{Sender: n.step, Receiver: to.step}}
	case together && to.batch == n.batch:
		to.stream().senders = append(to.stream().senders, n)
		n.stream().writers++
	}
}

// sentLast records that n sends no more messages.
func (l *loop) sentLast(n *node) {
	for _, to := range n.ties.messages.receivers {
		r := to.ties.messages
		if r.senders--; r.senders > 0 || r.closed {
			continue
		}
		r.closed = true
		close(r.last)
		if to.service == nil && to.step.Shared() && l.r.o.Expander != nil {
			// Later senders start another instance.
			l.r.o.Expander.Forget(to.step)
			l.closedChannels = true
		}
	}
	n.ties.messages.receivers = nil
}
