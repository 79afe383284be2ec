//go:build !unix

package cache

import (
	"os"
	"path/filepath"
)

// rename moves the entry name to another directory of the same volume. A file replaces newName
// there.
func (f *folder) rename(name string, to *folder, newName string) error {
	return os.Rename(filepath.Join(f.root.Name(), name), filepath.Join(to.root.Name(), newName))
}

// link gives the entry name a second name in another directory of the same volume.
func (f *folder) link(name string, to *folder, newName string) error {
	return os.Link(filepath.Join(f.root.Name(), name), filepath.Join(to.root.Name(), newName))
}

func (f *folder) mount() (mount, error) { return mount{}, nil }
