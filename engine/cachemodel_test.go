//go:build unix

package engine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/schema"
)

// TestCacheModel performs random actions on two checkouts that share a cache, and runs their tasks
// in between. After each successful run, the generated files must match a naive model, whether they
// were up to date, restored or made; nothing runs twice without a change; and a result made once is
// restored. WEFT_SEQUENCES is the number of sequences, WEFT_SEED the first seed.
func TestCacheModel(t *testing.T) {
	if dir := os.Getenv(modelChild); dir != "" {
		m := &model{checkout: checkout{dir: dir, taskfile: os.Getenv(modelChild + "_TASKFILE")}, cacheDir: os.Getenv(modelChild + "_CACHE")}
		m.run(context.Background(), Options{})
		return
	}
	sequences, first := 40, uint64(1)
	if n, err := strconv.Atoi(os.Getenv("WEFT_SEQUENCES")); err == nil {
		sequences = n
	}
	if n, err := strconv.ParseUint(os.Getenv("WEFT_SEED"), 10, 64); err == nil {
		first = n
	}
	var total [event.Cancelled + 1]int
	for seed := first; seed < first+uint64(sequences) && !t.Failed(); seed++ {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			for outcome, n := range playModel(t, seed) {
				total[outcome] += n
			}
		})
	}
	t.Logf("succeeded %d, fresh %d, restored %d, failed %d", total[event.Succeeded], total[event.Fresh], total[event.Restored], total[event.Failed])
	if first == 1 && sequences >= 40 && !t.Failed() {
		for _, o := range [...]event.Outcome{event.Succeeded, event.Fresh, event.Restored, event.Failed} {
			if total[o] < sequences {
				t.Errorf("only %d steps ended as %s: the test tests too little", total[o], o)
			}
		}
	}
}

// modelChild is the variable that makes a process perform one run, and says where.
const modelChild = "WEFT_CACHE_MODEL"

// checkout is a project, and the contents of its Taskfile.
type checkout struct {
	dir       string
	value     string // is part of a command
	env       string
	cacheKey  string
	uncached  bool
	taskfile  string
	untouched bool // since the last success
}

// modelTasks are two tasks of which the second reads the output of the first. Their commands start
// no program.
const modelTasks = `version: '3'
env: {E: '%[2]s'}
tasks:
  one:
    cache: %[3]s
    sources: [src/*, src/d/*]
    generates: [out/all, out/one]
    cmds:
      - |
        for f in src/* src/d/*; do
          if [ -d "$f" ]; then continue; fi
          if [ ! -e "$f" ]; then if [ -L "$f" ]; then echo "$f dangling"; fi; continue; fi
          read -r line <"$f" || exit 3
          if [ -x "$f" ]; then line="$line x"; fi
          echo "$f $line"
        done >out/all
      - echo %[1]s $E >out/one
      - echo built %[1]s; echo warned >&2
  two:
    cache: %[3]s
    deps: [one]
    sources: [out/*]
    generates: [bin]
    cmds:
      - while read -r line; do echo "$line"; done <out/all >bin; read -r line <out/one; echo "$line" >>bin
`

func (c *checkout) writeTaskfile() {
	cached := "{key: ['" + c.cacheKey + "']}"
	if c.uncached {
		cached = "false"
	}
	c.taskfile = fmt.Sprintf(modelTasks, c.value, c.env, cached)
}

// state returns the inputs of the result, and the result: the text that the first task writes to
// out/all; ok is false if it must fail.
func (c *checkout) state() (key, all string, ok bool) {
	ok = true
	key = fmt.Sprintf("%q %q %q\n", c.value, c.env, c.cacheKey)
	for _, pattern := range [...]string{"src/*", "src/d/*"} {
		names, _ := filepath.Glob(filepath.Join(c.dir, pattern))
		for _, name := range names {
			rel, _ := filepath.Rel(c.dir, name)
			st, err := os.Stat(name)
			target, _ := os.Readlink(name)
			switch {
			case err != nil:
				all += rel + " dangling\n"
				key += fmt.Sprintf("%s %q\n", rel, target)
				continue
			case st.IsDir():
				continue
			}
			b, err := os.ReadFile(name)
			line := strings.TrimSuffix(string(b), "\n")
			if err != nil {
				ok = false
			}
			if st.Mode()&0o111 != 0 {
				line += " x"
			}
			all += rel + " " + line + "\n"
			key += fmt.Sprintf("%s %q %q\n", rel, target, line)
		}
	}
	return key, all, ok
}

