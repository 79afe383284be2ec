package fetch

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/weftrun/weft/engine/channel"
	"github.com/weftrun/weft/internal/statefile"
)

// tempDir is a temporary directory of one run. If the process is killed, the next run removes it:
// only weft writes to its parent, and its file lockName is locked while it is used.
type tempDir struct {
	path string
	lock *os.File // nil if the file system has no locks
}

const (
	tempPrefix = "run-"
	lockName   = "lock"
	// settledAfter is the age after which a directory without a lock is not about to be
	// locked.
	settledAfter = time.Minute
)

// newTempDir makes a directory in the cache directory, or in the system's directory for
// temporary files if that is "" or not writable.
func newTempDir(cacheDir string) (*tempDir, error) {
	if cacheDir != "" {
		parent := filepath.Join(cacheDir, channel.CommitsDir)
		if os.MkdirAll(parent, 0o700) == nil {
			removeAbandoned(parent)
			for range tries {
				path, err := os.MkdirTemp(parent, tempPrefix)
				if err != nil {
					break
				}
				lock, lost := lockIn(path)
				if !lost {
					return &tempDir{path: path, lock: lock}, nil
				}
				os.RemoveAll(path)
			}
		}
	}
	path, err := os.MkdirTemp("", "weft-fetch-")
	return &tempDir{path: path}, err
}

// tries is how often a directory is made again because another process has removed it.
const tries = 100

// lockIn makes and takes the lock of a directory. It returns nil if the file system has no
// locks. lost says that another process has removed the directory in between.
func lockIn(path string) (lock *os.File, lost bool) {
	name := filepath.Join(path, lockName)
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, errors.Is(err, fs.ErrNotExist)
	}
	if err := statefile.LockFile(f, false); err != nil {
		f.Close()
		return nil, errors.Is(err, statefile.ErrLocked)
	}
	open, err := f.Stat()
	there, thereErr := os.Lstat(name)
	if err != nil || thereErr != nil || !os.SameFile(open, there) {
		f.Close()
		return nil, true
	}
	return f, false
}

// removeAbandoned removes the directories that killed runs have left in parent.
func removeAbandoned(parent string) {
	all, err := os.ReadDir(parent)
	if err != nil {
		return
	}
	for _, e := range all {
		path := filepath.Join(parent, e.Name())
		if e.IsDir() && strings.HasPrefix(e.Name(), tempPrefix) && isAbandoned(path) {
			os.RemoveAll(path)
		}
	}
}

// isAbandoned reports whether a directory is not used any more. A young one may be about to be
// locked, so it never is.
func isAbandoned(path string) bool {
	info, err := os.Lstat(path)
	if err != nil || time.Since(info.ModTime()) < settledAfter {
		return false
	}
	f, err := os.OpenFile(filepath.Join(path, lockName), os.O_RDWR, 0)
	if err != nil {
		return errors.Is(err, fs.ErrNotExist)
	}
	defer f.Close()
	return statefile.LockFile(f, false) == nil
}

func (d *tempDir) remove() {
	if d.lock != nil {
		d.lock.Close()
	}
	os.RemoveAll(d.path)
}
