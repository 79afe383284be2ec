package state

import (
	"crypto/rand"
	"encoding/binary"
	"hash/crc32"
	"io/fs"
	"maps"
	"os"

	"github.com/weftrun/weft/internal/statefile"
)

// locked calls do with the file open, locked, and read to its end.
func (l *log) locked(do func() error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		if l.dir == nil {
			return fs.ErrNotExist
		}
		if l.f == nil {
			f, err := l.dir.OpenFile(logName, os.O_RDWR|os.O_CREATE)
			if err != nil {
				return err
			}
			l.f = f
		}
		if err := statefile.LockFile(l.f, true); err != nil && !statefile.Unlockable(err) {
			return err
		}
		file, err := l.f.Stat()
		if err != nil {
			return err
		}
		if !l.dir.Is(logName, l.f) {
			l.f.Close()
			l.f = nil // replaced: try the new one
			continue
		}
		size := file.Size()
		if !os.SameFile(file, l.file) || size < l.end {
			l.end = 0
		}
		l.file = file
		defer statefile.UnlockFile(l.f)
		if err := l.read(l.f, size); err != nil {
			return err
		}
		if err := l.begin(size); err != nil {
			return err
		}
		return do()
	}
}

// begin truncates the file to its valid part: to its head, which it writes, or to the last whole
// record.
func (l *log) begin(size int64) error {
	if l.end == 0 {
		if err := l.f.Truncate(0); err != nil {
			return err
		}
		if _, err := l.f.WriteAt(l.head(), 0); err != nil {
			return err
		}
		l.end = int64(logHead)
		return nil
	}
	if size > l.end {
		return l.f.Truncate(l.end)
	}
	return nil
}

// head returns the header of a file.
func (l *log) head() []byte {
	secret := l.secret.Load()
	if secret == nil {
		secret = new(Secret)
		rand.Read(secret[:])
		l.secret.Store(secret)
	}
	return append([]byte(logMagic), secret[:]...)
}

// appendRecord encodes one record.
func appendRecord(b []byte, k Key, day uint32, payload []byte) []byte {
	b = append(b, 1)
	b = binary.LittleEndian.AppendUint32(b, uint32(keyHead+len(payload)))
	at := len(b)
	b = binary.LittleEndian.AppendUint32(b, 0)
	b = append(b, k[:]...)
	b = binary.LittleEndian.AppendUint32(b, day)
	b = append(b, payload...)
	binary.LittleEndian.PutUint32(b[at:], crc32.ChecksumIEEE(b[at+4:]))
	return b
}

// put appends records: all of them or none. If they were deferred, it omits those whose
// predecessor another process has invalidated or replaced since. It changes records.
func (l *log) put(records map[Key]stored, deferred bool) error {
	return l.locked(func() error {
		if deferred {
			maps.DeleteFunc(records, func(k Key, s stored) bool { return l.live[k].off != s.off || !l.valid(s.off) })
		}
		var b []byte
		for k, s := range records {
			s.off = l.end + int64(len(b))
			records[k] = s
			b = appendRecord(b, k, s.day, s.payload)
		}
		if _, err := l.f.WriteAt(b, l.end); err != nil {
			l.f.Truncate(l.end)
			return err
		}
		l.end += int64(len(b))
		for k, s := range records {
			l.set(k, s)
		}
		return nil
	})
}

// valid reports whether the record at off, if any, still counts on the disk.
func (l *log) valid(off int64) bool {
	var b [1]byte
	if off > 0 {
		l.f.ReadAt(b[:], off)
	}
	return off == 0 || b[0] == 1
}

// invalidate makes sure that k has no record, here and on the disk.
func (l *log) invalidate(k Key) error {
	return l.locked(func() error {
		s, ok := l.live[k]
		if !ok {
			return nil
		}
		l.unset(k)
		_, err := l.f.WriteAt([]byte{0}, s.off)
		return err
	})
}

// compact rewrites the file with the records that keep selects.
func (l *log) compact(keep func(Key, stored) bool) error {
	return l.locked(func() error {
		b := append(make([]byte, 0, l.size+64), l.head()...)
		for k, s := range l.live {
			if keep(k, s) {
				b = appendRecord(b, k, s.day, s.payload)
			}
		}
		return l.dir.WriteFile(logName, b)
	})
}

// remove removes the file.
func (l *log) remove() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.dir == nil {
		return fs.ErrNotExist
	}
	return l.dir.Remove(logName)
}

// worthCompacting reports whether compact makes the file much smaller, or drops an unused
// record.
func (l *log) worthCompacting(unused func(stored) bool) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.end-l.size > l.size/2+32<<10 {
		return true
	}
	for _, s := range l.live {
		if unused(s) {
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
