package fingerprint

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/weftrun/weft/internal/statefile"
	"github.com/weftrun/weft/internal/xxh3"
)

// log is the state file: one record per success, the last of a key counts.
//
// Context: a run of a thousand tasks with nothing to do must learn what is
// recorded of each; a first run must record each as it succeeds, so that a
// crash loses nothing that is done. A file per entry makes the one a thousand
// opens and the other a thousand renames, each of which is a hundred times
// dearer than looking at the two files of a task.
//
// Decision: one file that is read at once and appended to, each record with its
// own sum. What must never be read as it was is made so by one byte, written in
// place: that needs no space on the disk. A record that was not written to its
// end does not have its sum; the next writer cuts it off.
//
// Consequences: all writing is under the file's lock, which is held for
// microseconds. Writers first read what others appended. Who finds that the
// file has been replaced (by a compact one: temporary file and rename) reads
// it again.
type log struct {
	salt atomic.Pointer[salt] // of key; nil if there is none yet

	mu   sync.Mutex     // guards the fields below
	dir  *statefile.Dir // where the file is; nil until something is written
	f    *os.File       // open for writing; nil until something is written
	file fs.FileInfo    // the file that was read
	end  int64          // up to where it was read, or written by us
	live map[id]stored
	key  [keySize]byte // for digests of secrets: of the file, or for it; zeroes if there is none yet
	size int64         // bytes of the records in live
	bad  bool          // something could not be read
}

// stored is one record of the log.
type stored struct {
	off     int64 // of the record in the file
	day     uint32
	payload []byte
}

// A record: alive, length, sum, id, day, payload. The sum covers what follows
// it.
const (
	logMagic   = "weft state 3\n"
	logHead    = len(logMagic) + keySize // what stands before the first record
	keySize    = 32
	logFamily  = "weft state " // of all versions
	recordHead = 1 + 4 + 8
	keyHead    = idSize + 4
	maxRecord  = 1 << 28
	maxLog     = 1 << 28 // bytes
)

// read reads the file, or what was appended to it. The file is the open one or
// that of the path.
func (l *log) read(f *os.File, size int64) error {
	from := l.end
	if from == 0 {
		l.live = map[id]stored{}
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
			if !ours(b) && !l.marked() {
				return &statefile.Unsafe{Path: f.Name(), Why: "it is no state file of weft", Fix: "remove it"}
			}
			l.bad = len(b) > 0
			return nil
		}
		if len(b) < logHead {
			l.bad = true
			return nil
		}
		l.setKey([keySize]byte(b[len(logMagic):]))
		l.end = int64(logHead)
		if n := len(b) / 400; len(l.live) == 0 && n > 8 {
			l.live = make(map[id]stored, n)
		}
	}
	l.scan(b, from)
	return nil
}

// ours reports whether a file that begins with b is a state file of some version, or what
// a crash left of one.
func ours(b []byte) bool {
	b = b[:min(len(b), len(logMagic))]
	return strings.HasPrefix(string(b), logFamily) || strings.HasPrefix(logFamily, string(b)) || len(bytes.Trim(b, "\x00")) == 0
}

// marked reports whether the directory is known to be weft's. In another one, that was
// named by mistake, a file called as ours is is not written to.
func (l *log) marked() bool {
	b, err := l.dir.ReadFile(ignoreName, int64(len(ignoreAll)))
	return err == nil && string(b) == ignoreAll
}

// scan takes the records in b, which stands at from in the file.
func (l *log) scan(b []byte, from int64) {
	for {
		at := l.end - from
		rest := b[at:]
		if len(rest) < recordHead {
			return
		}
		n := binary.LittleEndian.Uint32(rest[1:])
		if n < keyHead || n > maxRecord || int64(n) > int64(len(rest)-recordHead) {
			return // cut off, or damaged: nothing can be said of what follows
		}
		content := rest[recordHead : recordHead+n]
		if xxh3.Hash128(content).Lo != binary.LittleEndian.Uint64(rest[5:]) {
			l.bad = true
		} else if k := id(content[:idSize]); rest[0] == 1 {
			l.set(k, stored{off: l.end, day: binary.LittleEndian.Uint32(content[idSize:]), payload: content[keyHead:]})
		} else {
			l.unset(k)
		}
		l.end += recordHead + int64(n)
	}
}

