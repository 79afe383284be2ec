package cache

import (
	"path/filepath"

	"golang.org/x/sys/unix"
)

// statFile looks at one file below dir; links are followed.
func statFile(dir, path string) (file, error) {
	full := path
	if !filepath.IsAbs(path) {
		full = dir + "/" + path
	}
	var st unix.Stat_t
	for {
		err := unix.Stat(full, &st)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return file{}, err
		}
		return fromStat(path, &st), nil
	}
}

func fromStat(path string, st *unix.Stat_t) file {
	return file{path: path, size: st.Size, mtime: st.Mtim.Nano(), ctime: st.Ctim.Nano(), ino: st.Ino, mode: st.Mode & (unix.S_IFMT | 0o111)}
}

func (f *file) isDir() bool { return f.mode&unix.S_IFMT == unix.S_IFDIR }
