//go:build unix

package cache

import (
	"os"

	"golang.org/x/sys/unix"
)

// rename moves the entry name to another directory of the same mount. A file replaces newName
// there.
func (f *folder) rename(name string, to *folder, newName string) error {
	from, err := f.handle()
	if err != nil {
		return err
	}
	target, err := to.handle()
	if err != nil {
		return err
	}
	if err := unix.Renameat(int(from.Fd()), name, int(target.Fd()), newName); err != nil {
		return &os.LinkError{Op: "rename", Old: f.root.Name() + "/" + name, New: to.root.Name() + "/" + newName, Err: err}
	}
	return nil
}

// link gives the entry name a second name in another directory of the same mount.
func (f *folder) link(name string, to *folder, newName string) error {
	from, err := f.handle()
	if err != nil {
		return err
	}
	target, err := to.handle()
	if err != nil {
		return err
	}
	return unix.Linkat(int(from.Fd()), name, int(target.Fd()), newName, 0)
}
