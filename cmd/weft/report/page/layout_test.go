package page

import (
	"bytes"
	"math/rand"
	"slices"
	"testing"
	"time"
)

// TestLayout checks the layers of random graphs against their definition, and that the places in a
// layer are distinct.
func TestLayout(t *testing.T) {
	rng := rand.New(rand.NewSource(1))
	for range 200 {
		n := 1 + rng.Intn(60)
		needs := makeEdges(n, func(v int, add func(int)) {
			for range rng.Intn(4) {
				add(rng.Intn(v + 1))
			}
		})
		layer, order := layout(needs)
		places := map[[2]int32]bool{}
		for v := range int32(n) {
			want := int32(0)
			for _, u := range needs.of(v) {
				want = max(want, layer[u]+1)
			}
			if layer[v] != want {
				t.Fatalf("vertex %d is in layer %d, want %d", v, layer[v], want)
			}
			place := [2]int32{layer[v], order[v]}
			if places[place] {
				t.Fatalf("two vertices are at %v", place)
			}
			places[place] = true
		}
	}
}

// TestLayoutOrder checks that sweeping removes crossings.
func TestLayoutOrder(t *testing.T) {
	needs := makeEdges(6, func(v int, add func(int)) {
		if v >= 3 {
			add(5 - v) // 3 needs 2, 4 needs 1, 5 needs 0
		}
	})
	layer, order := layout(needs)
	if want := []int32{0, 0, 0, 1, 1, 1}; !slices.Equal(layer, want) {
		t.Errorf("layers %v, want %v", layer, want)
	}
	for v := 3; v < 6; v++ {
		if order[v] != order[5-v] {
			t.Errorf("%d is at %d, and what it needs at %d", v, order[v], order[5-v])
		}
	}
}

// TestLayoutOfCircles checks that a cyclic graph of a contradictory record has a layout, too.
func TestLayoutOfCircles(t *testing.T) {
	rng := rand.New(rand.NewSource(1))
	for range 200 {
		n := 1 + rng.Intn(30)
		layer, _ := layout(makeEdges(n, func(_ int, add func(int)) {
			for range rng.Intn(3) {
				add(rng.Intn(n+2) - 1)
			}
		}))
		if most := slices.Max(layer); int(most) >= n {
			t.Fatalf("%d layers of %d vertices", most+1, n)
		}
	}
}

func BenchmarkLayout(b *testing.B) {
	rng := rand.New(rand.NewSource(1))
	needs := makeEdges(10_000, func(v int, add func(int)) {
		for range min(v, 3) {
			add(rng.Intn(v))
		}
	})
	for b.Loop() {
		layout(needs)
	}
}

// TestSamePage checks that a page depends only on the run.
func TestSamePage(t *testing.T) {
	first := write(t, "ci", Options{}, ciRun("1e1d2c3b", time.Second))
	for range 3 {
		if again := write(t, "ci", Options{}, ciRun("1e1d2c3b", time.Second)); !bytes.Equal(again, first) {
			t.Fatal("the page of the same run is another one")
		}
	}
}

// TestSize checks the size of a page without its run.
func TestSize(t *testing.T) {
	run := newRecorder("1").finish(nil)
	if n := len(write(t, "empty", Options{}, run)); n > 80<<10 {
		t.Errorf("a page without steps has %d bytes, at most %d are allowed", n, 80<<10)
	}
}
