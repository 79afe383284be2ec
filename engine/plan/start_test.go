package plan_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/engine/vars"
	"github.com/weftrun/weft/schema"
)

// shell is a vars.Shell that counts what it runs and, if release is set, waits for it.
type shell struct {
	ran     atomic.Int32
	release chan struct{}
}

func (s *shell) Output(context.Context, string, string, []string) (string, error) {
	if s.release != nil {
		<-s.release
	}
	s.ran.Add(1)
	return "value", nil
}

// calling expands a workflow with the tasks t1 to tn, each of which calls the next. The
// last refers to a dynamic variable of the file, and "all" calls all the others.
func calling(n int, sh vars.Shell) *plan.Expander {
	w := workflow("always")
	w.Vars = schema.Vars{{Name: "V", Kind: schema.Dynamic, Text: "value"}, {Name: "UNUSED", Kind: schema.Dynamic, Text: "unused"}}
	add := func(name string, cmds ...schema.Command) {
		for i := range cmds {
			cmds[i].CommandOptions = &schema.CommandOptions{}
		}
		t := &schema.Task{Name: name, LocalName: name, Cmds: cmds, TaskOptions: &schema.TaskOptions{}}
		w.Add(t)
	}
	call := func(i int) schema.Command {
		return schema.Command{Kind: schema.Call, Text: schema.Text{S: fmt.Sprint("t", i)}}
	}
	var all []schema.Command
	for i := 1; i < n; i++ {
		add(fmt.Sprint("t", i), call(i+1))
		all = append(all, call(i))
	}
	add(fmt.Sprint("t", n), schema.Command{Text: schema.Text{S: "echo {{.V}}"}})
	add("all", all...)
	return plan.NewExpander(plan.Options{Workflow: w, Resolver: vars.New(vars.Options{Workflow: w, Shell: sh}), Host: host{}})
}

// TestForesee: the references of a called task are evaluated with the plan of its caller, once,
// before the plan is returned.
func TestForesee(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sh := &shell{release: make(chan struct{})}
		x := calling(5, sh)
		var planned atomic.Int32
		for _, name := range []string{"all", "t1", "t2", "all"} {
			go func() {
				if _, err := x.Expand(t.Context(), plan.Call{Name: name}); err != nil {
					t.Error(err)
				}
				planned.Add(1)
			}()
		}
		synctest.Wait()
		if n := planned.Load(); n != 0 {
			t.Errorf("%d plans are there before the variable is", n)
		}
		close(sh.release)
		synctest.Wait()
		if planned.Load() != 4 || sh.ran.Load() != 1 {
			t.Errorf("%d plans, %d commands, want 4 and 1", planned.Load(), sh.ran.Load())
		}
	})
}

// BenchmarkForesee plans a task that calls 10,000 others, each of which calls the next.
func BenchmarkForesee(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		x := calling(10_000, new(shell))
		if _, err := x.Expand(context.Background(), plan.Call{Name: "all"}); err != nil {
			b.Fatal(err)
		}
	}
}