func (l *log) set(k id, s stored) {
	l.unset(k)
	l.live[k] = s
	l.size += recordHead + keyHead + int64(len(s.payload))
}

func (l *log) unset(k id) {
	if s, ok := l.live[k]; ok {
		delete(l.live, k)
		l.size -= recordHead + keyHead + int64(len(s.payload))
	}
}

// load reads the file for the first time.
func (l *log) load(place statefile.Place) error {
	d, err := l.open(place.Open)
	if err != nil {
		return missing(err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	f, err := d.OpenFile(logName, os.O_RDONLY)
	if err != nil {
		return missing(err)
	}
	defer f.Close()
	if l.file, err = f.Stat(); err != nil {
		return err
	}
	return l.read(f, l.file.Size())
}

// missing is no error.
func missing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// open makes the directory known by how, unless it is.
func (l *log) open(how func() (*statefile.Dir, error)) (*statefile.Dir, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.live == nil {
		l.live = map[id]stored{}
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

// writable reports whether files can be made in the directory, as far as it is there.
func (l *log) writable() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.dir == nil || l.dir.Writable()
}

// get returns the last record of k.
func (l *log) get(k id) (stored, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s, ok := l.live[k]
	return s, ok
}

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

// begin makes the file end where it was read to: after its head, or after the
// last whole record.
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

// head is what a file begins with.
func (l *log) head() []byte {
	if l.key == ([keySize]byte{}) {
		var key [keySize]byte
		rand.Read(key[:])
		l.setKey(key)
	}
	return append([]byte(logMagic), l.key[:]...)
}

func (l *log) setKey(key [keySize]byte) {
	l.key = key
	l.salt.Store(saltOf(key))
}

// secretKey returns the key for digests of secrets, if there is one yet.
func (l *log) secretKey() (key [keySize]byte, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.key, l.key != [keySize]byte{}
}

// appendRecord encodes one record.
func appendRecord(b []byte, k id, day uint32, payload []byte) []byte {
	b = append(b, 1)
	b = binary.LittleEndian.AppendUint32(b, uint32(keyHead+len(payload)))
	at := len(b)
	b = binary.LittleEndian.AppendUint64(b, 0)
	b = append(b, k[:]...)
	b = binary.LittleEndian.AppendUint32(b, day)
	b = append(b, payload...)
	binary.LittleEndian.PutUint64(b[at:], xxh3.Hash128(b[at+8:]).Lo)
	return b
}

// put appends records. Either all are there afterwards or none that counts. With late, those
// are left out whose place another process has made void, or taken, since they were made.
func (l *log) put(records map[id]stored, late bool) error {
	return l.locked(func() error {
		if late {
			maps.DeleteFunc(records, func(k id, s stored) bool { return l.live[k].off != s.off || !l.alive(s.off) })
		}
		var b []byte
		offs := make(map[id]int64, len(records))
		for k, s := range records {
			offs[k] = l.end + int64(len(b))
			b = appendRecord(b, k, s.day, s.payload)
		}
		if _, err := l.f.WriteAt(b, l.end); err != nil {
			l.f.Truncate(l.end)
			return err
		}
		l.end += int64(len(b))
		for k, s := range records {
			s.off = offs[k]
			l.set(k, s)
		}
		return nil
	})
}

// alive reports whether the record at off, if any, still counts on the disk.
func (l *log) alive(off int64) bool {
	var b [1]byte
	if off > 0 {
		l.f.ReadAt(b[:], off)
	}
	return off == 0 || b[0] == 1
}

// kill makes sure that k has no record, here and on the disk.
func (l *log) kill(k id) error {
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

// compact writes the file anew with the records that keep says.
func (l *log) compact(keep func(id, stored) bool) error {
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
