package cache

import (
	"encoding/hex"
	"os"
	"path/filepath"
	"time"
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
			bodies[filepath.Base(s.bodyPath(k, e.bodyAt.sum))] = true
		}
		return true
	})
	if err != nil {
		return
	}
	// A body is there before its record: leave young ones alone.
	limit := time.Now().Add(-time.Hour)
	s.sweep(bodiesName, func(name string, f os.FileInfo) bool { return !bodies[name] && f.ModTime().Before(limit) })
	s.sweep(locksName, func(name string, f os.FileInfo) bool {
		var k id
		if n, err := hex.Decode(k[:], []byte(name)); err != nil || n != idSize || !f.ModTime().Before(limit) {
			return false
		}
		lock, err := s.tryFile(k)
		if err == nil {
			lock.Close()
		}
		return err == nil
	})
}

// sweep removes files of a directory.
func (s *Store) sweep(dir string, remove func(string, os.FileInfo) bool) {
	entries, _ := os.ReadDir(filepath.Join(s.dir, dir))
	for _, e := range entries {
		if info, err := e.Info(); err == nil && remove(e.Name(), info) {
			os.Remove(filepath.Join(s.dir, dir, e.Name()))
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
}
