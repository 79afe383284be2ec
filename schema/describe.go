package schema

// Files returns the paths of those of the Sources that are files of this machine.
//
//go:noinline
func (w *Workflow) Files() (paths []string) {
	for _, f := range w.Sources {
		if !f.Remote {
			paths = append(paths, f.Path)
		}
	}
	return paths
}

// Reach returns the full names of the tasks that some tasks need, call, read or send messages to,
// directly or not, as far as their files name them, and of these tasks themselves.
func (w *Workflow) Reach(names ...string) map[string]bool {
	seen := map[string]bool{}
	for len(names) > 0 {
		t, _, err := w.Lookup(names[0])
		if names = names[1:]; err == nil && !seen[t.Name] {
			seen[t.Name] = true
			EachText(t, func(p Place, name Text) {
				if p.Kind() == TextTask && p.Key != KeyAfter {
					names = append(names, name.S)
				}
			})
		}
	}
	return seen
}
