package diag

import (
	"slices"
	"strings"
	"sync"
)

// File is one file that positions point into. It is shared by all positions of
// that file and must not be changed once a position refers to it.
type File struct {
	// Path is where the file is: absolute for files on disk, "__stdin__" for
	// standard input, the URL (its password hidden) of a remote file.
	Path string
	// Remote means that Path is a URL.
	Remote bool
	// Name is how the file is shown to the user; "" means Path.
	Name string
	// Source is the file's content, for snippets. It may be empty.
	Source string

	once   sync.Once // guards starts
	starts []int32   // where each line of Source begins
}

// Lines returns how many lines the file's source has; what follows its last
// newline counts as one. It may be called concurrently, as may Line, Offset and At;
// only the first of these calls looks at the whole source.
func (f *File) Lines() int { return len(f.index()) }

// Line returns line number n, from 1, without its newline or carriage return and
// newline; "" if there is no such line.
func (f *File) Line(n int) string {
	if n < 1 || n > f.Lines() {
		return ""
	}
	line, _, _ := strings.Cut(f.Source[f.starts[n-1]:], "\n")
	return strings.TrimSuffix(line, "\r")
}

// Offset returns where line number n begins; after the last line the source ends.
func (f *File) Offset(n int) int {
	if n > f.Lines() {
		return len(f.Source)
	}
	return int(f.starts[n-1])
}

// At returns the place of a byte of the source.
func (f *File) At(offset int) Pos {
	line, _ := slices.BinarySearch(f.index(), int32(offset+1)) // how many lines begin up to there
	return Pos{File: f, Line: int32(line), Column: int32(offset+1) - f.starts[line-1]}
}

// index returns starts.
func (f *File) index() []int32 {
	f.once.Do(func() {
		f.starts = make([]int32, 1, 1+strings.Count(f.Source, "\n"))
		for i := range len(f.Source) {
			if f.Source[i] == '\n' {
				f.starts = append(f.starts, int32(i+1))
			}
		}
	})
	return f.starts
}
