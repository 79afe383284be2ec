package engine

import (
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weftrun/weft/engine/event"
)

// TestDrained: it is called at once after a lone event, at most every few milliseconds during many,
// and always after the last one of a run.
func TestDrained(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var got, drained int
		var at []time.Duration
		q := newQueue(func(event.Event) { got++ }, nil, func() {
			drained = got
			at = append(at, time.Since(began))
		})
		q.Emit(&event.Resumed{})
		synctest.Wait()
		if drained != 1 {
			t.Errorf("after the first event %d are told", drained)
		}
		for range 100 { // within 10 ms
			q.Emit(&event.Resumed{})
			time.Sleep(100 * time.Microsecond)
		}
		time.Sleep(drainPause)
		synctest.Wait()
		if drained != 101 {
			t.Errorf("%d of 101 events are told", drained)
		}
		for i := range at[1:] {
			if pause := at[i+1] - at[i]; pause < drainPause {
				t.Errorf("twice within %s", pause)
			}
		}
		if n := len(at); n < 3 || n > 5 {
			t.Errorf("told %d times: %v", n, at)
		}
		times := len(at)
		time.Sleep(time.Hour)
		synctest.Wait()
		if len(at) > times {
			t.Error("told without events")
		}
		q.Emit(&event.Resumed{})
		q.Close()
		if drained != 102 {
			t.Errorf("at the end %d events are told", drained)
		}
	})
}

// TestTick: it is called ten times a second during activity, once a second otherwise, and on the
// goroutine of the sink.
func TestTick(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var mu sync.Mutex // guards told
		var told []time.Duration
		ticks := func() []time.Duration {
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			return slices.Clone(told)
		}
		busy := false // only one goroutine calls
		enter := func() func() {
			if busy {
				t.Error("called while another call goes on")
			}
			busy = true
			return func() { busy = false }
		}
		q := newQueue(func(event.Event) {
			defer enter()()
			time.Sleep(time.Millisecond)
		}, func(now time.Time) {
			defer enter()()
			mu.Lock()
			defer mu.Unlock()
			told = append(told, now.Sub(began))
		}, nil)
		for range 300 { // 3 s, an event every 10 ms
			q.Emit(&event.Resumed{})
			time.Sleep(10 * time.Millisecond)
		}
		all := ticks()
		if n := len(all); n < 25 || n > 31 {
			t.Errorf("%d ticks in 3 s", n)
		}
		for i := range all[1:] {
			if pause := all[i+1] - all[i]; pause < TickPause {
				t.Errorf("two within %s", pause)
			}
		}
		time.Sleep(time.Second)
		before := len(ticks())
		time.Sleep(100 * time.Second)
		if n := len(ticks()) - before; n < 99 || n > 101 {
			t.Errorf("%d ticks in 100 s in which nothing happens", n)
		}
		before = len(ticks())
		q.Emit(&event.Resumed{})
		time.Sleep(TickPause + 10*time.Millisecond)
		if len(ticks()) == before {
			t.Error("no tick soon after an event")
		}
		q.Close()
		before = len(ticks())
		time.Sleep(time.Minute)
		if len(ticks()) > before {
			t.Error("a tick after the end")
		}
	})
}

// TestNoPause: without callbacks there is no timer.
func TestNoPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []event.Event
		q := newQueue(func(ev event.Event) { got = append(got, ev) }, nil, nil)
		one, two := &event.Resumed{Step: 1}, &event.Resumed{Step: 2}
		q.Emit(one)
		q.Flush()
		q.Emit(two)
		q.Close()
		if q.pause.timer != nil || !slices.Equal(got, []event.Event{one, two}) {
			t.Errorf("timer %v, events %v", q.pause.timer, got)
		}
	})
}
