package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// What starting up may cost; every run of every build pays it.
const (
	initMilliseconds = 1.0
	initAllocs       = 2_000
	binaryMegabytes  = 12
)

// build compiles the program as it is shipped.
func build(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("builds the program")
	}
	bin := filepath.Join(t.TempDir(), "weft")
	cmd := exec.Command("go", "build", "-ldflags=-s -w", "-o", bin, ".")
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
		if info.Size() > binaryMegabytes<<20 {
			t.Errorf("the stripped binary has %d bytes, at most %d MB are allowed", info.Size(), binaryMegabytes)
		}
	})
	t.Run("init", func(t *testing.T) { initBudget(t, bin) })
}

// initLine is one package's initialisation; the runtime's own is not ours.
var initLine = regexp.MustCompile(`(?m)^init (\S+) @\S+ ms, (\S+) ms clock, \d+ bytes, (\d+) allocs$`)

// initBudget adds up the cheapest initialisation of each package over several
// runs: what a busy machine adds to one of them is nobody's fault.
func initBudget(t *testing.T, bin string) {
	cost, allocs := map[string]float64{}, map[string]int{}
	for range 9 {
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
	ms, n := 0.0, 0
	names := make([]string, 0, len(cost))
	for name := range cost {
		ms += cost[name]
		n += allocs[name]
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int { return int(1e6 * (cost[b] - cost[a])) })
	if ms > initMilliseconds || n > initAllocs {
		t.Errorf("initialisation takes %.2f ms and %d allocations, %.0f ms and %d are allowed; most by %s",
			ms, n, initMilliseconds, initAllocs, strings.Join(names[:5], ", "))
	}
	t.Logf("initialisation: %.2f ms, %d allocations", ms, n)
}
