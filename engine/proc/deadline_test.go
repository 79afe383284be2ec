package proc

import (
	"errors"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weftrun/weft/engine/keeper"
)

// fakeHost simulates programs. Each takes a time to end after SIGTERM, which is its Path, and ends
// at once at SIGKILL.
type fakeHost struct {
	host
	procs []*Process
}

func (h *fakeHost) start(p *Process, s *Spec, _ []string, _ [3]uintptr, _ keeper.StartFlags) error {
	p.pid, p.pgid = len(h.procs)+1, len(h.procs)+1
	h.procs = append(h.procs, p)
	return nil
}

// signal implements host. The lock of the target's group is held.
func (h *fakeHost) signal(s keeper.Signal) {
	for _, p := range h.procs {
		if p.g.id != s.Target || p.status.Code != 0 {
			continue
		}
		switch syscall.Signal(s.Signal) {
		case syscall.SIGKILL:
			p.ended(p.pid, p.pgid, Status{Code: 137, Signal: syscall.SIGKILL}, false)
		case syscall.SIGTERM:
			takes, _ := time.ParseDuration(p.path)
			time.AfterFunc(takes, func() {
				p.g.mu.Lock()
				defer p.g.mu.Unlock()
				if p.status.Code == 0 {
					p.ended(p.pid, p.pgid, Status{Code: 143, Signal: syscall.SIGTERM}, false)
				}
			})
		}
	}
}

func (h *fakeHost) members(uint32, string) []keeper.Member { return nil }
func (h *fakeHost) nextOrphan() <-chan struct{}            { return nil }
func (h *fakeHost) closed(uint32)                          {}
func (h *fakeHost) finish() []keeper.Member                { return nil }

// TestEndBy: programs that are stopped one after the other, like services, all end in time,
// whatever their grace and duration.
func TestEndBy(t *testing.T) {
	for name, test := range map[string]struct {
		takes []string // to end
		grace time.Duration
		end   time.Duration // 0: none
		want  []time.Duration
	}{
		"no limit":        {[]string{"2s", "1h", "1h"}, 5 * time.Second, 0, []time.Duration{2 * time.Second, 7 * time.Second, 12 * time.Second}},
		"in time":         {[]string{"2s", "3s"}, 60 * time.Second, 8 * time.Second, []time.Duration{2 * time.Second, 5 * time.Second}},
		"cut short":       {[]string{"2s", "1h", "1h"}, 5 * time.Second, 8 * time.Second, []time.Duration{2 * time.Second, 7 * time.Second, 8 * time.Second}},
		"without a grace": {[]string{"1h", "2s"}, 0, 8 * time.Second, []time.Duration{8 * time.Second, 8 * time.Second}},
		"too late":        {[]string{"1h", "1h", "1h"}, 20 * time.Second, 8 * time.Second, []time.Duration{8 * time.Second, 8 * time.Second, 8 * time.Second}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tab := NewTable(Options{After: time.After})
				tab.connecting.Do(func() { tab.host = new(fakeHost) })
				var groups []*Group
				var procs []*Process
				for _, takes := range test.takes {
					g := tab.NewGroup(GroupOptions{})
					p, err := g.Start(&Spec{Path: takes})
					if err != nil {
						t.Fatal(err)
					}
					groups, procs = append(groups, g), append(procs, p)
				}
				began := time.Now()
				if test.end > 0 {
					tab.SetStopDeadline(began.Add(test.end))
				}
				var got []time.Duration
				for i, g := range groups {
					g.Stop(errors.New("over"), Ladder{Grace: test.grace})
					procs[i].Wait()
					g.Close()
					got = append(got, time.Since(began).Round(time.Millisecond))
				}
				if !slices.Equal(got, test.want) {
					t.Errorf("ended at %v, want %v", got, test.want)
				}
				tab.Close(false)
			})
		})
	}
}
