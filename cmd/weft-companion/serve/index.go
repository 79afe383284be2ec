package serve

import (
	"encoding/hex"
	"errors"
	"io/fs"
	"math"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/weftrun/weft/internal/statefile"
)

// files is a directory of files that are named by keys, and an index of them in memory. It is
// split by the first byte of the key, on the disk as in memory. Its methods may be called
// concurrently.
type files struct {
	parent *statefile.Dir
	shards [256]shard
	since  suspicion
	count  atomic.Int64
	bytes  atomic.Int64
}

// shard has the files whose keys have the same first byte.
type shard struct {
	mu      sync.Mutex     // guards the fields below, and is held while a file gets or loses its name
	dir     *statefile.Dir // nil: not open, and perhaps not there
	known   map[key]entry
	scanned bool // known has all that there are
}

// entry is the index entry of a file. Times are in seconds since 1970.
type entry struct {
	size    int64
	used    uint32 // when it was last used
	touched uint32 // the same, as the time of the file says it: at most an hour less
	suspect bool   // it may be damaged: verify it before it is used
}

// touchEvery is how far the time of a file may be behind its last use.
const touchEvery = time.Hour

// openFiles opens the directory called name in top, which it makes if need be.
func openFiles(top *statefile.Dir, name string, since suspicion) (*files, error) {
	parent, err := top.Sub(name, true)
	if err != nil {
		return nil, err
	}
	f := &files{parent: parent, since: since}
	for i := range f.shards {
		f.shards[i].known = map[key]entry{}
	}
	return f, nil
}

func (f *files) close() {
	for i := range f.shards {
		if d := f.shards[i].dir; d != nil {
			d.Close()
		}
	}
	f.parent.Close()
}

// at returns the directory for keys that begin with a byte. The error is fs.ErrNotExist if there
// is none and it is not to be made. The caller holds mu of the shard.
func (f *files) at(first byte, create bool) (*statefile.Dir, error) {
	s := &f.shards[first]
	if s.dir == nil {
		dir, err := f.parent.Sub(hex.EncodeToString([]byte{first}), create)
		if err != nil {
			return nil, err
		}
		s.dir = dir
	}
	return s.dir, nil
}

// seconds returns t as it stands in an entry.
func seconds(t time.Time) uint32 { return uint32(min(max(t.Unix(), 0), math.MaxUint32)) }

// look returns what is known of a file, and whether there is one. The caller holds mu.
func (f *files) look(s *shard, k key) (entry, bool) {
	e, ok := s.known[k]
	if ok || s.scanned {
		return e, ok
	}
	dir, err := f.at(k[0], false)
	if err != nil {
		return entry{}, false
	}
	size, modified, err := dir.Stat(k.String())
	if err != nil {
		return entry{}, false
	}
	e = entry{size: size, touched: seconds(modified), suspect: f.since.covers(modified)}
	e.used = min(e.touched+uint32(touchEvery.Seconds()), seconds(time.Now()))
	f.note(s, k, e)
	return e, true
}

// note puts a file that is not known into the index. The caller holds mu.
func (f *files) note(s *shard, k key, e entry) {
	s.known[k] = e
	f.count.Add(1)
	f.bytes.Add(e.size)
}

// forget takes a file out of the index. The caller holds mu.
func (f *files) forget(s *shard, k key) {
	if e, ok := s.known[k]; ok {
		delete(s.known, k)
		f.count.Add(-1)
		f.bytes.Add(-e.size)
	}
}

// use returns what is known of a file, and notes that it is used now. It may say that a file is
// there which was removed behind its back.
func (f *files) use(k key) (entry, bool) {
	s := &f.shards[k[0]]
	now := seconds(time.Now())
	s.mu.Lock()
	defer s.mu.Unlock()
	e, ok := f.look(s, k)
	if !ok || e.used >= now {
		return e, ok
	}
	e.used = now
	if !e.suspect && now-e.touched >= uint32(touchEvery.Seconds()) {
		s.dir.Touch(k.String(), time.Unix(int64(now), 0))
		e.touched = now
	}
	s.known[k] = e
	return e, ok
}

// open opens a file for reading. ok is false if there is none.
func (f *files) open(k key) (file *os.File, ok bool, err error) {
	s := &f.shards[k[0]]
	s.mu.Lock()
	dir, err := f.at(k[0], false)
	s.mu.Unlock()
	if err == nil {
		file, err = dir.OpenFile(k.String(), os.O_RDONLY)
	}
	if errors.Is(err, fs.ErrNotExist) {
		f.recheck(k)
		return nil, false, nil
	}
	return file, err == nil, err
}

// recheck takes a file out of the index that was removed behind its back.
func (f *files) recheck(k key) {
	s := &f.shards[k[0]]
	s.mu.Lock()
	defer s.mu.Unlock()
	dir, err := f.at(k[0], false)
	if err == nil {
		_, _, err = dir.Stat(k.String())
	}
	if errors.Is(err, fs.ErrNotExist) {
		f.forget(s, k)
	}
}

// add gives the file called name in dir, which has size bytes and is verified, its key as a name.
func (f *files) add(k key, dir *statefile.Dir, name string, size int64) error {
	s := &f.shards[k[0]]
	s.mu.Lock()
	defer s.mu.Unlock()
	to, err := f.at(k[0], true)
	if err == nil {
		err = dir.Move(name, to, k.String())
	}
	if err != nil {
		return err
	}
	f.forget(s, k)
	now := seconds(time.Now())
	f.note(s, k, entry{size: size, used: now, touched: now})
	return nil
}

// verified notes that a file, which was suspect, is what its name says.
func (f *files) verified(k key) {
	s := &f.shards[k[0]]
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if e, ok := s.known[k]; ok && s.dir.Touch(k.String(), now) == nil {
		e.suspect, e.touched, e.used = false, seconds(now), seconds(now)
		s.known[k] = e
	}
}

// remove removes a file, if it is still the one that is open as file; nil stands for any.
func (f *files) remove(k key, file *os.File) error {
	s := &f.shards[k[0]]
	s.mu.Lock()
	defer s.mu.Unlock()
	return f.removeLocked(s, k, file)
}

func (f *files) removeLocked(s *shard, k key, file *os.File) error {
	dir, err := f.at(k[0], false)
	if err == nil {
		if file != nil && !dir.Is(k.String(), file) {
			return nil
		}
		err = dir.Remove(k.String())
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f.forget(s, k)
	return nil
}

// scan puts all files into the index, until stop is closed.
func (f *files) scan(stop <-chan struct{}) error {
	for i := range f.shards {
		s := &f.shards[i]
		names, err := f.names(byte(i))
		if err != nil {
			return err
		}
		for _, name := range names {
			select {
			case <-stop:
				return nil
			default:
			}
			k, ok := parseKey(name)
			if !ok || k[0] != byte(i) {
				continue // nothing of ours
			}
			s.mu.Lock()
			f.look(s, k)
			s.mu.Unlock()
		}
		s.mu.Lock()
		s.scanned = true
		s.mu.Unlock()
	}
	return nil
}

// names returns the names of the files whose keys begin with a byte.
func (f *files) names(first byte) ([]string, error) {
	s := &f.shards[first]
	s.mu.Lock()
	dir, err := f.at(first, false)
	s.mu.Unlock()
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return dir.Names()
}
