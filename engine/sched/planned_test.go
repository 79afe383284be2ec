package sched_test

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/engine/sched"
)

// TestPlannedGraph: if wanted, the event of each plan contains its graph, in which keys are unique;
// otherwise it contains none.
func TestPlannedGraph(t *testing.T) {
	const lines = `
		all: a b db last early@started | call c
		a: | sleep 1s
		b: a c | sleep 1s
		c: | sleep 1s
		~db: | serve; up 1s
		last: >b >db reader@ended | sleep 1s
		early: | sleep 1s
		reader<writer: | sleep 1s
		writer: | sleep 1s`
	for _, wanted := range []bool{true, false} {
		var told []string
		keys := map[event.StepID]string{}
		o := sched.Options{Limit: 3, Services: true, Emit: func(ev event.Event) {
			switch ev := ev.(type) {
			case *event.Planned:
				if (ev.Graph != nil) != wanted {
					t.Errorf("wanted: %v, graph: %v", wanted, ev.Graph)
				}
				for _, s := range ev.Graph {
					told = append(told, fmt.Sprintf("%d %s %s %v %v", s.Step, s.Name, readable(s.Key), s.Service, s.Needs))
					keys[s.Step] = s.Key
				}
			case *event.StepStarted:
				if ev.Key != keys[ev.Step] {
					t.Errorf("%s starts with the key %q and was planned with %q", ev.Name, ev.Key, keys[ev.Step])
				}
			}
		}}
		if wanted {
			o.Graph = true
			o.Keys = keysBy(func(s *plan.Step) uint64 { return binary.BigEndian.Uint64([]byte(s.Name + "-------")) })
		}
		if r := run(t, lines, o, nil); r.err != nil {
			t.Fatal(r.err)
		}
		var want []string
		if wanted {
			want = []string{
				"1 a a------- false []",
				"2 a a-------#2 false []",
				"3 c c------- false []",
				"4 b b------- false [{2 succeeded} {3 succeeded}]",
				"5 db db------ true []",
				"6 writer writer-- false []",
				"7 reader reader-- false [{6 together}]",
				"8 last last---- false [{7 ended} {4 ended} {5 ready}]",
				"9 early early--- false []",
				"10 all all----- false [{1 succeeded} {4 succeeded} {5 ready} {8 succeeded} {9 started}]",
				"11 c c-------#2 false []",
			}
		}
		if !slices.Equal(told, want) {
			t.Errorf("it was told\n%s", strings.Join(told, "\n"))
		}
	}
}

// keysBy returns what Options.Keys is for a function of one step.
func keysBy(key func(*plan.Step) uint64) func([]*plan.Step) []uint64 {
	return func(steps []*plan.Step) []uint64 {
		all := make([]uint64, len(steps))
		for i, s := range steps {
			all[i] = key(s)
		}
		return all
	}
}

// readable returns a key with its digits read as bytes.
func readable(key string) string {
	name, err := hex.DecodeString(key[:16])
	if err != nil {
		return key
	}
	return string(name) + key[16:]
}

// TestPlannedGraphOfMany: the graph of a large plan is that of its steps, and the longest of them
// starts first.
func TestPlannedGraphOfMany(t *testing.T) {
	const steps, longest = 5000, 3210
	var all, tasks strings.Builder
	for i := range steps {
		fmt.Fprintf(&all, "t%d ", i)
		fmt.Fprintf(&tasks, "t%d: |\n", i)
	}
	key := func(s *plan.Step) (n uint64) {
		fmt.Sscanf(s.Name, "t%d", &n)
		return n
	}
	first := ""
	o := sched.Options{Limit: 2, Graph: true, Keys: keysBy(key), Emit: func(ev event.Event) {
		switch ev := ev.(type) {
		case *event.Planned:
			if len(ev.Graph) != steps+1 || len(ev.Graph[steps].Needs) != steps {
				t.Fatalf("%d steps", len(ev.Graph))
			}
			for i, s := range ev.Graph[:steps] {
				if want := fmt.Sprintf("%016x", i); s.Name != fmt.Sprintf("t%d", i) || s.Key[:16] != want || s.Needs != nil || ev.Graph[steps].Needs[i].Step != s.Step {
					t.Fatalf("step %d: %+v", i, s)
				}
			}
		case *event.StepStarted:
			if first == "" {
				first = ev.Name
			}
		}
	}}
	o.Durations = func(key uint64) time.Duration {
		if key == longest {
			return time.Minute
		}
		return time.Second
	}
	if r := run(t, "all: "+all.String()+"|\n"+tasks.String(), o, nil); r.err != nil {
		t.Fatal(r.err)
	}
	if want := fmt.Sprintf("t%d", longest); first != want {
		t.Errorf("%s starts first, want %s", first, want)
	}
}
