package executor

import (
	"slices"
	"sync"

	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/internal/limit"
)

// Receiver receives messages of other steps. Its methods must not block.
type Receiver interface {
	// Forward delivers a message, which is JSON on one line. The error means that too many are waiting
	// for the program to read them.
	Forward(message []byte) error
	// Disconnect reports the end of messages.
	Disconnect()
}

// ReadsMessages reports whether an output of the step is made from the messages of its commands.
func (b *Bound) ReadsMessages() bool {
	return slices.ContainsFunc(b.Step.Outputs(), func(o plan.Output) bool { return o.From == "message" })
}

// SendMessage sends a message to the step that to names. It is dropped if that step has ended. The
// error is a *limit.Exceeded.
func (b *Bound) SendMessage(to *plan.TaskRef, message []byte) error {
	return b.steps.inboxes.of(b.Step.Receiver(to)).send(message)
}

// Receive makes r receive the messages that other steps send to this one, including those that
// arrived while there was no receiver, until the returned function is called.
func (b *Bound) Receive(r Receiver) (stop func(), err error) {
	unsent := b.Env.Unsent()
	if unsent == nil {
		return func() {}, nil
	}
	i := b.steps.inboxes.of(b.Step)
	if err := i.add(r); err != nil {
		return nil, err
	}
	stopped := make(chan struct{})
	go func() {
		select {
		case <-unsent:
			i.complete()
		case <-stopped:
		}
	}()
	return func() {
		close(stopped)
		i.remove(r)
	}, nil
}

// inboxes are the inboxes of steps that messages were sent to. The zero value is empty.
type inboxes struct {
	mu  sync.Mutex // guards all
	all map[*plan.Step]*inbox
}

func (x *inboxes) of(s *plan.Step) *inbox {
	x.mu.Lock()
	defer x.mu.Unlock()
	i := x.all[s]
	if i == nil {
		i = new(inbox)
		if x.all == nil {
			x.all = map[*plan.Step]*inbox{}
		}
		x.all[s] = i
	}
	return i
}

// ended discards the inbox of s, which receives nothing more.
func (x *inboxes) ended(s *plan.Step) {
	x.mu.Lock()
	i := x.all[s]
	x.mu.Unlock()
	if i != nil {
		i.end()
	}
}

// inbox holds the messages for one step. Each is delivered to all current receivers: one, unless
// several commands of the step run concurrently.
type inbox struct {
	mu        sync.Mutex // guards the fields below
	receivers []Receiver
	waiting   [][]byte // for the first receiver
	bytes     int      // total size of waiting
	closed    bool     // nothing more is delivered
}

// maxWaiting is the maximum total size of messages waiting for a step, in bytes.
const maxWaiting = 64 << 20

var errWaiting = &limit.Exceeded{What: "the size of the messages that wait for another task (ipc: to)", Limit: maxWaiting, Hint: "none of its commands has opened the channel"}

func (i *inbox) send(message []byte) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	switch {
	case i.closed:
	case i.receivers == nil && i.bytes+len(message) > maxWaiting:
		return errWaiting
	case i.receivers == nil:
		i.waiting = append(i.waiting, slices.Clone(message))
		i.bytes += len(message)
		limit.AddExempt(len(message))
	default:
		for _, r := range i.receivers {
			if err := r.Forward(message); err != nil {
				return err
			}
		}
	}
	return nil
}

// add adds a receiver, which receives the waiting messages.
func (i *inbox) add(r Receiver) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, message := range i.waiting {
		if err := r.Forward(message); err != nil {
			return err
		}
	}
	i.drop()
	i.receivers = append(i.receivers, r)
	return nil
}

// remove removes a receiver.
func (i *inbox) remove(r Receiver) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.receivers = slices.DeleteFunc(i.receivers, func(other Receiver) bool { return other == r })
	if len(i.receivers) == 0 {
		i.receivers = nil
	}
}

// complete notifies the receivers that there are no more messages.
func (i *inbox) complete() {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, r := range i.receivers {
		r.Disconnect()
	}
}

// end discards waiting and later messages.
func (i *inbox) end() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.closed = true
	i.drop()
}

// drop discards the waiting messages; i.mu is held.
func (i *inbox) drop() {
	limit.AddExempt(-i.bytes)
	i.waiting, i.bytes = nil, 0
}
