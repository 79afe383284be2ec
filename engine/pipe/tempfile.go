package pipe

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"

	"github.com/weftrun/weft/internal/statefile"
	"github.com/weftrun/weft/internal/unnamed"
)

// An unfinished target is in the directory of the file that it will become. If the system
// has files without names, it has no name, so that it disappears however weft ends.
// Otherwise its name ends with statefile.BesideSuffix, which no pattern matches, and it is
// locked: the next writer of the same target removes those that are not locked.

// nameBeside gives f, which has no name, the name path.
func nameBeside(f *os.File, path string) error {
	err := unnamed.Link(f, path)
	if !errors.Is(err, fs.ErrExist) {
		return err
	}
	// The file has this name only for a moment. One that exists may be removed: it
	// belongs to a program that does the same now, or that was killed.
	temp := path + statefile.BesideSuffix
	for range 100 {
		if err = unnamed.Link(f, temp); errors.Is(err, fs.ErrExist) {
			os.Remove(temp)
			continue
		}
		if err == nil {
			err = os.Rename(temp, path)
		}
		if !errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	return err
}

// openBeside creates a temporary file that will become the file path.
func openBeside(path string, perm fs.FileMode) (*os.File, error) {
	removeUnlocked(path)
	for {
		f, err := os.OpenFile(fmt.Sprintf("%s.%08x%s", path, rand.Uint32(), statefile.BesideSuffix), os.O_WRONLY|os.O_CREATE|os.O_EXCL, perm)
		if err != nil {
			return nil, err
		}
		statefile.LockFile(f, false)
		// Another program may have removed it before it was locked.
		if _, err := os.Lstat(f.Name()); err == nil {
			return f, nil
		}
		f.Close()
	}
}

// removeUnlocked removes temporary files for path that killed programs left behind.
func removeUnlocked(path string) {
	entries, _ := os.ReadDir(filepath.Dir(path))
	for _, e := range entries {
		rest, ok := strings.CutPrefix(e.Name(), filepath.Base(path)+".")
		if rest, is := strings.CutSuffix(rest, statefile.BesideSuffix); !ok || !is || len(rest) != 8 || !e.Type().IsRegular() {
			continue
		}
		name := filepath.Join(filepath.Dir(path), e.Name())
		f, err := os.OpenFile(name, os.O_RDWR, 0)
		if err != nil {
			continue
		}
		if statefile.LockFile(f, false) == nil {
			os.Remove(name)
		}
		f.Close()
	}
}
