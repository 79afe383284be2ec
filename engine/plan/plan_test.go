package plan_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/engine/vars"
	"github.com/weftrun/weft/schema"
	"github.com/weftrun/weft/schema/diag"
)

// host is a Host without a system.
type host struct{ holds bool }

func (h host) Condition(context.Context, string, string, []string) (bool, error) { return h.holds, nil }
func (host) Files(context.Context, string, []plan.Glob, bool) ([]string, error) {
	return []string{"a.c", "b.c"}, nil
}
func (host) Checksum(context.Context, string, []plan.Glob, bool) (string, error) { return "sum", nil }
func (host) Timestamp(context.Context, string, []plan.Glob, bool) (time.Time, error) {
	return time.Unix(7, 0), nil
}
func (host) Ask(context.Context, string, func() ([]string, error)) (string, error) {
	return "", plan.ErrCannotAsk
}

// workflow makes tasks that need each other: "a: b c"; a<w reads the output of w.
func workflow(run string, lines ...string) *schema.Workflow {
	file := &diag.File{Path: "/Taskfile.yml"}
	w := &schema.Workflow{File: file, Sources: []*diag.File{file}, Dir: "/"}
	w.Run.S = run
	for _, line := range lines {
		name, needs, _ := strings.Cut(line, ":")
		name, writer, reads := strings.Cut(name, "<")
		t := &schema.Task{Name: name, LocalName: name, Pos: diag.Pos{File: file}, TaskOptions: &schema.TaskOptions{}}
		if reads {
			t.Processes = &schema.Processes{Stdin: &schema.Stdin{Kind: schema.StdinFrom, Text: schema.Text{S: writer}}}
		}
		for _, n := range strings.Fields(needs) {
			t.Deps = append(t.Deps, schema.Command{Kind: schema.Call, Text: schema.Text{S: n}, CommandOptions: &schema.CommandOptions{}})
		}
		w.Add(t)
	}
	return w
}

func expander(w *schema.Workflow) *plan.Expander {
	return plan.NewExpander(plan.Options{Workflow: w, Resolver: vars.New(vars.Options{Workflow: w}), Host: host{holds: true}})
}

func names(p *plan.Plan) string {
	var ns []string
	for _, s := range p.Steps {
		ns = append(ns, s.Name)
	}
	return strings.Join(ns, " ")
}

func TestExpandOrderAndSharing(t *testing.T) {
	lines := []string{"all: b c", "b: d", "c: d e", "d:", "e:"}
	for run, want := range map[string]string{"once": "d b e c all", "always": "d b d e c all", "when_changed": "d b e c all"} {
		p, err := expander(workflow(run, lines...)).Expand(t.Context(), plan.Call{Name: "all"})
		if err != nil {
			t.Fatal(err)
		}
		if got := names(p); got != want {
			t.Errorf("run: %s: %s, want %s", run, got, want)
		}
	}
}

// TestRunIsATemplate: the treatment of equal calls may depend on variables.
func TestRunIsATemplate(t *testing.T) {
	for mode, want := range map[string]string{"once": "b all", "when_changed": "b all", "always": "b b all", "": "b b all", "never": ""} {
		w := workflow("", "all: b b", "b:")
		w.Vars = schema.Vars{{Name: "MODE", Value: mode}}
		w.Task("b").Run.S = "{{.MODE}}"
		p, err := expander(w).Expand(t.Context(), plan.Call{Name: "all"})
		var unknown *plan.ModeError
		switch {
		case want == "" && !errors.As(err, &unknown):
			t.Errorf("%q: %v, want an error about it", mode, err)
		case want != "" && (err != nil || names(p) != want):
			t.Errorf("%q: %v, want %s", mode, err, want)
		}
	}
}

// TestManyCallsOfOneBody: the number of concurrent calls of a body does not increase the depth of
// nesting.
func TestManyCallsOfOneBody(t *testing.T) {
	x := expander(workflow("", "a:"))
	arg := func(i int) schema.Vars { return schema.Vars{{Name: "I", Value: i}} }
	p, err := x.Expand(t.Context(), plan.Call{Name: "a", Vars: arg(-1)})
	if err != nil {
		t.Fatal(err)
	}
	var calls []plan.Call
	for i := range 1100 {
		calls = append(calls, plan.Call{Name: "a", Vars: arg(i), From: p.Steps[0]})
	}
	if _, err := x.Expand(t.Context(), calls...); err != nil {
		t.Errorf("%.200v", err)
	}
}

