package vars_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weftrun/weft/engine/vars"
	"github.com/weftrun/weft/schema"
)

// TestCheckOnce: the variables of an included file are checked once, however many
// tasks have them.
func TestCheckOnce(t *testing.T) {
	const variables = 200
	cost := func(tasks int) float64 {
		dir := t.TempDir()
		var b strings.Builder
		b.WriteString("version: '3'\nvars:\n")
		for i := range variables {
			fmt.Fprintf(&b, "  V%d: 'a{{.X}}'\n", i)
		}
		b.WriteString("tasks:\n")
		for i := range tasks {
			fmt.Fprintf(&b, "  t%d: echo\n", i)
		}
		for name, text := range map[string]string{"inc.yml": b.String(), "Taskfile.yml": "version: '3'\nincludes: {i: {taskfile: inc.yml}, j: {taskfile: inc.yml, vars: {X: 1}}}\n"} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		w, list := schema.Load(context.Background(), schema.LoadOptions{Dir: dir})
		if err := list.Err(); err != nil {
			t.Fatal(err)
		}
		return testing.AllocsPerRun(1, func() { vars.CheckTemplates(w) })
	}
	few, many := cost(1), cost(101)
	if each := (many - few) / 200; each > variables/4 {
		t.Errorf("%v allocations for each task, %v for a file with one", each, few)
	}
}
