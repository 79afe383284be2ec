package fingerprint

import (
	"encoding/hex"
	"strings"
	"time"

	"github.com/weftrun/weft/internal/statefile"
)

// tidy drops what nobody asks for any more, when there is enough of it to be
// worth a new state file: entries unused for a month, records that later ones
// replace, bodies and lock files that nobody refers to.
func (s *Store) tidy() {
	today := s.today()
	old := func(r stored) bool { return r.day+unusedFor < today }
	if !s.log.untidy(old) || s.useless {
		return
	}
	bodies := map[string]bool{}
	err := s.log.compact(func(k id, r stored) bool {
		if old(r) {
			return false
		}
		if e, err := decodeEntry(r.payload); err == nil && e.body == nil {
			bodies[bodyName(k, e.bodyAt.sum)] = true
		}
		return true
	})
	if err != nil {
		return
	}
	// A body is there before its record, and what is being written has another name
	// first: young ones are left alone, and what is not named by us.
	sweep(s.log.dir, unfinished)
	sweep(s.bodies, func(name string) bool {
		return unfinished(name) || isBodyName(name) && !bodies[name]
	})
	sweep(s.lockFiles, func(name string) bool {
		var k id
		if n, err := hex.Decode(k[:], []byte(name)); err != nil || n != idSize {
			return false
		}
		lock, err := s.lockFiles.TryLock(name, "")
		if err == nil {
			lock.Release()
		}
		return false
	})
}

// unfinished reports whether a file has the name of one that is being written.
func unfinished(name string) bool {
	rest, ok := strings.CutSuffix(name, statefile.TemporarySuffix)
	return ok && strings.Trim(rest[strings.LastIndexByte(rest, '.')+1:], hexDigits) == "" && strings.Contains(rest, ".")
}

const hexDigits = "0123456789abcdef"

// isBodyName reports whether a file has the name of a body.
func isBodyName(name string) bool {
	k, sum, ok := strings.Cut(name, "-")
	return ok && len(k) == 2*idSize && len(sum) == 8 && strings.Trim(k+sum, hexDigits) == ""
}

// sweep removes files of a directory that nobody has touched for an hour.
func sweep(d *statefile.Dir, remove func(name string) bool) {
	if d == nil {
		return
	}
	names, _ := d.Names()
	limit := time.Now().Add(-time.Hour)
	for _, name := range names {
		if at, err := d.Modified(name); err == nil && at.Before(limit) && remove(name) {
			d.Remove(name)
		}
	}
}

// untidy reports whether compact is worth it.
func (l *log) untidy(old func(stored) bool) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.end-l.size > l.size/2+32<<10 {
		return true
	}
	for _, s := range l.live {
		if old(s) {
			return true
		}
	}
	return false
}

func (l *log) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.f != nil {
		l.f.Close()
		l.f = nil
	}
	if l.dir != nil {
		l.dir.Close()
		l.dir = nil
	}
}
