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

// A target that is not finished stands beside the file it is to become. Where the system
// has files without names it has none until then, so that nothing is left of it however
// weft ends; elsewhere it has a name that ends with statefile.BesideSuffix, which no pattern matches,
// and is locked: who writes the same target next removes those that nobody has locked.

// nameBeside makes f, which has no name, the file path.
func nameBeside(f *os.File, path string) error {
	err := unnamed.Name(f, path)
	if !errors.Is(err, fs.ErrExist) {
		return err
	}
	// A name for a moment only. Who finds it there may take it away: it is another
	// program's in the same moment, or of one that was killed in it.
	temp := path + statefile.BesideSuffix
	for range 100 {
		if err = unnamed.Name(f, temp); errors.Is(err, fs.ErrExist) {
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

// openBeside makes a file that has a name, to become the file path.
func openBeside(path string, perm fs.FileMode) (*os.File, error) {
	removeLeft(path)
	for {
		f, err := os.OpenFile(fmt.Sprintf("%s.%08x%s", path, rand.Uint32(), statefile.BesideSuffix), os.O_WRONLY|os.O_CREATE|os.O_EXCL, perm)
		if err != nil {
			return nil, err
		}
		statefile.LockFile(f, false)
		// Before it was locked somebody may have taken it for one that was left.
		if _, err := os.Lstat(f.Name()); err == nil {
			return f, nil
		}
		f.Close()
	}
}

// removeLeft removes what programs that were killed have left of the file path.
func removeLeft(path string) {
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
