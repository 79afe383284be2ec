package client

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"

	repb "github.com/bazelbuild/remote-apis/build/bazel/remote/execution/v2"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/weftrun/weft/engine/cache"
)

// actionsOf returns n actions.
func actionsOf(n int) (actions []cache.Digest) {
	for i := range n {
		actions = append(actions, cache.DigestOf(fmt.Append(nil, "action ", i)))
	}
	return actions
}

// lookUpAll looks for all actions at the same time, and returns how many have a result. All others must
// have none.
func (l *lab) lookUpAll(actions []cache.Digest) (hits int) {
	l.t.Helper()
	var wg sync.WaitGroup
	var mu sync.Mutex
	for _, action := range actions {
		wg.Go(func() {
			_, err := l.lookup(l.t.Context(), Call{}, action)
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				hits++
			} else if !is(err, absent) {
				l.t.Error(err)
			}
		})
	}
	wg.Wait()
	return hits
}

// TestScreen: many look-ups in vain cost a few calls, and no result is missed that the server has
// with its action, or all of whose actions it lacks.
func TestScreen(t *testing.T) {
	const n = 200
	for _, c := range []struct {
		name            string
		results, stored int   // the last ones have a result; the action of the last ones is stored, too
		before          error // answers FindMissingBlobs
		hits            int
		most, least     int // calls of GetActionResult
	}{
		{"no results", 0, 0, nil, 0, screenAfter + n/verifyEvery + 1, screenAfter + n/verifyEvery},
		{"some results", 20, 20, nil, 20, n - 1, screenAfter + 20}, // after each some are looked for at once
		{"results without actions", n, 0, nil, n, n, n},
		{"actions without results", 0, n, nil, 0, n, n},
		{"not allowed", 20, 20, status.Error(codes.PermissionDenied, ""), 20, n, n},
		{"not known", 20, 20, status.Error(codes.Unimplemented, ""), 20, n, n},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newScript()
				s.before = func(_ context.Context, method string, _ int) error {
					if method == "FindMissingBlobs" {
						return c.before
					}
					return nil
				}
				l := newLab(t, s, false)
				actions := actionsOf(n)
				for i, action := range actions {
					if i >= n-c.results {
						s.results[action.Hex()] = &repb.ActionResult{}
					}
					if i >= n-c.stored {
						s.put(fmt.Append(nil, "action ", i))
					}
				}
				if c.hits == n { // what is looked for first may be missed
					if hits := l.lookUpAll(actions[:screenAfter]); hits != screenAfter {
						t.Fatalf("%d hits at first", hits)
					}
					hits := 0
					for _, action := range actions[screenAfter:] {
						hits += l.lookUpAll([]cache.Digest{action})
					}
					c.hits -= screenAfter
					if hits != c.hits {
						t.Errorf("%d hits, want %d", hits, c.hits)
					}
				} else if hits := l.lookUpAll(actions); hits != c.hits {
					t.Errorf("%d hits, want %d", hits, c.hits)
				}
				if got := s.count("GetActionResult"); got > c.most || got < c.least {
					t.Errorf("%d look-ups, want %d to %d", got, c.least, c.most)
				}
				if calls := s.count("FindMissingBlobs"); calls > n/10 {
					t.Errorf("%d calls", calls)
				}
				if got := l.say.take(); len(got) != 0 {
					t.Errorf("got %q", got)
				}
			})
		})
	}
}

// TestUselessScreen: a server that has dropped actions and kept their results is soon no longer asked for
// actions.
func TestUselessScreen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript()
		l := newLab(t, s, false)
		if hits := l.lookUpAll(actionsOf(2 * screenAfter)); hits != 0 {
			t.Fatalf("%d hits", hits)
		}
		actions := actionsOf(300)[2*screenAfter:]
		for _, action := range actions {
			s.results[action.Hex()] = &repb.ActionResult{}
		}
		missed := 0
		for _, action := range actions {
			missed += 1 - l.lookUpAll([]cache.Digest{action})
		}
		if missed > verifyEvery {
			t.Errorf("%d results were missed", missed)
		}
	})
}
