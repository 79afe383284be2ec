package plan_test

import (
	"testing"

	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/schema"
	"github.com/weftrun/weft/schema/diag"
)

// TestHistoryKey: steps have the same key when their Taskfile, task, label and arguments are the
// same, wherever the project is.
func TestHistoryKey(t *testing.T) {
	step := func(file, name, local, label string, vs ...schema.Var) *plan.Step {
		w := workflow("always")
		task := &schema.Task{Name: name, LocalName: local, Pos: diag.Pos{File: &diag.File{Path: file}}, TaskOptions: &schema.TaskOptions{}}
		task.Label.S = label
		w.Add(task)
		s, err := expander(w).Expand(t.Context(), plan.Call{Name: name, Vars: vs})
		if err != nil {
			t.Fatal(err)
		}
		return s.Steps[0]
	}
	text := func(name string, v any) schema.Var { return schema.Var{Name: name, Value: v} }
	keys := map[uint64]string{}
	for name, key := range map[string]uint64{
		"task":        step("/p/Taskfile.yml", "a", "a", "").HistoryKey("/p"),
		"below":       step("/p/x/Taskfile.yml", "a", "a", "").HistoryKey("/p"),
		"above":       step("/Taskfile.yml", "a", "a", "").HistoryKey("/p"),
		"other task":  step("/p/Taskfile.yml", "b", "b", "").HistoryKey("/p"),
		"label":       step("/p/Taskfile.yml", "a", "a", "b").HistoryKey("/p"),
		"argument":    step("/p/Taskfile.yml", "a", "a", "", text("X", "1")).HistoryKey("/p"),
		"number":      step("/p/Taskfile.yml", "a", "a", "", text("X", 1.5)).HistoryKey("/p"),
		"list":        step("/p/Taskfile.yml", "a", "a", "", text("X", []any{"1", "2"})).HistoryKey("/p"),
		"other list":  step("/p/Taskfile.yml", "a", "a", "", text("X", []any{"1 2"})).HistoryKey("/p"),
		"two":         step("/p/Taskfile.yml", "a", "a", "", text("X", "1"), text("Y", "2")).HistoryKey("/p"),
		"moved bytes": step("/p/Taskfile.yml", "a", "a", "", text("X", "1\x01Y"), text("Y", "2")).HistoryKey("/p"),
		"secret":      step("/p/Taskfile.yml", "a", "a", "", schema.Var{Name: "X", Value: "1", Secret: true}).HistoryKey("/p"),
	} {
		if other, taken := keys[key]; taken {
			t.Errorf("%s and %s have the same key", name, other)
		}
		keys[key] = name
	}
	for want, key := range map[string]uint64{
		"task":   step("/elsewhere/Taskfile.yml", "ns:a", "a", "a").HistoryKey("/elsewhere"),
		"below":  step("/q/x/Taskfile.yml", "a", "a", "").HistoryKey("/q"),
		"two":    step("/p/Taskfile.yml", "a", "a", "", text("Y", "2"), text("X", "1")).HistoryKey("/p"),
		"secret": step("/p/Taskfile.yml", "a", "a", "", schema.Var{Name: "X", Value: "other", Secret: true}).HistoryKey("/p"),
	} {
		if keys[key] != want {
			t.Errorf("like %s: the key is that of %q", want, keys[key])
		}
	}
}
