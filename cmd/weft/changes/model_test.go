package changes

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/weftrun/weft/engine"
	"github.com/weftrun/weft/engine/affected"
	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/schema"
)

const modelTaskfile = `version: '3'
includes: {sub: {taskfile: ./sub/Taskfile.yml, dir: sub, vars: {GIVEN: given-0}}}
vars: {USED: used-0, BEHIND: behind-0, UNUSED: unused-0}
env: {EVERYWHERE: '{{.BEHIND}}'}
tasks:
  c: {sources: ['src/**/*.c', {exclude: 'src/skip/**'}], generates: [c.out], cmds: ['echo c > c.out']}
  h: {sources: ['src/*.{c,h}', 'src/[a-m]*'], generates: [h.out], cmds: ['echo {{.USED}} > h.out']}
  joined: {deps: [c], sources: [c.out, 'link/*.c'], generates: [joined.out], cmds: ['echo joined > joined.out']}
  reads: {sources: ['*.out', {exclude: reads.out}, {exclude: body.out}], generates: [reads.out], cmds: ['echo reads > reads.out']}
  env: {sources: [env-source], dotenv: [task.env], generates: [env.out], cmds: ['echo $DOT {{.DOT}} > env.out']}
  ignoring: {sources: ['data/*'], use_gitignore: true, generates: [ignoring.out], cmds: ['echo > ignoring.out']}
  dep: {sources: ['src/z*'], depfile: dep.d, generates: [dep.out], cmds: ['if [ -e other/o ]; then echo "dep.out: other/o"; else echo "dep.out:"; fi > dep.d; echo > dep.out']}
  body: {sources: ['body/*'], generates: [body.out], cmds: [{task: c}, 'echo body-0 > body.out']}
`

const modelSub = `version: '3'
vars: {OWN: own-0}
tasks:
  t: {sources: ['*.txt', ../src/deep/x.c], generates: [t.out], cmds: ['echo {{.GIVEN}} > t.out']}
  u: {sources: ['*.txt'], generates: [u.out], deps: [':h'], cmds: ['echo {{.OWN}} > u.out']}
`

// model is a repository whose tasks were run, with the material of random changes.
type model struct {
	*repo
	random *rand.Rand
	n      int
}

func (m *model) pick(list ...string) string { return list[m.random.IntN(len(list))] }

// change makes one random change and describes it.
func (m *model) change() string {
	m.n++
	files := []string{"src/a.c", "src/b.h", "src/z.c", "src/deep/x.c", "src/deep/y.c", "src/skip/s.c", "src/.hidden.c", "env-source", "data/1", "data/2.tmp", "body/1", "sub/1.txt", "other/o"}
	file := m.pick(files...)
	step := ""
	switch m.random.IntN(12) {
	case 0, 1, 2:
		step = fmt.Sprintf("%s=%d", file, m.n)
	case 3:
		step = "-" + file
	case 4:
		if _, err := os.Stat(m.path(file)); err == nil {
			step = "+x " + file
		}
	case 5:
		to := m.pick(files...)
		if _, err := os.Stat(m.path(file)); err == nil && to != file {
			os.MkdirAll(filepath.Dir(m.path(to)), 0o755)
			if os.Rename(m.path(file), m.path(to)) == nil {
				return file + " becomes " + to
			}
		}
	case 6:
		os.Remove(m.path("link"))
		step = "link>" + m.pick("src", "src/deep", "other", "gone")
	case 7:
		step = fmt.Sprintf("task.env=DOT=%d\n", m.n)
	case 8:
		step = ".gitignore=" + modelIgnored + m.pick("", "data/*.tmp\n", "other\n")
	case 9, 10:
		name := m.pick("Taskfile.yml", "sub/Taskfile.yml")
		text, err := os.ReadFile(m.path(name))
		if err != nil {
			m.t.Fatal(err)
		}
		word := m.pick("given-", "used-", "behind-", "unused-", "body-", "own-")
		before, rest, found := strings.Cut(string(text), word)
		if !found {
			return name + " stays"
		}
		rest = strings.TrimLeft(rest, "0123456789")
		step = fmt.Sprintf("%s=%s%s%d%s", name, before, word, m.n, rest)
		m.do(step)
		return fmt.Sprintf("%s says %s%d", name, word, m.n)
	case 11:
		text, _ := os.ReadFile(m.path("Taskfile.yml"))
		m.do(fmt.Sprintf("Taskfile.yml=%s# comment %d\n", text, m.n))
		return "a comment"
	}
	if step == "" {
		return "nothing"
	}
	m.do(step)
	return step
}

