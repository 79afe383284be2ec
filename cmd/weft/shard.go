package main

import (
	"fmt"
	"io"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/weftrun/weft/cmd/weft/recorded"
	"github.com/weftrun/weft/engine/event"
)

// shard is one of several parts of a set of tasks. The same tasks with the same costs are always
// divided equally, in whatever order they are named.
type shard struct {
	index, of int // from 1
	// cost returns the duration of a task, or 0 if unknown; may be nil.
	cost func(task string) time.Duration
}

// maxShards is the largest number of parts.
const maxShards = 10_000

// parseShard reads I/N.
func parseShard(text string) (shard, error) {
	i, n, _ := strings.Cut(text, "/")
	index, wrong := strconv.Atoi(i)
	of, bad := strconv.Atoi(n)
	if wrong != nil || bad != nil || index < 1 || index > of || of > maxShards {
		return shard{}, flagError(fmt.Sprintf("--shard %s: write I/N, as in 2/4 for the second of four parts; N is at most %d", text, maxShards))
	}
	return shard{index: index, of: of}, nil
}

// shard returns the shard of the command line.
func (r *runner) shard() (shard, error) {
	s, err := parseShard(r.opts.shard)
	if err != nil || r.opts.shardBy == "" {
		return s, err
	}
	costs, err := recordedCosts(r.opts.shardBy)
	if err != nil {
		return s, fmt.Errorf("%s: --shard-by: %w", r.name, err)
	}
	s.cost = func(name string) time.Duration {
		if t, _, err := r.workflow.Lookup(name); err == nil && !strings.Contains(t.Name, "*") {
			name = t.Name
		}
		return costs[name]
	}
	return s, nil
}

// take returns the names that belong to the shard, in their order. Equal names are in one shard.
func (s shard) take(names []string) []string {
	type task struct {
		name string
		cost time.Duration
	}
	var tasks []task
	known, sum := 0, time.Duration(0)
	for _, name := range slices.Compact(slices.Sorted(slices.Values(names))) {
		t := task{name: name}
		if s.cost != nil {
			t.cost = max(0, s.cost(name))
		}
		if t.cost > 0 {
			known, sum = known+1, sum+t.cost
		}
		tasks = append(tasks, t)
	}
	for i := range tasks {
		switch {
		case tasks[i].cost > 0:
		case known > 0:
			tasks[i].cost = max(1, sum/time.Duration(known)) // average cost
		default:
			tasks[i].cost = 1
		}
	}
	// The longest first, each to the least loaded part: Graham's rule.
	sort.SliceStable(tasks, func(i, j int) bool { return tasks[i].cost > tasks[j].cost })
	loads := make([]time.Duration, s.of)
	mine := map[string]bool{}
	for _, t := range tasks {
		least := 0
		for i := range loads {
			if loads[i] < loads[least] {
				least = i
			}
		}
		loads[least] += t.cost
		mine[t.name] = least == s.index-1
	}
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool { return !mine[name] })
}

// recordedCosts returns the duration of each task in a run recorded by --events, including its
// needs: the longest one if it ran several times. Up-to-date tasks are omitted.
func recordedCosts(name string) (map[string]time.Duration, error) {
	f, err := recorded.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	costs := map[string]time.Duration{}
	var started map[event.StepID]bool
	var needs map[event.StepID]time.Duration // of steps that have not started
	for {
		ev, err := f.Next()
		if err == io.EOF {
			if started == nil {
				return nil, fmt.Errorf("%s: it contains no run", name)
			}
			return costs, nil
		}
		if err != nil {
			return nil, err
		}
		switch ev := ev.(type) {
		case *event.RunStarted:
			started, needs = map[event.StepID]bool{}, map[event.StepID]time.Duration{}
		case *event.StepStarted:
			if started != nil {
				started[ev.Step] = true
			}
		case *event.StepSettled:
			if started == nil || ev.Outcome != event.Succeeded && ev.Outcome != event.Failed {
				continue
			}
			cost := ev.Duration + needs[ev.Step]
			costs[ev.Name] = max(costs[ev.Name], cost)
			if !started[ev.Parent] { // a call by a started parent is part of its time
				needs[ev.Parent] += cost
			}
		}
	}
}
