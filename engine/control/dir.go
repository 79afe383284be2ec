package control

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// maxPath is the maximum length of a socket's path on the most restrictive system.
const maxPath = 103

// suffix is the suffix of sockets of runs; a socket that is not ready yet has the suffix unready.
const suffix, unready = ".sock", ".new"

// idLength is the maximum length of a run's identity.
const idLength = 36

// place returns the directory of sockets: in XDG_RUNTIME_DIR, or else in the temporary directory,
// or if its path is too long, in /tmp. env returns an environment variable.
func place(env func(string) string) string {
	own := "weft-" + strconv.Itoa(os.Geteuid())
	for _, dir := range [...]string{filepath.Join(env("XDG_RUNTIME_DIR"), "weft"), filepath.Join(env("TMPDIR"), own)} {
		if filepath.IsAbs(dir) && len(dir)+1+idLength+len(suffix) <= maxPath {
			return dir
		}
	}
	return "/tmp/" + own
}

// directory returns the directory for a new socket, and creates it if necessary.
func directory(env func(string) string) (dir string, err error) {
	dir = place(env)
	if err = os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", err
	}
	return dir, check(dir)
}

// check returns why a directory must not be used: other users could put sockets there, or it is a
// link.
func check(dir string) error {
	info, err := os.Lstat(dir)
	switch {
	case err != nil:
		return err
	case !info.IsDir():
		return fmt.Errorf("%s is not a directory", dir)
	case !isOurs(info):
		return fmt.Errorf("%s belongs to another user", dir)
	case info.Mode().Perm()&0o077 != 0:
		return fmt.Errorf("%s is open to other users; chmod 700 %s", dir, dir)
	}
	return nil
}

// Found is the socket of a run.
type Found struct {
	Run  string // identity of the run
	Path string
}

// List returns the sockets of this user's runs, in no order, and removes those of killed runs. env
// returns an environment variable.
func List(env func(string) string) (all []Found) {
	dir := place(env)
	if check(dir) != nil {
		return nil
	}
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		run, ready := strings.CutSuffix(e.Name(), suffix)
		switch {
		case e.Type() != fs.ModeSocket:
		case ready && !isDead(path):
			all = append(all, Found{run, path})
		case ready:
			os.Remove(path)
		case strings.HasSuffix(e.Name(), unready):
			if info, err := e.Info(); err == nil && time.Since(info.ModTime()) > time.Minute && isDead(path) {
				os.Remove(path)
			}
		}
	}
	return all
}
