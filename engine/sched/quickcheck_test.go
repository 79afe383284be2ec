package sched_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/engine/sched"
)

// checkable returns the verb for quick checks of the first command of s.
func checkable(s *plan.Step) (verb string, takes time.Duration) {
	if len(s.Task.Cmds) == 0 {
		return "", 0
	}
	verb, arg, _ := strings.Cut(s.Task.Cmds[0].Text.S, " ")
	takes, _ = time.ParseDuration(arg)
	return verb, takes
}

func (f *fake) MayQuickCheck(s *plan.Step) bool {
	verb, _ := checkable(s)
	return verb == "fresh" || verb == "stale"
}

// QuickCheck takes a slot, as a body does.
func (f *fake) QuickCheck() sched.QuickCheck {
	n := f.now.Add(1)
	for m := f.most.Load(); n > m && !f.most.CompareAndSwap(m, n); m = f.most.Load() {
	}
	return fakeQuickCheck{f}
}

type fakeQuickCheck struct{ f *fake }

func (l fakeQuickCheck) Fresh(_ context.Context, s *plan.Step) bool {
	l.f.mu.Lock()
	l.f.checked = append(l.f.checked, s.Name)
	l.f.mu.Unlock()
	verb, takes := checkable(s)
	if takes > 0 {
		time.Sleep(takes)
	}
	return verb == "fresh"
}

func (l fakeQuickCheck) Close() { l.f.now.Add(-1) }

// independent returns a workflow of tasks t0, t1, … with these commands, which "all" needs.
func independent(commands ...string) string {
	var lines, names strings.Builder
	for i, c := range commands {
		fmt.Fprintf(&names, "t%d ", i)
		fmt.Fprintf(&lines, "t%d: | %s\n", i, c)
	}
	return lines.String() + "all: " + names.String() + "|\n"
}

func repeat(command string, n int) []string { return slices.Repeat([]string{command}, n) }

func TestQuickChecks(t *testing.T) {
	for _, tt := range []struct {
		name     string
		commands []string
		limit    int
		took     time.Duration
		checks   int // number of quick checks
		executed int // number of executed steps, without "all"
		chance   int // by how much executed may be larger, and checks smaller
	}{
		{"all fresh", repeat("fresh", 100), 2, 0, 100, 0, 0},
		{"all stale: each slot tries once", repeat("stale; sleep 1s", 10), 2, 5 * time.Second, 2, 10, 0},
		{"slow quick checks are shared between the slots", repeat("fresh 2ms", 8), 2, 8 * time.Millisecond, 8, 0, 0},
		{"one stale among many", slices.Concat(repeat("fresh", 50), []string{"stale; sleep 1s"}, repeat("fresh", 49)), 2, time.Second, 100, 1, 2},
		{"none at one slot", repeat("fresh", 10), 1, 0, 0, 10, 0},
		{"only of what can be checked", slices.Concat(repeat("sleep 1s", 2), repeat("fresh", 2)), 4, time.Second, 2, 2, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := run(t, independent(tt.commands...), sched.Options{Limit: tt.limit}, nil)
			if r.err != nil || len(r.settled) != len(tt.commands)+1 {
				t.Errorf("err %v, %d settled", r.err, len(r.settled))
			}
			more, fewer := len(r.f.order)-1-tt.executed, tt.checks-len(r.f.checked)
			if r.took != tt.took || more < 0 || more > tt.chance || fewer < 0 || fewer > tt.chance {
				t.Errorf("took %v, want %v; %d too many executed, %d checks too few", r.took, tt.took, more, fewer)
			}
			if most := int(r.f.most.Load()); most > tt.limit {
				t.Errorf("%d at once", most)
			}
		})
	}
}

// Steps after a stale one return to the queue at once, in their order.
func TestQuickCheckHandsBack(t *testing.T) {
	lines := independent("stale; sleep 10s", "sleep 1s", "sleep 1s", "sleep 1s", "sleep 1s", "sleep 1s", "sleep 1s", "sleep 1s", "stale; sleep 1s", "stale; sleep 1s")
	r := run(t, lines, sched.Options{Limit: 2}, nil)
	if r.took != 10*time.Second || r.at["t9"] != 9*time.Second {
		t.Errorf("took %v, t9 ended after %v", r.took, r.at["t9"])
	}
}

// A step that is cancelled during its quick check settles once, and the run does not end before the
// check.
func TestQuickCheckCancelled(t *testing.T) {
	cause := errors.New("enough")
	settled, checked := map[string]int{}, false
	lines := independent(append([]string{"sleep 1s; fail"}, repeat("fresh 5s", 4)...)...)
	for name, o := range map[string]struct {
		options sched.Options
		during  func(context.CancelCauseFunc)
	}{
		"failfast":  {options: sched.Options{Failfast: true}},
		"cancelled": {during: func(cancel context.CancelCauseFunc) { time.Sleep(time.Second / 2); cancel(cause) }},
	} {
		t.Run(name, func(t *testing.T) {
			clear(settled)
			o.options.Limit = 3
			o.options.Emit = func(ev event.Event) {
				if s, ok := ev.(*event.StepSettled); ok {
					settled[s.Name]++
				}
			}
			r := run(t, lines, o.options, o.during)
			checked = checked || len(r.f.checked) > 0
			if r.err == nil || r.f.now.Load() != 0 || r.took != 5*time.Second {
				t.Errorf("err %v, %d at work at the end, took %v", r.err, r.f.now.Load(), r.took)
			}
			for name, n := range settled {
				if n != 1 {
					t.Errorf("%s settled %d times", name, n)
				}
			}
			if len(settled) != 6 {
				t.Errorf("%d steps settled", len(settled))
			}
		})
	}
	if !checked {
		t.Error("nothing was checked")
	}
}
