//go:build linux && (amd64 || arm64)

package glob

import (
	"bytes"
	"encoding/binary"
	"io"
	"strings"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The walk makes one system call per directory block and one per file, with
// names as the kernel wrote them: at 100,000 files the copy of a name costs as much as the stat.

const (
	typeMask = unix.S_IFMT
	typeDir  = unix.S_IFDIR
	typeReg  = unix.S_IFREG
	typeLink = unix.S_IFLNK

	// noWait keeps open from blocking on a file that has become a pipe.
	noWait = unix.O_NONBLOCK
)

// blocks are buffers for getdents.
var blocks = sync.Pool{New: func() any { return new([32 << 10]byte) }}

// openDir opens a directory for readDir and statAt.
func openDir(path string) (int, error) {
	for {
		fd, err := unix.Open(path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
		if err != unix.EINTR {
			return fd, err
		}
	}
}

// listsByPath is set where a directory is listed by its path, instead of by its descriptor.
const listsByPath = false

// statDir stats the open directory fd, whatever is at its path by now.
func statDir(fd int, _ string) (Stat, error) { return statFlags(fd, "\x00", unix.AT_EMPTY_PATH) }

// closeDir closes the result of openDir; -1 is ignored.
func closeDir(fd int) {
	if fd >= 0 {
		unix.Close(fd)
	}
}

// setsTimes reports whether the file system of a directory is known to set its times whenever
// something is made, removed or renamed in it, whoever does that: so those of a network or of user
// space are left out.
func setsTimes(fd int) bool {
	const zfs = 0x2fc12fc1
	var st unix.Statfs_t
	if unix.Fstatfs(fd, &st) != nil {
		return false
	}
	switch st.Type {
	case unix.EXT4_SUPER_MAGIC, unix.XFS_SUPER_MAGIC, unix.BTRFS_SUPER_MAGIC, unix.F2FS_SUPER_MAGIC, unix.TMPFS_MAGIC, zfs:
		return true
	}
	return false
}

// readDir returns the names in fd. Each name is followed by a zero byte.
func readDir(fd int, _ string) ([]listed, error) {
	block := blocks.Get().(*[32 << 10]byte)
	defer blocks.Put(block)
	var names []byte
	var kinds []kind
	for {
		n, err := unix.Getdents(fd, block[:])
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return nil, err
		}
		if n <= 0 {
			break
		}
		for b := block[:n]; len(b) > 0; {
			var d unix.Dirent // as a whole it may be longer than the rest of the block
			size := binary.NativeEndian.Uint16(b[unsafe.Offsetof(d.Reclen):])
			name, is := b[unsafe.Offsetof(d.Name):size], b[unsafe.Offsetof(d.Type)]
			b = b[size:]
			end := bytes.IndexByte(name, 0)
			if name[0] == '.' && (end == 1 || end == 2 && name[1] == '.') {
				continue
			}
			names = append(names, name[:end+1]...)
			k := kindOf[is&15]
			if k == unknown {
				if st, err := statAt(fd, "", string(name[:end+1]), false); err == nil {
					k = st.kind()
				}
			}
			kinds = append(kinds, k)
		}
	}
	ents := make([]listed, len(kinds))
	all := string(names)
	for i := range ents {
		ents[i].kind = kinds[i]
		ents[i].name, all, _ = strings.Cut(all, "\x00")
	}
	return ents, nil
}

var kindOf = [16]kind{unix.DT_DIR: isDir, unix.DT_REG: isFile, unix.DT_LNK: isLink,
	unix.DT_FIFO: isOther, unix.DT_SOCK: isOther, unix.DT_CHR: isOther, unix.DT_BLK: isOther}

// statAt stats a name that readDir returned, in the directory fd.
func statAt(fd int, _, name string, follow bool) (st Stat, err error) {
	if follow {
		return statFlags(fd, name, 0)
	}
	return statFlags(fd, name, unix.AT_SYMLINK_NOFOLLOW)
}

// statFlags is the system call fstatat; a zero byte follows name.
func statFlags(fd int, name string, flags uintptr) (st Stat, err error) {
	var raw unix.Stat_t
	for {
		_, _, e := unix.Syscall6(unix.SYS_NEWFSTATAT, uintptr(fd), uintptr(unsafe.Pointer(unsafe.StringData(name))),
			uintptr(unsafe.Pointer(&raw)), flags, 0, 0)
		if e == unix.EINTR {
			continue
		}
		if e != 0 {
			return st, e
		}
		return Stat{Size: raw.Size, Mtime: raw.Mtim.Nano(), Ctime: raw.Ctim.Nano(), Inode: raw.Ino, Mode: raw.Mode & (typeMask | 0o111)}, nil
	}
}

// contentFile is a file that is open for reading. It is only a descriptor: for a small file, an os.File
// costs as much as reading it.
type contentFile int

// openContent opens the file at prefix+name. It does not block if that has become a pipe.
func openContent(prefix, name string) (contentFile, error) {
	cwd := unix.AT_FDCWD
	var short [512]byte // the path with its end, without a copy on the heap
	path := append(append(short[:0], prefix...), name...)
	if bytes.IndexByte(path, 0) >= 0 {
		return -1, unix.EINVAL
	}
	path = append(path, 0)
	for {
		fd, _, e := unix.Syscall6(unix.SYS_OPENAT, uintptr(cwd), uintptr(unsafe.Pointer(unsafe.SliceData(path))),
			unix.O_RDONLY|unix.O_CLOEXEC|noWait, 0, 0, 0)
		switch e {
		case 0:
			return contentFile(fd), nil
		case unix.EINTR:
		default:
			return -1, e
		}
	}
}

// openSmall opens a file, but no link, whose name readDir returned, in the directory fd. It does not
// block if that has become a pipe.
func openSmall(fd int, name string) (contentFile, error) {
	for {
		file, _, e := unix.Syscall6(unix.SYS_OPENAT, uintptr(fd), uintptr(unsafe.Pointer(unsafe.StringData(name))),
			unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_CLOEXEC|noWait, 0, 0, 0)
		switch e {
		case 0:
			return contentFile(file), nil
		case unix.EINTR:
		default:
			return -1, e
		}
	}
}

func (f contentFile) stat() (Stat, error) { return statDir(int(f), "") }

// Read implements io.Reader.
func (f contentFile) Read(b []byte) (int, error) {
	for {
		n, err := unix.Read(int(f), b)
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return 0, err
		case n == 0:
			return 0, io.EOF
		}
		return n, nil
	}
}

// Close closes the file.
func (f contentFile) Close() { unix.Close(int(f)) }

// statPath stats a path.
func statPath(path string, follow bool) (Stat, error) {
	return statBelow(unix.AT_FDCWD, "", path, follow)
}

// statBelow stats a path relative to the directory fd.
func statBelow(fd int, _, path string, follow bool) (Stat, error) {
	if strings.IndexByte(path, 0) >= 0 {
		return Stat{}, unix.EINVAL
	}
	var short [256]byte // the path with its end, without a copy on the heap
	if len(path) < len(short) {
		n := copy(short[:], path)
		return statAt(fd, "", unsafe.String(&short[0], n+1), follow)
	}
	return statAt(fd, "", path+"\x00", follow)
}
