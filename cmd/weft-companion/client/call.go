package client

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/weftrun/weft/cmd/weft-companion/packing"
	"github.com/weftrun/weft/engine/cache"
)

// connectLimit is how long it may take to connect and to negotiate.
const connectLimit = 5 * time.Second

// Cache is a connection to one shared cache. Its methods may be called concurrently.
type Cache struct {
	server   Server
	local    *cache.Disk
	push     bool
	say      *speaker
	auth     *credentials
	gate     gate
	breaker  breaker
	known    known
	screen   screen
	moving   transfers // downloads under way
	sending  transfers // uploads under way
	traffic  *traffic
	space    space
	codecs   packing.Codecs
	noBatch  atomic.Bool  // blobs cannot be read in batches
	noUpdate atomic.Bool  // nor stored
	pushed   atomic.Int64 // results

	asking chan struct{} // held by who negotiates

	mu         sync.Mutex // guards the fields below
	negotiated bool
	abilities  Abilities
	off        string // why the server is not used any more; "": it is
	readOnly   bool   // the server refuses to store
}

// traffic counts the bytes of blobs and results, as they are sent.
type traffic struct{ up, down atomic.Int64 }

// errUnused is the error of a call that is not made, since the server is not used now.
var errUnused = errors.New("the server is not used")

// newCache returns a Cache, which has not connected yet. It owns server.
func newCache(server Server, local *cache.Disk, push bool, say *speaker, auth *credentials, t *traffic) *Cache {
	return &Cache{server: server, local: local, push: push, say: say, auth: auth, traffic: t, asking: make(chan struct{}, 1), space: space{dir: local.Path()}}
}

// status returns what the server can do, and why it is not used any more, if that is so.
func (c *Cache) status() (a Abilities, off string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	a = c.abilities
	a.Writes = a.Writes && c.push && !c.readOnly
	return a, c.off
}

// isOff reports whether the server is not used any more.
func (c *Cache) isOff() bool {
	_, why := c.status()
	return why != "" || c.breaker.isOff()
}

// giveUp makes the server unused from now on.
func (c *Cache) giveUp(why string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.off == "" {
		c.off = why
	}
}

// ready negotiates with the server, unless that is done.
func (c *Cache) ready(ctx context.Context) error {
	select {
	case c.asking <- struct{}{}:
		defer func() { <-c.asking }()
	case <-ctx.Done():
		return ended(ctx)
	}
	c.mu.Lock()
	done, off := c.negotiated, c.off
	c.mu.Unlock()
	switch {
	case off != "":
		return errUnused
	case done:
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, connectLimit)
	defer cancel()
	var a Abilities
	err := c.do(ctx, asking, func(ctx context.Context) (err error) {
		a, err = c.server.Negotiate(ctx)
		return err
	})
	if err != nil {
		c.notNegotiated(err)
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.negotiated, c.abilities = true, a
	if c.push && !a.Writes {
		c.say.warnReadOnly("does not accept writes from here")
	}
	return nil
}

// notNegotiated draws the consequence of an error of the first call: a server that answers
// otherwise than it should is not used at all, others may be tried later.
func (c *Cache) notNegotiated(err error) {
	var f *Failure
	if !errors.As(err, &f) {
		return
	}
	switch f.Class {
	case passing, unreachable, late:
		if epoch, ok := c.breaker.enter(); ok && c.breaker.leave(epoch, gone) {
			c.say.warnDown(c.say.describe(f))
		}
	case denied: // attempt has said it
	default:
		c.giveUp(c.say.clean(f.Text))
		c.say.warnDown(fmt.Sprintf("cannot be used (%s)", c.say.clean(f.Text)))
	}
}

// do makes a call, and repeats it after failures that pass.
func (c *Cache) do(ctx context.Context, k kind, f func(context.Context) error) error {
	renewed := false
	var last error
	for try := 1; ; try++ {
		generation := c.auth.prepare(ctx)
		err := c.attempt(ctx, k, f)
		if errors.Is(err, errUnused) && last != nil {
			return last // the server was given up meanwhile
		}
		var fail *Failure
		if !errors.As(err, &fail) {
			return err
		}
		if fail.Class == denied {
			if !renewed && c.auth.renew(ctx, generation) {
				renewed = true
				continue
			}
			c.deny(k, fail)
			return err
		}
		if try >= fail.Tries || ctx.Err() != nil || !sleep(ctx, delay(try, fail.After)) {
			return err
		}
		last = err
	}
}

// attempt makes a call once, if the server is in use, when it is its turn.
func (c *Cache) attempt(ctx context.Context, k kind, f func(context.Context) error) error {
	if c.isOff() {
		return errUnused
	}
	leave, err := c.gate.enter(ctx, k)
	if err != nil {
		return err
	}
	defer leave()
	epoch, ok := c.breaker.enter()
	if !ok {
		return errUnused
	}
	err = f(ctx)
	if c.breaker.leave(epoch, verdictOf(err)) {
		var fail *Failure
		if errors.As(err, &fail) {
			c.say.warnDown(c.say.describe(fail))
		}
	}
	return err
}

// verdictOf returns what the error of an attempt says about the server.
func verdictOf(err error) verdict {
	class, ok := classOf(err)
	switch {
	case err == nil:
		return works
	case !ok:
		return nothing
	case class == unreachable:
		return gone
	case class == passing, class == late:
		return fails
	}
	return works // it answers
}

// deny draws the consequence of a call that the server does not allow.
func (c *Cache) deny(k kind, f *Failure) {
	text := c.say.clean(f.Text)
	if k == storing {
		c.readingOnly(text)
		return
	}
	c.giveUp("it refuses access: " + text)
	c.say.warnDown(fmt.Sprintf("refuses access (%s)", text))
}

// readingOnly ends all storing on the server.
func (c *Cache) readingOnly(why string) {
	c.mu.Lock()
	c.readOnly = true
	c.mu.Unlock()
	c.say.warnReadOnly(fmt.Sprintf("does not accept writes from here (%s)", why))
}
