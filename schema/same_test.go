package schema

import (
	"io/fs"
	"path"
	"strings"
	"testing"
)

// memory are files by their absolute path.
type memory map[string]string

func (m memory) IsDir(p string) (bool, error) {
	if _, ok := m[p]; ok {
		return false, nil
	}
	for name := range m {
		if strings.HasPrefix(name, strings.TrimSuffix(p, "/")+"/") {
			return true, nil
		}
	}
	return false, fs.ErrNotExist
}

func (m memory) Read(p string) (string, error) {
	src, ok := m[p]
	if !ok {
		return "", fs.ErrNotExist
	}
	return src, nil
}

func (m memory) load(t *testing.T) *Workflow {
	t.Helper()
	w, list := Load(t.Context(), LoadOptions{Dir: "/project", Files: m})
	if err := list.Err(); err != nil {
		t.Fatal(err)
	}
	return w
}

// Taskfiles are read from the given files, and from no others.
func TestFiles(t *testing.T) {
	m := memory{
		"/project/Taskfile.yml":     "version: '3'\nincludes: {sub: lib, values: ./values.yml, none: {taskfile: ./none.yml, optional: true}}\ntasks: {a: echo}\n",
		"/project/lib/Taskfile.yml": "version: '3'\ntasks: {b: echo}\n",
		"/project/values.yml":       "version: '3'\nvars: {X: 1}\n",
	}
	w := m.load(t)
	if got := strings.Join(w.Files(), " "); w.Task("sub:b") == nil || got != "/project/Taskfile.yml /project/lib/Taskfile.yml /project/values.yml" {
		t.Errorf("files %s", got)
	}
	m["/project/lib/Taskfile.yml"] += strings.Repeat("#", 64<<20)
	if _, list := Load(t.Context(), LoadOptions{Dir: "/project", Files: m}); list.Err() == nil || !strings.Contains(list.Err().Error(), path.Join("lib", "Taskfile.yml")) {
		t.Errorf("a file that is too large: %v", list.Err())
	}
}

func TestDifference(t *testing.T) {
	const head = "version: '3'\ntasks:\n  t:\n"
	for _, c := range []struct{ a, b, key string }{
		{"    cmds: [echo]\n", "\n    # a comment\n    cmds:\n      - 'echo'\n", ""},
		{"    cmds: [echo]\n", "    desc: Text\n    summary: More\n    aliases: [u]\n    cmds: [echo]\n", ""},
		{"    cmds: [echo]\n", "    cmds: [echo a]\n", "cmds"},
		{"    cmds: [{cmd: echo, if: a}]\n", "    cmds: [{cmd: echo, if: b}]\n", "cmds"},
		{"    cmds: [{for: [1, 2], cmd: echo}]\n", "    cmds: [{for: [1, '2'], cmd: echo}]\n", "cmds"},
		{"    deps: [x]\n", "    deps: [{task: x, vars: {A: 1}}]\n", "deps"},
		{"    vars: {A: {map: {b: 1, c: .nan}}}\n", "    vars: {A: {map: {c: .nan, b: 1}}}\n", ""},
		{"    vars: {A: {map: {b: 1, c: 2}}}\n", "    vars: {A: {map: {c: 1, b: 2}}}\n", "vars"},
		{"    env: {A: a}\n", "    env: {A: {sh: a}}\n", "env"},
		{"    sources: [a]\n", "    sources: [{exclude: a}]\n", "sources"},
		{"    sources: [a]\n    generates: [b]\n", "    sources: [a]\n", "generates"},
		{"    timeout: 1s\n", "    timeout: 2s\n", "timeout"},
		{"    silent: true\n", "    silent: false\n", "silent"},
		{"    use_gitignore: true\n", "    {}\n", "use_gitignore"},
		{"    stop: {grace: 1s}\n", "    stop: {grace: 2s}\n", "the options of its processes"},
		{"    cmds: [echo]\n    retry: {max: 2, match: 'a+'}\n", "    cmds: [echo]\n    retry: {max: 2, match: 'a*'}\n", "the options of its processes"},
		{"    cmds: [echo]\n    retry: {max: 2, match: 'a+'}\n", "    retry: {match: 'a+', max: 2}\n    cmds: [echo]\n", ""},
		{"    service: true\n    cmds: [a]\n", "    cmds: [a]\n", "the options of its execution"},
	} {
		load := func(task string) *Task { return memory{"/project/Taskfile.yml": head + task}.load(t).Task("t") }
		if got := Difference(load(c.a), load(c.b)); got != c.key {
			t.Errorf("%s%s: %q, want %q", c.a, c.b, got, c.key)
		}
		if got := Difference(load(c.b), load(c.a)); got != c.key {
			t.Errorf("%s%s: %q, want %q", c.b, c.a, got, c.key)
		}
	}
}

func TestSharedDifference(t *testing.T) {
	for _, c := range []struct{ a, b, key string }{
		{"interval: 1s\noutput: group\nvars: {A: 1}\n", "interval: 2s\nsilent: true\n", ""},
		{"env: {A: 1}\n", "env: {A: 2}\n", "env"},
		{"set: [e]\n", "\n", "set"},
		{"method: checksum\n", "method: timestamp\n", "method"},
		{"dotenv: [a]\n", "dotenv: [b]\n", "dotenv"},
	} {
		load := func(keys string) *Workflow {
			return memory{"/project/Taskfile.yml": "version: '3'\n" + keys + "tasks: {t: echo}\n"}.load(t)
		}
		if got := SharedDifference(load(c.a), load(c.b)); got != c.key {
			t.Errorf("%s%s: %q, want %q", c.a, c.b, got, c.key)
		}
	}
}

func TestSameVars(t *testing.T) {
	a, b, other := Var{Name: "A", Value: 1}, Var{Name: "B", Kind: Dynamic, Text: "x"}, Var{Name: "B", Kind: Dynamic, Text: "y"}
	for _, c := range []struct {
		x, y []*Var
		name string
	}{
		{nil, nil, ""}, {[]*Var{&a, &b}, []*Var{&a, {Name: "B", Kind: Dynamic, Text: "x"}}, ""},
		{[]*Var{&a, &b}, []*Var{&a, &other}, "B"}, {[]*Var{&a}, []*Var{&a, &b}, "B"}, {[]*Var{&a, &b}, []*Var{&a}, "B"},
	} {
		if name, same := SameVars(c.x, c.y); name != c.name || same != (name == "") {
			t.Errorf("%q, %v, want %q", name, same, c.name)
		}
	}
}
