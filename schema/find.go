package schema

import (
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"

	"github.com/weftrun/weft/internal/taskurl"
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
		path, err := o.findFile(absolute(cwd, o.Entrypoint))
		if err != nil {
			return "", "", notFound(o.Entrypoint, " Run `task --init` to create a new Taskfile.", err)
		}
		if o.Dir != "" {
			return path, start, nil
		}
		return path, filepath.Dir(path), nil
	}
	_, err := o.isDir(start)
	if err == nil {
		err = fs.ErrNotExist
		for dir := range Upwards(start) {
			if path, foundErr := o.findIn(dir); foundErr == nil {
				return path, dir, nil
			}
		}
	}
	return "", "", notFound("", " (or any of the parent directories). Run `task --init` to create a new Taskfile.", err)
}

// Root returns the root directory of the Taskfile that o selects, absolute. It does not read
// the file. An error is a [diag.Diagnostic].
func Root(o LoadOptions) (string, error) {
	if taskurl.IsRemote(o.Entrypoint) {
		return absolute(o.WorkingDir, o.Dir), nil
	}
	_, dir, problem := findRoot(o, o.WorkingDir)
	if problem != nil {
		return "", problem
	}
	return dir, nil
}

func absolute(cwd, path string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(cwd, path)
}

// findFile returns path itself, or the Taskfile in the directory path.
func (o *LoadOptions) findFile(path string) (string, error) {
	dir, err := o.isDir(path)
	if err != nil || !dir {
		return path, err
	}
	return o.findIn(path)
}

// findIn looks for a Taskfile in dir. The first name that exists is taken, even if it is
// not a file: reading it will fail.
func (o *LoadOptions) findIn(dir string) (string, error) {
	err := fs.ErrNotExist
	for _, name := range candidates {
		path := filepath.Join(dir, name)
		_, statErr := o.isDir(path)
		if statErr == nil {
			return path, nil
		}
		if !errors.Is(statErr, fs.ErrNotExist) {
			err = statErr
		}
	}
	return "", err
}

// Upwards yields dir, an absolute path, and its parents, as long as they have the same
// owner: directories above belong to another user.
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
	// Behind a symbolic link ".." leads elsewhere than its text suggests.
	here, err := os.Stat(".")
	if err != nil {
		return "", err
	}
	if there, err := os.Stat(clean); err == nil && os.SameFile(here, there) {
		return clean, nil
	}
	return filepath.EvalSymlinks(dir)
}
