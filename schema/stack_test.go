package schema

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func loadTasks(t *testing.T, tasks string) *Workflow {
	t.Helper()
	w, list := load(LoadOptions{Entrypoint: "-", Dir: t.TempDir(), Stdin: strings.NewReader("version: '3'\ntasks:\n" + tasks)})
	if err := list.Err(); err != nil {
		t.Fatal(err)
	}
	return w
}

// TestIsStack: a run is a stack when two services may be up in it, however they are reached.
func TestIsStack(t *testing.T) {
	const services = `
  db: {service: true, cmd: db}
  api: {service: true, cmd: api, deps: [db]}
  svc-*: {service: true, cmd: x}
  one: {deps: [db]}
`
	for _, tt := range []struct {
		name, tasks string
		calls       string
		want        bool
	}{
		{"one", "", "db", false},
		{"its needs", "", "api", true},
		{"several names", "", "db svc-a", true},
		{"the same name", "", "db one db", false},
		{"by an alias", "  t: {cmds: [{task: a}]}\n  x: {aliases: [a], deps: [api]}\n", "t", true},
		{"called", "  t: {cmds: [{task: one}, {task: svc-x}]}\n", "t", true},
		{"called in a group", "  t: {cmds: [{parallel: [{task: one}, {task: svc-x}]}]}\n", "t", true},
		{"in a pipe that is deferred", "  t: {cmds: [{defer: {task: api}}]}\n", "t", true},
		{"one that is read", "  t: {deps: [db], stdin: {from: svc-a}, cmd: cat}\n", "t", true},
		{"order alone", "  t: {deps: [db], after: [api], cmd: x}\n", "t", false},
		{"no such task", "", "none", false},
		{"template", "  t: {deps: [{task: '{{.A}}b'}, {task: 'ap{{.X}}'}]}\n", "t", true},
		{"template of a wildcard", "  t: {deps: [{task: 'svc-{{.A}}'}]}\n", "t", false},
		{"loop over a wildcard", "  t: {deps: [{for: [a, b], task: 'svc-{{.ITEM}}'}]}\n", "t", true},
		{"template of anything", "  t: {deps: [{task: '{{.A}}'}]}\n", "t", false},
		{"template that is cut off", "  t: {deps: [{task: 'a{{.A'}]}\n", "t", true},
		{"template of another", "  t: {deps: [{task: 'x{{.A}}'}]}\n", "t", false},
		{"loop over the same", "  t: {deps: [{for: [a, b], task: db}]}\n", "t", false},
		{"loop with variables", "  t: {deps: [{for: [a, b], task: db, vars: {X: '{{.ITEM}}'}}]}\n", "t", true},
		{"two calls with variables", "  t: {deps: [{task: db, vars: {X: 1}}, {task: db, vars: {X: 2}}]}\n", "t", true},
		{"one call with variables", "  t: {deps: [{task: db, vars: {X: 1}}]}\n", "t", false},
		{"variables passed on", "  t: {deps: [{for: [a, b], task: u, vars: {X: '{{.ITEM}}'}}]}\n  u: {deps: [{task: db, vars: {X: '{{.X}}'}}]}\n", "t", true},
		{"variables not passed on", "  t: {deps: [{for: [a, b], task: u, vars: {X: '{{.ITEM}}'}}]}\n  u: {deps: [db]}\n", "t", false},
		{"reached once more, repeated", "  t: {deps: [u, {for: [a, b], task: u, vars: {X: '{{.ITEM}}'}}]}\n  u: {deps: [{task: db, vars: {X: '{{.X}}'}}]}\n", "t", true},
		{"cycle", "  t: {cmds: [{task: u}]}\n  u: {cmds: [{task: t}, {task: db}]}\n", "t", false},
	} {
		w := loadTasks(t, services[1:]+tt.tasks)
		if got := w.IsStack(strings.Fields(tt.calls)); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}

// TestIsStackLinear: every task is visited at most twice.
func TestIsStackLinear(t *testing.T) {
	var b strings.Builder
	b.WriteString("  db: {service: true, cmd: x}\n  t0: {deps: [db]}\n")
	const n = 3000
	for i := 1; i < n; i++ {
		fmt.Fprintf(&b, "  t%d: {deps: [t%d, {task: t%d, vars: {A: 1}}, {for: [a, b], task: t%d, vars: {A: 1}}]}\n", i, i-1, i-1, i/2)
	}
	w := loadTasks(t, b.String())
	start := time.Now()
	if w.IsStack([]string{fmt.Sprintf("t%d", n-1)}) {
		t.Error("is one")
	}
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("took %s", took)
	}
}
