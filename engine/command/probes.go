package command

import (
	"context"
	"sync"
)

// probes run the probes of one start of a service.
type probes struct {
	life         *life
	ended        <-chan struct{}
	cancel       context.CancelFunc // of the current probe; nil: none
	wg           sync.WaitGroup
	ready, alive chan error // results; nil: no such probe
}

// wait begins to wait until the service is ready.
func (p *probes) wait() {
	p.ready = make(chan error, 1)
	p.look(p.ready, func(ctx context.Context) error { return p.life.ready(ctx, p.ended) })
}

// watch starts the checks of `alive`, if there are any.
func (p *probes) watch() {
	if p.life.alive != nil && !isClosed(p.ended) {
		p.alive = make(chan error, 1)
		p.look(p.alive, p.life.alive)
	}
}

func (p *probes) look(seen chan<- error, look func(context.Context) error) {
	p.stop()
	ctx, cancel := context.WithCancel(context.Background())
	p.cancel = cancel
	p.wg.Go(func() { seen <- look(ctx) })
}

// stop ends the current check and waits for it.
func (p *probes) stop() {
	if p.cancel != nil {
		p.cancel()
	}
	p.wg.Wait()
}
