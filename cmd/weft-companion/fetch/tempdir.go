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

// tempDir is a directory for one run. Who is killed leaves it, so it is made where
// only we write, and the next run removes it: as long as it is used, its file
// lockName is locked.
type tempDir struct {
	path string
	lock *os.File // nil where there is none
}

const (
	tempPrefix = "run-"
	lockName   = "lock"
	// settledAfter is the age from which on nobody is about to lock a directory that
	// is not locked.
	settledAfter = time.Minute
)

// newTempDir makes a directory in the cache directory, or where the system has
// such if that is "" or not writable.
func newTempDir(cacheDir string) (*tempDir, error) {
	if cacheDir != "" {
		parent := filepath.Join(cacheDir, channel.CommitsDir)
		if os.MkdirAll(parent, 0o700) == nil {
			removeLeft(parent)
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

// tries is how often a directory is made until nobody takes it for one that is left.
const tries = 100

// lockIn makes the lock of a directory and takes it; nil means that there are no locks
// here. lost tells that somebody was between the two, took the directory for one that
// is left, and removes it.
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

// removeLeft removes the directories that killed runs have left in parent.
func removeLeft(parent string) {
	all, err := os.ReadDir(parent)
	if err != nil {
		return
	}
	for _, e := range all {
		path := filepath.Join(parent, e.Name())
		if e.IsDir() && strings.HasPrefix(e.Name(), tempPrefix) && isLeft(path) {
			os.RemoveAll(path)
		}
	}
}

// isLeft reports whether nobody uses a directory any more. A young one is never left:
// between its making and its lock it looks as if it were.
func isLeft(path string) bool {
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
