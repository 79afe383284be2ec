package main

import (
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/weftrun/weft/internal/procstat"
)

// keepersAbove returns the keepers above a process, the nearest first.
func keepersAbove(pid string) (keepers []int) {
	for n, _ := strconv.Atoi(pid); n > 1; n = parentIn(n) {
		if comm, _ := os.ReadFile("/proc/" + strconv.Itoa(n) + "/comm"); string(comm) == "wf-keeper\n" {
			keepers = append(keepers, n)
		}
	}
	return keepers
}

// parentIn returns the parent of a process from /proc.
func parentIn(pid int) int {
	stat, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	s, _ := procstat.Parse(stat)
	return int(s.Parent)
}

// TestNested kills a weft within a weft within a weft, or its keeper, by SIGKILL. All its processes
// end, the step that called it fails, and the outer run continues and takes none of them for a
// daemon, although many have their own session and the outer run may end before them.
func TestNested(t *testing.T) {
	const tasks = `tasks:
  outer: {cmds: [{cmd: 'WRAP weft middle', ignore_error: true}]}
  middle: weft inner
  inner: sh many.sh
`
	for _, wrap := range []string{"env", "setsid -w", "timeout 1000", "make -j2 -f"} {
		for target, level := range map[string]int{"inner": 0, "middle": 1} {
			for _, who := range []string{"weft", "keeper"} {
				t.Run(target+" "+who+" by "+wrap, func(t *testing.T) {
					t.Parallel()
					call := strings.ReplaceAll(tasks, "WRAP weft middle", wrap+" weft middle")
					if strings.HasPrefix(wrap, "make") {
						call = strings.ReplaceAll(tasks, "WRAP weft middle", wrap+" nested.mk")
					}
					s := newSurvivors(t, call, "outer")
					for name, text := range map[string]string{
						"nested.mk": "all:\n\tweft middle\n",
						"many.sh":   "i=0; while [ $i -lt 50 ]; do setsid sleep 1000 & i=$((i+1)); done; exec probe A hold\n",
					} {
						if err := os.WriteFile(s.Dir+"/"+name, []byte(text), 0o600); err != nil {
							t.Fatal(err)
						}
					}
					s.start()
					a := s.probes.Accept("A")[0]
					keepers := keepersAbove(a.PID)
					if len(keepers) < 3 {
						t.Fatalf("keepers above: %v", keepers)
					}
					victim := keepers[level]
					if who == "weft" {
						victim = parentIn(victim)
					}
					syscall.Kill(victim, syscall.SIGKILL)
					if err := s.Wait(); err != nil {
						t.Error(err)
					}
					s.gone(0)
				})
			}
		}
	}
}
