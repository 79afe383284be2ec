package ready

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestWatch: the given number of failures in a row ends it, and a success between them resets the
// count.
func TestWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start, n := time.Now(), 0
		p := Probe{Kind: Exec, Target: "check", Run: func(context.Context) error {
			if n++; n == 3 {
				return nil
			}
			return errNot
		}}
		err := p.Watch(t.Context())
		if want := "check: exit status 1"; err == nil || err.Error() != "3 checks of alive in a row failed: "+want {
			t.Error(err)
		}
		if took := time.Since(start); n != 6 || took != time.Minute {
			t.Errorf("%d attempts in %s", n, took)
		}
		p.Failures = 1
		if err := p.Watch(t.Context()); err == nil || err.Error() != "a check of alive failed: check: exit status 1" {
			t.Error(err)
		}
	})
}

// TestWatchHangs: a service that hangs is found after interval times failures and timeout,
// for any values of these, and no more attempts run at a time than must fail.
func TestWatchHangs(t *testing.T) {
	for _, times := range [][2]time.Duration{{10 * time.Second, 5 * time.Second}, {time.Second, 5 * time.Second}, {time.Second, time.Second}, {100 * time.Millisecond, time.Minute}} {
		synctest.Test(t, func(t *testing.T) {
			running, most := make(chan int, 1), 0
			running <- 0
			p := Probe{Kind: Exec, Target: "check", Interval: times[0], Timeout: times[1], Failures: 3, Run: func(ctx context.Context) error {
				n := <-running + 1
				most = max(most, n)
				running <- n
				<-ctx.Done()
				running <- <-running - 1
				return ctx.Err()
			}}
			start := time.Now()
			err := p.Watch(t.Context())
			if want := "3 checks of alive in a row failed: check: no response within " + p.Timeout.String(); err == nil || err.Error() != want {
				t.Error(err)
			}
			if took := time.Since(start); took > 3*p.Interval+p.Timeout {
				t.Errorf("every %s, at most %s: took %s", p.Interval, p.Timeout, took)
			}
			if most > 3 || <-running != 0 {
				t.Errorf("%d attempts at once", most)
			}
		})
	}
}

// TestWatchSlow: attempts that take longer than the interval, and succeed, are not failures; and
// the failure of one that began before the latest success does not count.
func TestWatchSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n atomic.Int32
		p := Probe{Kind: Exec, Interval: time.Second, Timeout: 4 * time.Second, Failures: 2, Run: func(ctx context.Context) error {
			if n.Add(1)%2 == 1 {
				time.Sleep(3 * time.Second)
				return errNot
			}
			time.Sleep(time.Second)
			return nil
		}}
		ctx, cancel := context.WithCancelCause(t.Context())
		cause := errors.New("stopped")
		time.AfterFunc(time.Hour, func() { cancel(cause) })
		if err := p.Watch(ctx); err != cause {
			t.Error(err)
		}
		if n.Load() < 1000 {
			t.Errorf("%d attempts in an hour", n.Load())
		}
	})
}

// TestWatchIPC: a service that is watched says again and again that it is ready.
func TestWatchIPC(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		says := make(chan struct{}, 1)
		p := Probe{Kind: IPC, Messages: says, Failures: 2}
		done := make(chan struct{})
		go func() {
			defer close(done)
			for range 100 {
				time.Sleep(9 * time.Second)
				select {
				case says <- struct{}{}:
				default:
				}
			}
		}()
		start := time.Now()
		err := p.Watch(t.Context())
		<-done
		if took := time.Since(start); err == nil || took < 900*time.Second || took > 935*time.Second {
			t.Errorf("%v after %s", err, took)
		}
	})
}