const modelIgnored = ".weft\n*.out\n*.d\n"

// engine returns an engine of the current project, and the names of its tasks.
func (m *model) engine() (*engine.Engine, *schema.Workflow, []string) {
	m.t.Helper()
	w, list := schema.Load(m.t.Context(), schema.LoadOptions{Dir: m.dir})
	if list.Err() != nil {
		m.t.Fatal(list.Err())
	}
	e, err := engine.New(m.t.Context(), engine.Options{Workflow: w, UserDir: m.dir, Silent: true})
	if err != nil {
		m.t.Fatal(err)
	}
	var names []string
	for _, t := range w.Tasks {
		names = append(names, t.Name)
	}
	return e, w, names
}

func (m *model) run(names []string) {
	m.t.Helper()
	e, _, _ := m.engine()
	defer e.Close()
	if err := e.Run(m.t.Context(), calls(names)); err != nil {
		m.t.Fatal(err)
	}
}

func calls(names []string) (out []plan.Call) {
	for _, name := range names {
		out = append(out, plan.Call{Name: name})
	}
	return out
}

// stale returns the tasks that would run.
func (m *model) stale() (names []string) {
	m.t.Helper()
	e, _, all := m.engine()
	defer e.Close()
	answers, err := e.Why(m.t.Context(), calls(all))
	if err != nil {
		m.t.Fatal(err)
	}
	for _, a := range answers {
		if !a.Fresh && !slices.Contains(names, a.Task) {
			names = append(names, a.Task)
		}
	}
	return names
}

// affected returns the tasks that the changes since HEAD affect.
func (m *model) affected() (names []string) {
	m.t.Helper()
	e, w, _ := m.engine()
	defer e.Close()
	c, err := Since(m.t.Context(), Options{Dir: m.dir, Base: "HEAD", Environ: environ()})
	if err != nil {
		m.t.Fatal(err)
	}
	defer c.Close()
	before, list := schema.Load(m.t.Context(), schema.LoadOptions{Dir: m.dir, Files: c.Before(m.t.Context())})
	if list.Err() != nil {
		m.t.Fatal(list.Err())
	}
	found, err := affected.Find(m.t.Context(), affected.Options{Workflow: w, Footprints: e.Footprints(), Changes: c.Changes, Before: before}, nil)
	if err != nil {
		m.t.Fatal(err)
	}
	for _, f := range found {
		names = append(names, f.Name)
	}
	return names
}

// TestModel: for any change all tasks that weft would run are affected, and when these have run
// nothing is stale.
func TestModel(t *testing.T) {
	t.Parallel()
	m := &model{random: rand.New(rand.NewPCG(16, 2))}
	m.repo = newRepo(t, "Taskfile.yml="+modelTaskfile, "sub/Taskfile.yml="+modelSub, ".gitignore="+modelIgnored, "task.env=DOT=0\n", "link>src",
		"src/a.c=a", "src/b.h=b", "src/z.c=z", "src/deep/x.c=x", "src/skip/s.c=s", "env-source=e", "data/1=1", "data/2.tmp=2", "body/1=1", "sub/1.txt=1", "other/o=o")
	_, _, all := m.engine()
	m.run(all)
	m.run(all) // so that reads has read the files of the others
	if stale := m.stale(); len(stale) > 0 {
		t.Fatalf("%q have run, and would run again", stale)
	}
	spared := 0
	for round := range 40 {
		var made []string
		for range 1 + m.random.IntN(3) {
			made = append(made, m.change())
		}
		found := m.affected()
		for _, name := range m.stale() {
			if !slices.Contains(found, name) {
				t.Fatalf("round %d: %q makes %s run, which is not among the affected: %q", round, made, name, found)
			}
		}
		spared += len(all) - len(found)
		if len(found) > 0 {
			m.run(found)
			m.run(found)
		}
		if stale := m.stale(); len(stale) > 0 {
			t.Fatalf("round %d: %q affects %q; when they have run %q would still run", round, made, found, stale)
		}
		m.do("git add -A", "git commit -q --allow-empty -m next")
	}
	if spared < 40 {
		t.Errorf("only %d of %d tasks were not affected", spared, 40*len(all))
	}
}
