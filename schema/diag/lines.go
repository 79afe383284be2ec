package diag

import "strings"

// Lines returns how many lines the file's source has; what follows its last
// newline counts as one. It may be called concurrently.
func (f *File) Lines() int {
	f.index()
	return len(f.starts)
}

// Line returns line number n, from 1 to Lines, without its newline. Only the
// first call of Line and Lines looks at the whole source. It may be called
// concurrently.
func (f *File) Line(n int) string {
	f.index()
	line := f.Source[f.starts[n-1]:]
	if end := strings.IndexByte(line, '\n'); end >= 0 {
		return line[:end]
	}
	return line
}

func (f *File) index() {
	f.once.Do(func() {
		f.starts = make([]int32, 1, 1+strings.Count(f.Source, "\n"))
		for i := range len(f.Source) {
			if f.Source[i] == '\n' {
				f.starts = append(f.starts, int32(i+1))
			}
		}
	})
}
