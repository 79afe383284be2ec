package vars_test

import (
	"fmt"
	"testing"

	"github.com/weftrun/weft/engine/vars"
	"github.com/weftrun/weft/schema"
)

var (
	sinkScope *vars.Scope
	sinkText  string
	sinkEnv   []string
)

func manyVars(n int) *schema.Workflow {
	w := &schema.Workflow{Dir: "/root"}
	for i := range n {
		w.Vars = append(w.Vars, schema.Var{Name: fmt.Sprint("V", i), Value: "v"})
	}
	w.Vars = append(w.Vars, schema.Var{Name: "X", Value: "x"}, schema.Var{Name: "Y", Value: "{{.X}}{{.X}}"}, schema.Var{Name: "U", Value: "{{.X | upper}}"})
	return w
}

// A task without templates: what each of 100,000 tasks pays.
func BenchmarkScope(b *testing.B) {
	r := vars.New(vars.Options{Workflow: manyVars(100), Environ: []string{"A=b"}})
	task := &schema.Task{TaskOptions: noOptions, Name: "t"}
	text := schema.Text{S: "cc -c x.c"}
	b.ReportAllocs()
	for b.Loop() {
		s := r.Scope(vars.Call{Task: task, Name: "t", Alias: "t"}, vars.Full)
		sinkText, _ = s.Expand(ctx, text)
		sinkEnv, _ = s.Environ(ctx)
		sinkText, _ = s.Dir(ctx)
		sinkScope = s
	}
}

func BenchmarkExpand(b *testing.B) {
	r := vars.New(vars.Options{Workflow: manyVars(100)})
	for _, text := range []string{"{{.X}}", "cc -o {{.X}} {{.TASK}} {{.Y}}", "{{.X | upper}}", "{{.U}}"} {
		b.Run(text, func(b *testing.B) {
			task := &schema.Task{TaskOptions: noOptions, Name: "t"}
			b.ReportAllocs()
			for b.Loop() {
				s := r.Scope(vars.Call{Task: task}, vars.Full)
				sinkText, _ = s.Expand(ctx, schema.Text{S: text})
			}
		})
	}
}

// Environ where the workflow declares an environment: shared by most tasks.
func BenchmarkEnviron(b *testing.B) {
	w := manyVars(10)
	w.Env = schema.Vars{{Name: "E", Value: "{{.U}}"}}
	environ := make([]string, 50)
	for i := range environ {
		environ[i] = fmt.Sprintf("OS%d=value", i)
	}
	r := vars.New(vars.Options{Workflow: w, Environ: environ})
	for name, task := range map[string]*schema.Task{"shared": {Name: "t", TaskOptions: noOptions}, "own": {Name: "t", TaskOptions: noOptions, Env: schema.Vars{{Name: "F", Value: "{{.TASK}}"}}}} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				sinkEnv, _ = r.Scope(vars.Call{Task: task}, vars.Full).Environ(ctx)
			}
		})
	}
}

// The first template of a program, with the engine and without.
func BenchmarkFirst(b *testing.B) {
	w := manyVars(100)
	environ := []string{"A=b"}
	for _, text := range []string{"{{.X}}", "{{.X | upper}}"} {
		b.Run(text, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				r := vars.New(vars.Options{Workflow: w, Environ: environ})
				sinkText, _ = r.Global(vars.Full).Expand(ctx, schema.Text{S: text})
			}
		})
	}
}
