package schema

import (
	"fmt"
	"testing"
)

// TestAdd: tasks are found by their names, however many there are, and a name is added once.
func TestAdd(t *testing.T) {
	var w Workflow
	if w.Task("t0") != nil || w.Task("") != nil {
		t.Fatal("found a task in an empty workflow")
	}
	const n = 3000
	for i := range n {
		if other := w.Add(&Task{Name: fmt.Sprint("t", i)}); other != nil {
			t.Fatalf("t%d is taken for %s", i, other.Name)
		}
		if i%3 == 0 {
			if other := w.Add(&Task{Name: fmt.Sprint("t", i/2)}); other != w.Tasks[i/2] {
				t.Fatalf("t%d is added again", i/2)
			}
		}
	}
	if len(w.Tasks) != n {
		t.Fatalf("%d tasks", len(w.Tasks))
	}
	for i, task := range w.Tasks {
		if got := w.Task(fmt.Sprint("t", i)); got != task || int(task.Index) != i {
			t.Fatalf("t%d: %v", i, got)
		}
	}
	if got := w.Task(fmt.Sprint("t", n)); got != nil {
		t.Fatalf("found %s", got.Name)
	}
}
