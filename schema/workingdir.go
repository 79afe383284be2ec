package schema

import (
	"os"
	"path/filepath"
)

// WorkingDir returns the working directory, absolute and clean. A shell's $PWD
// may name it with "." or ".." elements, which would make one directory look like
// several.
func WorkingDir() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	clean := filepath.Clean(dir)
	if clean == dir {
		return dir, nil
	}
	// Behind a symbolic link ".." leads elsewhere than its text says.
	here, err := os.Stat(".")
	if err != nil {
		return "", err
	}
	if there, err := os.Stat(clean); err == nil && os.SameFile(here, there) {
		return clean, nil
	}
	return filepath.EvalSymlinks(dir)
}
