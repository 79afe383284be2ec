package command

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/engine/ready"
	"github.com/weftrun/weft/engine/sched"
	"github.com/weftrun/weft/engine/shell"
)

// The tests of this file supervise services without processes, in virtual time.

// fake is one life of a service.
type fake struct {
	lasts time.Duration // until it ends by itself; 0: never
	err   error         // its error
	takes time.Duration // until it has begun
	ready time.Duration // until it is ready; 0: immediately
	never error         // why it is not ready after that time
	hangs time.Duration // until it is not alive any more; 0: never
	slow  time.Duration // time it takes to stop
	limit *sched.TimedOut
}

// timeline is a supervised service and its events, with the time since the start.
type timeline struct {
	supervisor
	lives []fake // the last one repeats
	start time.Time

	mu    sync.Mutex // guards told
	told  []string
	begun int
}

// supervised tests a service in virtual time.
func supervised(t *testing.T, restart plan.Restart, lives []fake, test func(l *timeline)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		l := &timeline{lives: lives, start: time.Now()}
		l.supervisor = supervisor{task: "s", restarts: restarts{policy: restart}, emit: l.hear, begin: l.live}
		l.init()
		go func() {
			defer close(l.done)
			l.supervise()
		}()
		test(l)
		l.stop(event.Unneeded)
		<-l.done
	})
}

func (l *timeline) live() *life {
	f := l.lives[min(l.begun, len(l.lives)-1)]
	l.begun++
	l.note("begins")
	out := new(life)
	out.run = func(ctx context.Context, began func()) error {
		time.Sleep(f.takes)
		began()
		var ends <-chan time.Time
		if f.lasts > 0 {
			ends = time.After(f.lasts)
		}
		select {
		case <-ends:
			return f.err
		case <-ctx.Done():
			time.Sleep(f.slow)
			return context.Cause(ctx)
		}
	}
	if f.ready > 0 {
		look := after(f.ready, f.never)
		out.ready = func(ctx context.Context, ended <-chan struct{}) error {
			ctx, cancel := context.WithCancelCause(ctx)
			defer cancel(nil)
			go func() {
				select {
				case <-ended:
					cancel(&ready.NotReady{Target: "tcp", Seen: "refused", Ended: true})
				case <-ctx.Done():
				}
			}()
			return look(ctx)
		}
	}
	out.limit = f.limit
	if f.hangs > 0 {
		out.alive = after(f.hangs, errors.New("no answer"))
	}
	return out
}

