package ready

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

var errNot = errors.New("exit status 1")

// TestWaitSoon: the first attempts follow each other soon, later ones at the interval, and
// the first that succeeds is the end.
func TestWaitSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var at []time.Duration
		p := Probe{Kind: Exec, Run: func(context.Context) error {
			at = append(at, time.Since(start))
			if len(at) == 12 {
				return nil
			}
			return errNot
		}}
		if err := p.Wait(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		ms := []float64{0, 10, 25, 47.5, 81.25, 131.875, 207.8125, 321.71875, 492.578125, 692.578125, 892.578125, 1092.578125}
		for i := range ms {
			if want := time.Duration(ms[i] * 1e6); at[i] != want {
				t.Errorf("attempt %d after %s, want %s", i+1, at[i], want)
			}
		}
		if took := time.Since(start); took != at[11] {
			t.Errorf("ready after %s", took)
		}
	})
}

// TestWaitTimeout: a timeout is reported with the last observation, even if an attempt hangs, which
// is given up first.
func TestWaitTimeout(t *testing.T) {
	hang := func(ctx context.Context) error {
		<-ctx.Done()
		return context.Cause(ctx)
	}
	for _, test := range []struct {
		name    string
		timeout time.Duration
		run     func(context.Context) error
		want    string
	}{
		{"fails", 10 * time.Second, func(context.Context) error { return errNot }, "not ready within 10s: true: exit status 1 after 56 tries (timeout under ready sets another limit)"},
		{"hangs", 2 * time.Minute, hang, "not ready within 2m0s: true: no response within 30s after 3 tries (timeout under ready sets another limit)"},
		{"hangs for all the time", time.Second, hang, "not ready within 1s: true: no answer after 1 try (timeout under ready sets another limit)"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				p := Probe{Kind: Exec, Target: "true", Timeout: test.timeout, Run: test.run}
				err := p.Wait(t.Context(), nil)
				if err == nil || err.Error() != test.want {
					t.Errorf("got  %v\nwant %s", err, test.want)
				}
				if took := time.Since(start); took != test.timeout {
					t.Errorf("after %s", took)
				}
			})
		})
	}
}

// TestWaitEnded: the end of the process ends the wait at once, even if an attempt hangs, and so
// does that of the context, with its cause.
func TestWaitEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tries := 0
		p := Probe{Kind: Exec, Target: "check", Run: func(ctx context.Context) error {
			if tries++; tries == 1 {
				return errNot
			}
			<-ctx.Done()
			return ctx.Err()
		}}
		ended, start := make(chan struct{}), time.Now()
		time.AfterFunc(3*time.Second, func() { close(ended) })
		err := p.Wait(t.Context(), ended)
		not, ok := err.(*NotReady)
		if !ok || !not.Ended || time.Since(start) != 3*time.Second {
			t.Fatalf("%v after %s", err, time.Since(start))
		}
		if got := err.Error(); got != "it ended before it was ready (check: exit status 1 after 1 try)" {
			t.Error(got)
		}
		not.Err = errors.New("exit status 3")
		if got := err.Error(); got != "exit status 3, before it was ready (check: exit status 1 after 1 try)" || !errors.Is(err, not.Err) {
			t.Error(got)
		}

		ctx, cancel := context.WithCancelCause(t.Context())
		cause := errors.New("interrupted")
		time.AfterFunc(time.Second, func() { cancel(cause) })
		if err := p.Wait(ctx, nil); err != cause {
			t.Error(err)
		}
	})
}

// TestClock: while the clock is stopped no time of a wait passes.
func TestClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newStoppedFor(time.Hour)
		start := time.Now()
		p := Probe{Kind: File, Target: "none", Dir: t.TempDir(), Timeout: time.Minute, Clock: c}
		if err := p.Wait(t.Context(), nil); err == nil || time.Since(start) != time.Hour+time.Minute {
			t.Errorf("%v after %s", err, time.Since(start))
		}
	})
}

// TestFile: a link counts as existing if its target exists.
func TestFile(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		link, to := filepath.Join(dir, "link"), filepath.Join(dir, "to")
		if err := os.Symlink("to", link); err != nil {
			t.Skip(err)
		}
		for _, p := range []Probe{{Kind: File, Target: "link", Dir: dir}, {Kind: File, Target: link}} {
			p.Timeout = time.Second
			if err := p.Wait(t.Context(), nil); err == nil || !strings.HasPrefix(err.Error(), "not ready within 1s: "+p.Target+": no such file after ") {
				t.Errorf("a link that dangles: %v", err)
			}
			time.AfterFunc(time.Second/2, func() { os.WriteFile(to, nil, 0o600) })
			if err := p.Wait(t.Context(), nil); err != nil {
				t.Error(err)
			}
			os.Remove(to)
		}
		if err := (&Probe{Kind: File}).Wait(t.Context(), nil); err == nil || err.Error() != `"" is not a path` {
			t.Error(err)
		}
	})
}

// TestIPC: the service says that it is ready, or closes its channel.
func TestIPC(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		says := make(chan struct{}, 1)
		p := Probe{Kind: IPC, Messages: says}
		start := time.Now()
		time.AfterFunc(time.Second, func() { says <- struct{}{} })
		if err := p.Wait(t.Context(), nil); err != nil || time.Since(start) != time.Second {
			t.Errorf("%v after %s", err, time.Since(start))
		}
		if err := p.Wait(t.Context(), nil); err == nil || err.Error() != "not ready within 1m0s: it has sent no ready message (timeout under ready sets another limit)" {
			t.Error(err)
		}
		close(says)
		if err := p.Wait(t.Context(), nil); err == nil || err.Error() != "not ready: the channel was closed without a ready message" {
			t.Error(err)
		}
		ended := make(chan struct{}) // the channel may end before
		time.AfterFunc(settle/2, func() { close(ended) })
		if err := p.Wait(t.Context(), ended); err == nil || !err.(*NotReady).Ended {
			t.Error(err)
		}
	})
}

// TestFD: a newline on the descriptor says that the service is ready; its end does not.
func TestFD(t *testing.T) {
	for _, test := range []struct {
		name, written string
		end           bool
		want          string
	}{
		{"newline", "ready\n", false, ""},
		{"newline and end", "\n", true, ""},
		{"much before it", strings.Repeat("x", 5000) + "\nrest", false, ""},
		{"end", "ready", true, "not ready: the descriptor was closed without a newline"},
		{"nothing", "", false, "not ready within 20ms: no newline on descriptor 4 (timeout under ready sets another limit)"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			defer w.Close()
			p := Probe{Kind: FD, Target: "4", Descriptor: r, Timeout: time.Minute}
			if test.written == "" {
				p.Timeout = 20 * time.Millisecond
			}
			w.WriteString(test.written)
			if test.end {
				w.Close()
			}
			text := ""
			if err := p.Wait(t.Context(), nil); err != nil {
				text = err.Error()
			}
			if text != test.want {
				t.Errorf("got  %s\nwant %s", text, test.want)
			}
		})
	}
	r, w, err := os.Pipe() // as it is when the program ends
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	ended := make(chan struct{})
	time.AfterFunc(10*time.Millisecond, func() {
		r.Close()
		close(ended)
	})
	if err := (&Probe{Kind: FD, Target: "4", Descriptor: r}).Wait(t.Context(), ended); err == nil || !err.(*NotReady).Ended {
		t.Errorf("%v", err)
	}
}

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
