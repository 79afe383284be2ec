package pipe

import "sync"

// ahead is how many items may be filled before the first is put away.
const ahead = 4

// behind is a goroutine that puts away what another one fills, in the same order
// and a few items later: a disk does not hold up a program. Items are used again.
type behind[T any] struct {
	free  chan T
	work  chan T
	fault error         // of putting one away; read when over is closed
	over  chan struct{} // closed when no more are put away
	once  sync.Once     // closes work
}

// putBehind starts with the given items, ahead of them at the most, all free. It
// must be ended by end.
func putBehind[T any](items []T, put func(T) error) *behind[T] {
	b := &behind[T]{free: make(chan T, ahead), work: make(chan T, ahead), over: make(chan struct{})}
	for _, item := range items {
		b.free <- item
	}
	go func() {
		defer close(b.over)
		for item := range b.work {
			if b.fault = put(item); b.fault != nil {
				return
			}
			b.free <- item
		}
	}()
	return b
}

// take waits for a free item. ok is false after a fault.
func (b *behind[T]) take() (item T, ok bool) {
	select {
	case item = <-b.free:
		return item, true
	case <-b.over:
		return item, false
	}
}

// give hands over an item to be put away, or returns the fault.
func (b *behind[T]) give(item T) error {
	select {
	case b.work <- item:
		return nil
	case <-b.over:
		return b.fault
	}
}

// end returns when everything has been put away, or the fault.
func (b *behind[T]) end() error {
	b.once.Do(func() { close(b.work) })
	<-b.over
	return b.fault
}
