//go:build unix

package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// remoteModel is a random project: tasks that need each other, some of which run on the server, and what
// they must make.
type remoteModel struct {
	*teamCheckout
	r     *rand.Rand
	needs [][]int // by task; of earlier ones
	there []bool
	own   []int // version of the source that each task has itself
}

// newRemoteModel returns a model whose server is that of k.
func newRemoteModel(k *team, seed uint64) *remoteModel {
	m := &remoteModel{r: rand.New(rand.NewPCG(seed, 1))}
	n := 2 + m.r.IntN(6)
	var tasks strings.Builder
	tasks.WriteString("silent: true\ntasks:\n")
	for i := range n {
		m.needs, m.own, m.there = append(m.needs, nil), append(m.own, 0), append(m.there, m.r.IntN(4) > 0)
		deps, sources := "", fmt.Sprintf("src/%d", i)
		for need := range i {
			if m.r.IntN(3) == 0 || need == i-1 && m.r.IntN(2) == 0 {
				m.needs[i] = append(m.needs[i], need)
				deps += fmt.Sprintf("t%d, ", need)
				sources += fmt.Sprintf(", 'out/%d/*'", need)
			}
		}
		fmt.Fprintf(&tasks, "  t%d: {run: once, remote: %t, deps: [%s], sources: [%s], generates: [out/%d/a, out/%d/b], cmds: ['mkdir -p out/%[5]d; cat src/%[5]d", i, m.there[i], deps, sources, i, i)
		for _, need := range m.needs[i] {
			fmt.Fprintf(&tasks, " out/%d/*", need)
		}
		fmt.Fprintf(&tasks, " >out/%d/a; echo %d >out/%d/b']}\n", i, i, i)
	}
	m.teamCheckout = k.project(fmt.Sprint("m", seed), tasks.String())
	m.env = append(m.env, "TMPDIR="+k.home)
	for i := range n {
		m.edit(i)
	}
	return m
}

// edit changes the source of a task.
func (m *remoteModel) edit(i int) {
	m.Helper()
	m.own[i]++
	err := os.MkdirAll(filepath.Join(m.dir, "src"), 0o755)
	if err == nil {
		err = os.WriteFile(filepath.Join(m.dir, "src", strconv.Itoa(i)), fmt.Appendf(nil, "%d.%d\n", i, m.own[i]), 0o644)
	}
	if err != nil {
		m.Fatal(err)
	}
}

// made returns what a task must make.
func (m *remoteModel) made(i int) (a, b string) {
	a, b = fmt.Sprintf("%d.%d\n", i, m.own[i]), fmt.Sprintln(i)
	for _, need := range m.needs[i] {
		x, y := m.made(need)
		a += x + y
	}
	return a, b
}

// check fails if the files of a task are not what it must have made; or, unless they are needed, not there.
func (m *remoteModel) check(i int, needed bool) {
	m.Helper()
	a, b := m.made(i)
	for name, want := range map[string]string{"a": a, "b": b} {
		got, err := os.ReadFile(filepath.Join(m.dir, "out", strconv.Itoa(i), name))
		if err != nil && needed || err == nil && string(got) != want {
			m.Errorf("out/%d/%s: got %q, %v, want %q", i, name, got, err, want)
		}
	}
}

// all calls f with a task and all that it needs, directly or not.
func (m *remoteModel) all(i int, f func(int)) {
	f(i)
	for _, need := range m.needs[i] {
		m.all(need, f)
	}
}

// TestRemoteModel runs random tasks in all modes, on a server that fails, forgets and lies by chance, or ends:
// each run succeeds, and makes what the same commands make here. WEFT_SEQUENCES is the number of projects,
// WEFT_SEED the first seed.
func TestRemoteModel(t *testing.T) {
	sequences, first := 6, uint64(1)
	if n, err := strconv.Atoi(os.Getenv("WEFT_SEQUENCES")); err == nil {
		sequences = n
	}
	if n, err := strconv.ParseUint(os.Getenv("WEFT_SEED"), 10, 64); err == nil {
		first = n
	}
	for seed := first; seed < first+uint64(sequences) && !t.Failed(); seed++ {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) { playRemote(t, seed) })
	}
}

func playRemote(t *testing.T, seed uint64) {
	k := newFarm(t)
	m := newRemoteModel(k, seed)
	const runs = 6
	for run := range runs {
		for i := range m.own {
			if m.r.IntN(4) == 0 {
				m.edit(i)
			}
		}
		faults := []string{"", "lose", "lie", "unavailable", "lose lie unavailable"}[m.r.IntN(5)]
		if run == runs-1 {
			faults = "die" // the last one
		}
		if err := os.WriteFile(k.socket+".faults", []byte(faults), 0o600); err != nil {
			t.Fatal(err)
		}
		if m.r.IntN(3) == 0 { // another machine has no cache and no outputs
			for _, name := range []string{".cache", ".weft", "out"} {
				if err := os.RemoveAll(filepath.Join(m.dir, name)); err != nil {
					t.Fatal(err)
				}
			}
		}
		task := len(m.needs) - 1 - m.r.IntN(2)
		download := []string{"all", "toplevel", "none"}[m.r.IntN(3)]
		line := fmt.Sprintf("-p --remote --remote-download=%s t%d", download, task)
		before := t.Failed()
		out := m.run(0, line)
		m.all(task, func(i int) {
			m.check(i, download == "all" || !m.there[i] || i == task && download == "toplevel")
			if !m.there[i] {
				for _, need := range m.needs[i] {
					m.check(need, false)
				}
			}
		})
		if t.Failed() && !before {
			text, _ := os.ReadFile(filepath.Join(m.dir, "Taskfile.yml"))
			t.Fatalf("run %d, faults %q, %s:\n%s\n%s", run, faults, line, text, out)
		}
	}
}