// model is a sequence of actions on two checkouts. It acts on the first; they swap places.
type model struct {
	checkout
	other    checkout
	t        *testing.T
	r        *rand.Rand
	cacheDir string
	kept     map[string]bool // states whose results are in the cache
	damaged  bool            // the cache may contain blobs whose damage is found when they are read
	history  []map[string]modelFile
	log      []string // past actions
	outcomes [event.Cancelled + 1]int
}

// modelFile is a source.
type modelFile struct {
	text   string
	mode   fs.FileMode
	target string
}

func playModel(t *testing.T, seed uint64) [event.Cancelled + 1]int {
	m := &model{t: t, r: rand.New(rand.NewPCG(seed, 16)), kept: map[string]bool{}}
	top := t.TempDir()
	m.cacheDir = filepath.Join(top, "cache")
	for i, c := range [...]*checkout{&m.checkout, &m.other} {
		*c = checkout{dir: filepath.Join(top, string(rune('a'+i)), "p"), value: "v0", env: "e0", cacheKey: "k0"}
		m.must(os.MkdirAll(filepath.Join(c.dir, "src", "d"), 0o755))
		m.must(os.MkdirAll(filepath.Join(c.dir, "out"), 0o755))
		c.writeTaskfile()
		m.must(os.WriteFile(filepath.Join(c.dir, "src", "a"), []byte("1\n"), 0o644))
		m.must(os.WriteFile(filepath.Join(c.dir, "src", "d", "b"), []byte("2\n"), 0o644))
	}
	m.remember()
	for range 25 {
		for range m.r.IntN(3) {
			m.change()
		}
		m.act()
		if t.Failed() {
			t.Logf("seed %d:\n%s", seed, strings.Join(m.log, "\n"))
			break
		}
		if m.r.IntN(4) == 0 {
			m.checkout, m.other = m.other, m.checkout
			m.say("in the other checkout")
		}
	}
	return m.outcomes
}

func (m *model) must(err error) {
	m.t.Helper()
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		m.t.Fatalf("%v, after\n%s", err, strings.Join(m.log, "\n"))
	}
}

func (m *model) say(format string, args ...any) { m.log = append(m.log, fmt.Sprintf(format, args...)) }

func pick[T any](m *model, list ...T) T { return list[m.r.IntN(len(list))] }

// source returns the path of one of a few sources, which may exist.
func (m *model) source() string {
	return filepath.Join(m.dir, pick(m, "src/a", "src/b", "src/c", "src/d/a", "src/d/b"))
}

// sources are all sources.
func (m *model) sources() map[string]modelFile {
	all := map[string]modelFile{}
	filepath.WalkDir(filepath.Join(m.dir, "src"), func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return nil
		}
		rel, _ := filepath.Rel(m.dir, name)
		f := modelFile{}
		if f.target, err = os.Readlink(name); err != nil {
			b, _ := os.ReadFile(name)
			st, _ := e.Info()
			f.text, f.mode = string(b), st.Mode().Perm()
		}
		all[rel] = f
		return nil
	})
	return all
}

func (m *model) remember() { m.history = append(m.history, m.sources()) }

