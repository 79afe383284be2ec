package schema

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"strings"

	"github.com/weftrun/weft/internal/limit"
	"github.com/weftrun/weft/schema/diag"
)

// candidates are the names a Taskfile may have, in order of preference.
var candidates = [...]string{
	"Taskfile.yml", "taskfile.yml", "Taskfile.yaml", "taskfile.yaml",
	"Taskfile.dist.yml", "taskfile.dist.yml", "Taskfile.dist.yaml", "taskfile.dist.yaml",
}

// FileNames returns the names a Taskfile may have, in order of preference.
func FileNames() []string { return candidates[:] }

// stdinPath is the location of a Taskfile read from standard input.
const stdinPath = "__stdin__"

// findRoot returns the path of the root file and the root directory.
func findRoot(o LoadOptions, cwd string) (path, dir string, problem *diag.Diagnostic) {
	start := absolute(cwd, o.Dir)
	switch {
	case o.Entrypoint == "-":
		return stdinPath, start, nil
	case o.Entrypoint != "":
		path, err := findFile(absolute(cwd, o.Entrypoint))
		if err != nil {
			return "", "", notFound(o.Entrypoint, " Run `task --init` to create a new Taskfile.", err)
		}
		if o.Dir != "" {
			return path, start, nil
		}
		return path, filepath.Dir(path), nil
	}
	_, err := os.Stat(start)
	if err == nil {
		path, err = findUpwards(start)
	}
	if err != nil {
		return "", "", notFound("", " (or any of the parent directories). Run `task --init` to create a new Taskfile.", err)
	}
	return path, filepath.Dir(path), nil
}

func absolute(cwd, path string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(cwd, path)
}

// findFile returns path itself, or the Taskfile in the directory path.
func findFile(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if !info.IsDir() {
		return path, nil
	}
	return findIn(path)
}

// findIn looks for a Taskfile in dir. The first name that exists is taken, even if it is
// not a file: reading it will fail.
func findIn(dir string) (string, error) {
	err := fs.ErrNotExist
	for _, name := range candidates {
		path := filepath.Join(dir, name)
		_, statErr := os.Stat(path)
		if statErr == nil {
			return path, nil
		}
		if !errors.Is(statErr, fs.ErrNotExist) {
			err = statErr
		}
	}
	return "", err
}

// findUpwards looks in dir and its parents, as long as they have one owner.
func findUpwards(dir string) (string, error) {
	for dir := range Upwards(dir) {
		if path, err := findIn(dir); err == nil {
			return path, nil
		}
	}
	return "", fs.ErrNotExist
}

// Upwards yields dir, an absolute path, and its parents, as long as they have the same
// owner: what is above belongs to another user.
func Upwards(dir string) iter.Seq[string] {
	return func(yield func(string) bool) {
		owner, known := ownerOf(dir)
		for yield(dir) {
			parent := filepath.Dir(dir)
			if parent == dir {
				return
			}
			if o, ok := ownerOf(parent); known && ok && o != owner {
				return
			}
			dir = parent
		}
	}
}

func notFound(uri, hint string, err error) *diag.Diagnostic {
	d := &diag.Diagnostic{Kind: diag.NotFound, What: fmt.Sprintf("No Taskfile found at %q", uri) + hint}
	if !errors.Is(err, fs.ErrNotExist) {
		d.Why = reason(err)
	}
	return d
}

// errLarge tells that a file is too large to be read.
var errLarge = limit.Bytes("the file", limit.File)

// readSource returns the content of the file at path, or errLarge.
func readSource(path string, stdin io.Reader) (string, error) {
	var b strings.Builder
	if path == stdinPath {
		if stdin == nil {
			return "", errors.New("there is no standard input to read it from")
		}
	} else {
		f, err := os.Open(path)
		if err != nil {
			return "", err
		}
		defer f.Close()
		if st, err := f.Stat(); err == nil {
			switch {
			case st.Mode().IsRegular():
				if st.Size() > limit.File {
					return "", errLarge
				}
				b.Grow(int(st.Size()))
			case st.Mode()&fs.ModeDevice != 0 && !isNullDevice(st):
				return "", errDevice
			}
		}
		stdin = f
	}
	_, err := io.Copy(&b, limit.Reader(stdin, limit.File, errLarge))
	return b.String(), err
}

// errDevice tells that a Taskfile is a device, which may have no end.
var errDevice = errors.New("it is a device")

// isNullDevice reports whether st is the null device, which is always empty.
func isNullDevice(st fs.FileInfo) bool {
	null, err := os.Stat(os.DevNull)
	return err == nil && os.SameFile(st, null)
}

// WorkingDir returns the working directory, absolute and clean. A shell's $PWD may name it
// with "." or ".." elements, which would make one directory look like several.
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
