//go:build unix

package shell

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// lookPath finds a program as interp.LookPathDir does, with the same errors; a test compares
// them. It makes as few system calls as possible, since it is called for every program.
func lookPath(dir, pathList, name string) (string, error) {
	if strings.Contains(name, "/") {
		file := name
		if !filepath.IsAbs(file) {
			file = filepath.Join(dir, file)
		}
		return executable(file)
	}
	if name == "" {
		return "", errNotFound(name)
	}
	for more := true; more; {
		var elem string
		elem, pathList, more = strings.Cut(pathList, ":")
		switch {
		case elem == "" || elem == ".":
			elem = dir
		case !filepath.IsAbs(elem):
			elem = filepath.Join(dir, elem)
		}
		file := elem + "/" + name
		if isExecutable(file) {
			return filepath.Clean(file), nil
		}
	}
	return "", errNotFound(name)
}

func errNotFound(name string) error {
	return fmt.Errorf("%q: executable file not found in $PATH", name)
}

func isExecutable(file string) bool {
	var st unix.Stat_t
	return unix.Stat(file, &st) == nil && st.Mode&unix.S_IFMT != unix.S_IFDIR && st.Mode&0o111 != 0
}

// executable returns file, or an error if it is not executable.
func executable(file string) (string, error) {
	info, err := os.Stat(file)
	switch {
	case err != nil:
		return "", err
	case info.IsDir():
		return "", errors.New("is a directory")
	case info.Mode()&0o111 == 0:
		return "", errors.New("permission denied")
	}
	return file, nil
}
