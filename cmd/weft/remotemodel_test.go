//go:build unix

package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// remoteModel is a random project: tasks that need each other, some of which run on the server, and what
// they must make. Two users have a clone of it, each on a machine of their own.
type remoteModel struct {
	*team
	r      *rand.Rand
	mortal *mortalCompanion
	clones [2]*teamCheckout
	needs  [][]int // by task; of earlier ones
	there  []bool
	kinds  []remoteKind
	own    []string        // what is in the source that each task has itself
	ever   map[string]bool // lines of outputs, see lineOf, that were right at some time
}

// remoteKind is what the second output of a task is. The first one is a file, "a".
type remoteKind uint8

const (
	makesFile remoteKind = iota
	makesProgram
	makesLink // to a
	makesDirectory
	remoteKinds // how many there are
)

// remoteKindCommands make the second output of the task %[1]d.
var remoteKindCommands = [remoteKinds]string{
	makesFile:      "echo %[1]d >out/%[1]d/b",
	makesProgram:   "echo %[1]d >out/%[1]d/b; chmod 755 out/%[1]d/b",
	makesLink:      "ln -sf a out/%[1]d/b",
	makesDirectory: "mkdir -p out/%[1]d/b",
}

// fails is a source with which a task fails.
const fails = "fails\n"

// newRemoteModel returns a model whose server is that of k.
func newRemoteModel(k *team, seed uint64) *remoteModel {
	m := &remoteModel{team: k, r: rand.New(rand.NewPCG(seed, 1)), mortal: newMortal(k), ever: map[string]bool{}}
	n := 2 + m.r.IntN(11)
	var tasks strings.Builder
	if m.r.IntN(32) > 0 { // the program is large, and every action gets it
		fmt.Fprintf(&tasks, "remote: {profiles: {default: {runner: {installed: %s}}}}\n", filepath.Join(k.bin, "weft"))
	}
	tasks.WriteString("silent: true\ntasks:\n")
	for i := range n {
		kind := remoteKind(m.r.IntN(int(remoteKinds)))
		m.needs, m.own, m.there, m.kinds = append(m.needs, nil), append(m.own, ""), append(m.there, m.r.IntN(4) > 0), append(m.kinds, kind)
		deps, sources, tests, read := "", fmt.Sprintf("src/%d", i), "", ""
		for need := range i {
			if m.r.IntN(1+max(2, i/2)) > 0 && (need != i-1 || m.r.IntN(2) == 0) {
				continue
			}
			m.needs[i] = append(m.needs[i], need)
			deps += fmt.Sprintf("t%d, ", need)
			sources += fmt.Sprintf(", 'out/%d/*'", need)
			read += fmt.Sprintf(" out/%d/a", need)
			switch m.kinds[need] {
			case makesProgram:
				tests += fmt.Sprintf("test -x out/%d/b; ", need)
			case makesLink:
				tests += fmt.Sprintf("test -L out/%d/b; ", need)
			}
			if m.kinds[need] != makesDirectory {
				read += fmt.Sprintf(" out/%d/b", need)
			}
		}
		generates := fmt.Sprintf("out/%d/a, out/%[1]d/b", i)
		if kind == makesDirectory {
			generates = fmt.Sprintf("'out/%d/**'", i)
		}
		fmt.Fprintf(&tasks, "  t%d: {run: once, remote: %t, deps: [%s], sources: [%s], generates: [%s], set: [errexit], cmds: ['mkdir -p out/%[1]d; %[6]scat src/%[1]d%[7]s >out/%[1]d/a; %[8]s; if grep -q fails src/%[1]d; then exit 3; fi']}\n",
			i, m.there[i], deps, sources, generates, tests, read, fmt.Sprintf(remoteKindCommands[kind], i))
	}
	for i := range m.clones {
		m.clones[i] = k.project(fmt.Sprint("m", seed, "-", i), tasks.String())
		m.clones[i].env = append(m.clones[i].env, "TMPDIR="+k.home)
	}
	for i := range n {
		m.edit(i, 0)
	}
	return m
}

