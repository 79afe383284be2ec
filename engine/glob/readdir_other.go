//go:build !(linux && (amd64 || arm64))

package glob

import (
	"errors"
	"os"
	"syscall"
)

// The portable forms of the functions in readdir_linux.go, which copy less.

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

const listsByPath = true

func statDir(_ int, path string) (Stat, error) { return statPath(path, true) }

func closeDir(int) {}

func setsTimes(int) bool { return false }

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

// statBelow stats a path relative to a directory.
func statBelow(_ int, dir, path string, follow bool) (Stat, error) { return statPath(dir+path, follow) }

func statPath(path string, follow bool) (st Stat, err error) {
	look := os.Lstat
	if follow {
		look = os.Stat
	}
	info, err := look(path)
	if err != nil {
		return st, err
	}
	return statOf(path, info), nil
}

// contentFile is a file that is open for reading.
type contentFile struct{ *os.File }

func openContent(prefix, name string) (contentFile, error) {
	f, err := open(prefix + name)
	return contentFile{f}, err
}

// openSmall would open a file by a descriptor of its directory.
func openSmall(int, string) (contentFile, error) { return contentFile{}, errors.ErrUnsupported }

func (f contentFile) stat() (st Stat, err error) {
	info, err := f.File.Stat()
	if err != nil {
		return st, err
	}
	return statOf(f.Name(), info), nil
}

func statOf(path string, info os.FileInfo) (st Stat) {
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
	return st
}
