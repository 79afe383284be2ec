package cache

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path"
	"strconv"
	"strings"
	"sync"

	"github.com/weftrun/weft/internal/statefile"
)

// mount determines whether files can be renamed from one directory to another.
type mount struct {
	device, id uint64
}

// stage is a directory in the project in which a restore prepares files before it renames them, and
// keeps the files it replaces until it is done. Its name matches no pattern, and it is locked: the
// next restore or save removes those that are not, since their processes were killed.
type stage struct {
	disk *Disk
	in   string // its parent directory, from the root

	mu   sync.Mutex // guards the following
	w    *walker    // has opened the parent directory
	dir  *folder    // nil: not made yet
	name string
	lock *os.File
	last int // number of the last item
}

const stagePrefix = "restore."

// open makes the stage, unless it exists, and returns it. root is the root of the project.
func (s *stage) open(root string) (*folder, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dir != nil {
		return s.dir, nil
	}
	w, err := newWalker(root)
	if err != nil {
		return nil, err
	}
	up, err := w.to(s.in)
	if err == nil {
		s.disk.removeAbandoned(up, path.Join(root, s.in))
		s.disk.changing()
		err = s.make(up)
	}
	if err != nil {
		w.close()
		return nil, err
	}
	s.w = w
	return s.dir, nil
}

func (s *stage) make(up *folder) error {
	for {
		s.name = fmt.Sprintf("%s%08x%s", stagePrefix, rand.Uint32(), statefile.BesideSuffix)
		if err := up.root.Mkdir(s.name, 0o700); err != nil {
			return err
		}
		dir, lock, err := lockStage(up, s.name)
		if dir != nil && !errors.Is(err, statefile.ErrLocked) {
			// If directories cannot be locked, a stage never counts as abandoned.
			if _, err := up.root.Lstat(s.name); err == nil {
				s.dir, s.lock = dir, lock
				return nil
			}
		}
		if dir != nil {
			lock.Close()
			dir.Close()
		} else if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		// Another process has removed it as abandoned before it was locked.
	}
}

// lockStage opens and locks a stage. dir and lock are not nil if only the locking failed.
func lockStage(up *folder, name string) (dir *folder, lock *os.File, err error) {
	if dir, err = up.enter(name); err != nil {
		return nil, nil, err
	}
	if lock, err = dir.root.Open("."); err != nil {
		dir.Close()
		return nil, nil, err
	}
	return dir, lock, statefile.LockFile(lock, false)
}

// removeAbandoned removes stages that killed processes left in the directory up, whose path is dir.
// A Disk does so once for each directory: a restore would otherwise take longer the more files are
// beside its outputs.
func (d *Disk) removeAbandoned(up *folder, dir string) {
	if _, done := d.cleaned.LoadOrStore(dir, true); done {
		return
	}
	names, _ := up.names()
	for _, name := range names {
		random, ok := strings.CutPrefix(name, stagePrefix)
		random, is := strings.CutSuffix(random, statefile.BesideSuffix)
		if !ok || !is || len(random) != 8 {
			continue
		}
		stage, lock, err := lockStage(up, name)
		if err == nil {
			up.root.RemoveAll(name)
		}
		if stage != nil {
			lock.Close()
			stage.Close()
		}
	}
}

// item returns a new name in the stage.
func (s *stage) item() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last++
	return strconv.Itoa(s.last)
}

// remove removes the stage with everything in it.
func (s *stage) remove() {
	if s.w == nil {
		return
	}
	if up, err := s.w.to(s.in); err == nil {
		s.disk.changing()
		up.root.RemoveAll(s.name)
	}
	s.lock.Close()
	s.dir.Close()
	s.w.close()
}
