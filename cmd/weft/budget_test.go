package main

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// The maximum cost of starting, which every run pays.
const (
	initMilliseconds = 1.0
	initAllocs       = 2_000

	// The budget was 12<<20, which the reports have exceeded by 0.56 MB. Until that is met again
	// the binary may not become larger than it is: lower this with every gain. What a team shares
	// and what runs elsewhere may add 300 KB in all, which --check --remote has exceeded by 35.
	binaryBytes = 13_145_000 + 335<<10
)

// build compiles the program as it is shipped.
func build(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("builds the program")
	}
	bin := filepath.Join(t.TempDir(), "weft")
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", bin, ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return bin
}

func TestBudget(t *testing.T) {
	bin := build(t)
	t.Run("size", func(t *testing.T) {
		info, err := os.Stat(bin)
		if err != nil {
			t.Fatal(err)
		}
		if info.Size() > binaryBytes {
			t.Errorf("the stripped binary has %d bytes, at most %d are allowed", info.Size(), binaryBytes)
		}
	})
	t.Run("init", func(t *testing.T) { initBudget(t, bin) })
}

// initLine is one package's initialisation; the runtime's own is not ours.
var initLine = regexp.MustCompile(`(?m)^init (\S+) @\S+ ms, (\S+) ms clock, \d+ bytes, (\d+) allocs$`)

// initBudget adds up the cheapest initialisation of each package over several
// runs, more if that is too much: a busy machine may add to each of them.
func initBudget(t *testing.T, bin string) {
	cost, allocs := map[string]float64{}, map[string]int{}
	total := func() (ms float64, n int) {
		for name := range cost {
			ms += cost[name]
			n += allocs[name]
		}
		return ms, n
	}
	for i := range 90 {
		if ms, _ := total(); i >= 9 && ms <= initMilliseconds {
			break
		}
		cmd := exec.Command(bin, "--version")
		cmd.Env = append(os.Environ(), "GODEBUG=inittrace=1")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range initLine.FindAllStringSubmatch(string(out), -1) {
			if m[1] == "runtime" {
				continue
			}
			ms, _ := strconv.ParseFloat(m[2], 64)
			if old, seen := cost[m[1]]; !seen || ms < old {
				cost[m[1]] = ms
			}
			allocs[m[1]], _ = strconv.Atoi(m[3])
		}
	}
	if len(cost) < 10 {
		t.Fatalf("only %d packages traced: has the format of inittrace changed?", len(cost))
	}
	ms, n := total()
	names := slices.SortedFunc(maps.Keys(cost), func(a, b string) int { return int(1e6 * (cost[b] - cost[a])) })
	if ms > initMilliseconds || n > initAllocs {
		t.Errorf("initialisation takes %.2f ms and %d allocations, %.0f ms and %d are allowed; most by %s",
			ms, n, initMilliseconds, initAllocs, strings.Join(names[:5], ", "))
	}
	t.Logf("initialisation: %.2f ms, %d allocations", ms, n)
}
