package command_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/weftrun/weft/engine/command"
	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/executor"
	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/engine/sched"
)

// verdict is the outcome of a gang.
type verdict uint8

const (
	succeeds verdict = iota
	fails
	either // depends on timing
)

// gangMember is a behaviour of a gang's member.
type gangMember struct {
	cmd   string
	fails bool
	// early members stop reading before the end.
	early bool
}

var (
	writers = []gangMember{
		{cmd: "echo a"},
		{cmd: "head -c 300000 /dev/zero"}, // more than the capacity of a pipe
		{cmd: ":"},
		{cmd: "exit 3", fails: true},
		{cmd: "head -c 300000 /dev/zero; exit 3", fails: true},
	}
	readers = []gangMember{
		{cmd: "cat"},
		{cmd: "cat"},
		{cmd: "head -c 10", early: true},
		{cmd: "true", early: true},
		{cmd: ":", early: true},
		{cmd: "exit 4", fails: true, early: true},
		{cmd: "cat >/dev/null; exit 4", fails: true},
		{cmd: "head -c 10; exit 4", fails: true, early: true},
	}
)

// generateGang appends the tasks of one gang, called by number, to a Taskfile. Its
// members, five at the most, read each other in a tree.
func generateGang(b *strings.Builder, r *rand.Rand, number int) verdict {
	n := 2 + r.IntN(4)
	want := succeeds
	members := make([]gangMember, n)
	from := make([]int, n)
	read := make([]bool, n)
	for i := range members {
		if i == 0 {
			members[i] = writers[r.IntN(len(writers))]
			fmt.Fprintf(b, "  g%d-0: {run: once, cmds: ['%s']}\n", number, members[i].cmd)
			continue
		}
		members[i], from[i] = readers[r.IntN(len(readers))], r.IntN(i)
		read[from[i]] = true
		fmt.Fprintf(b, "  g%d-%d: {run: once, cmds: ['%s'], stdin: {from: g%d-%d}}\n", number, i, members[i].cmd, number, from[i])
	}
	// A writer with only early readers may be cut off, and so is early, too.
	for i := n - 1; i >= 0; i-- {
		early := read[i]
		for j := i + 1; j < n; j++ {
			early = early && (from[j] != i || members[j].early)
		}
		members[i].early = members[i].early || early
	}
	var needs []string
	for i, m := range members {
		if !read[i] {
			needs = append(needs, fmt.Sprintf("g%d-%d", number, i))
		}
		if !m.fails {
			continue
		}
		// A writer that is cut off before it fails has not failed.
		cutOff := strings.Contains(m.cmd, "zero;") || strings.Contains(m.cmd, "10;")
		for j := 1; j < n; j++ {
			cutOff = cutOff && (from[j] != i || members[j].early)
		}
		if !cutOff || !read[i] {
			want = fails
		} else if want == succeeds {
			want = either
		}
	}
	fmt.Fprintf(b, "  g%d: {deps: [%s]}\n", number, strings.Join(needs, ", "))
	return want
}

// TestGangs runs generated gangs under limits from none to five: all end, with the documented
// outcome. WEFT_GANGS is their number; the seed is fixed.
func TestGangs(t *testing.T) {
	total := 400
	if n, err := strconv.Atoi(os.Getenv("WEFT_GANGS")); err == nil {
		total = n
	}
	if testing.Short() {
		total = min(total, 60)
	}
	const batch = 200
	r := rand.New(rand.NewPCG(7, 7))
	for done := 0; done < total; done += batch {
		var b strings.Builder
		b.WriteString("version: '3'\ntasks:\n")
		want := make([]verdict, min(batch, total-done))
		for i := range want {
			want[i] = generateGang(&b, r, i)
		}
		runGangs(t, b.String(), want, r)
		if t.Failed() {
			return
		}
	}
}

func runGangs(t *testing.T, taskfile string, want []verdict, r *rand.Rand) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "Taskfile.yml"), []byte(taskfile), 0o644); err != nil {
		t.Fatal(err)
	}
	project := openProject(t, dir)
	defer project.close()
	for i, want := range want {
		expander, x, here := project.run(command.Options{}, executor.Options{})
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		p, err := expander.Expand(ctx, plan.Call{Name: fmt.Sprintf("g%d", i)})
		if err != nil {
			t.Fatal(err)
		}
		limit := r.IntN(6)
		run := sched.Start(sched.Options{Executor: x, Expander: expander, Limit: limit, Emit: func(event.Event) {}})
		err = run.Do(ctx, p)
		run.Close()
		here.Close()
		hung := ctx.Err() != nil
		cancel()
		if hung || want == succeeds && err != nil || want == fails && err == nil {
			t.Errorf("limit %d, hung: %t, error: %v, want %d:\n%s", limit, hung, err, want, gangText(taskfile, i))
			return
		}
	}
}

func gangText(taskfile string, number int) (text string) {
	for line := range strings.Lines(taskfile) {
		if strings.HasPrefix(line, fmt.Sprintf("  g%d:", number)) || strings.HasPrefix(line, fmt.Sprintf("  g%d-", number)) {
			text += line
		}
	}
	return text
}
