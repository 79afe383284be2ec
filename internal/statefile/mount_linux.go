package statefile

import (
	"os"

	"golang.org/x/sys/unix"
)

// searchOnly opens a directory that may not be listed, too.
const searchOnly = unix.O_PATH

// modeless reports whether the file system of f shows modes that are those of the mount.
func modeless(f *os.File) bool {
	var st unix.Statfs_t
	if unix.Fstatfs(int(f.Fd()), &st) != nil {
		return false
	}
	switch uint32(st.Type) {
	case unix.MSDOS_SUPER_MAGIC, unix.EXFAT_SUPER_MAGIC, 0x5346544e, 0x7366746e, // FAT, NTFS
		unix.SMB_SUPER_MAGIC, unix.CIFS_SUPER_MAGIC, unix.SMB2_SUPER_MAGIC,
		unix.V9FS_MAGIC, unix.FUSE_SUPER_MAGIC, 0x786f4256: // 0x786f4256: VirtualBox
		return true
	}
	return false
}

// firstHole returns where the first hole of f begins; size if it has none.
func firstHole(f *os.File, size int64) int64 {
	at, err := unix.Seek(int(f.Fd()), 0, unix.SEEK_HOLE)
	unix.Seek(int(f.Fd()), 0, unix.SEEK_SET)
	if err != nil {
		return size
	}
	return min(at, size)
}
