package main

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// TestShards: for random tasks, each task is in exactly one shard, the shards do not depend on the
// machine, and their durations are similar.
func TestShards(t *testing.T) {
	random := rand.New(rand.NewPCG(16, 3))
	for range 500 {
		var names []string
		costs := map[string]time.Duration{}
		longest := time.Duration(0)
		for i := range random.IntN(40) {
			name := fmt.Sprintf("task%d", i)
			names = append(names, name)
			if random.IntN(4) > 0 {
				costs[name] = time.Duration(random.IntN(1000)) * time.Millisecond
				longest = max(longest, costs[name])
			}
		}
		of := 1 + random.IntN(12)
		cost := func(name string) time.Duration { return costs[name] }
		equal := random.IntN(2) == 0
		if equal {
			cost = nil
		}
		var all []string
		least, most := math.MaxInt, 0
		for i := 1; i <= of; i++ {
			part := shard{i, of, cost}.take(names)
			if !slices.IsSortedFunc(part, func(a, b string) int { return slices.Index(names, a) - slices.Index(names, b) }) {
				t.Fatalf("%q is not in the order of %q", part, names)
			}
			mixed := slices.Clone(names)
			random.Shuffle(len(mixed), func(i, j int) { mixed[i], mixed[j] = mixed[j], mixed[i] })
			again := shard{i, of, cost}.take(mixed)
			if slices.Sort(again); !slices.Equal(again, slices.Sorted(slices.Values(part))) {
				t.Fatalf("another machine has %q in part %d of %d, this one %q", again, i, of, part)
			}
			all = append(all, part...)
			load := len(part)
			if !equal {
				load = int(loadOf(part, costs))
			}
			least, most = min(least, load), max(most, load)
		}
		if slices.Sort(all); !slices.Equal(all, slices.Sorted(slices.Values(names))) {
			t.Fatalf("%d parts of %q have %q", of, names, all)
		}
		// A task is added to the shard with the shortest duration.
		if slack := int(max(longest, 1)); equal && most-least > 1 || !equal && most-least > slack {
			t.Fatalf("of %d parts one has %d to do and one %d; the longest task takes %v", of, least, most, longest)
		}
	}
}

// loadOf returns the total duration of tasks. A task of unknown duration counts as the average of
// the known ones.
func loadOf(names []string, costs map[string]time.Duration) (sum time.Duration) {
	known, total := 0, time.Duration(0)
	for _, c := range costs {
		if c > 0 {
			known, total = known+1, total+c
		}
	}
	for _, name := range names {
		switch c := costs[name]; {
		case c > 0:
			sum += c
		case known > 0:
			sum += max(1, total/time.Duration(known))
		default:
			sum++
		}
	}
	return sum
}

func BenchmarkShard(b *testing.B) {
	names := make([]string, 2000)
	for i := range names {
		names[i] = fmt.Sprintf("packages:p%d:test", i)
	}
	for b.Loop() {
		shard{7, 100, nil}.take(names)
	}
}
