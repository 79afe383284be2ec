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

// Name is the second program's, without an extension that the system may ask for.
const Name = "weft-companion"

// Variable names the second program, with its absolute path, in place of the one
// that is installed.
const Variable = "WEFT_COMPANION"

// Find returns the path of the second program: what the environment says, or
// else the one beside the real path of the running program, or in
// ../libexec/weft from there. It is never looked for by PATH or in the working
// directory. version is weft's, for the *UnavailableError, which says how to
// install it.
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

// findBeside returns the second program of the weft at self, a real path.
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

// named returns the path that Variable holds, if that can be used.
func named(path string) (string, error) {
	if !filepath.IsAbs(path) {
		return "", &UnavailableError{What: fmt.Sprintf("%s is %q, which is not absolute", Variable, path), Fix: "write the whole path, or unset it"}
	}
	if err := usable(path); err != nil {
		return "", &UnavailableError{What: fmt.Sprintf("%s names what cannot be used", Variable), Why: err.Error(), Fix: "correct or unset it", Err: err}
	}
	return path, nil
}

// usable returns why the file at path is no program, or nil.
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
	return &UnavailableError{What: "weft-companion is not installed beside weft", Why: why, Fix: install(version), Err: err}
}

// install returns the command that installs both programs in a version.
func install(version string) string {
	if !strings.HasPrefix(version, "v") {
		version = "latest"
	}
	return "go install github.com/weftrun/weft/cmd/...@" + version
}
