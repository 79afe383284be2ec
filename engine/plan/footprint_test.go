package plan_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/engine/vars"
	"github.com/weftrun/weft/schema"
)

const footprints = `version: '3'
vars: {PACKAGES: [a, b], UNUSED: u, FLAG: f}
env: {LEVEL: '{{.FLAG}}'}
tasks:
  deps: {deps: [x, {task: 'build-{{.PART}}', vars: {Y: '{{.PART}}'}}, {for: {var: PACKAGES}, task: 'build-{{.ITEM}}'}], vars: {PART: c}, sources: ['{{.PART}}/*.c'], generates: [out], dir: sub}
  body: {cmds: [{task: x}, {defer: {task: y}}, {for: sources, task: 'build-{{.ITEM}}'}, {parallel: [{task: y}, echo]}], sources: ['*.c']}
  exec: {cmds: [{exec: [ls]}]}
  reads: {stdin: {from: x}, cmds: [cat]}
  optional: {deps: [{task: gone, optional: true}]}
  missing: {cmds: [{task: 'gone-{{.X}}'}]}
  late: {deps: [x], cmds: [{task: y, vars: {V: '{{output "x"}}'}}]}
  skipped: {platforms: [plan9], if: 'false', requires: {vars: [NEVER]}, deps: [x]}
  x: echo
  y: {cmds: [echo], internal: true}
  build-*: {sources: ['{{index .MATCH 0}}']}
`

func TestFootprint(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "Taskfile.yml"), []byte(footprints), 0o644); err != nil {
		t.Fatal(err)
	}
	w, list := schema.Load(t.Context(), schema.LoadOptions{Dir: dir})
	if list.Err() != nil {
		t.Fatal(list.Err())
	}
	x := expander(w)
	for name, want := range map[string]string{
		"deps":     "x build-c[Y=c] build-a build-b; sources c/*.c; generates out",
		"body":     "x y build-a.c build-b.c y; commands; sources *.c",
		"exec":     "; commands",
		"reads":    "x; commands",
		"optional": "",
		"missing":  `; incomplete: Task "gone-" does not exist`,
		"late":     "x; incomplete",
		"skipped":  "x; unset NEVER",
		"y":        "; commands",
		"build-q":  "; sources q",
	} {
		f, err := x.Footprint(t.Context(), plan.Call{Name: name})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := shownFootprint(f); !strings.HasPrefix(got, want) || f.Incomplete == nil && got != want || f.Step.Name != name {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	if _, err := x.Footprint(t.Context(), plan.Call{Name: "nobody"}); err == nil {
		t.Error("a task that there is not has a footprint")
	}
	r := vars.New(vars.Options{Workflow: w})
	behind := func(refs vars.Refs) (names []string) {
		for _, v := range r.Scope(vars.Call{Task: w.Task("deps")}, vars.Full).Dependencies(refs) {
			names = append(names, v.Name)
		}
		return names
	}
	if got := fmt.Sprint(behind(x.References(w.Task("deps"))), behind(x.SharedReferences())); got != "[PACKAGES PART] [FLAG]" {
		t.Errorf("deps and all tasks refer to %s", got)
	}
}

func shownFootprint(f *plan.Footprint) string {
	var parts []string
	for _, c := range f.Calls {
		name := c.Name
		for _, v := range c.Vars {
			name += fmt.Sprintf("[%s=%v]", v.Name, v.Value)
		}
		parts = append(parts, name)
	}
	s := strings.Join(parts, " ")
	if f.Commands {
		s += "; commands"
	}
	for _, g := range f.Step.Sources() {
		s += "; sources " + g.Pattern
	}
	for _, g := range f.Step.Generates() {
		s += "; generates " + g.Pattern
	}
	for _, name := range f.Unset {
		s += "; unset " + name
	}
	if f.Incomplete != nil {
		s += "; incomplete: " + f.Incomplete.Error()
	}
	return s
}
