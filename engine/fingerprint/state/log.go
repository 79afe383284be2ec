package state

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"io"
	"io/fs"
	"maps"
	"os"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/weftrun/weft/internal/statefile"
)

// log is the state file: one record per success, the last of a key counts.
//
// Context: a run of a thousand up-to-date tasks must read the record of each; a first run must
// record each as it succeeds, so that a crash loses no finished work. With a file per entry the one
// takes a thousand opens and the other a thousand renames, each of which costs a hundred times as
// much as the stats of a task's two files.
//
// Decision: one file that is read at once and appended to, each record with its
// own sum. A record is invalidated by one byte, written in place: that needs no
// space on the disk. A record that was not written to its end does not have its
// sum; the next writer cuts it off.
//
// Consequences: all writing is under the file's lock, which is held for
// microseconds. A writer first reads the records that others have appended. If it finds that
// the file has been replaced (by a compact one: temporary file and rename), it
// reads the whole file again.
type log struct {
	secret atomic.Pointer[Secret] // of the file, or for it; nil if there is none yet

	mu      sync.Mutex     // guards the fields below
	dir     *statefile.Dir // directory of the file; nil until something is written
	f       *os.File       // open for writing; nil until something is written
	file    fs.FileInfo    // the file that was read
	end     int64          // end of the part that was read, or written by weft
	live    map[Key]stored
	size    int64 // bytes of the records in live
	damaged bool  // something could not be read
}

// Secret is the key with which a state file seals secrets.
type Secret [32]byte

// stored is one record of the log.
type stored struct {
	off     int64  // of the record in the file; 0 for one that is not in it
	day     uint32 // day of the last use, in days since 1970
	payload []byte // see record.go
}

// The file: magic, secret, records. A record: valid, length, sum, key, day, payload.
// The sum, a CRC-32, covers the rest of the record.
const (
	logFamily  = "weft state " // of all versions
	logMagic   = logFamily + "4\n"
	logHead    = len(logMagic) + len(Secret{}) // size of the header
	recordHead = 1 + 4 + 4
	keyHead    = keySize + 4
	maxRecord  = 1 << 28 // bytes
	maxLog     = 1 << 28 // bytes
)

// read reads the file f, or the part appended to it.
func (l *log) read(f *os.File, size int64) error {
	from := l.end
	if from == 0 {
		l.live = map[Key]stored{}
		l.size = 0
	}
	if size <= from {
		return nil
	}
	size, err := statefile.Size(f, maxLog)
	if err != nil {
		return err
	}
	b := make([]byte, max(size-from, 0))
	n, err := f.ReadAt(b, from)
	if err != nil && err != io.EOF {
		return err
	}
	b = b[:n]
	if from == 0 {
		if !strings.HasPrefix(string(b[:min(len(b), len(logMagic))]), logMagic) {
			// In a directory that weft has not made, and that was named by mistake, it overwrites nothing.
			if !isState(b) && !l.dir.IgnoredByGit() {
				return &statefile.Unsafe{Path: f.Name(), Why: "it is not a state file of weft", Fix: "remove it"}
			}
			l.damaged = len(b) > 0
			return nil
		}
		if len(b) < logHead {
			l.damaged = true
			return nil
		}
		secret := Secret(b[len(logMagic):])
		l.secret.Store(&secret)
		l.end = int64(logHead)
		if n := len(b) / 400; len(l.live) == 0 && n > 8 {
			l.live = make(map[Key]stored, n)
		}
	}
	l.scan(b, from)
	return nil
}

// isState reports whether a file that begins with b is a state file of some version, or the
// remainder of one after a crash.
func isState(b []byte) bool {
	b = b[:min(len(b), len(logMagic))]
	return strings.HasPrefix(string(b), logFamily) || strings.HasPrefix(logFamily, string(b)) || len(bytes.Trim(b, "\x00")) == 0
}

// scan adds the records in b, which is at offset from in the file.
func (l *log) scan(b []byte, from int64) {
	for {
		at := l.end - from
		rest := b[at:]
		if len(rest) < recordHead {
			return
		}
		n := binary.LittleEndian.Uint32(rest[1:])
		if n < keyHead || n > maxRecord || int64(n) > int64(len(rest)-recordHead) {
			return // cut off, or damaged: the rest cannot be interpreted
		}
		content := rest[recordHead : recordHead+n]
		if crc32.ChecksumIEEE(content) != binary.LittleEndian.Uint32(rest[5:]) {
			l.damaged = true
		} else if k := Key(content[:keySize]); rest[0] == 1 {
			l.set(k, stored{off: l.end, day: binary.LittleEndian.Uint32(content[keySize:]), payload: content[keyHead:]})
		} else {
			l.unset(k)
		}
		l.end += recordHead + int64(n)
	}
}

// size returns how many bytes the record takes in the file.
func (s *stored) size() int64 { return recordHead + keyHead + int64(len(s.payload)) }

func (l *log) set(k Key, s stored) {
	l.unset(k)
	l.live[k] = s
	l.size += s.size()
}

func (l *log) unset(k Key) {
	if s, ok := l.live[k]; ok {
		delete(l.live, k)
		l.size -= s.size()
	}
}

// load reads the file for the first time. It is an error if there is none.
func (l *log) load(place statefile.Place) error {
	d, err := l.open(place.Open)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	f, err := d.OpenFile(logName, os.O_RDONLY)
	if err != nil {
		return err
	}
	defer f.Close()
	if l.file, err = f.Stat(); err != nil {
		return err
	}
	return l.read(f, l.file.Size())
}

// open returns the directory, which it opens by how if it is not open.
func (l *log) open(how func() (*statefile.Dir, error)) (*statefile.Dir, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.live == nil {
		l.live = map[Key]stored{}
	}
	if l.dir == nil {
		d, err := how()
		if err != nil {
			return nil, err
		}
		l.dir = d
	}
	return l.dir, nil
}

// writable reports whether files can be made in the directory, or in the part of its path that
// exists.
func (l *log) writable() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.dir == nil || l.dir.Writable()
}

// get returns the last record of k.
func (l *log) get(k Key) (stored, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s, ok := l.live[k]
	return s, ok
}

// all returns a copy of all records.
func (l *log) all() map[Key]stored {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.live)
}
