// Package history records the last runs of a project, in the directory "runs" of its state:
//
//	000042.ndjson   the events of run 42, without the bytes that commands wrote; .ndjson.gz
//	                for runs with many steps
//	000042.log      these bytes, in order of arrival
//	index           a line of JSON for each run that has ended
//	durations       durations of steps
//	lock            locked while one of the last two changes, or old runs are removed
//
// A [Writer] is a reporter that records a run; a [Store] finds and opens recorded runs. The package
// knows events and files, and neither the engine nor how a run is shown.
//
// All files are opened by package statefile. If files are missing, damaged or hostile, the worst
// effect is that a run is not found. An error of recording never fails or delays a run.
package history

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"sort"
	"strconv"
	"strings"

	"github.com/weftrun/weft/internal/statefile"
)

// dirName is the name of the directory within that of the project's state.
const dirName = "runs"

// DefaultKeep is the default number of runs that are kept.
const DefaultKeep = 50

// Store is the history of a project. It opens files on demand, and keeps none open.
type Store struct {
	State statefile.Place // of the project's state
	Keep  int             // how many runs are kept; 0 stands for DefaultKeep
}

func (s *Store) keep() int {
	if s.Keep <= 0 {
		return DefaultKeep
	}
	return s.Keep
}

// place returns the directory, which is private to the user.
func (s *Store) place() statefile.Place {
	p := s.State
	p.Path += "/" + dirName
	p.Private = true
	return p
}

// open opens the directory. The error is fs.ErrNotExist if there is none.
func (s *Store) open() (*statefile.Dir, error) {
	p := s.place()
	return p.Open()
}

// make is open, but creates the directory, and that of the state, if necessary.
func (s *Store) make() (*statefile.Dir, error) {
	d, err := s.open()
	if !errors.Is(err, fs.ErrNotExist) {
		return d, err
	}
	state, err := s.State.Make()
	if err != nil {
		return nil, err
	}
	err = state.IgnoreByGit()
	state.Close()
	if err != nil {
		return nil, err
	}
	p := s.place()
	return p.Make()
}

// kind is a kind of file of a run.
type kind uint8

const (
	events     kind = iota // as lines of JSON
	compressed             // events, by gzip
	log                    // what commands wrote
	kinds
)

var suffixes = [kinds]string{".ndjson", ".ndjson.gz", ".log"}

// fileName returns the name of a file of a run.
//
//go:noinline
func fileName(number int, k kind) string { return fmt.Sprintf("%06d%s", number, suffixes[k]) }

// maxNumber is the number of the last run that can be recorded.
const maxNumber = 999_999_999

// parseName returns the run and the kind of the file called name; ok is false for other files.
func parseName(name string) (number int, k kind, ok bool) {
	digits, suffix, _ := strings.Cut(name, ".")
	i := slices.Index(suffixes[:], "."+suffix)
	if i < 0 || len(digits) < 6 || len(digits) > 9 || len(digits) > 6 && digits[0] == '0' {
		return 0, 0, false
	}
	n, err := strconv.ParseUint(digits, 10, 31)
	if err != nil || n == 0 {
		return 0, 0, false
	}
	return int(n), kind(i), true
}

// files are the files of one run.
type files struct {
	number int
	has    [kinds]bool
}

// eventsName returns the name of the events file, or "". During compression there are two, of which
// the compressed one is complete.
func (f *files) eventsName() string {
	switch {
	case f.has[compressed]:
		return fileName(f.number, compressed)
	case f.has[events]:
		return fileName(f.number, events)
	}
	return ""
}

// listFiles returns the files of all runs in d, the newest run last.
func listFiles(d *statefile.Dir) ([]files, error) {
	names, err := d.Names()
	if err != nil {
		return nil, err
	}
	slices.Sort(names) // not by number, but files of one run are adjacent
	var all []files
	for _, name := range names {
		n, k, ok := parseName(name)
		if !ok {
			continue
		}
		if len(all) == 0 || all[len(all)-1].number != n {
			all = append(all, files{number: n})
		}
		all[len(all)-1].has[k] = true
	}
	sort.Slice(all, func(i, j int) bool { return all[i].number < all[j].number })
	return all, nil
}

// errFull means that no number is left for another run.
var errFull = errors.New("the highest number is in use; remove the directory")

// create reserves the next number for a run, and returns its events file. all are the files in d.
func create(d *statefile.Dir, all []files) (f *os.File, number int, err error) {
	if len(all) > 0 {
		number = all[len(all)-1].number
	}
	for number < maxNumber {
		number++
		name := fileName(number, events)
		f, err = d.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return nil, 0, err
		}
		// Another run may have used the name until it was compressed.
		if _, _, err := d.Stat(fileName(number, compressed)); err == nil {
			d.Remove(name)
			f.Close()
			continue
		}
		return f, number, nil
	}
	return nil, 0, errFull
}

// inUse reports whether a run is being recorded in the file called name.
func inUse(d *statefile.Dir, name string) bool {
	f, err := d.OpenFile(name, os.O_RDWR)
	if err != nil {
		return false
	}
	defer f.Close() // releases the lock, too
	return errors.Is(statefile.LockFile(f, false), statefile.ErrLocked)
}