// edit changes the source of a task.
func (m *remoteModel) edit(i, version int) {
	m.Helper()
	m.own[i] = fmt.Sprintf("%d.%d\n", i, version)
	if m.r.IntN(12) == 0 {
		m.own[i] += fails
	}
	for _, c := range m.clones {
		err := os.MkdirAll(filepath.Join(c.dir, "src"), 0o755)
		if err == nil {
			err = os.WriteFile(filepath.Join(c.dir, "src", strconv.Itoa(i)), []byte(m.own[i]), 0o644)
		}
		if err != nil {
			m.Fatal(err)
		}
	}
}

// made returns the outputs of a task, as lineOf has them.
func (m *remoteModel) made(i int) (a, b string) {
	text := m.own[i]
	for _, need := range m.needs[i] {
		x, y := m.made(need)
		if m.kinds[need] == makesLink {
			y = x
		}
		for _, line := range []string{x, y} {
			_, content, _ := strings.Cut(line, " ")
			text += content
		}
	}
	return "file " + text, [remoteKinds]string{fmt.Sprintf("file %d\n", i), fmt.Sprintf("program %d\n", i), "link a", "directory "}[m.kinds[i]]
}

// outputs returns the outputs of a task by their paths.
func (m *remoteModel) outputs(i int) map[string]string {
	a, b := m.made(i)
	return map[string]string{fmt.Sprintf("out/%d/a", i): a, fmt.Sprintf("out/%d/b", i): b}
}

// all calls f with a task and all that it needs, directly or not.
func (m *remoteModel) all(i int, f func(int)) {
	f(i)
	for _, need := range m.needs[i] {
		m.all(need, f)
	}
}

// fails reports whether a task, or one that it needs, fails.
func (m *remoteModel) fails(i int) (is bool) {
	m.all(i, func(i int) { is = is || strings.HasSuffix(m.own[i], fails) })
	return is
}

// remoteRun is a run of a task.
type remoteRun struct {
	*exec.Cmd
	in       *teamCheckout
	task     int
	download string
	said     bytes.Buffer
}

// newRun returns a run of a random task, in a random mode, whose second program may be killed. Nothing fails
// on a sound server.
func (m *remoteModel) newRun(in *teamCheckout, sound bool) *remoteRun {
	var ends []string
	for range max(0, m.r.IntN(5)-2) {
		end := strconv.Itoa(1 + m.r.IntN(40))
		if m.r.IntN(2) == 0 {
			end += fmt.Sprint(" ", time.Duration(m.r.IntN(5000))*time.Microsecond)
		}
		ends = append(ends, end)
	}
	mode := "auto"
	if sound && len(ends) < 2 && m.r.IntN(2) == 0 {
		mode = "strict"
	}
	r := &remoteRun{in: in, task: len(m.needs) - 1 - m.r.IntN(2), download: []string{"all", "toplevel", "none"}[m.r.IntN(3)]}
	r.Cmd = in.command(fmt.Sprintf("-x -p --remote=%s --remote-download=%s t%d", mode, r.download, r.task))
	env, _ := m.mortal.env(ends...)
	r.Env = append(r.Env, env...)
	r.Stdout, r.Stderr = &r.said, &r.said
	return r
}

// String describes a run that has ended.
func (r *remoteRun) String() string {
	return fmt.Sprintf("%s\n%q\n%v\n%s\n", r.in.dir, r.Args, r.ProcessState, &r.said)
}

// check fails if a run, which has ended, has not ended, said and made what it must have.
func (m *remoteModel) check(r *remoteRun) {
	m.Helper()
	code := 0
	if m.fails(r.task) {
		code = 3
	}
	if got := r.ProcessState.ExitCode(); got != code {
		m.Errorf("exit code %d, want %d", got, code)
	}
	told := map[string]bool{}
	for line := range strings.Lines(r.said.String()) {
		if _, what, is := strings.Cut(line, "does not run \"t"); is {
			_, what, _ = strings.Cut(what, " ") // of whatever task
			if told[what] {
				m.Errorf("told twice: %s", what)
			}
			told[what] = true
		} else if strings.HasPrefix(line, "weft: remote: ") && told[line] {
			m.Errorf("told twice: %s", line)
		}
		told[line] = true
	}
	m.all(r.task, func(i int) {
		needed := r.download == "all" || !m.there[i] || i == r.task && r.download == "toplevel"
		for path, want := range m.outputs(i) {
			got, err := lineOf(filepath.Join(r.in.dir, path))
			if code == 0 && (err != nil && needed || err == nil && got != want) {
				m.Errorf("%s: got %q, %v, want %q", path, got, err, want)
			}
		}
	})
	// Nothing else is there, and nothing that is not whole.
	for path, line := range m.below(r.in.dir, "out") {
		if strings.Count(path, "/") > 1 && !m.ever[path+line] {
			m.Errorf("%s was never made: %q", path, line)
		}
	}
}

