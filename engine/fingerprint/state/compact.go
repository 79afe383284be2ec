package state

import (
	"encoding/hex"
	"strings"
	"time"

	"github.com/weftrun/weft/internal/statefile"
)

// unusedFor is the number of days an unused record is kept.
const unusedFor = 30

func (s *Store) today() uint32 { return uint32(s.o.Now().Unix() / (24 * 60 * 60)) }

// compact drops unused data, when there is enough of it to be worth a new state file: records
// unused for a month, or replaced by later ones, and bodies and lock files without a record.
func (s *Store) compact() {
	today := s.today()
	unused := func(r stored) bool { return r.day+unusedFor < today }
	if !s.log.worthCompacting(unused) || s.disabled {
		return
	}
	bodies := map[string]bool{}
	err := s.log.compact(func(k Key, at stored) bool {
		if unused(at) {
			return false
		}
		if r, err := parseRecord(at.payload); err == nil && r.isApart() {
			bodies[bodyName(k, r.apart.id)] = true
		}
		return true
	})
	if err != nil {
		return
	}
	// A body exists before its record, and a file being written has another name first: young files
	// are kept, and files that weft has not named.
	sweep(s.log.dir, isUnfinished)
	sweep(s.bodies, func(name string) bool {
		return isUnfinished(name) || isBodyName(name) && !bodies[name]
	})
	sweep(s.lockDir, func(name string) bool {
		var k Key
		if n, err := hex.Decode(k[:], []byte(name)); err != nil || n != len(k) {
			return false
		}
		lock, err := s.lockDir.TryLock(name, "")
		if err == nil {
			lock.Release()
		}
		return false
	})
}

// isUnfinished reports whether a file has the name of one that is being written.
func isUnfinished(name string) bool {
	rest, ok := strings.CutSuffix(name, statefile.TemporarySuffix)
	return ok && strings.Trim(rest[strings.LastIndexByte(rest, '.')+1:], hexDigits) == "" && strings.Contains(rest, ".")
}

// sweep removes files of a directory that are older than an hour.
func sweep(d *statefile.Dir, remove func(name string) bool) {
	if d == nil {
		return
	}
	names, _ := d.Names()
	limit := time.Now().Add(-time.Hour)
	for _, name := range names {
		if _, at, err := d.Stat(name); err == nil && at.Before(limit) && remove(name) {
			d.Remove(name)
		}
	}
}
