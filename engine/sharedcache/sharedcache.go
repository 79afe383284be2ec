// Package sharedcache uses the results that machines of a team share. It owns the limits of time,
// what is counted, and which warnings the user sees. It knows neither tasks, whose results package
// executor restores and stores, nor servers, which the second program talks to: see package
// channel for the requests.
//
// Nothing about a shared cache fails a task. A request that fails, or takes too long, is a miss.
package sharedcache

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/weftrun/weft/engine/cache"
	"github.com/weftrun/weft/engine/channel"
	"github.com/weftrun/weft/engine/companion"
)

// client are the requests to the second program; see [companion.Server].
type client interface {
	Lookup(context.Context, *channel.LookupRequest) (*channel.Found, error)
	Fetch(context.Context, *channel.FetchRequest) (*channel.Fetched, error)
	Store(context.Context, *channel.StoreRequest) (*channel.Stored, error)
	Flush(context.Context, *channel.FlushRequest) (*channel.Totals, error)
}

// Cache is the shared cache of a run. It is safe for concurrent use.
type Cache struct {
	client client
	local  string // directory of the local cache
	stores sync.WaitGroup

	mu       sync.Mutex // guards the fields below
	off      bool       // it is not used any more
	used     bool       // there was a request
	late     int        // successive lookups without an answer
	refused  bool       // there was a warning of a result that is not used
	told     map[string]bool
	untold   []string
	storing  int // results that the second program has not been given yet
	lookups  int
	restored int
}

// New returns a Cache that connects as q says, when it is first used. q must not be changed. Its
// Local is the directory of the local cache.
func New(c *companion.Companion, q *channel.ConnectRequest) *Cache {
	s := &Cache{local: q.Local, told: map[string]bool{}}
	s.client = c.Server(q, func(a *channel.Connection) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.off = s.off || a.Off != ""
		s.warn(a.Warnings...)
	})
	return s
}

// How long a lookup may take, start and connection included, and how many in a row may take longer.
// The second program gives up after 5 seconds.
const (
	lookupLimit = 5500 * time.Millisecond
	maxLate     = 3
)

var errLate = errors.New("weft-companion does not answer: going on without it")

// Lookup returns the result of an Action of a task; nil if there is none. It must be checked before
// it is restored. The Cache must be Usable.
func (s *Cache) Lookup(ctx context.Context, task string, action cache.Digest) *cache.ActionResult {
	limited, cancel := context.WithTimeoutCause(ctx, lookupLimit, errLate)
	defer cancel()
	found, err := s.client.Lookup(limited, &channel.LookupRequest{Action: channel.Blob(action), Task: task})
	if err != nil {
		s.failed(ctx, err)
		return nil
	}
	s.mu.Lock()
	s.late = 0
	s.warn(found.Warnings...)
	if found.Lookup == channel.Off {
		s.off = true
	} else {
		s.lookups++
	}
	s.mu.Unlock()
	if found.Lookup != channel.Hit {
		return nil
	}
	r, err := s.decode(ctx, found)
	if err != nil {
		s.Refuse(task, err)
		return nil
	}
	return r
}

// Usable reports whether a request may be sent, which it expects to be.
func (s *Cache) Usable() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used = s.used || !s.off
	return !s.off
}

// failed handles the error of a request.
func (s *Cache) failed(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return // the run ends
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	_, unavailable := errors.AsType[*companion.UnavailableError](err)
	if err == errLate {
		s.late++
		unavailable = s.late >= maxLate
	}
	if unavailable {
		s.off = true
	}
	if unavailable || err != errLate {
		s.warn(err.Error())
	}
}

// decode returns the result of an answer.
func (s *Cache) decode(ctx context.Context, found *channel.Found) (*cache.ActionResult, error) {
	if found.Large == (channel.Blob{}) {
		return cache.DecodeActionResult(found.Result)
	}
	if found.Large.Size > cache.MaxResult {
		return nil, fmt.Errorf("it has %d bytes", found.Large.Size)
	}
	disk, err := cache.Open(s.local)
	if err != nil {
		return nil, err
	}
	defer disk.Close()
	f, err := disk.OpenBlob(ctx, cache.Digest(found.Large))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	if err != nil {
		return nil, err
	}
	return cache.DecodeActionResult(b)
}

