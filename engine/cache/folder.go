package cache

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
	"syscall"
)

// folder is an open directory of a project. Nothing in it is reached through a link, except by the
// methods of Root if they get more than a name.
type folder struct {
	root *os.Root
	self *os.File // opened by handle
}

func openFolder(path string) (*folder, error) {
	r, err := os.OpenRoot(path)
	if err != nil {
		return nil, err
	}
	return &folder{root: r}, nil
}

// enter opens the directory called name. An error is fs.ErrNotExist if there is none, or a
// [*Blocked].
func (f *folder) enter(name string) (*folder, error) {
	st, err := f.root.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !st.IsDir() {
		return nil, blockedBy(name, st)
	}
	sub, err := f.root.OpenRoot(name)
	if err != nil {
		return nil, err
	}
	if now, err := sub.Stat("."); err != nil || !os.SameFile(st, now) {
		sub.Close()
		return nil, &Blocked{name, "it was replaced in the meantime"}
	}
	return &folder{root: sub}, nil
}

// handle returns the open directory itself.
func (f *folder) handle() (*os.File, error) {
	if f.self == nil {
		self, err := f.root.Open(".")
		if err != nil {
			return nil, err
		}
		f.self = self
	}
	return f.self, nil
}

func (f *folder) Close() {
	if f.self != nil {
		f.self.Close()
	}
	f.root.Close()
}

// openRegular opens a regular file for reading. It neither follows a link nor waits for a pipe.
func openRegular(dir *folder, name string) (*os.File, error) {
	st, err := dir.root.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !st.Mode().IsRegular() {
		return nil, errChanged
	}
	f, err := dir.root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	if now, err := f.Stat(); err != nil || !os.SameFile(st, now) {
		f.Close()
		return nil, errChanged
	}
	return f, nil
}

// list returns the entries of the directory called name.
func (f *folder) list(name string) ([]fs.DirEntry, error) {
	dir, err := f.root.Open(name)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	return dir.ReadDir(-1)
}

// names returns the names of the directory's entries.
func (f *folder) names() ([]string, error) {
	dir, err := f.root.Open(".")
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	return dir.Readdirnames(-1)
}

// Blocked is the error of a file in the project that is in the place of an output or its directory,
// and must not be replaced.
type Blocked struct {
	Path string
	Why  string // "it is a symbolic link"
}

func (e *Blocked) Error() string { return fmt.Sprintf("%q is in the way: %s", e.Path, e.Why) }

func blockedBy(path string, st fs.FileInfo) *Blocked {
	why := "it is neither a file nor a directory"
	switch {
	case st.Mode()&fs.ModeSymlink != 0:
		why = "it is a symbolic link"
	case st.Mode().IsRegular():
		why = "it is a file"
	case st.IsDir():
		why = "it is a directory"
	}
	return &Blocked{path, why}
}

// walker opens directories of a project by their paths from its root, and keeps those open
// that lead to the last one. It is for one goroutine.
type walker struct {
	names []string
	open  []*folder // the root, and one for each of names
}

func newWalker(root string) (*walker, error) {
	f, err := openFolder(root)
	if err != nil {
		return nil, err
	}
	return &walker{open: []*folder{f}}, nil
}

// to opens the directory at path, "." for the root. It is valid until the next call. Errors
// are those of enter, with whole paths.
func (w *walker) to(dir string) (*folder, error) {
	var names []string
	if dir != "." {
		names = strings.Split(dir, "/")
	}
	same := 0
	for same < len(names) && same < len(w.names) && names[same] == w.names[same] {
		same++
	}
	for _, f := range w.open[same+1:] {
		f.Close()
	}
	w.names, w.open = w.names[:same], w.open[:same+1]
	for _, name := range names[same:] {
		f, err := w.open[len(w.names)].enter(name)
		if err != nil {
			if b, ok := errors.AsType[*Blocked](err); ok {
				b.Path = path.Join(path.Join(w.names...), name)
			}
			return nil, err
		}
		w.names, w.open = append(w.names, name), append(w.open, f)
	}
	return w.open[len(w.open)-1], nil
}

func (w *walker) close() {
	for _, f := range w.open {
		f.Close()
	}
}
