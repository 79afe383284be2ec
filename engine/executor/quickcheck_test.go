package executor

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/weftrun/weft/engine/fingerprint"
	"github.com/weftrun/weft/engine/fingerprint/state"
	"github.com/weftrun/weft/engine/glob"
	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/engine/vars"
	"github.com/weftrun/weft/internal/statefile"
	"github.com/weftrun/weft/schema"
)

// looked is a workflow whose tasks have all succeeded.
type looked struct {
	t     testing.TB
	dir   string
	state *state.Store
	asked atomic.Int64

	x     *Executor // of this run
	tree  *glob.Tree
	steps map[string]*plan.Step // by task
}

const lookedTasks = `
version: '3'
pools: {p: 1}
vars: {V: in/a}
env: {G: g}
tasks:
  all: {deps: [named, templated, above, pattern, excluding, ignored, environment, status, precondition, never, old, output, read, locked, cached, tools]}
  named: {sources: [in/a, in/b], generates: [out/named], cmd: x}
  templated: {sources: ['{{.V}}'], generates: ['out/{{.TASK}}'], cmd: 'echo {{.V}}'}
  above: {deps: [named], sources: [out/named], generates: [out/above], cmd: x}
  pattern: {sources: ['in/*'], generates: [out/pattern], cmd: x}
  excluding: {sources: [in/a, {exclude: in/b}], generates: [out/excluding], cmd: x}
  ignored: {sources: [in/a], generates: [out/ignored], use_gitignore: true, cmd: x}
  environment: {sources: [in/a], generates: [out/environment], env: {E: e}, cmd: x}
  status: {sources: [in/a], generates: [out/status], status: ['true'], cmd: x}
  precondition: {sources: [in/a], generates: [out/precondition], preconditions: ['true'], cmd: x}
  never: {sources: [in/a], generates: [out/never], method: none, cmd: x}
  old: {sources: [in/a], generates: [out/old], fingerprint: task-v3, cmd: x}
  output: {sources: [in/a], generates: [out/output], outputs: {o: {from: stdout}}, cmd: x}
  read: {deps: [output], sources: [in/a], generates: [out/read], cmd: 'echo {{output "output" "o"}}'}
  locked: {sources: [in/a], generates: [out/locked], pool: p, cmd: x}
  cached: {sources: [in/a], generates: [out/cached], cache: {env: [HOME]}, cmd: x}
  tools: {sources: [in/a], generates: [out/tools], cache: {key: [{sh: cc --version}]}, cmd: x}
`

// toldByQuickCheck are the tasks that a quick check recognizes as up to date, and toldAhead those
// recognized while others are planned.
var (
	toldByQuickCheck = map[string]bool{"named": true, "templated": true, "above": true, "environment": true, "cached": true}
	toldAhead        = toldByQuickCheck
)

func newLooked(t testing.TB) *looked {
	l := &looked{t: t, dir: t.TempDir()}
	l.write("Taskfile.yml", lookedTasks)
	l.write("in/a", "in/a")
	l.write("in/b", "in/b")
	l.state = state.Open(statefile.Place{Base: l.dir, Path: ".weft", Project: l.dir}, state.Options{})
	t.Cleanup(l.state.Close)
	l.plan()
	l.x.Close() // no other goroutine may use the steps checked here
	for name := range l.steps {
		l.write("out/"+name, name)
	}
	l.write("out/x", "the last of them")
	l.age()
	for _, name := range []string{"named", "templated", "above", "pattern", "excluding", "ignored", "environment", "cached"} {
		l.succeed(name)
	}
	return l
}

func (l *looked) write(name, text string) {
	l.t.Helper()
	name = filepath.Join(l.dir, name)
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		l.t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		l.t.Fatal(err)
	}
}

// age waits until file times are conclusive.
func (l *looked) age() {
	found, err := glob.NewTree(nil).Find(l.t.Context(), l.dir, []glob.Pattern{{Glob: "out/x"}}, false)
	if err != nil {
		l.t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); found.Files[0].Stat().Recent(time.Now()); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			l.t.Fatal("the clock stands still")
		}
	}
}

// plan begins another run.
func (l *looked) plan() {
	l.t.Helper()
	w, list := schema.Load(l.t.Context(), schema.LoadOptions{Dir: l.dir})
	if err := list.Err(); err != nil {
		l.t.Fatal(err)
	}
	l.tree = glob.NewTree(nil)
	resolver := vars.New(vars.Options{Workflow: w, UserDir: l.dir, Shell: echo{}})
	o := plan.Options{Workflow: w, Resolver: resolver, Host: yes{}, Planned: func(s *plan.Step) { l.x.Planned(s) }}
	expander := plan.NewExpander(o)
	l.x = New(Options{Root: w.Dir, Expander: expander, State: l.state, Tree: l.tree, Checker: fingerprint.New(l.state, l.tree, nil), PlanningCommands: &l.asked})
	p, err := expander.Expand(l.t.Context(), plan.Call{Name: "all"})
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(l.x.Close)
	l.steps = map[string]*plan.Step{}
	for _, s := range p.Steps {
		if s.Name != "all" {
			l.steps[s.Name] = s
		}
	}
}

