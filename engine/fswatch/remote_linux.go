package fswatch

import "golang.org/x/sys/unix"

// Types of file systems that do not tell of what others change.
const (
	nfs  = 0x6969
	smb  = 0x517b
	smb2 = 0xfe534d42
	cifs = 0xff534d42
	p9   = 0x01021997
	fuse = 0x65735546
)

// remote reports whether dir is on a file system that does not tell of all changes.
func remote(dir string) bool {
	var st unix.Statfs_t
	if unix.Statfs(dir, &st) != nil {
		return false
	}
	switch uint32(st.Type) {
	case nfs, smb, smb2, cifs, p9, fuse:
		return true
	}
	return false
}
