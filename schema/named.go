package schema

import (
	"hash/maphash"
)

// nameTable finds the tasks of a list by their names: a hash table of places in the list, with
// linear probing. A file may have 100,000 tasks, most of which are never looked up: this takes a
// quarter of the memory of a map, and a third of the time to make. The zero value is empty.
type nameTable struct {
	seed  maphash.Seed
	slots []nameSlot // as many as a power of two; none: there is no name
	used  int
}

// nameSlot is one name. The zero value is none.
type nameSlot struct {
	hash uint32
	task int32 // 1 + its place in the list
}

// reset empties the table, and makes room for n names.
func (x *nameTable) reset(n int) {
	size := 8
	for 2*size < 3*n {
		size *= 2
	}
	*x = nameTable{seed: maphash.MakeSeed(), slots: make([]nameSlot, size)}
}

// find returns the slot of a name, and its hash. The slot is free if none of tasks has it.
func (x *nameTable) find(tasks []*Task, name string) (*nameSlot, uint32) {
	hash := uint32(maphash.String(x.seed, name))
	for i := hash; ; i++ {
		s := &x.slots[int(i)&(len(x.slots)-1)]
		if s.task == 0 || s.hash == hash && tasks[s.task-1].Name == name {
			return s, hash
		}
	}
}

// add records the task at a place of the list, unless there is one of that name already: then it
// returns the place of that.
func (x *nameTable) add(tasks []*Task, place int) int {
	if 3*(x.used+1) > 2*len(x.slots) {
		x.grow()
	}
	s, hash := x.find(tasks, tasks[place].Name)
	if s.task != 0 {
		return int(s.task) - 1
	}
	*s = nameSlot{hash, int32(place) + 1}
	x.used++
	return place
}

// grow makes the table twice as large.
func (x *nameTable) grow() {
	old := *x
	x.reset(max(2*old.used, 8))
	if old.used > 0 {
		x.seed = old.seed
	}
	x.used = old.used
	for _, o := range old.slots {
		if o.task == 0 {
			continue
		}
		i := o.hash
		for x.slots[int(i)&(len(x.slots)-1)].task != 0 {
			i++
		}
		x.slots[int(i)&(len(x.slots)-1)] = o
	}
}

// Task returns the task with that full name, or nil. It is safe for concurrent use.
func (w *Workflow) Task(name string) *Task {
	if len(w.names.slots) == 0 {
		return nil
	}
	if s, _ := w.names.find(w.Tasks, name); s.task != 0 {
		return w.Tasks[s.task-1]
	}
	return nil
}

// Add appends t to the tasks. It returns another one of the same name instead, if there is one.
func (w *Workflow) Add(t *Task) (other *Task) {
	t.Index = int32(len(w.Tasks))
	w.Tasks = append(w.Tasks, t)
	if place := w.names.add(w.Tasks, len(w.Tasks)-1); place != len(w.Tasks)-1 {
		w.Tasks = w.Tasks[:len(w.Tasks)-1]
		return w.Tasks[place]
	}
	return nil
}

// Namespace returns the namespaces that includes put t into: "" in the root file, else "ns" or
// "outer:inner".
func (t *Task) Namespace() string {
	if t.Include == nil {
		return ""
	}
	return t.Include.Namespace
}
