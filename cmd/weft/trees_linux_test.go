package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/weftrun/weft/internal/probe"
)

// processTree is a random tree of processes that a command of a run has started.
type processTree struct {
	*survivors
	rng   *rand.Rand
	nodes []*node
	made  []string // the operations that created it, for messages
}

// node is a process of a tree.
type node struct {
	*probe.Probe
	pid     int
	session bool // it is not in the session of weft
	user    bool // it belongs to another user
	stopped bool
	traced  bool
}

// grow makes a random process of the tree start another process.
func (r *processTree) grow() {
	able := slices.DeleteFunc(slices.Clone(r.nodes), func(n *node) bool { return n.stopped || n.traced })
	parent := able[r.rng.IntN(len(able))]
	role := "N" + strconv.Itoa(len(r.nodes))
	child := &node{session: parent.session, user: parent.user}
	words := []string{"fork:" + role}
	if r.rng.IntN(3) == 0 {
		words, child.session = append(words, "setsid"), true
	}
	for _, word := range []string{"clean", "daemon", "hold-stdout", "ignore:TERM+INT"} {
		if r.rng.IntN(3) == 0 {
			words = append(words, word)
		}
	}
	if os.Geteuid() == 0 && !child.user && r.rng.IntN(6) == 0 {
		words, child.user = append(words, "user:"+strconv.Itoa(nobody)), true
	}
	r.do(parent, strings.Join(append(words, "hold"), ","))
	child.Probe = r.probes.Accept(role)[0]
	child.pid, _ = strconv.Atoi(child.PID)
	r.nodes = append(r.nodes, child)
}

// trouble stops a random process, or makes another process trace it.
func (r *processTree) trouble() {
	n := r.nodes[r.rng.IntN(len(r.nodes))]
	if n == r.nodes[0] || n.stopped || n.traced {
		return
	}
	by := r.nodes[r.rng.IntN(len(r.nodes))]
	if r.rng.IntN(2) == 0 || by == n || by.stopped || by.traced || by.user {
		n.stopped = true
		r.made = append(r.made, n.Role+" is stopped")
		syscall.Kill(n.pid, syscall.SIGSTOP)
		return
	}
	if answer := r.do(by, "trace:"+n.PID); answer == "" {
		n.traced = true
	}
}

func (r *processTree) do(n *node, word string) string {
	r.made = append(r.made, n.Role+": "+word)
	return n.Do(word)
}

// endings are the ways to end a run before its command ends by itself.
var endings = map[string]func(r *processTree, keeper int){
	"failure":      func(r *processTree, _ int) { r.nodes[0].Send("exit:3") },
	"SIGTERM":      func(r *processTree, _ int) { r.Process.Signal(syscall.SIGTERM) },
	"SIGHUP":       func(r *processTree, _ int) { r.Process.Signal(syscall.SIGHUP) },
	"SIGQUIT":      func(r *processTree, _ int) { r.Process.Signal(syscall.SIGQUIT) },
	"SIGINT twice": func(r *processTree, _ int) { r.interrupt(); r.Process.Signal(syscall.SIGINT) },
	"all told": func(r *processTree, keeper int) {
		for _, n := range r.nodes {
			syscall.Kill(n.pid, syscall.SIGTERM)
		}
		syscall.Kill(keeper, syscall.SIGTERM)
		r.Process.Signal(syscall.SIGTERM)
	},
	"weft killed":   func(r *processTree, _ int) { r.Process.Kill() },
	"job killed":    func(r *processTree, _ int) { syscall.Kill(-r.Process.Pid, syscall.SIGKILL) },
	"keeper killed": func(_ *processTree, keeper int) { syscall.Kill(keeper, syscall.SIGKILL) },
	"keeper stopped, told": func(r *processTree, keeper int) {
		syscall.Kill(keeper, syscall.SIGSTOP)
		r.Process.Signal(syscall.SIGTERM)
	},
	"keeper stopped, weft killed": func(r *processTree, keeper int) {
		syscall.Kill(keeper, syscall.SIGSTOP)
		r.Process.Kill()
	},
	"--stop": func(r *processTree, _ int) {
		if out, err := exec.Command("weft", "--stop", strconv.Itoa(r.Process.Pid)).CombinedOutput(); err != nil {
			r.t.Errorf("--stop: %v, %s", err, out)
		}
	},
}

// interrupt sends SIGINT, and returns when weft has received it.
func (r *processTree) interrupt() {
	r.Process.Signal(syscall.SIGINT)
	if !eventually(func() bool {
		events, _ := os.ReadFile(r.Dir + "/events")
		return strings.Contains(string(events), "signal_received")
	}) {
		r.t.Error("the signal is not received")
	}
}

// TestTrees creates random trees of processes that are hard to kill, and ends the run in each
// possible way: no process survives. Only after a successful run, the processes with sessions of
// their own survive, unless there is "leftover: kill". WEFT_TREES is the number of trees; the
// default is one for each way. WEFT_SEED is the number of the first one.
func TestTrees(t *testing.T) {
	count, _ := strconv.Atoi(os.Getenv("WEFT_TREES"))
	first, _ := strconv.ParseUint(os.Getenv("WEFT_SEED"), 10, 64)
	ways := []string{"success", "leftover: kill"}
	for way := range endings {
		ways = append(ways, way)
	}
	slices.Sort(ways)
	for i := range max(count, len(ways)) {
		seed := first + uint64(i)
		way := ways[seed%uint64(len(ways))]
		t.Run(fmt.Sprintf("%d %s", seed, way), func(t *testing.T) {
			t.Parallel()
			keys := "stop: {grace: 50ms}"
			if way == "leftover: kill" {
				keys += ", leftover: kill"
			}
			r := &processTree{survivors: newSurvivors(t, "tasks:\n  default: {"+keys+", cmds: [probe A ignore:INT hold]}\n", "--events=events"), rng: rand.New(rand.NewPCG(seed, 0))}
			defer func() {
				if t.Failed() {
					t.Log(strings.Join(r.made, "\n"))
				}
				for _, n := range r.nodes { // processes that the test has failed to end
					if !n.Dead() {
						syscall.Kill(n.pid, syscall.SIGKILL)
					}
				}
			}()
			r.start()
			root := &node{Probe: r.probes.Accept("A")[0]}
			root.pid, _ = strconv.Atoi(root.PID)
			r.nodes = []*node{root}
			for range 2 + r.rng.IntN(10) {
				r.grow()
				if r.rng.IntN(4) == 0 {
					r.trouble()
				}
			}
			keeper := keeperOf(r.Process.Pid)
			if keeper == 0 {
				t.Fatal("no keeper")
			}
			if end := endings[way]; end != nil {
				end(r, keeper)
				r.Wait()
				r.gone(patience)
				return
			}
			root.Send("exit:0")
			if err := r.Wait(); err != nil {
				t.Error(err)
			}
			for _, n := range r.nodes {
				if want := n == root || way != "success" || !n.session; n.Dead() != want {
					t.Errorf("%s: dead %v, want %v", n.Role, n.Dead(), want)
				}
			}
		})
	}
}
