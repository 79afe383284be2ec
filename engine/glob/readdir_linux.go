//go:build linux && (amd64 || arm64)

package glob

import (
	"bytes"
	"encoding/binary"
	"strings"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The walk makes one system call per directory block and one per file, with
// names as the kernel wrote them: at 100,000 files the copy of a name costs as
// much as the look at it.

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

// closeDir closes what openDir opened; -1 is nothing.
func closeDir(fd int) {
	if fd >= 0 {
		unix.Close(fd)
	}
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
			var d unix.Dirent // as a whole it may be longer than what is left of the block
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
	unix.DT_FIFO: isFile, unix.DT_SOCK: isFile, unix.DT_CHR: isFile, unix.DT_BLK: isFile}

// statAt looks at a name that readDir returned, in the directory fd.
func statAt(fd int, _, name string, follow bool) (st Stat, err error) {
	flags := unix.AT_SYMLINK_NOFOLLOW
	if follow {
		flags = 0
	}
	var raw unix.Stat_t
	for {
		_, _, e := unix.Syscall6(unix.SYS_NEWFSTATAT, uintptr(fd), uintptr(unsafe.Pointer(unsafe.StringData(name))),
			uintptr(unsafe.Pointer(&raw)), uintptr(flags), 0, 0)
		if e == unix.EINTR {
			continue
		}
		if e != 0 {
			return st, e
		}
		st.Size, st.Mtime, st.Ctime = raw.Size, raw.Mtim.Nano(), raw.Ctim.Nano()
		st.Inode, st.Mode = raw.Ino, raw.Mode&(typeMask|0o111)
		return st, nil
	}
}

// statPath looks at a path.
func statPath(path string, follow bool) (Stat, error) {
	if strings.IndexByte(path, 0) >= 0 {
		return Stat{}, unix.EINVAL
	}
	return statAt(unix.AT_FDCWD, "", path+"\x00", follow)
}
