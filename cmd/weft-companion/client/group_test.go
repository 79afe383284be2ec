package client

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"

	"github.com/weftrun/weft/engine/cache"
)

// TestStoreGroup: what several results need is uploaded with few calls, and one that fails does not
// keep the others from being stored.
func TestStoreGroup(t *testing.T) {
	const n = 20
	for name, broken := range map[string]bool{"all": false, "one is broken": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newScript()
				l := newLab(t, s, false)
				var group []*storage
				for i := range n {
					message := fmt.Append(nil, "action ", i)
					action, output := cache.DigestOf(message), l.keep(fmt.Append(nil, "output ", i))
					group = append(group, &storage{
						action: action, blobs: []cache.Digest{action, output},
						memory: map[cache.Digest][]byte{action: message}, result: (&cache.ActionResult{Stdout: output}).Append(nil),
					})
				}
				want := n
				if broken {
					gone := group[7].blobs[1].Hex()
					if err := os.Remove(filepath.Join(l.local.Path(), "v1", "cas", gone[:2], gone)); err != nil {
						t.Fatal(err)
					}
					want--
				}
				l.storeGroup(t.Context(), group)
				if got := int(l.pushed.Load()); got != want || len(s.results) != want {
					t.Errorf("%d results are stored, the server has %d, want %d", got, len(s.results), want)
				}
				for i, g := range group {
					if _, ok := s.blobs[g.action.String()]; !ok && !(broken && i == 7) {
						t.Errorf("the server lacks the action %d", i)
					}
				}
				if asked, sent := s.count("FindMissingBlobs"), s.count("BatchUpdateBlobs"); !broken && asked+sent > 2 {
					t.Errorf("%d and %d calls", asked, sent)
				}
			})
		})
	}
}

// TestQueueGroups: results that wait are stored together.
func TestQueueGroups(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript()
		l := newLab(t, s, false)
		for i := range 100 {
			message := fmt.Append(nil, "action ", i)
			action := cache.DigestOf(message)
			if !l.queue.add(&storage{action: action, blobs: []cache.Digest{action}, memory: map[cache.Digest][]byte{action: message}, result: (&cache.ActionResult{Stdout: action}).Append(nil)}) {
				t.Fatal("not accepted")
			}
		}
		l.queue.flush(t.Context())
		if l.pushed.Load() != 100 || l.queue.pending() != 0 {
			t.Errorf("%d stored, %d pending", l.pushed.Load(), l.queue.pending())
		}
		if calls := s.count("FindMissingBlobs"); calls > 20 {
			t.Errorf("%d calls", calls)
		}
	})
}
