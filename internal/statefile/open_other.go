//go:build !unix

package statefile

import (
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Without directories by descriptor, links and irregular files are refused by a check of the path.

// look returns the file called name, if it is of the wanted type or missing.
func (d *Dir) look(name string, dir bool) (string, error) {
	path := filepath.Join(d.path, name)
	info, err := os.Lstat(path)
	if err != nil {
		return path, err
	}
	why := ""
	switch {
	case info.Mode()&(fs.ModeSymlink|fs.ModeIrregular) != 0:
		why = "it is a symbolic link"
	case dir && !info.IsDir():
		why = "it is not a directory"
	case !dir && info.IsDir():
		why = "it is a directory"
	case !dir && !info.Mode().IsRegular():
		why = "it is not a regular file"
	default:
		return path, nil
	}
	return path, &Unsafe{Path: path, Why: why, Fix: "remove it"}
}

func openBase(path string) (*os.File, error) { return os.Open(path) }

func (d *Dir) openDir(name string) (*os.File, error) {
	path, err := d.look(name, true)
	if err != nil {
		return nil, err
	}
	return os.Open(path)
}

func (d *Dir) openFile(name string, flag int) (*os.File, error) {
	path, err := d.look(name, false)
	if err != nil && !os.IsNotExist(err) {
		return nil, err
	}
	return os.OpenFile(path, flag, 0o600)
}

func (d *Dir) create(name string, perm fs.FileMode) (*os.File, error) {
	return os.OpenFile(filepath.Join(d.path, name), os.O_RDWR|os.O_CREATE|os.O_EXCL, perm)
}

func (d *Dir) check(*os.File, string, bool) error { return nil }

func ownerFor(string) (user, group int) { return -1, -1 }

func (d *Dir) mkdir(name string, perm fs.FileMode) error {
	return os.Mkdir(filepath.Join(d.path, name), perm)
}

// Move moves the file called name to another directory of the same file system, under a new
// name. It replaces a file of that name.
func (d *Dir) Move(name string, to *Dir, newName string) error {
	return os.Rename(filepath.Join(d.path, name), filepath.Join(to.path, newName))
}

// Touch sets the time of the last change of the file called name.
func (d *Dir) Touch(name string, modified time.Time) error {
	if _, err := d.look(name, false); err != nil {
		return err
	}
	return os.Chtimes(filepath.Join(d.path, name), time.Time{}, modified)
}

// Remove removes the file called name.
func (d *Dir) Remove(name string) error { return os.Remove(filepath.Join(d.path, name)) }

// Stat returns the size of the file called name, in bytes, and the time of its last change.
func (d *Dir) Stat(name string) (size int64, modified time.Time, err error) {
	info, err := os.Lstat(filepath.Join(d.path, name))
	if err != nil {
		return 0, time.Time{}, err
	}
	return info.Size(), info.ModTime(), nil
}

// Is reports whether the open file f is still the file called name.
func (d *Dir) Is(name string, f *os.File) bool {
	there, err := os.Lstat(filepath.Join(d.path, name))
	if err != nil {
		return false
	}
	open, err := f.Stat()
	return err == nil && os.SameFile(there, open)
}

// Writable reports whether files can be made in d.
func (d *Dir) Writable() bool {
	info, err := d.f.Stat()
	return err != nil || info.Mode().Perm()&0o222 != 0
}
