package companion

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// Name is the name of the second program, without the extension that some systems need.
const Name = "weft-companion"

// Variable is an environment variable with the absolute path of the second program, instead of the
// installed one.
const Variable = "WEFT_COMPANION"

// Find returns the path of the second program: from the environment, or else in the directory
// of the running program's real path, or in ../libexec/weft from there. It is never looked for
// in PATH or in the working directory. version is that of weft: the *UnavailableError says how
// to install the program.
func Find(environ []string, version string) (string, error) {
	if path := variable(environ); path != "" {
		return named(path)
	}
	self, err := os.Executable()
	if err == nil {
		self, err = filepath.EvalSymlinks(self)
	}
	if err != nil {
		return "", missing(version, fmt.Sprintf("the path of the running program is not known: %v", err), err)
	}
	return findBeside(self, version)
}

// findBeside returns the second program for the weft at self, a real path.
func findBeside(self, version string) (string, error) {
	var unusable error
	for _, dir := range [...]string{".", filepath.Join("..", "libexec", "weft")} {
		path := filepath.Join(filepath.Dir(self), dir, Name+extension())
		switch err := usable(path); {
		case err == nil:
			return path, nil
		case !errors.Is(err, fs.ErrNotExist) && unusable == nil:
			unusable = err
		}
	}
	if unusable != nil {
		return "", &UnavailableError{What: "weft-companion cannot be used", Why: unusable.Error(), Fix: install(version), Err: unusable}
	}
	return "", missing(version, "", fs.ErrNotExist)
}

// variable returns the value of Variable.
func variable(environ []string) string {
	for i := len(environ) - 1; i >= 0; i-- {
		if v, ok := strings.CutPrefix(environ[i], Variable+"="); ok {
			return v
		}
	}
	return ""
}

// named returns the path in Variable, if that is usable.
func named(path string) (string, error) {
	if !filepath.IsAbs(path) {
		return "", &UnavailableError{What: fmt.Sprintf("%s is %q, which is not absolute", Variable, path), Fix: "use an absolute path, or unset it"}
	}
	if err := usable(path); err != nil {
		return "", &UnavailableError{What: fmt.Sprintf("%s is not usable", Variable), Why: err.Error(), Fix: "correct or unset it", Err: err}
	}
	return path, nil
}

// usable returns an error if the file at path is not a program.
func usable(path string) error {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s is not a file", path)
	case runtime.GOOS != "windows" && info.Mode()&0o111 == 0:
		return fmt.Errorf("%s is not executable", path)
	}
	return nil
}

func extension() string {
	if runtime.GOOS == "windows" {
		return ".exe"
	}
	return ""
}

func missing(version, why string, err error) error {
	return &UnavailableError{What: "weft-companion is not installed next to weft", Why: why, Fix: install(version), Err: err}
}

// install returns the command that installs a version of both programs.
func install(version string) string {
	if !strings.HasPrefix(version, "v") {
		version = "latest"
	}
	return "go install github.com/weftrun/weft/cmd/...@" + version
}