// after returns err after some time.
func after(d time.Duration, err error) func(context.Context) error {
	return func(ctx context.Context) error {
		select {
		case <-time.After(d):
			return err
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (l *timeline) note(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.told = append(l.told, fmt.Sprintf("%v ", time.Since(l.start).Truncate(time.Millisecond))+fmt.Sprintf(format, args...))
}

func (l *timeline) hear(ev event.Event) {
	switch ev := ev.(type) {
	case *event.Ready:
		l.note("up")
	case *event.Restarted:
		if ev.Attempt > 0 {
			l.note("again %d/%d for %s code %d after %v", ev.Attempt, ev.Attempts, ev.Why, ev.Code, ev.Delay)
		} else {
			l.note("again for %s after %v", ev.Why, ev.Delay)
		}
	case *event.Stopping:
		l.note("stopping for %s", ev.Why)
	case *event.Stopped:
		l.note("over: %v", ev.Err)
	}
}

// is compares the events since its last call.
func (l *timeline) is(t *testing.T, want ...string) {
	t.Helper()
	synctest.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	if got, want := strings.Join(l.told, "\n"), strings.Join(want, "\n"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	l.told = nil
}

var (
	never     = plan.Restart{Policy: plan.RestartNo, Max: -1}
	onFailure = plan.Restart{Policy: plan.RestartOnFailure, Max: -1}
	always    = plan.Restart{Policy: plan.RestartAlways, Max: -1}
	exit3     = &shell.ExitError{Code: 3}
)

// TestSupervise: how services end, and when they are restarted.
func TestSupervise(t *testing.T) {
	for name, tt := range map[string]struct {
		restart plan.Restart
		lives   []fake
		want    []string
	}{
		"ends": {never, []fake{{lasts: time.Minute}},
			[]string{"0s begins", "0s up", "1m0s over: <nil>"}},
		"ends at once": {never, []fake{{lasts: 1}},
			[]string{"0s begins", "0s up", "0s over: <nil>"}},
		"fails": {never, []fake{{lasts: time.Minute, err: exit3}},
			[]string{"0s begins", "0s up", "1m0s over: exit status 3"}},
		"cannot be run": {always, []fake{{lasts: 1, err: errors.New("no such option")}},
			[]string{"0s begins", "0s up", "0s over: no such option"}},
		"ends before it is ready": {never, []fake{{ready: time.Minute, lasts: time.Second, err: exit3}},
			[]string{"0s begins", "1s over: exit status 3, before it was ready (tcp: refused)"}},
		"is not ready in time": {always, []fake{{ready: time.Minute, never: errors.New("connection refused"), slow: time.Second}},
			[]string{"0s begins", "1m0s stopping for ready", "1m1s over: connection refused"}},
		"takes too long": {always, []fake{{ready: time.Minute, limit: &sched.TimedOut{Name: "s", After: time.Second}}},
			[]string{"0s begins", "1s stopping for ready", "1s over: [s] command timeout exceeded (1s)"}},
		"is ready within its limit": {always, []fake{{ready: time.Second, lasts: time.Minute, err: errors.New("e"), limit: &sched.TimedOut{After: 2 * time.Second}}},
			[]string{"0s begins", "1s up", "1m0s over: e"}},
		"ends early, and well": {never, []fake{{ready: time.Minute, lasts: time.Second}},
			[]string{"0s begins", "1s over: exit status 0, before it was ready (tcp: refused)"}},
		"is not alive": {never, []fake{{takes: time.Second, hangs: 30 * time.Second}},
			[]string{"0s begins", "1s up", "31s stopping for alive", "31s over: no answer"}},
		// A restart at the user's request neither waits nor counts.
		"is replaced": {plan.Restart{Policy: plan.RestartOnFailure, Max: 0}, []fake{{hangs: 30 * time.Second, slow: 5 * time.Second}, {hangs: 30 * time.Second}, {lasts: time.Hour, err: exit3}},
			[]string{"0s begins", "0s up", "30s stopping for alive", "35s again for alive after 0s", "35s begins", "35s up",
				"1m5s stopping for alive", "1m5s again for alive after 0s", "1m5s begins", "1m5s up",
				"1h1m5s over: crash loop: it ended again after 0 consecutive restarts, the last time with: exit status 3"}},
		"ends well": {onFailure, []fake{{lasts: time.Second, err: exit3}, {lasts: time.Second}},
			[]string{"0s begins", "0s up", "1s again 1/5 for exit code 3 after 500ms", "1.5s begins", "1.5s up", "2.5s over: <nil>"}},
		// A service that is not ready never ends successfully.
		"ends well before it is ready": {onFailure, []fake{{ready: time.Minute, lasts: time.Second}, {lasts: time.Second}},
			[]string{"0s begins", "1s again 1/5 for exit code 0 after 500ms", "1.5s begins", "1.5s up", "2.5s over: <nil>"}},
		"crash loop": {always, []fake{{lasts: time.Second, err: exit3}},
			[]string{"0s begins", "0s up", "1s again 1/5 for exit code 3 after 500ms", "1.5s begins", "1.5s up", "2.5s again 2/5 for exit code 3 after 1s", "3.5s begins", "3.5s up",
				"4.5s again 3/5 for exit code 3 after 2s", "6.5s begins", "6.5s up", "7.5s again 4/5 for exit code 3 after 4s", "11.5s begins", "11.5s up",
				"12.5s again 5/5 for exit code 3 after 8s", "20.5s begins", "20.5s up",
				"21.5s over: crash loop: it ended again after 5 consecutive restarts, the last time with: exit status 3"}},
		// A service that was ready for 10 s has left its crash loop.
		"comes to itself": {plan.Restart{Policy: plan.RestartOnFailure, Max: 2}, []fake{{lasts: time.Second, err: exit3}, {lasts: time.Second, err: exit3}, {lasts: 10 * time.Second, err: exit3}, {lasts: time.Second}},
			[]string{"0s begins", "0s up", "1s again 1/2 for exit code 3 after 500ms", "1.5s begins", "1.5s up", "2.5s again 2/2 for exit code 3 after 1s", "3.5s begins", "3.5s up",
				"13.5s again 1/2 for exit code 3 after 500ms", "14s begins", "14s up", "15s over: <nil>"}},
	} {
		t.Run(name, func(t *testing.T) {
			supervised(t, tt.restart, tt.lives, func(l *timeline) {
				<-l.done
				l.is(t, tt.want...)
			})
		})
	}
}

// TestStopService: a service can be stopped in any state, and is not restarted.
func TestStopService(t *testing.T) {
	for name, tt := range map[string]struct {
		life  fake
		after time.Duration
		want  []string
	}{
		"while it starts":    {fake{takes: time.Minute, slow: time.Second}, time.Second, []string{"0s begins", "1s stopping for cancelled", "1m1s over: <nil>"}},
		"before it is ready": {fake{ready: time.Minute, slow: time.Second}, time.Second, []string{"0s begins", "1s stopping for cancelled", "2s over: <nil>"}},
		"while it is up":     {fake{slow: time.Second}, time.Hour, []string{"0s begins", "0s up", "1h0m0s stopping for cancelled", "1h0m1s over: <nil>"}},
		"before a restart":   {fake{lasts: time.Second, err: exit3}, 1200 * time.Millisecond, []string{"0s begins", "0s up", "1s again 1/5 for exit code 3 after 500ms", "1.2s over: <nil>"}},
	} {
		t.Run(name, func(t *testing.T) {
			supervised(t, always, []fake{tt.life}, func(l *timeline) {
				time.Sleep(tt.after)
				l.stop(event.RunEnds)
				l.stop(event.Unneeded) // the first reason counts
				<-l.done
				l.is(t, tt.want...)
			})
		})
	}
}

// TestRestartService: a requested restart is immediate in any state, and does not count.
func TestRestartService(t *testing.T) {
	supervised(t, onFailure, []fake{{lasts: time.Minute, err: exit3, slow: time.Second}}, func(l *timeline) {
		time.Sleep(30 * time.Second)
		l.restart(event.Asked)
		time.Sleep(time.Second)
		l.is(t, "0s begins", "0s up", "30s stopping for asked", "31s again for asked after 0s", "31s begins", "31s up")
		time.Sleep(60*time.Second + 100*time.Millisecond)
		l.restart(event.Asked)
		l.is(t, "1m31s again 1/5 for exit code 3 after 500ms", "1m31.1s begins", "1m31.1s up")
	})
}

// TestDelaysOfRestarts: each delay is twice as long as the one before, up to a limit.
func TestDelaysOfRestarts(t *testing.T) {
	r := restarts{policy: plan.Restart{Policy: plan.RestartAlways, Max: 100}}
	var got []string
	for range 9 {
		d, _, _ := r.next(time.Now(), time.Second, true)
		got = append(got, d.String())
	}
	if s := strings.Join(got, " "); s != "500ms 1s 2s 4s 8s 16s 30s 30s 30s" {
		t.Error(s)
	}
	// Five restarts spread over more than a minute are no crash loop.
	r = restarts{policy: always}
	for i, now := 0, time.Now(); i < 20; i, now = i+1, now.Add(12*time.Second) {
		if _, again, _ := r.next(now, 9*time.Second, true); !again {
			t.Errorf("restart %d is refused", i)
		}
	}
}
