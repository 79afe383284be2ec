package client

import (
	"context"
	"sync"
	"time"

	"github.com/weftrun/weft/engine/cache"
)

// A call of REAPI returns one result. To look for many results that do not exist, there is a faster way:
// whoever stores a result stores its action, too, and one call tells which of many actions the server
// lacks. So while look-ups are in vain, or nothing is known yet of several at once, the server is first
// asked for the actions. Some of its answers are verified: a server may have dropped an action and kept
// its result.
const (
	screenAfter = 8  // look-ups since the last one that has found a result
	verifyEvery = 32 // actions that the server lacks

	// surveyPause is how long a call waits for more actions: those that weft asks for together.
	surveyPause = 300 * time.Microsecond
)

// screen knows whether look-ups begin with the action. Its methods may be called concurrently; the zero
// value is ready to use.
type screen struct {
	ended sync.WaitGroup

	mu      sync.Mutex // guards the fields below
	tried   int        // look-ups since the last one that has found a result
	useless bool       // the server has results of actions that it lacks, or does not answer
	lacking int        // actions that the server lacks
	next    *survey    // nil: nobody waits for one
	asking  bool       // a survey is under way
}

// survey is one call about several actions.
type survey struct {
	actions []cache.Digest
	done    chan struct{} // closed when missing is set
	missing map[cache.Digest]bool
}

// lacks reports whether the server lacks an action, as far as it was asked.
func (c *Cache) lacks(ctx context.Context, action cache.Digest) bool {
	if a, _ := c.status(); c.say.executes || a.MaxMissing < maxMissing { // one call is for few actions
		return false
	}
	s := &c.screen
	s.mu.Lock()
	if s.useless || s.tried < screenAfter {
		s.tried++
		s.mu.Unlock()
		return false
	}
	if s.next == nil {
		s.next = &survey{done: make(chan struct{})}
	}
	v := s.next
	v.actions = append(v.actions, action)
	if !s.asking {
		s.asking = true
		s.ended.Go(func() { c.surveyAll(context.WithoutCancel(ctx)) })
	}
	s.mu.Unlock()
	select {
	case <-v.done:
		return v.missing[action]
	case <-ctx.Done():
		return false
	}
}

// surveyAll asks the server for the actions that somebody waits for, until nobody does.
func (c *Cache) surveyAll(ctx context.Context) {
	s := &c.screen
	for more := true; more; {
		time.Sleep(surveyPause)
		s.mu.Lock()
		v := s.next
		s.next = nil
		s.mu.Unlock()
		missing, err := c.survey(ctx, v.actions)
		v.missing = make(map[cache.Digest]bool, len(missing))
		for _, action := range missing {
			v.missing[action] = true
		}
		s.mu.Lock()
		s.useless = s.useless || err != nil
		more = s.next != nil
		s.asking = more
		s.mu.Unlock()
		close(v.done)
	}
}

// survey returns the actions that the server lacks. An error has no consequences for the server.
func (c *Cache) survey(ctx context.Context, actions []cache.Digest) (missing []cache.Digest, err error) {
	ctx, cancel := context.WithTimeout(ctx, lookupLimit)
	defer cancel()
	err = c.attempt(ctx, asking, func(ctx context.Context) (err error) {
		missing, err = c.server.Missing(ctx, Call{}, actions)
		return err
	})
	return missing, err
}

// trusts reports whether a result is not looked for, since the server lacks its action.
func (s *screen) trusts() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lacking++
	return s.lacking%verifyEvery != 1
}

// note takes note of what a look-up has found. lacking means that the server lacks the action.
func (s *screen) note(err error, lacking bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		s.tried = 0
		s.useless = s.useless || lacking
	}
}
