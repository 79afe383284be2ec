package fingerprint

import (
	"io/fs"
	"path/filepath"

	"github.com/weftrun/weft/internal/statefile"
)

// Scratch makes an empty file beside the state, for a program to write to. It is gone with
// release, and where that was never called, because the process was killed, when another
// one asks for a file. name is the caller's alone.
func (s *Store) Scratch(name string) (path string, release func(), err error) {
	s.open()
	if s.o.ReadOnly || s.useless {
		return "", nil, fs.ErrPermission
	}
	if err := s.prepare(); err != nil {
		return "", nil, err
	}
	s.scratching.Do(func() {
		if s.scratch, err = s.log.dir.Sub(filesName, true); err != nil {
			return
		}
		names, _ := s.scratch.Names()
		for _, name := range names {
			if left, err := s.scratch.TryLock(name, ""); err == nil {
				left.Release()
			}
		}
	})
	if s.scratch == nil {
		return "", nil, fs.ErrPermission
	}
	var l *statefile.Lock
	if l, err = s.scratch.TryLock(name, ""); err != nil {
		return "", nil, err
	}
	return filepath.Join(s.scratch.Path(), name), l.Release, nil
}
