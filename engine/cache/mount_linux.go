package cache

import "golang.org/x/sys/unix"

// mount returns the mount that f is on. Files are not renamed from one to another, even if both
// show the same file system.
func (f *folder) mount() (mount, error) {
	self, err := f.handle()
	if err != nil {
		return mount{}, err
	}
	var st unix.Statx_t
	if unix.Statx(int(self.Fd()), "", unix.AT_EMPTY_PATH, unix.STATX_MNT_ID, &st) == nil {
		return mount{unix.Mkdev(st.Dev_major, st.Dev_minor), st.Mnt_id}, nil
	}
	var old unix.Stat_t
	err = unix.Fstat(int(self.Fd()), &old)
	return mount{device: old.Dev}, err
}
