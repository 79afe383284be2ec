package state

import (
	"io/fs"
	"path/filepath"

	"github.com/weftrun/weft/internal/statefile"
)

// OutputFile creates an empty file beside the state, for a program to write to. It is removed by
// release, or if the process was killed, by the next call. name must be unique to the caller.
func (s *Store) OutputFile(name string) (path string, release func(), err error) {
	s.Read()
	if s.o.ReadOnly || s.disabled {
		return "", nil, fs.ErrPermission
	}
	if err := s.prepare(); err != nil {
		return "", nil, err
	}
	s.makingOutputs.Do(func() {
		if s.outputs, err = s.log.dir.Sub(outputsName, true); err != nil {
			return
		}
		names, _ := s.outputs.Names()
		for _, name := range names {
			if abandoned, err := s.outputs.TryLock(name, ""); err == nil {
				abandoned.Release()
			}
		}
	})
	if s.outputs == nil {
		return "", nil, fs.ErrPermission
	}
	var l *statefile.Lock
	if l, err = s.outputs.TryLock(name, ""); err != nil {
		return "", nil, err
	}
	return filepath.Join(s.outputs.Path(), name), l.Release, nil
}
