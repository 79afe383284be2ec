// Package tracecheck validates traces of runs in tests, by the Trace Event Format and the promises
// of weft's traces. It is independent of the code that writes them.
package tracecheck

import (
	"encoding/json"
	"errors"
	"fmt"
)

// Trace is a trace as its readers see it.
type Trace struct {
	TraceEvents     []Event
	DisplayTimeUnit string
	OtherData       map[string]any
}

// Event is one event of a trace.
type Event struct {
	Ph, Name, Cat, Bp string
	Ts, Dur           float64 // in microseconds
	Pid, Tid, ID      int
	Args              map[string]any
}

type thread struct{ pid, tid int }

// Check parses a trace and reports all violations.
func Check(doc []byte) (*Trace, error) {
	var t Trace
	if err := json.Unmarshal(doc, &t); err != nil {
		return nil, err
	}
	var problems []error
	say := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	if t.DisplayTimeUnit != "ms" || t.OtherData["run"] == nil || t.OtherData["tasks"] == nil || t.OtherData["weft"] == nil {
		say("unit %q and data %v", t.DisplayTimeUnit, t.OtherData)
	}
	slices, last := map[thread][]Event{}, 0.0
	for _, ev := range t.TraceEvents {
		if ev.Ph != "M" && ev.Ts < last {
			say("%s %q is at %v, after one at %v", ev.Ph, ev.Name, ev.Ts, last)
		}
		last = max(last, ev.Ts)
		if ev.Ph == "X" {
			at := thread{ev.Pid, ev.Tid}
			slices[at] = append(slices[at], ev)
		}
	}
	for at, all := range slices {
		var around []Event
		for _, ev := range all {
			for len(around) > 0 && around[len(around)-1].Ts+around[len(around)-1].Dur <= ev.Ts {
				around = around[:len(around)-1]
			}
			if n := len(around); n > 0 && ev.Ts+ev.Dur > around[n-1].Ts+around[n-1].Dur {
				say("thread %v: %q from %v for %v overlaps %q from %v for %v", at, ev.Name, ev.Ts, ev.Dur, around[n-1].Name, around[n-1].Ts, around[n-1].Dur)
			}
			around = append(around, ev)
		}
	}
	t.checkArrows(slices, say)
	t.checkCounters(say)
	return &t, errors.Join(problems...)
}

// checkArrows reports arrows that lack an end, go back in time, or begin or end outside of a slice.
func (t *Trace) checkArrows(slices map[thread][]Event, say func(string, ...any)) {
	ends := map[int]map[string]Event{}
	for _, ev := range t.TraceEvents {
		if ev.Ph != "s" && ev.Ph != "f" {
			continue
		}
		if ends[ev.ID] == nil {
			ends[ev.ID] = map[string]Event{}
		}
		if _, again := ends[ev.ID][ev.Ph]; again {
			say("arrow %d has two ends %q", ev.ID, ev.Ph)
		}
		ends[ev.ID][ev.Ph] = ev
		inside := false
		for _, s := range slices[thread{ev.Pid, ev.Tid}] {
			inside = inside || s.Ts <= ev.Ts && ev.Ts <= s.Ts+s.Dur
		}
		if !inside {
			say("the end %q of arrow %d, at %v, is in no slice", ev.Ph, ev.ID, ev.Ts)
		}
	}
	for id, both := range ends {
		if len(both) != 2 || both["s"].Ts > both["f"].Ts || both["f"].Bp != "e" || both["s"].Cat != both["f"].Cat {
			say("arrow %d: %v", id, both)
		}
	}
}

// checkCounters reports counters that differ from the number of running steps.
func (t *Trace) checkCounters(say func(string, ...any)) {
	running, waiting := 0.0, 0.0
	for _, c := range t.TraceEvents {
		if c.Ph != "C" {
			continue
		}
		var ok, known bool
		running, ok = c.Args["running"].(float64)
		waiting, known = c.Args["waiting"].(float64)
		want := 0.0
		for _, ev := range t.TraceEvents {
			if ev.Ph == "X" && ev.Pid == 1 && ev.Cat != "command" && ev.Ts <= c.Ts && c.Ts < ev.Ts+ev.Dur {
				want++
			}
		}
		if !ok || !known || running != want || waiting < 0 {
			say("at %v: %v, but %v steps run", c.Ts, c.Args, want)
		}
	}
	if running != 0 || waiting != 0 {
		say("at the end %v run and %v wait", running, waiting)
	}
}
