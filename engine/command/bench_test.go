package command_test

import (
	"os"
	"testing"

	"github.com/weftrun/weft/engine/command"
	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/executor"
	"github.com/weftrun/weft/engine/fingerprint"
	"github.com/weftrun/weft/engine/fingerprint/state"
	"github.com/weftrun/weft/engine/glob"
	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/engine/proc"
	"github.com/weftrun/weft/engine/sched"
	"github.com/weftrun/weft/engine/shell"
	"github.com/weftrun/weft/engine/vars"
	"github.com/weftrun/weft/internal/statefile"
	"github.com/weftrun/weft/schema"
)

func BenchmarkOneCommand(b *testing.B) { benchmark(b, "cmds: [':']") }
func BenchmarkTenCommands(b *testing.B) {
	benchmark(b, "cmds: [':', ':', ':', ':', ':', ':', ':', ':', ':', ':']")
}

// benchmark runs a task again and again, without starting a process.
func benchmark(b *testing.B, task string) {
	dir := b.TempDir()
	if err := os.WriteFile(dir+"/Taskfile.yml", []byte("version: '3'\ntasks:\n  a:\n    "+task+"\n"), 0o644); err != nil {
		b.Fatal(err)
	}
	w, list := schema.Load(b.Context(), schema.LoadOptions{Dir: dir})
	if err := list.Err(); err != nil {
		b.Fatal(err)
	}
	table := proc.NewTable(proc.Options{})
	defer table.Close(false)
	store, tree := state.Open(statefile.Place{Base: dir, Path: ".weft"}, state.Options{}), glob.NewTree(os.Environ())
	defer store.Close()
	resolver := vars.New(vars.Options{Workflow: w, Environ: os.Environ(), UserDir: dir})
	expander := plan.NewExpander(plan.Options{Workflow: w, Resolver: resolver, Host: host{}})
	here := command.New(command.Options{Root: dir, Shell: shell.New(shell.Options{}), Processes: table, Flush: func() {}})
	x := executor.New(executor.Options{Root: dir, Body: here, Test: here.Test, State: store, Tree: tree, Checker: fingerprint.New(store, tree, nil), Force: func(*plan.Step) bool { return false }, Flush: func() {}})
	run := sched.Start(sched.Options{Executor: x, Expander: expander, Emit: func(event.Event) {}})
	defer run.Close()
	b.ReportAllocs()
	for b.Loop() {
		p, err := expander.Expand(b.Context(), plan.Call{Name: "a"})
		if err != nil {
			b.Fatal(err)
		}
		if err := run.Do(b.Context(), p); err != nil {
			b.Fatal(err)
		}
	}
}
