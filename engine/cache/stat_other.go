//go:build !linux

package cache

import (
	"os"
	"path/filepath"
)

const dirMode = 0o40000

// statFile looks at one file below dir; links are followed.
func statFile(dir, path string) (file, error) {
	full := path
	if !filepath.IsAbs(path) {
		full = filepath.Join(dir, path)
	}
	info, err := os.Stat(full)
	if err != nil {
		return file{}, err
	}
	f := file{path: path, size: info.Size(), mtime: info.ModTime().UnixNano(), mode: uint32(info.Mode().Perm() & 0o111)}
	if info.IsDir() {
		f.mode |= dirMode
	}
	return f, nil
}

func (f *file) isDir() bool { return f.mode&dirMode != 0 }
