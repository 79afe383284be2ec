package serve

import (
	"sync"
	"time"

	"github.com/weftrun/weft/engine/cache"
)

const (
	// partialLife is how long an upload that broke off can be resumed.
	partialLife = 10 * time.Minute
	// maxPartials is how many such uploads there may be: each has an open file.
	maxPartials = 1000
)

// partials are uploads by the names of their streams: those under way, and those that broke off and
// can be resumed. Only this process knows them. Its methods may be called concurrently.
type partials struct {
	life  time.Duration
	stop  chan struct{} // closed when nothing is to expire any more
	ended sync.WaitGroup

	mu     sync.Mutex // guards the fields below
	byName map[string]*partial
	closed bool
}

// partial is one upload. Who has the last turn may use it: a client that lost its connection may
// come back before the server has noticed.
type partial struct {
	mu     sync.Mutex // guards the fields below, and is held while the upload is used
	upload *upload    // nil: over
	turn   int        // whose it is
	broken time.Time  // start of the time without a sender; zero while there is one
}

func newPartials(life time.Duration) *partials {
	p := &partials{life: life, stop: make(chan struct{}), byName: map[string]*partial{}}
	p.ended.Go(p.expireAll)
	return p
}

// expireAll discards what broke off too long ago, until stop is closed.
func (p *partials) expireAll() {
	tick := time.NewTicker(p.life / 10)
	defer tick.Stop()
	for {
		select {
		case now := <-tick.C:
			p.expire(now)
		case <-p.stop:
			return
		}
	}
}

// errTaken is the error of who lost its turn.
var errTaken = refuse(taken, "the upload continues on another stream")

// claim returns the upload called name, to which bytes from offset on are to be written, and the
// turn of the caller. An upload that does not exist begins, with create, at 0; an offset of 0
// begins it again. Any other offset than that which was reached is a refusal.
func (p *partials) claim(name string, offset int64, create func() (*upload, error)) (*partial, int, error) {
	one, err := p.lock(name)
	if err != nil {
		return nil, 0, err
	}
	defer one.mu.Unlock()
	if one.upload != nil && offset == 0 && one.upload.n > 0 {
		one.upload.discard()
		one.upload = nil
	}
	if one.upload == nil {
		if offset != 0 {
			p.forget(name, one)
			return nil, 0, refuse(badRange, "unknown upload: begin it again")
		}
		if one.upload, err = create(); err != nil {
			p.forget(name, one)
			return nil, 0, err
		}
	} else if offset != one.upload.n {
		return nil, 0, refuse(badRange, "the upload has %d bytes, so it cannot continue at offset %d", one.upload.n, offset)
	}
	one.turn++
	one.broken = time.Time{}
	return one, one.turn, nil
}

// lock returns the entry for name, whose mu the caller then holds.
func (p *partials) lock(name string) (*partial, error) {
	for {
		one, err := p.entry(name)
		if err != nil {
			return nil, err
		}
		one.mu.Lock()
		if again, err := p.entry(name); again == one || err != nil {
			if err != nil {
				one.mu.Unlock()
			}
			return one, err
		}
		one.mu.Unlock() // it was over meanwhile
	}
}

// entry returns the entry for name, which it makes if need be.
func (p *partials) entry(name string) (*partial, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, refuse(stopping, "the server is stopping")
	}
	one := p.byName[name]
	if one == nil {
		one = new(partial)
		p.byName[name] = one
	}
	return one, nil
}

// forget takes an upload that is over out of the list.
func (p *partials) forget(name string, one *partial) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.byName[name] == one {
		delete(p.byName, name)
	}
}

// reached returns how many bytes the upload called name has; ok is false if there is none.
func (p *partials) reached(name string) (n int64, ok bool) {
	p.mu.Lock()
	one := p.byName[name]
	p.mu.Unlock()
	if one == nil {
		return 0, false
	}
	one.mu.Lock()
	defer one.mu.Unlock()
	if one.upload == nil {
		return 0, false
	}
	return one.upload.n, true
}

// write writes bytes that begin at offset, for who has the turn.
func (one *partial) write(turn int, offset int64, b []byte) error {
	one.mu.Lock()
	defer one.mu.Unlock()
	switch {
	case one.turn != turn || one.upload == nil:
		return errTaken
	case offset != one.upload.n:
		return refuse(malformed, "after %d bytes a stream cannot continue at offset %d", one.upload.n, offset)
	}
	_, err := one.upload.Write(b)
	return err
}

// finish keeps the blob, for who has the turn.
func (p *partials) finish(name string, one *partial, turn int) error {
	one.mu.Lock()
	defer one.mu.Unlock()
	if one.turn != turn || one.upload == nil {
		return errTaken
	}
	err := one.upload.commit()
	one.upload = nil
	p.forget(name, one)
	return err
}

// leave ends a turn before the upload was finished. It can be resumed if resumable says so.
func (p *partials) leave(name string, one *partial, turn int, resumable bool) {
	one.mu.Lock()
	defer one.mu.Unlock()
	if one.turn != turn || one.upload == nil {
		return
	}
	if resumable && one.upload.n > 0 && p.room() {
		one.broken = time.Now()
		return
	}
	one.upload.discard()
	one.upload = nil
	p.forget(name, one)
}

// room reports whether another upload may be kept.
func (p *partials) room() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.closed && len(p.byName) <= maxPartials
}

// expire discards what broke off too long before now.
func (p *partials) expire(now time.Time) {
	p.discard(func(one *partial) bool { return !one.broken.IsZero() && now.Sub(one.broken) >= p.life })
}

// close discards everything. Nothing may be under way.
func (p *partials) close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	close(p.stop)
	p.ended.Wait()
	p.discard(func(*partial) bool { return true })
}

// discard discards the uploads that are to go.
func (p *partials) discard(goes func(*partial) bool) {
	p.mu.Lock()
	all := make(map[string]*partial, len(p.byName))
	for name, one := range p.byName {
		all[name] = one
	}
	p.mu.Unlock()
	for name, one := range all {
		one.mu.Lock()
		if one.upload != nil && goes(one) {
			one.upload.discard()
			one.upload = nil
			p.forget(name, one)
		}
		one.mu.Unlock()
	}
}

// partialOf returns a function that begins to receive a blob.
func (s *server) partialOf(d cache.Digest) func() (*upload, error) {
	return func() (*upload, error) { return s.store.create(d) }
}
