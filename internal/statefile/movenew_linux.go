package statefile

import (
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// moveNew renames the file called name, unless there is a file called newName: then the error is
// fs.ErrExist.
func (d *Dir) moveNew(name, newName string) error {
	if err := unix.Renameat2(d.fd(), name, d.fd(), newName, unix.RENAME_NOREPLACE); err != nil {
		return &os.LinkError{Op: "rename", Old: filepath.Join(d.path, name), New: filepath.Join(d.path, newName), Err: err}
	}
	return nil
}