func TestExpandReportsEveryProblem(t *testing.T) {
	_, err := expander(workflow("", "all: x b y", "b: z")).Expand(t.Context(), plan.Call{Name: "all"})
	var texts []string
	for _, p := range plan.Problems(err) {
		texts = append(texts, p.Error())
	}
	want := []string{
		`Failed to run task "all": Task "x" does not exist`,
		`Failed to run task "all": Failed to run task "b": Task "z" does not exist`,
		`Failed to run task "all": Task "y" does not exist`,
	}
	for i, w := range want {
		if i >= len(texts) || !strings.HasPrefix(texts[i], w) {
			t.Fatalf("problems %q, want %q", texts, want)
		}
	}
}

// TestCycleOnce: several paths into a cycle are one problem, two cycles are two.
func TestCycleOnce(t *testing.T) {
	for lines, want := range map[string]int{
		"all: a b c|a: b|b: c|c: a":             1,
		"all: a x|a: b|b: a|x: y|y: x":          2,
		"all: p q|p: a|q: a b|a: b|b: a|c: p q": 1,
	} {
		w := workflow("", strings.Split(lines, "|")...)
		_, err := expander(w).Expand(t.Context(), plan.Call{Name: "all"})
		if got := len(plan.Problems(err)); got != want {
			t.Errorf("%s: %d problems, want %d: %v", lines, got, want, err)
		}
	}
}

func TestCycleIsTheShortest(t *testing.T) {
	for _, run := range []string{"always", "once"} {
		_, err := expander(workflow(run, "a: b", "b: c", "c: d a", "d: a")).Expand(t.Context(), plan.Call{Name: "a"})
		var cycle *plan.CycleError
		if !errors.As(err, &cycle) {
			t.Fatalf("run: %s: error %v, want a cycle", run, err)
		}
		if got, want := cycle.Error(), `cycle: "a" -> "b" -> "c" -> "a"`; got != want {
			t.Errorf("run: %s: %s, want %s", run, got, want)
		}
	}
}

func TestExplosionEnds(t *testing.T) {
	var lines []string
	for i := range 40 {
		lines = append(lines, fmt.Sprintf("t%d: t%d t%d", i, i+1, i+1))
	}
	lines = append(lines, "t40:")
	_, err := expander(workflow("always", lines...)).Expand(t.Context(), plan.Call{Name: "t0"})
	var cycle *plan.CycleError
	if !errors.As(err, &cycle) || !strings.Contains(err.Error(), "run: once") {
		t.Errorf("error %.300v, want one that names `run: once`", err)
	}
}

// TestAlone compares the linear algorithm with the definition, on random plans, some with
// services: a step is alone if each other one has ended before it starts, or starts after its end.
func TestAlone(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for round := range 6000 {
		n := 1 + rng.IntN(8)
		p := &plan.Plan{Steps: make([]*plan.Step, n), Needs: make([][]plan.Need, n)}
		before := make([][]bool, 2*n) // of events: the start of step i is 2i, its end 2i+1
		comes := func(a, b int) {
			before[b][a] = true
			for c := range before[a] {
				before[b][c] = before[b][c] || before[a][c]
			}
		}
		for i := range n {
			p.Steps[i] = &plan.Step{Serves: round%2 == 1 && rng.IntN(4) == 0}
			before[2*i], before[2*i+1] = make([]bool, 2*n), make([]bool, 2*n)
			for j := range i {
				if rng.IntN(3) > 0 {
					continue
				}
				need := plan.Need{Step: int32(j), When: plan.Succeeded}
				if round%2 == 1 {
					need.When = []plan.When{plan.Succeeded, plan.Ready, plan.Started, plan.Ended, plan.After}[rng.IntN(5)]
				}
				p.Needs[i] = append(p.Needs[i], need)
				if need.When.Outlives() || p.Steps[j].Serves {
					comes(2*j, 2*i)
				} else {
					comes(2*j+1, 2*i)
				}
			}
			comes(2*i, 2*i+1)
		}
		for i, got := range p.Alone() {
			want := !p.Steps[i].Serves
			for j := range n {
				want = want && (i == j || before[2*i][2*j+1] || before[2*j][2*i+1])
			}
			if got != want {
				t.Fatalf("needs %v: step %d: alone %v, want %v", p.Needs, i, got, want)
			}
		}
	}
}

