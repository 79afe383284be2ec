package client

import (
	"context"
	"slices"
	"sync"
)

const (
	maxCalls     = 16 // at a time
	maxBlobCalls = 8  // of them, those that carry blobs
)

// kind is what a call is for.
type kind uint8

const (
	asking  kind = iota // reads something small, for which somebody waits
	reading             // carries blobs from the server
	storing             // changes the server
)

// gate lets so many calls in at a time. Those that only ask something go first.
type gate struct {
	mu      sync.Mutex // guards all
	calls   int        // under way
	blobs   int        // of them, those that carry blobs
	asking  []chan struct{}
	waiting []chan struct{} // those that carry blobs
}

// enter waits for the turn of a call. leave must be called at its end.
func (g *gate) enter(ctx context.Context, k kind) (leave func(), err error) {
	blob := k != asking
	leave = func() { g.leave(blob) }
	g.mu.Lock()
	if g.admit(blob) {
		g.mu.Unlock()
		return leave, nil
	}
	turn := make(chan struct{})
	queue := g.queue(blob)
	*queue = append(*queue, turn)
	g.mu.Unlock()
	select {
	case <-turn:
		return leave, nil
	case <-ctx.Done():
	}
	g.mu.Lock()
	i := slices.Index(*queue, turn)
	if i >= 0 {
		*queue = slices.Delete(*queue, i, i+1)
	}
	g.mu.Unlock()
	if i < 0 { // its turn came meanwhile
		leave()
	}
	return nil, ended(ctx)
}

func (g *gate) queue(blob bool) *[]chan struct{} {
	if blob {
		return &g.waiting
	}
	return &g.asking
}

// admit lets a call in, if it may. The caller holds mu.
func (g *gate) admit(blob bool) bool {
	if g.calls == maxCalls || blob && (g.blobs == maxBlobCalls || len(g.asking) > 0) {
		return false
	}
	g.calls++
	if blob {
		g.blobs++
	}
	return true
}

func (g *gate) leave(blob bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.calls--
	if blob {
		g.blobs--
	}
	for _, blob := range [...]bool{false, true} {
		for queue := g.queue(blob); len(*queue) > 0 && g.admit(blob); *queue = (*queue)[1:] {
			close((*queue)[0])
		}
	}
}
