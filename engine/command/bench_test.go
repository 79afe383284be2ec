package command_test

import (
	"os"
	"testing"

	"github.com/weftrun/weft/engine/command"
	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/executor"
	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/engine/sched"
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
	p := openProject(b, dir)
	defer p.close()
	expander, x, here := p.run(command.Options{}, executor.Options{})
	defer here.Close()
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