// TestGangThatWaitsForItself: steps that are started together wait for nothing that waits
// for one of them, over however many other gangs.
func TestGangThatWaitsForItself(t *testing.T) {
	for lines, want := range map[string]string{
		"all: r|r<w: a|w:|a:":                     "",
		"all: r|r<w: a|w:|a: w":                   `but "r" needs "a", which needs "w"`,
		"all: r|r<w:|w: a|a:":                     "",
		"all: r b|r<w: b|w:|b:":                   "",
		"all: r|r<m: w|m<w:|w:":                   `but "r" needs "w"`,
		"all: r s|r<w: x|w:|s<x: w|x:":            `but "r" needs "x", which is started together with "s", which needs "w"`,
		"all: r s|r<w: s|w:|s<x: w|x:":            `but "r" needs "s", which needs "w"`,
		"all: r s|r<w: a|w:|a: x|s<x: b|x:|b: w":  `but "r" needs "a", which needs "x", which is started together with "s", which needs "b", which needs "w"`,
		"all: t r|t<u: x|u:|r<w: x|w:|s<x: w|x:|": "",
		"all: t|t<u: r s|u:|r<w: x|w:|s<x: w|x:":  `but "r" needs "x", which is started together with "s", which needs "w"`,
	} {
		w := workflow("once", strings.Split(lines, "|")...)
		_, err := expander(w).Expand(t.Context(), plan.Call{Name: "all"})
		var d *diag.Diagnostic
		switch {
		case want == "" && err != nil:
			t.Errorf("%s: %v", lines, err)
		case want != "" && (!errors.As(err, &d) || !strings.HasSuffix(d.Why, want)):
			t.Errorf("%s: %v, want one whose reason ends in %s", lines, err, want)
		}
	}
}

func TestWriteDOTIsDeterministic(t *testing.T) {
	w := workflow("once", "all: b c", "b: d", "c: d", `d:`)
	var first string
	for range 5 {
		p, err := expander(w).Expand(t.Context(), plan.Call{Name: "all"})
		if err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		if err := p.WriteDOT(&b); err != nil {
			t.Fatal(err)
		}
		if first == "" {
			first = b.String()
		}
		if b.String() != first {
			t.Fatalf("two texts of one plan:\n%s\n%s", first, b.String())
		}
	}
	for _, want := range []string{`label="all"`, `"4" -> "2"`, `"3" -> "1"`} {
		if !strings.Contains(first, want) {
			t.Errorf("no %s in\n%s", want, first)
		}
	}
}

// BenchmarkExpand10000 plans 10,000 vertices in layers with three needs each.
func BenchmarkExpand10000(b *testing.B) {
	var lines []string
	last := "all:"
	for l := range 100 {
		for k := range 100 {
			line := fmt.Sprintf("l%dw%d:", l, k)
			if l > 0 {
				for j := range 3 {
					line += fmt.Sprintf(" l%dw%d", l-1, (k*7+j*13)%100)
				}
			}
			lines = append(lines, line)
			if l == 99 {
				last += fmt.Sprintf(" l%dw%d", l, k)
			}
		}
	}
	w := workflow("once", append(lines, last)...)
	b.ReportAllocs()
	for b.Loop() {
		p, err := expander(w).Expand(context.Background(), plan.Call{Name: "all"})
		if err != nil || len(p.Steps) != 10_001 {
			b.Fatal(err, len(p.Steps))
		}
		p.Alone()
	}
}

func BenchmarkHistoryKey(b *testing.B) {
	w := workflow("once", "all: a", "a:")
	for _, t := range w.Tasks {
		t.Pos.File = &diag.File{Path: "/home/somebody/project/Taskfile.yml"}
	}
	p, err := expander(w).Expand(context.Background(), plan.Call{Name: "all"})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		p.Steps[0].HistoryKey("/home/somebody/project")
	}
}
