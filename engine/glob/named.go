package glob

// looked is the cached result for a named path.
type looked struct {
	e   *entry // nil: no file
	age uint64 // of the Tree then
}

// Files returns the files at absolute paths, sorted by path, each once, and the paths at which
// there is no accessible file. Callers share one stat of each path, as they share listings.
func (t *Tree) Files(paths []string) (files []File, none []string) {
	age := t.age.Load()
	files = make([]File, 0, len(paths))
	for _, p := range paths {
		t.mu.Lock()
		l := t.looked[p]
		t.mu.Unlock()
		if l.age != age {
			e, _ := t.file(p)
			l = looked{e, age}
			t.mu.Lock()
			if t.looked == nil {
				t.looked = map[string]looked{}
			}
			t.looked[p] = l
			t.mu.Unlock()
		}
		if l.e == nil {
			none = append(none, p)
			continue
		}
		files = append(files, File{named, l.e})
	}
	return sorted(files), none
}

// Merge returns the files of two sorted lists, sorted, and the indexes in it of those that
// only the second list has.
func Merge(a, b []File) (all []File, onlyB []int32) {
	all = merge(a, b, &onlyB)
	return all, onlyB
}

// merge is Merge; it does not record which files only b has if onlyB is nil.
func merge(a, b []File, onlyB *[]int32) []File {
	all := make([]File, 0, len(a)+len(b))
	for len(b) > 0 {
		c := -1
		if len(a) > 0 {
			c = b[0].compare(a[0])
		}
		if c >= 0 {
			all, a = append(all, a[0]), a[1:]
		} else {
			if onlyB != nil {
				*onlyB = append(*onlyB, int32(len(all)))
			}
			all = append(all, b[0])
		}
		if c <= 0 {
			b = b[1:]
		}
	}
	return append(all, a...)
}