// revert restores an earlier state of the sources.
func (m *model) revert() {
	then := pick(m, m.history...)
	now := m.sources()
	for name := range now {
		if _, ok := then[name]; !ok {
			m.must(os.Remove(filepath.Join(m.dir, name)))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(then)) {
		f, path := then[name], filepath.Join(m.dir, name)
		if f == now[name] {
			continue
		}
		m.must(os.Remove(path))
		if f.target != "" {
			m.must(os.Symlink(f.target, path))
			continue
		}
		m.must(os.WriteFile(path, []byte(f.text), 0o644))
		m.must(os.Chmod(path, f.mode))
	}
	m.say("revert to %v", then)
}

// change changes the sources, the Taskfile, the generated files, the cache or the state.
func (m *model) change() {
	m.untouched = false
	name := m.source()
	rel, _ := filepath.Rel(m.dir, name)
	regular := func() bool {
		st, err := os.Lstat(name)
		return err == nil && st.Mode().IsRegular()
	}
	made := filepath.Join(m.dir, pick(m, "out/all", "out/one", "bin"))
	switch m.r.IntN(22) {
	case 0, 1, 2, 3:
		m.must(os.Remove(name))
		text := pick(m, "1", "2", "3")
		m.must(os.WriteFile(name, []byte(text+"\n"), 0o644))
		m.say("write %s to %s", text, rel)
	case 4: // in place, with the same size and an older time
		if regular() {
			text := pick(m, "1", "2", "3")
			m.must(os.WriteFile(name, []byte(text+"\n"), 0o644))
			past := time.Unix(1_600_000_000, 0)
			m.must(os.Chtimes(name, past, past))
			m.say("write %s to %s, with an old time", text, rel)
		}
	case 5:
		if regular() {
			m.must(os.Chtimes(name, time.Now(), time.Now()))
			m.say("touch %s", rel)
		}
	case 6:
		if regular() {
			mode := pick[fs.FileMode](m, 0o644, 0o755)
			m.must(os.Chmod(name, mode))
			m.say("chmod %o %s", mode, rel)
		}
	case 7:
		to := m.source()
		m.must(os.Rename(name, to))
		m.say("rename %s to %s", rel, filepath.Base(to))
	case 8:
		m.must(os.Remove(name))
		m.say("remove %s", rel)
	case 9, 10, 11:
		m.revert()
	case 12:
		m.must(os.Remove(name))
		target := pick(m, "a", "d", "nowhere", "../src/b", "../../outside")
		m.must(os.Symlink(target, name))
		m.say("link %s to %s", rel, target)
	case 13: // unreadable
		m.must(os.Remove(name))
		m.must(os.Symlink("/proc/self/mem", name))
		m.say("make %s unreadable", rel)
	case 14:
		m.must(os.WriteFile(filepath.Join(m.dir, "..", "outside"), []byte(pick(m, "7", "8")+"\n"), 0o644))
		m.say("write the file outside")
	case 15:
		*pick(m, &m.value, &m.env, &m.cacheKey) = pick(m, "v1", "v2")
		m.uncached = m.r.IntN(6) == 0
		m.writeTaskfile()
		m.say("task edited: %s %s %s, not cached: %v", m.value, m.env, m.cacheKey, m.uncached)
	case 16:
		m.must(os.Remove(made))
		m.say("remove %s", filepath.Base(made))
	case 17:
		m.must(os.WriteFile(made, []byte("edited\n"), 0o644))
		m.say("edit %s", filepath.Base(made))
	case 18:
		m.must(os.Remove(made))
		m.must(os.Symlink("../src/a", made))
		m.say("link in place of %s", filepath.Base(made))
		m.must(os.Remove(made)) // a run would write through it
	case 19:
		m.must(os.RemoveAll(filepath.Join(m.dir, ".weft")))
		m.say("state removed")
	case 20:
		m.damage()
	case 21:
		clear(m.kept)
		m.damaged = false
		m.must(os.RemoveAll(m.cacheDir))
		m.say("cache removed")
	}
	if m.r.IntN(3) == 0 {
		m.remember()
	}
}

// damage damages files of the cache.
func (m *model) damage() {
	clear(m.kept)
	m.damaged = true
	how := m.r.IntN(3)
	filepath.WalkDir(m.cacheDir, func(name string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() || m.r.IntN(3) > 0 {
			return nil
		}
		os.Chmod(name, 0o644)
		b, _ := os.ReadFile(name)
		switch {
		case how == 0:
			os.Remove(name)
		case how == 1:
			os.Truncate(name, int64(len(b)/2))
		case len(b) > 0:
			b[m.r.IntN(len(b))] ^= 0x20
			os.WriteFile(name, b, 0o644)
		}
		return nil
	})
	m.say("cache damaged")
}

// act runs the tasks in one of several ways.
func (m *model) act() {
	switch n := m.r.IntN(40); {
	case n == 0:
		m.killed()
	case n < 4:
		m.cancelled()
	case n < 7:
		m.twice()
	case n < 9:
		m.succeed("without a cache", Options{NoCache: true})
	case n < 11:
		m.succeed("refreshing", Options{Refresh: true})
	case n < 13:
		m.succeed("forced", Options{ForceAll: true, Force: true})
	default:
		m.succeed("as usual", Options{})
	}
}

// outcome is the result of a run, and its output.
type outcome struct {
	err     error
	steps   map[string]event.Outcome
	stdout  string
	stderr  string
	warning string
}

// run runs the second task with its needs.
func (m *model) run(ctx context.Context, o Options) (out outcome) {
	w, list := schema.Load(ctx, schema.LoadOptions{Dir: m.dir, Entrypoint: "-", Stdin: strings.NewReader(m.taskfile)})
	if w == nil {
		return outcome{err: list.Err()}
	}
	out.steps = map[string]event.Outcome{}
	sink := o.Sink
	o.Workflow, o.UserDir, o.CacheDir, o.Environ = w, m.dir, m.cacheDir, []string{"PATH="}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return outcome{err: err}
	}
	defer null.Close()
	o.Stdout, o.Stderr = null, nil // separate streams
	o.Sink = func(ev event.Event) {
		switch ev := ev.(type) {
		case *event.Output:
			if ev.Stream == event.Stderr {
				out.stderr += string(ev.Data)
			} else {
				out.stdout += string(ev.Data)
			}
			if ev.Release != nil {
				ev.Release()
			}
		case *event.StepSettled:
			out.steps[ev.Name] = ev.Outcome
		case *event.DiagnosticFound:
			out.warning += ev.Diagnostic.Error() + "\n"
		}
		if sink != nil {
			sink(ev)
		}
	}
	e, err := New(ctx, o)
	if err != nil {
		return outcome{err: err}
	}
	defer e.Close()
	out.err = e.Run(ctx, []plan.Call{{Name: "two"}})
	return out
}

