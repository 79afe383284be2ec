package affected_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weftrun/weft/engine"
	"github.com/weftrun/weft/engine/affected"
	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/schema"
)

// project is a workflow in a directory of its own, /repo/project in what is shown.
type project struct {
	t    *testing.T
	root string
	*schema.Workflow
	*engine.Engine
}

func newProject(t *testing.T, root, taskfile string) *project {
	t.Helper()
	p := &project{t: t, root: root, Workflow: load(t, root, taskfile)}
	var err error
	if p.Engine, err = engine.New(t.Context(), engine.Options{Workflow: p.Workflow, UserDir: p.Dir}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Engine.Close)
	return p
}

func load(t *testing.T, root, taskfile string) *schema.Workflow {
	t.Helper()
	dir := filepath.Join(root, "project")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "Taskfile.yml"), []byte("version: '3'\n"+taskfile), 0o644); err != nil {
		t.Fatal(err)
	}
	w, list := schema.Load(t.Context(), schema.LoadOptions{Dir: dir})
	if list.Err() != nil {
		t.Fatal(list.Err())
	}
	return w
}

// find returns the tasks that changes affect, as lines. A change is a path below the root
// with "+" for a new file, "-" for one that was removed, "/" at its end for a directory.
func (p *project) find(before *schema.Workflow, unknown string, changes, names []string) string {
	p.t.Helper()
	o := affected.Options{Workflow: p.Workflow, Footprints: p.Footprints(), Before: before, Unknown: unknown, Changes: affected.Changes{Root: p.root, Files: map[string]affected.Change{}}}
	for _, c := range changes {
		change := affected.Modified
		switch c[0] {
		case '+':
			change, c = affected.Added, c[1:]
		case '-':
			change, c = affected.Removed, c[1:]
		}
		if dir, ok := strings.CutSuffix(c, "/"); ok {
			o.Changes.Dirs = append(o.Changes.Dirs, filepath.Join(p.root, dir))
		} else {
			o.Changes.Files[filepath.Join(p.root, c)] = change
		}
	}
	found, err := affected.Find(p.t.Context(), o, names)
	if err != nil {
		return err.Error()
	}
	var b strings.Builder
	for _, f := range found {
		fmt.Fprintf(&b, "%s: %s\n", f.Name, f.Why)
	}
	return b.String()
}

func TestFiles(t *testing.T) {
	p := newProject(t, t.TempDir(), `
dotenv: ['root-{{.KIND}}.env']
vars: {KIND: x}
tasks:
  a: {sources: ['src/**/*.c', {exclude: 'src/skip/**'}], cmds: [cc], dir: a}
  other: {sources: ['../other/*'], cmds: [echo]}
  far: {sources: [/etc/hosts, '/usr/**/*.h'], cmds: [echo]}
  needs: {deps: [a]}
  calls: {cmds: [{defer: {task: needs}}]}
  group: {cmds: [{parallel: [{task: calls}, {task: other}]}]}
  reads: {stdin: {from: a}, cmds: [cat], sources: [none]}
  plain: echo
  callsplain: {cmds: [{task: plain}]}
  sealed: {sources: [s], cmds: [{task: plain}]}
  gen: {sources: [in.proto], generates: [gen], cmds: [protoc]}
  uses: {sources: ['gen/*.go'], cmds: [go]}
  usesnot: {sources: ['genx/*.go', 'gen.go'], cmds: [go]}
  env: {sources: [e], dotenv: [task.env, none.env], cmds: [echo]}
  ignoring: {sources: ['i/*'], use_gitignore: true, cmds: [echo]}
  args: {deps: [{task: 'made-x'}, {task: with, vars: {P: one}}]}
  with: {sources: ['{{.P}}/*'], cmds: [echo], requires: {vars: [P]}}
  made-*: {sources: ['{{index .MATCH 0}}.m'], cmds: [echo]}
  inner: {sources: [hidden], internal: true, cmds: [echo]}
  loop: {sources: [l], cmds: [{task: loop2}]}
  loop2: {sources: [m], cmds: [{task: loop}]}
  depfile: {sources: [x.c], depfile: x.d, cmds: [cc]}
  broken: {sources: ['{{fail "no"}}'], cmds: [echo]}
  grows: {cmds: [{task: grows, vars: {N: '{{.N}}1'}}], sources: [g]}
`)
	broken := "broken: its sources cannot be determined: "
	for _, c := range []struct {
		changes, names, want string
	}{
		{"project/a/src/x.c", "a", "a: a/src/x.c was changed\n"},
		{"-project/a/src/deep/x.c", "a", "a: a/src/deep/x.c was removed\n"},
		{"+project/a/src/deep/x.c", "a plain", "a: a/src/deep/x.c is new\nplain: it has no sources, so any change may affect it\n"},
		{"project/a/src/skip/x.c project/a/src/x.h README", "a needs calls other", ""},
		{"other/file", "other a", "other: ../other/file was changed\n"},
		{"project/a/src/x.c", "needs calls group reads", "needs: task \"a\": a/src/x.c was changed\ncalls: task \"a\": a/src/x.c was changed\ngroup: task \"a\": a/src/x.c was changed\nreads: task \"a\": a/src/x.c was changed\n"},
		{"README", "plain callsplain sealed", "plain: it has no sources, so any change may affect it\ncallsplain: task \"plain\": it has no sources, so any change may affect it\n"},
		{"", "plain callsplain far", ""},
		{"README", "far", "far: its sources are outside of the repository, so any change may affect it\n"},
		{"project/in.proto", "uses usesnot gen", "uses: task \"gen\": in.proto was changed\ngen: in.proto was changed\n"},
		{"project/task.env", "env a", "env: task.env was changed\n"},
		{"+project/none.env", "env", "env: none.env is new\n"},
		{"project/root-x.env", "a env", "a: root-x.env was changed\nenv: root-x.env was changed\n"},
		{"project/.gitignore", "ignoring a", "ignoring: .gitignore was changed\n"},
		{".gitignore", "ignoring a", "ignoring: ../.gitignore was changed\n"},
		{"other/.gitignore", "ignoring a", ""},
		{"project/x.m", "args made-x made-y", "args: task \"made-x\": x.m was changed\nmade-x: x.m was changed\n"},
		{"project/one/f", "args", "args: task \"with\": one/f was changed\n"},
		{"project/sub/", "a other", ""},
		{"project/a/src/lib/", "a", "a: a/src/lib was changed\n"},
		{"project/a/", "a", "a: a was changed\n"},
		{"project/m", "loop loop2", "loop: task \"loop2\": m was changed\nloop2: m was changed\n"},
		{"project/l", "loop2", "loop2: task \"loop\": l was changed\n"},
		{"project/.weft/x project/hidden", "a inner", `Task "inner" is internal`},
		{"README", "a nobody", `Task "nobody" does not exist`},
		{"project/hidden project/s", "", "far: its sources are outside of the repository, so any change may affect it\nsealed: s was changed\ndepfile: the content of its depfile is not known, so any change may affect it\n" + broken},
		{"README", "depfile", "depfile: the content of its depfile is not known, so any change may affect it\n"},
		{"", "depfile", ""},
		{"project/g", "grows", "grows: g was changed\n"},
		{"", "grows broken", ""},
		{"README", "grows", "grows: task \"grows\": its sources cannot be determined: the calls do not end\n"},
	} {
		got := p.find(nil, "", strings.Fields(c.changes), strings.Fields(c.names))
		if cutAfter(got, broken) != c.want {
			t.Errorf("%s; %s:\n%swant:\n%s", c.changes, c.names, got, c.want)
		}
	}
}

