//go:build unix && !linux

package cache

import "golang.org/x/sys/unix"

// mount returns the file system that f is on.
func (f *folder) mount() (mount, error) {
	self, err := f.handle()
	if err != nil {
		return mount{}, err
	}
	var st unix.Stat_t
	if err := unix.Fstat(int(self.Fd()), &st); err != nil {
		return mount{}, err
	}
	return mount{device: uint64(st.Dev)}, nil
}
