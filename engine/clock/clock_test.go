package clock

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c Clock
		var came atomic.Int32
		c.AfterFunc(10*time.Second, func() { came.Add(1) })
		early := c.AfterFunc(time.Second, func() { came.Add(10) })
		off := c.AfterFunc(2*time.Second, func() { came.Add(100) })
		if !off.Stop() || off.Stop() {
			t.Error("a pending call can be called off, once")
		}
		time.Sleep(4 * time.Second)
		synctest.Wait()
		if came.Load() != 10 || early.Stop() {
			t.Error("after 4 s:", came.Load())
		}
		c.Pause()
		c.Pause()
		late := c.After(time.Second) // made while time stands still
		stopped := c.AfterFunc(time.Second, func() { came.Add(1000) })
		if !stopped.Stop() {
			t.Error("a paused call can be called off")
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if came.Load() != 10 || len(late) != 0 {
			t.Error("while paused:", came.Load(), len(late))
		}
		c.Resume()
		c.Resume()
		time.Sleep(time.Second)
		synctest.Wait()
		if len(late) != 1 {
			t.Error("the call made while paused has not come")
		}
		time.Sleep(5*time.Second - time.Millisecond)
		synctest.Wait()
		if came.Load() != 10 {
			t.Error("it came early")
		}
		time.Sleep(time.Millisecond)
		synctest.Wait()
		if came.Load() != 11 {
			t.Error("it did not come when its 10 s were over:", came.Load())
		}
	})
}

// TestLate: a timer that is much later than it is due, because the program was stopped,
// waits once more: for what has happened meanwhile to be seen.
func TestLate(t *testing.T) {
	for _, test := range []struct{ after, late, more time.Duration }{
		{time.Minute, 5 * time.Millisecond, 0},
		{time.Minute, 10 * time.Millisecond, minExtension},
		{time.Minute, 3 * time.Second, 3 * time.Second},
		{time.Minute, time.Hour, time.Minute},
		{time.Millisecond, time.Hour, time.Millisecond},
	} {
		synctest.Test(t, func(t *testing.T) {
			var c Clock
			var came atomic.Bool
			timer := c.AfterFunc(test.after, func() { came.Store(true) })
			timer.timer.Stop()
			time.Sleep(test.after + test.late)
			timer.expire()
			if test.more > 0 {
				time.Sleep(test.more - 1)
				synctest.Wait()
				if came.Load() {
					t.Fatalf("%v: it came at once", test)
				}
				timer.timer.Stop()
				time.Sleep(time.Hour) // late again
				timer.expire()
			}
			if !came.Load() {
				t.Errorf("%v: it did not come", test)
			}
			if c.Pending() != 0 {
				t.Error("it is pending")
			}
		})
	}
}

func TestNil(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c *Clock
		timer := c.AfterFunc(time.Second, func() { t.Error("called off") })
		if !timer.Stop() {
			t.Error("Stop of a pending call")
		}
		<-c.After(time.Second)
		var none Timer
		if none.Stop() {
			t.Error("Stop of the zero value")
		}
	})
}
