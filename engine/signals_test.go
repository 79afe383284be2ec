package engine

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/engine/sched"
	"github.com/weftrun/weft/schema"
)

// log records the events of a run.
type log struct {
	mu     sync.Mutex // guards events
	events []event.Event
}

func (l *log) add(ev event.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.events = append(l.events, ev)
}

// kinds returns the kinds of the relevant events, in order.
func (l *log) kinds() (kinds []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, ev := range l.events {
		switch ev := ev.(type) {
		case *event.RunStarted:
			kinds = append(kinds, "started")
		case *event.SignalReceived:
			kinds = append(kinds, ev.Signal.String()+strings.Repeat("!", ev.Count))
		case *event.RunFinished:
			kinds = append(kinds, "finished")
		}
	}
	return kinds
}

// newEngine returns an engine for a Taskfile, and its log.
func newEngine(t *testing.T, taskfile string) (*Engine, *log) {
	t.Helper()
	w, list := schema.Load(t.Context(), schema.LoadOptions{Dir: t.TempDir(), Entrypoint: "-", Stdin: strings.NewReader("version: '3'\n" + taskfile)})
	if w == nil {
		t.Fatal(list)
	}
	l := new(log)
	e, err := New(t.Context(), Options{Workflow: w, UserDir: w.Dir, Sink: l.add})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	return e, l
}

const oneTask = "tasks:\n  x: 'true'\n"

func interruptedBy(err error, sig os.Signal) bool {
	var i *sched.Interrupted
	return errors.As(err, &i) && i.Signal == sig
}

// TestSignalBeforeRun: signals before the run stop it, and are reported when it begins.
func TestSignalBeforeRun(t *testing.T) {
	for name, test := range map[string]struct {
		signals []os.Signal
		told    []string
	}{
		"one":       {[]os.Signal{syscall.SIGTERM}, []string{"started", "terminated!", "finished"}},
		"the same":  {[]os.Signal{syscall.SIGINT, syscall.SIGINT}, []string{"started", "interrupt!", "interrupt!!", "finished"}},
		"different": {[]os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP}, []string{"started", "interrupt!", "terminated!", "hangup!", "finished"}},
	} {
		t.Run(name, func(t *testing.T) {
			e, l := newEngine(t, oneTask)
			for _, sig := range test.signals {
				e.Signal(sig)
			}
			err := e.Run(t.Context(), []plan.Call{{Name: "x"}})
			if !interruptedBy(err, test.signals[0]) {
				t.Errorf("the run ended with %v", err)
			}
			if got := l.kinds(); !slices.Equal(got, test.told) {
				t.Errorf("told %q, want %q", got, test.told)
			}
			if e.Signalled() != test.signals[0] {
				t.Errorf("stopped by %v", e.Signalled())
			}
		})
	}
}

// TestSignalBesideRun: a signal may arrive at any moment of a run's beginning; run it with the race
// detector.
func TestSignalBesideRun(t *testing.T) {
	for range 50 {
		e, l := newEngine(t, oneTask)
		ended := make(chan error, 1)
		go func() { ended <- e.Run(t.Context(), []plan.Call{{Name: "x"}}) }()
		e.Signal(syscall.SIGINT)
		e.Signal(syscall.SIGINT)
		err, told := <-ended, l.kinds()
		if err == nil { // it had ended before
			continue
		}
		if !interruptedBy(err, syscall.SIGINT) || !slices.Contains(told, "interrupt!") {
			t.Fatalf("ended with %v; told %q", err, told)
		}
	}
}

// TestSignalStopsQuestion: queries end at a signal, before and during, and report nothing.
func TestSignalStopsQuestion(t *testing.T) {
	for _, before := range []bool{true, false} {
		e, l := newEngine(t, oneTask)
		if before {
			e.Signal(syscall.SIGINT)
		}
		ctx, cancel := e.SignalContext(t.Context())
		defer cancel(nil)
		if !before {
			e.Signal(syscall.SIGINT)
		}
		<-ctx.Done()
		if !interruptedBy(context.Cause(ctx), syscall.SIGINT) || len(l.kinds()) > 0 {
			t.Errorf("before %t: cause %v, told %q", before, context.Cause(ctx), l.kinds())
		}
	}
}

// TestSignalAtEachEvent: a signal that arrives between any two steps of a run is reported before
// the end of the run, or not at all.
func TestSignalAtEachEvent(t *testing.T) {
	events := func(strike int) (n int, signalled bool, told []string, err error) {
		e, l := newEngine(t, "tasks:\n  x: {deps: [y, z], cmds: ['true', {task: y}]}\n  y: 'true'\n  z: 'true'\n")
		sink := e.o.Sink
		e.o.Sink = func(ev event.Event) {
			if n++; n == strike {
				e.Signal(syscall.SIGTERM)
			}
			sink(ev)
		}
		err = e.Run(t.Context(), []plan.Call{{Name: "x"}})
		return n, e.Signalled() != nil, l.kinds(), err
	}
	all, _, _, err := events(0)
	if all < 8 || err != nil {
		t.Fatalf("%d events; %v", all, err)
	}
	for strike := 1; strike <= all; strike++ {
		_, signalled, told, err := events(strike)
		if !signalled || told[len(told)-1] != "finished" || err != nil && !slices.Contains(told, "terminated!") {
			t.Errorf("at event %d: told %q, ended with %v", strike, told, err)
		}
	}
}
