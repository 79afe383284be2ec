// Package tempdir makes temporary directories that do not outlive their users: what a process that was
// killed has left is removed by the next one that makes a directory of the same kind.
package tempdir

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/weftrun/weft/internal/statefile"
)

// Dir is a directory. It is locked as long as it is used, if the file system has locks for directories;
// otherwise it never counts as left.
type Dir struct {
	Path string
	lock *os.File
}

// tries is how often a directory is made again because another process has removed it before it was
// locked.
const tries = 100

// New makes a directory, whose name begins with prefix, in the system's directory for temporary files. The
// caller removes it.
func New(prefix string) (*Dir, error) {
	var path string
	err := errors.New("other processes remove it")
	for range tries {
		if path, err = os.MkdirTemp("", prefix); err != nil {
			return nil, err
		}
		lock, e := os.Open(path)
		if e == nil {
			locked := statefile.LockFile(lock, false)
			if _, e = os.Lstat(path); e == nil && !errors.Is(locked, statefile.ErrLocked) {
				return &Dir{path, lock}, nil
			}
			lock.Close()
		}
		if !errors.Is(e, fs.ErrNotExist) && e != nil {
			os.Remove(path)
			return nil, e
		}
	}
	return nil, err
}

// Remove removes the directory, with everything in it.
func (d *Dir) Remove() {
	removeAll(d.Path)
	d.lock.Close()
}

// Clean removes the directories with a prefix that processes have left.
func Clean(prefix string) {
	all, err := os.ReadDir(os.TempDir())
	if err != nil {
		return
	}
	for _, e := range all {
		if !e.IsDir() || !strings.HasPrefix(e.Name(), prefix) {
			continue
		}
		path := filepath.Join(os.TempDir(), e.Name())
		lock, err := os.Open(path)
		if err != nil {
			continue
		}
		if statefile.LockFile(lock, false) == nil {
			removeAll(path)
		}
		lock.Close()
	}
}

// removeAll removes a directory, also if it has directories that may not be written to, as Go's module
// cache has.
func removeAll(dir string) {
	if os.RemoveAll(dir) == nil {
		return
	}
	filepath.WalkDir(dir, func(name string, e fs.DirEntry, err error) error {
		if e != nil && e.IsDir() {
			os.Chmod(name, 0o700)
		}
		return nil
	})
	os.RemoveAll(dir)
}
