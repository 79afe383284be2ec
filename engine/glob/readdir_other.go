//go:build !(linux && (amd64 || arm64))

package glob

import (
	"os"
	"syscall"
)

// The portable forms of what readdir_linux.go does with fewer copies.

const (
	typeMask = syscall.S_IFMT
	typeDir  = syscall.S_IFDIR
	typeReg  = syscall.S_IFREG
	typeLink = syscall.S_IFLNK

	noWait = 0
)

func openDir(path string) (int, error) {
	st, err := os.Stat(path)
	if err == nil && !st.IsDir() {
		err = syscall.ENOTDIR
	}
	return -1, err
}

func closeDir(int) {}

func readDir(_ int, path string) ([]listed, error) {
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, err
	}
	ents := make([]listed, len(entries))
	for i, e := range entries {
		ents[i].name, ents[i].kind = e.Name(), isFile
		switch {
		case e.IsDir():
			ents[i].kind = isDir
		case e.Type()&os.ModeSymlink != 0:
			ents[i].kind = isLink
		}
	}
	return ents, nil
}

func statAt(_ int, dir, name string, follow bool) (Stat, error) { return statPath(dir+name, follow) }

func statPath(path string, follow bool) (st Stat, err error) {
	look := os.Lstat
	if follow {
		look = os.Stat
	}
	info, err := look(path)
	if err != nil {
		return st, err
	}
	st.Size, st.Mtime, st.Mode = info.Size(), info.ModTime().UnixNano(), uint32(info.Mode().Perm()&0o111)
	st.Inode = fileNumber(path, info)
	switch {
	case info.IsDir():
		st.Mode |= typeDir
	case info.Mode()&os.ModeSymlink != 0:
		st.Mode |= typeLink
	case info.Mode().IsRegular():
		st.Mode |= typeReg
	}
	// Without a time of change, only the age of the last write proves anything.
	st.Ctime = st.Mtime
	return st, nil
}
