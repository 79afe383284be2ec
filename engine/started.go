package engine

import (
	"cmp"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/executor"
	"github.com/weftrun/weft/engine/fingerprint"
	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/engine/proc"
	"github.com/weftrun/weft/internal/githead"
	"github.com/weftrun/weft/schema"
)

// started returns the first event of a run.
func (e *Engine) started(now time.Time, calls []plan.Call) *event.RunStarted {
	o := &e.o
	ev := &event.RunStarted{Time: now, Run: e.id, Tasks: names(calls), Argv: o.Argv}
	if !o.Wants.Graph {
		return ev
	}
	ev.Dir, ev.Root, ev.Limit = o.UserDir, o.Workflow.Dir, cmp.Or(e.toShare(), e.slots())
	if o.Version != nil {
		ev.Weft = o.Version()
	}
	ev.Commit = githead.Commit(o.Workflow.Dir)
	ev.Host, _ = os.Hostname()
	ev.ParentRun, ev.ParentStep = parent(o.Environ)
	return ev
}

// parent returns the innermost run of another weft that started this one, and its step; zero values
// if there is none.
func parent(environ []string) (run string, step event.StepID) {
	for _, kv := range environ {
		switch name, value, _ := strings.Cut(kv, "="); name {
		case proc.RunVariable:
			run = value[strings.LastIndexByte(value, ':')+1:]
		case proc.StepVariable:
			n, err := strconv.ParseInt(value[strings.LastIndexByte(value, '.')+1:], 10, 32)
			if err == nil && n > 0 {
				step = event.StepID(n)
			}
		}
	}
	if run == "" {
		step = 0
	}
	return run, step
}

// keyOf returns the key of a step across runs.
func (e *Engine) keyOf(s *plan.Step) uint64 { return s.HistoryKey(e.o.Workflow.Dir) }

// begins returns a function that completes the event of a starting step; nil if not wanted.
func (e *Engine) begins() func(*plan.Step, *event.StepStarted) {
	explain := e.explains()
	if !e.o.Control {
		return explain
	}
	return func(s *plan.Step, ev *event.StepStarted) {
		if c := s.RerunCall(); c.Vars != nil || c.Internal {
			ev.Call = c
		}
		if explain != nil {
			explain(s, ev)
		}
	}
}

// explains returns a function that adds the reasons why a step runs, and the variables that the
// file declares for its commands; nil if not wanted.
func (e *Engine) explains() func(*plan.Step, *event.StepStarted) {
	if !e.o.Wants.Reasons {
		return nil
	}
	everywhere := appendNames(nil, e.o.Workflow.Env)
	force, forced := e.forced(), []string{"never --force"}
	unchecked := map[string][]string{} // by reason
	return func(s *plan.Step, ev *event.StepStarted) {
		ev.Env = everywhere
		if len(s.Task.Env) > 0 {
			ev.Env = appendNames(everywhere, s.Task.Env)
		}
		why := executor.Unchecked(s)
		switch {
		case s.Skip != plan.NotSkipped:
		case why != "":
			if unchecked[why] == nil {
				unchecked[why] = []string{fingerprint.Reason{Kind: "never", Name: why}.String()}
			}
			ev.Reasons = unchecked[why]
		case force(s):
			ev.Reasons = forced
		}
	}
}

// appendNames returns names and those of vs, sorted.
func appendNames(names []string, vs schema.Vars) []string {
	names = slices.Clone(names)
	for _, v := range vs {
		names = append(names, v.Name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}
