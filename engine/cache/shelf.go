package cache

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"sync"

	"github.com/weftrun/weft/internal/statefile"
)

// shelf is a directory of files named by hashes. Each is in a subdirectory named by the first two
// digits of its name.
type shelf struct {
	disk *Disk
	name string

	mu   sync.Mutex // guards subs
	subs [256]*statefile.Dir
}

// at returns the directory for names that begin with the byte first. It stays open. An error is
// fs.ErrNotExist if there is none and it is not to be made.
func (s *shelf) at(first byte, create bool) (*statefile.Dir, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if sub := s.subs[first]; sub != nil {
		return sub, nil
	}
	dir, err := s.disk.dir(s.name, create)
	if err != nil {
		return nil, err
	}
	if create {
		s.disk.changing()
	}
	const digits = "0123456789abcdef"
	sub, err := dir.Sub(string([]byte{digits[first>>4], digits[first&15]}), create)
	if err != nil {
		return nil, err
	}
	s.subs[first] = sub
	return sub, nil
}

func (s *shelf) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, sub := range s.subs {
		if sub != nil {
			sub.Close()
			s.subs[i] = nil
		}
	}
}

// each calls do with every file of a shelf, in no order.
func (s *shelf) each(ctx context.Context, do func(dir *statefile.Dir, name string) error) error {
	for first := range 256 {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		dir, err := s.at(byte(first), false)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		names, err := dir.Names()
		if err != nil {
			return fmt.Errorf("%s: %w", dir.Path(), err)
		}
		for _, name := range names {
			if err := do(dir, name); err != nil {
				return err
			}
		}
	}
	return nil
}

// parseName returns the hash that a file is named by.
func parseName(name string) (Digest, bool) {
	var d Digest
	if len(name) != hex.EncodedLen(len(d.Hash)) {
		return d, false
	}
	n, err := hex.Decode(d.Hash[:], []byte(name))
	return d, err == nil && n == len(d.Hash) && d.Hex() == name
}
