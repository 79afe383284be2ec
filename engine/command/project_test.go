package command_test

import (
	"os"
	"testing"

	"github.com/weftrun/weft/engine/command"
	"github.com/weftrun/weft/engine/executor"
	"github.com/weftrun/weft/engine/fingerprint"
	"github.com/weftrun/weft/engine/fingerprint/state"
	"github.com/weftrun/weft/engine/glob"
	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/engine/proc"
	"github.com/weftrun/weft/engine/shell"
	"github.com/weftrun/weft/engine/vars"
	"github.com/weftrun/weft/internal/statefile"
	"github.com/weftrun/weft/schema"
)

// project is a directory with a Taskfile, and the shared state of its runs.
type project struct {
	workflow *schema.Workflow
	resolver *vars.Resolver
	table    *proc.Table
	state    *state.Store
	tree     *glob.Tree
}

// openProject reads the Taskfile in a directory. The project is to be closed.
func openProject(t testing.TB, dir string) *project {
	t.Helper()
	w, list := schema.Load(t.Context(), schema.LoadOptions{Dir: dir})
	if err := list.Err(); err != nil {
		t.Fatal(err)
	}
	return &project{
		workflow: w,
		resolver: vars.New(vars.Options{Workflow: w, Environ: os.Environ(), UserDir: dir}),
		table:    proc.NewTable(proc.Options{}),
		state:    state.Open(statefile.Place{Base: dir, Path: ".weft"}, state.Options{}),
		tree:     glob.NewTree(os.Environ()),
	}
}

func (p *project) close() {
	p.state.Close()
	p.table.Close(false)
}

// run returns what one run plans and executes with. The body is to be closed.
func (p *project) run(c command.Options, o executor.Options) (*plan.Expander, *executor.Executor, *command.Local) {
	if c.Flush == nil {
		c.Flush = func() {}
	}
	c.Root, c.Shell, c.Processes = p.workflow.Dir, shell.New(shell.Options{}), p.table
	here := command.New(c)
	o.Root, o.Body, o.Test, o.Clock, o.Flush = c.Root, here, here.Test, c.Clock, c.Flush
	o.State, o.Tree, o.Checker = p.state, p.tree, fingerprint.New(p.state, p.tree, nil)
	return plan.NewExpander(plan.Options{Workflow: p.workflow, Resolver: p.resolver, Host: host{}}), executor.New(o), here
}