// succeed records a success of a task.
func (l *looked) succeed(name string) {
	l.t.Helper()
	ctx := l.t.Context()
	b := l.x.inspect(l.steps[name])
	if err := l.x.bind.bind(ctx, b); err != nil {
		l.t.Fatal(err)
	}
	v, err := l.x.fresh.judge(ctx, b, false)
	if err != nil || v.check == nil {
		l.t.Fatal(name, err)
	}
	if err := v.check.Commit(ctx, nil); err != nil {
		l.t.Fatal(err)
	}
	recordOrigin(b.Step, v.check.Digest)
	v.release()
}

// tells reports whether a quick check recognizes a task as up to date.
func (l *looked) tells(name string) bool {
	if !l.x.MayQuickCheck(l.steps[name]) {
		return false
	}
	k := l.x.QuickCheck()
	defer k.Close()
	return k.Fresh(l.t.Context(), l.steps[name])
}

// TestQuickCheck: a quick check recognizes exactly the tasks that it may.
func TestQuickCheck(t *testing.T) {
	l := newLooked(t)
	l.plan()
	for _, name := range []string{"named", "templated", "above", "pattern", "excluding", "ignored", "environment", "status", "precondition", "never", "old", "output", "read", "locked", "cached", "tools"} {
		if got := l.tells(name); got != toldByQuickCheck[name] {
			t.Errorf("of %s a quick check tells: %v", name, got)
		}
	}
	l.write("in/b", "changed")
	l.plan()
	l.x.Close()
	for name := range toldByQuickCheck {
		want, err := l.x.Fresh(t.Context(), l.steps[name])
		if got := l.tells(name); got != want || err != nil {
			t.Errorf("of %s a quick check tells: %v, want %v, %v", name, got, want, err)
		}
	}
	l.x.o.Force = func(*plan.Step) bool { return true }
	if l.tells("templated") {
		t.Error("a step that is forced is up to date")
	}
}

// TestAhead: results found during planning are valid until files may have changed.
func TestAhead(t *testing.T) {
	onSeveral(t)
	for name, change := range map[string]func(*looked){
		"nothing":    func(*looked) {},
		"a command":  func(l *looked) { l.tree.MarkDirty() },
		"a question": func(l *looked) { l.asked.Add(1) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLooked(t)
			l.plan()
			l.await("cached")
			for name, s := range l.steps {
				if (originOf(s) != nil) != toldAhead[name] {
					t.Errorf("%s: checked ahead: %v", name, originOf(s) != nil)
				}
			}
			l.write("in/a", "changed")
			change(l)
			if got, want := l.tells("templated"), name == "nothing"; got != want {
				t.Errorf("after %s the check ahead holds: %v", name, got)
			}
		})
	}
}

// TestAheadRunsNothing: checks ahead run nothing: if all tasks have a variable whose command has
// not run, only those for which planning ran it are checked.
func TestAheadRunsNothing(t *testing.T) {
	onSeveral(t)
	l := newLooked(t)
	l.write("Taskfile.yml", strings.Replace(lookedTasks, "env: {G: g}", "env: {G: {sh: g}}", 1))
	l.plan()
	l.await("environment")
	if originOf(l.steps["named"]) != nil {
		t.Error("a command was run to check ahead")
	}
}

// onSeveral skips a test on one processor, where nothing is checked ahead.
func onSeveral(t *testing.T) {
	if runtime.GOMAXPROCS(0) == 1 {
		t.Skip("one processor")
	}
}

// await waits until a task, and those planned before it, were checked.
func (l *looked) await(name string) {
	l.t.Helper()
	for deadline := time.Now().Add(10 * time.Second); originOf(l.steps[name]) == nil; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			l.t.Fatal("nothing was checked")
		}
	}
}

// TestAheadEnds: if planning fails, or never begins, the checks end, too.
func TestAheadEnds(t *testing.T) {
	l := newLooked(t)
	l.plan()
	l.x.Close()
	l.x.Close()
	l.x.Planned(l.steps["named"])
	New(Options{}).Close()
}

// BenchmarkQuickCheck checks a step that is up to date.
func BenchmarkQuickCheck(b *testing.B) {
	l := newLooked(b)
	l.plan()
	l.x.Close()
	k := l.x.QuickCheck()
	defer k.Close()
	b.ReportAllocs()
	for b.Loop() {
		if !k.Fresh(b.Context(), l.steps["templated"]) {
			b.Fatal("not up to date")
		}
	}
}