// Fetch puts blobs of a task's result into the local cache, and reports whether all of them are
// there.
func (s *Cache) Fetch(ctx context.Context, task string, blobs []cache.Digest) bool {
	for len(blobs) > 0 {
		n := min(len(blobs), channel.MaxBlobs)
		q := &channel.FetchRequest{Task: task, Blobs: make([]channel.Blob, n)}
		for i := range q.Blobs {
			q.Blobs[i] = channel.Blob(blobs[i])
		}
		blobs = blobs[n:]
		a, err := s.client.Fetch(ctx, q)
		if err != nil {
			s.failed(ctx, err)
			return false
		}
		s.mu.Lock()
		s.warn(a.Warnings...)
		known := len(s.told) > 0 // probably the reason
		s.mu.Unlock()
		switch {
		case len(a.Missing) > 0:
			s.refuse(task, fmt.Sprintf("is not whole (blob %.8s is missing)", cache.Digest(a.Missing[0]).Hex()))
			return false
		case a.Problem != "":
			if !known {
				s.refuse(task, "cannot be fetched ("+a.Problem+")")
			}
			return false
		}
	}
	return true
}

// Restored counts a result that was found and restored.
func (s *Cache) Restored() {
	s.mu.Lock()
	s.restored++
	s.mu.Unlock()
}

// Refuse warns, once, that what was found for a task is not used.
func (s *Cache) Refuse(task string, why error) {
	s.refuse(task, "cannot be used ("+why.Error()+")")
}

// refuse warns of the first result that is not used: a server that has one may have many.
func (s *Cache) refuse(task, what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.refused {
		s.refused = true
		s.untold = append(s.untold, fmt.Sprintf("what is stored for %q %s: running it", task, what))
	}
}

// Store has the result of a task stored, and returns at once. Its blobs are in the local cache.
func (s *Cache) Store(task string, key *cache.Key, r *cache.ActionResult) {
	if !s.Usable() {
		return
	}
	s.store(1)
	s.stores.Go(func() {
		defer s.store(-1)
		q := &channel.StoreRequest{Task: task, Action: channel.Blob(key.Action), Message: key.Messages[0], Command: key.Messages[len(key.Messages)-1], Result: r.Append(nil)}
		err := s.large(q)
		var a *channel.Stored
		if err == nil {
			a, err = s.client.Store(context.Background(), q)
		}
		if err != nil {
			s.failed(context.Background(), err)
			return
		}
		s.mu.Lock()
		s.warn(a.Warnings...)
		s.mu.Unlock()
	})
}

// store adds n to the number of results being stored.
func (s *Cache) store(n int) {
	s.mu.Lock()
	s.storing += n
	s.mu.Unlock()
}

// large makes a large result of q a blob.
func (s *Cache) large(q *channel.StoreRequest) error {
	if len(q.Result) <= channel.MaxInline {
		return nil
	}
	disk, err := cache.Open(s.local)
	if err != nil {
		return err
	}
	defer disk.Close()
	blob, err := disk.Put(q.Result)
	q.Result, q.Large = nil, channel.Blob(blob)
	return err
}

// warn adds warnings that were not added before. s.mu is held.
func (s *Cache) warn(texts ...string) {
	for _, t := range texts {
		if !s.told[t] {
			s.told[t] = true
			s.untold = append(s.untold, t)
		}
	}
}

// Warnings returns the warnings since the last call. They must be escaped.
func (s *Cache) Warnings() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	untold := s.untold
	s.untold = nil
	return untold
}

// Totals are numbers of a run.
type Totals struct {
	Hits, Misses, Pushed, Pending int64 // results
	Up, Down                      int64 // bytes
}

// Flush waits until everything is stored, limit is over or ctx is done, and returns the numbers of
// the run; nil if nothing was sent or received.
func (s *Cache) Flush(ctx context.Context, limit time.Duration) *Totals {
	s.mu.Lock()
	used := s.used
	s.mu.Unlock()
	if !used {
		return nil
	}
	const slack = time.Second
	ctx, cancel := context.WithTimeout(ctx, limit+slack)
	defer cancel()
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		s.stores.Wait()
	}()
	select {
	case <-sent:
	case <-ctx.Done():
	}
	a, err := s.client.Flush(ctx, &channel.FlushRequest{Limit: limit})
	if err != nil { // the user does not wait
		now, cancel := context.WithTimeout(context.Background(), slack)
		defer cancel()
		a, err = s.client.Flush(now, new(channel.FlushRequest))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		a = new(channel.Totals)
	}
	s.warn(a.Warnings...)
	reached := s.lookups > 0 && len(s.told) == 0 // as far as is known
	pending := a.Pending + int64(s.storing)
	if s.restored == 0 && a.Up+a.Down+pending == 0 && !reached {
		return nil
	}
	return &Totals{Hits: int64(s.restored), Misses: int64(s.lookups - s.restored), Pushed: a.Pushed, Pending: pending, Up: a.Up, Down: a.Down}
}