func cutAfter(s, end string) string {
	before, _, found := strings.Cut(s, end)
	if found {
		before += end
	}
	return before
}

func TestTexts(t *testing.T) {
	const before = `
vars: {A: a, B: '{{.A}}', S: {sh: date}, OTHER: 1, FOR: [x]}
env: {E: '{{.E1}}'}
tasks:
  none: {sources: [s], cmds: [echo]}
  a: {sources: [s], cmds: ['echo {{.B}}']}
  dynamic: {sources: [s], cmds: ['echo {{.S}}']}
  loop: {sources: [s], cmds: [{for: {var: FOR}, cmd: echo}]}
  needs: {sources: [s], deps: [a]}
  arg: {sources: [s], deps: [{task: none, vars: {X: '{{.OTHER}}'}}]}
`
	all := func(why string) string {
		var b strings.Builder
		for _, name := range []string{"none", "a", "dynamic", "loop", "needs", "arg"} {
			fmt.Fprintf(&b, "%s: %s\n", name, why)
		}
		return b.String()
	}
	for _, c := range []struct{ from, to, want string }{
		{"tasks:", "# a comment\n\ntasks:", ""},
		{"none: {", "none: {desc: Text, ", ""},
		{"sources: [s], cmds: [echo]}", "cmds: ['echo'], sources: [s]}", ""},
		{"cmds: [echo]}", "cmds: [echo a]}", "none: its definition in Taskfile.yml has changed: cmds\narg: task \"none\": its definition in Taskfile.yml has changed: cmds\n"},
		{"A: a", "A: b", "a: the variable A has changed\ndynamic: the variable A has changed\nneeds: task \"a\": the variable A has changed\n"},
		{"A: a", "A: a, NEW: 1", "dynamic: the variable NEW has changed\n"},
		{"sh: date", "sh: date -u", "dynamic: the variable S has changed\n"},
		{"OTHER: 1", "OTHER: 2", "arg: the variable OTHER has changed\n"},
		{"FOR: [x]", "FOR: [y]", "loop: the variable FOR has changed\n"},
		{"E: '{{.E1}}'", "E: '{{.E2}}'", all("Taskfile.yml has changed for all tasks: env")},
		{"vars: {", "vars: {E1: 1, ", all("the variable E1 has changed")},
		{"  none:", "  new: {sources: [s], cmds: [echo]}\n  none:", "new: the task is new\n"},
		{"vars:", "silent: true\noutput: prefixed\nvars:", ""},
		{"vars:", "method: timestamp\nvars:", all("Taskfile.yml has changed for all tasks: method")},
	} {
		root := t.TempDir()
		after := strings.Replace(before, c.from, c.to, 1)
		old := load(t, root, before)
		p := newProject(t, root, after)
		got := strings.ReplaceAll(p.find(old, "", []string{"project/Taskfile.yml"}, nil), p.Dir+"/", "")
		if got != c.want {
			t.Errorf("%s -> %s:\n%swant:\n%s", c.from, c.to, got, c.want)
		}
	}
	p := newProject(t, t.TempDir(), before)
	if got, want := p.find(nil, "it could not be read", nil, nil), all("it could not be read"); got != want {
		t.Errorf("an unknown Taskfile: %s", got)
	}
}

// A run that is stopped says why.
func TestStopped(t *testing.T) {
	p := newProject(t, t.TempDir(), "tasks: {a: {sources: [s]}}\n")
	stop := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(stop)
	if _, err := affected.Find(ctx, affected.Options{Workflow: p.Workflow, Footprints: p.Footprints()}, nil); !errors.Is(err, stop) {
		t.Errorf("the error is %v", err)
	}
	if _, err := p.Footprints()(t.Context(), plan.Call{Name: "a"}); err != nil {
		t.Error(err)
	}
}