// succeed performs a run that must succeed if possible.
func (m *model) succeed(how string, o Options) {
	key, all, possible := m.state()
	out := m.run(m.t.Context(), o)
	m.say("run %s: %v %s %v", how, out.steps, strings.TrimSpace(out.warning), out.err)
	for _, ended := range out.steps {
		m.outcomes[ended]++
	}
	m.verify(out, all, possible)
	one := out.steps["one"]
	switch {
	case out.err != nil:
		m.untouched = false
		return
	case m.untouched && !o.Force && (one != event.Fresh || out.steps["two"] != event.Fresh):
		m.t.Errorf("nothing has changed, and it is not up to date")
	case one == event.Succeeded && m.kept[key] && !m.uncached && !o.NoCache && !o.Refresh && !o.Force:
		m.t.Errorf("its result is in the cache, and it runs")
	case one == event.Succeeded && !m.uncached && !o.NoCache:
		m.kept[key] = !m.damaged
	}
	if shown := "built " + m.value + "\n"; (one == event.Restored || one == event.Succeeded && !m.uncached && !o.NoCache) && (out.stdout != shown || out.stderr != "warned\n") {
		m.t.Errorf("it shows %q, and %q on standard error", out.stdout, out.stderr)
	}
	m.untouched = !o.Force || m.untouched
}

// verify compares the files after a run with the model.
func (m *model) verify(out outcome, all string, possible bool) {
	m.t.Helper()
	if (out.err == nil) != possible {
		m.t.Errorf("it ended with %v; a source can be read: %v", out.err, possible)
	}
	if out.err != nil {
		return
	}
	line := m.value + " " + m.env + "\n"
	for name, want := range map[string]string{"out/all": all, "out/one": line, "bin": all + line} {
		if got, err := os.ReadFile(filepath.Join(m.dir, name)); err != nil || string(got) != want {
			m.t.Errorf("%s has %q, %v; want %q", name, got, err, want)
		}
	}
}

// cancelled performs a run that is cancelled at some event.
func (m *model) cancelled() {
	ctx, cancel := context.WithCancelCause(m.t.Context())
	defer cancel(nil)
	left := m.r.IntN(20)
	out := m.run(ctx, Options{Sink: func(event.Event) {
		if left--; left == 0 {
			cancel(errors.New("enough"))
		}
	}})
	m.say("run cancelled: %v", out.steps)
	m.untouched = false
}

// twice performs two concurrent runs: of this checkout, or of both.
func (m *model) twice() {
	_, all, possible := m.state()
	second := model{checkout: m.checkout, t: m.t, cacheDir: m.cacheDir}
	both := m.r.IntN(2) == 0
	if both {
		second.checkout = m.other
	}
	_, otherAll, otherPossible := second.state()
	var outs [2]outcome
	var wg sync.WaitGroup
	wg.Go(func() { outs[0] = m.run(m.t.Context(), Options{}) })
	wg.Go(func() { outs[1] = second.run(m.t.Context(), Options{}) })
	wg.Wait()
	m.say("two runs, of both checkouts %v: %v %v, %v %v", both, outs[0].steps, outs[0].err, outs[1].steps, outs[1].err)
	m.verify(outs[0], all, possible)
	second.verify(outs[1], otherAll, otherPossible)
	m.untouched = false
	if both {
		m.other.untouched = false
	}
}

// killed performs a run in a process that is killed at some time.
func (m *model) killed() {
	cmd := exec.Command(os.Args[0], "-test.run=^TestCacheModel$")
	cmd.Env = append(os.Environ(), modelChild+"="+m.dir, modelChild+"_CACHE="+m.cacheDir, modelChild+"_TASKFILE="+m.taskfile)
	m.must(cmd.Start())
	timer := time.AfterFunc(time.Duration(m.r.IntN(60))*time.Millisecond, func() { cmd.Process.Kill() })
	err := cmd.Wait()
	timer.Stop()
	m.say("run that is killed: %v", err)
	m.untouched = false
}