// TestRemoteModel runs random tasks in all modes, on a server that fails, forgets and lies by chance, or ends,
// with a second program that is killed at any time, one run or two at a time, in one clone or in two: each
// run ends as the same commands end here, makes what they make here, leaves nothing else, and says what is
// wrong once. WEFT_SEQUENCES is the number of projects, WEFT_SEED the first seed.
//
// A sequence takes its time for processes that start, and mostly waits while a server is not to be reached.
// So there are few rounds in each, and several at once.
func TestRemoteModel(t *testing.T) {
	sequences, first := 200, uint64(1)
	if testing.Short() {
		sequences = 20
	}
	if n, err := strconv.Atoi(os.Getenv("WEFT_SEQUENCES")); err == nil {
		sequences = n
	}
	if n, err := strconv.ParseUint(os.Getenv("WEFT_SEED"), 10, 64); err == nil {
		first = n
	}
	newFarm(t) // builds the programs
	if st, err := os.Stat("/dev/shm"); err == nil && st.IsDir() {
		t.Setenv("TMPDIR", "/dev/shm")
	}
	var next atomic.Uint64
	var lanes sync.WaitGroup
	for range 2 * runtime.GOMAXPROCS(0) {
		lanes.Go(func() {
			for !t.Failed() {
				n := next.Add(1) - 1
				if n >= uint64(sequences) {
					return
				}
				seed := first + n
				t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) { playRemote(t, seed) })
			}
		})
	}
	lanes.Wait()
}

func playRemote(t *testing.T, seed uint64) {
	k := newFarm(t)
	m := newRemoteModel(k, seed)
	rounds := 1 + m.r.IntN(3)
	for round := range rounds {
		for i := range m.own {
			if m.r.IntN(4) == 0 {
				m.edit(i, round+1)
			}
		}
		for i := range m.own {
			for path, line := range m.outputs(i) {
				m.ever[path+line] = true
			}
		}
		faults := []string{"", "lose", "lie", "unavailable", "lose lie unavailable"}[m.r.IntN(5)]
		if round == rounds-1 && m.r.IntN(3) == 0 {
			faults = "die" // the last one
		}
		if err := os.WriteFile(k.socket+".faults", []byte(faults), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, c := range m.clones {
			if m.r.IntN(3) > 0 {
				continue
			}
			for _, name := range []string{".cache", ".weft", "out"} { // as on another machine
				if err := os.RemoveAll(filepath.Join(c.dir, name)); err != nil {
					t.Fatal(err)
				}
			}
		}
		runs := []*remoteRun{m.newRun(m.clones[0], faults == "")}
		if other := m.r.IntN(4); other < len(m.clones) {
			runs = append(runs, m.newRun(m.clones[other], faults == ""))
		}
		for _, r := range runs {
			if err := r.Start(); err != nil {
				t.Fatal(err)
			}
		}
		for _, r := range runs {
			r.Wait()
		}
		for _, r := range runs {
			m.check(r)
		}
		for _, c := range m.clones {
			if runtime.GOOS == "linux" && !eventually(func() bool { return len(c.processes("")) == 0 }) {
				t.Errorf("processes %v are left", c.processes(""))
			}
		}
		if t.Failed() {
			text, _ := os.ReadFile(filepath.Join(m.clones[0].dir, "Taskfile.yml"))
			t.Fatalf("round %d, faults %q:\n%s\n%v\n%q", round, faults, text, runs, m.own)
		}
	}
	for _, c := range m.clones {
		c.run(0, "--cache=verify")
	}
}
