package serve

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/weftrun/weft/engine/cache"
	"github.com/weftrun/weft/internal/statefile"
)

// storeOptions configures a store. All fields are required.
type storeOptions struct {
	dir     string               // made if need be
	size    int64                // how many bytes it may have before some are removed
	maxBlob int64                // of a blob, in bytes
	sync    func(*os.File) error // has all that is on the file system of a file written to the disk
	log     *logger
	metrics *metrics
}

// store keeps blobs and results in a directory, of which it is the only user. Its methods may be
// called concurrently.
type store struct {
	o       storeOptions
	top     *statefile.Dir // layout
	tmp     *statefile.Dir
	lock    *statefile.Lock
	self    *os.File // the directory, for what concerns its file system
	state   state    // as it was written when the store was opened
	space   space
	blobs   *files
	results *files
	checked checked
	trees   sync.Mutex    // held while the large message of a tree is in memory
	wake    chan struct{} // has the collector look
	stop    chan struct{} // closed when background work is to end
	ended   sync.WaitGroup

	// onChange, if it is set, is called before a file gets or loses a name. Tests end the
	// process there.
	onChange func()
}

// layout is the directory of this version of the layout.
const layout = "v1"

// lockName is the file that a running server locks.
const lockName = "lock"

// openStore opens a store, and builds its index in the background.
func openStore(o storeOptions) (*store, error) {
	dir, err := filepath.Abs(o.dir)
	if err != nil {
		return nil, err
	}
	o.dir = dir
	s := &store{o: o, wake: make(chan struct{}, 1), stop: make(chan struct{})}
	s.checked.at = map[key]time.Time{}
	if err := s.prepare(); err != nil {
		s.closeFiles()
		return nil, err
	}
	s.ended.Go(s.collect)
	return s, nil
}

// prepare opens what the store has on the disk. Some of it may be open after an error.
func (s *store) prepare() (err error) {
	if s.top, err = (statefile.Place{Base: s.o.dir, Path: layout, Private: true}).Make(); err != nil {
		return err
	}
	if s.lock, err = s.top.TryLock(lockName, fmt.Sprintf("process %d", os.Getpid())); err != nil {
		if errors.Is(err, statefile.ErrLocked) {
			err = fmt.Errorf("%s is used by another server (%s): give each its own --dir", s.o.dir, s.top.Holder(lockName))
		}
		return err
	}
	if s.self, err = os.Open(s.top.Path()); err != nil {
		return err
	}
	s.space.dir = s.self
	now := time.Now()
	if s.state, err = begin(s.top, bootID(), now); err != nil {
		return err
	}
	if s.tmp, err = s.top.Sub("tmp", true); err != nil {
		return err
	}
	if err = clearDir(s.tmp); err != nil {
		return err
	}
	var since suspicion
	if !s.state.Since.IsZero() {
		since = suspicion{before: s.state.Since, after: now}
		s.o.log.say("the machine crashed while this was written: blobs are verified before they are used")
	}
	if s.blobs, err = openFiles(s.top, "cas", since); err != nil {
		return err
	}
	s.results, err = openFiles(s.top, "ac", suspicion{}) // they have seals
	return err
}

// clearDir removes what a server that was killed was receiving.
func clearDir(dir *statefile.Dir) error {
	names, err := dir.Names()
	for _, name := range names {
		if e := dir.Remove(name); err == nil {
			err = e
		}
	}
	return err
}

// path returns the directory of the store, for messages.
func (s *store) path() string { return s.o.dir }

// close ends background work and, when all is on the disk, notes that the store was closed; not if
// ctx is done before. Nothing may use the store any more.
func (s *store) close(ctx context.Context) error {
	close(s.stop)
	s.ended.Wait()
	synced := make(chan error, 1)
	go func(f *os.File) { synced <- s.o.sync(f) }(s.self)
	select {
	case err := <-synced:
		if err == nil {
			s.state.Clean = true
			err = writeState(s.top, s.state)
		}
		s.closeFiles()
		if errors.Is(err, errors.ErrUnsupported) {
			err = nil
		}
		return err
	case <-ctx.Done(): // the process ends, and with it what it has open
		return nil
	}
}

func (s *store) closeFiles() {
	for _, f := range [...]*files{s.blobs, s.results} {
		if f != nil {
			f.close()
		}
	}
	if s.lock != nil {
		s.lock.Release()
	}
	if s.self != nil {
		s.self.Close()
	}
	for _, d := range [...]*statefile.Dir{s.tmp, s.top} {
		if d != nil {
			d.Close()
		}
	}
}

func (s *store) changing() {
	if s.onChange != nil {
		s.onChange()
	}
}

// has reports whether a blob is there, and notes that it is used. One with another size than d
// says is not there.
func (s *store) has(d cache.Digest) bool {
	if d.Size == 0 {
		return true
	}
	e, ok := s.blobs.use(d.Hash)
	if !ok || e.size != d.Size {
		return false
	}
	return !e.suspect || s.verify(d.Hash) == nil
}

// hasContent is has for a caller who knows no size.
func (s *store) hasContent(hash key) bool {
	e, ok := s.blobs.use(hash)
	return ok && (!e.suspect || s.verify(hash) == nil) || hash == emptyBlob.Hash
}

// open opens a blob, and notes that it is used. size is that of d, or −1 if the caller does not
// know it. The error is a refusal if there is no such blob. The caller closes the file.
func (s *store) open(hash key, size int64) (file *os.File, actual int64, err error) {
	missing := refuse(absent, "there is no blob %s", hash)
	e, ok := s.blobs.use(hash)
	if !ok || size >= 0 && e.size != size {
		return nil, 0, missing
	}
	if e.suspect {
		if err := s.verify(hash); err != nil {
			return nil, 0, err
		}
	}
	file, ok, err = s.blobs.open(hash)
	if err != nil {
		return nil, 0, err
	}
	if !ok {
		return nil, 0, missing
	}
	st, err := file.Stat()
	if err == nil && st.Size() != e.size { // it was changed from outside
		s.drop(hash, file, fmt.Sprintf("it has %d bytes instead of %d", st.Size(), e.size))
		err = missing
	}
	if err != nil {
		file.Close()
		return nil, 0, err
	}
	return file, e.size, nil
}

// read returns a blob of at most limit bytes.
func (s *store) read(d cache.Digest, limit int64) ([]byte, error) {
	switch {
	case d.Size == 0:
		return nil, nil
	case d.Size > limit:
		return nil, refuse(tooLarge, "the blob %.12s… has %d bytes, more than %d", d.Hex(), d.Size, limit)
	}
	file, _, err := s.open(d.Hash, d.Size)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	b := make([]byte, d.Size)
	_, err = io.ReadFull(file, b)
	return b, err
}

// verify reads a blob that may be damaged, and removes it if it is. The error then is a refusal.
func (s *store) verify(hash key) error {
	file, ok, err := s.blobs.open(hash)
	if err != nil {
		return err
	}
	if !ok {
		return refuse(absent, "there is no blob %s", hash)
	}
	defer file.Close()
	h := sha256.New()
	if _, err := io.Copy(h, file); err != nil {
		return err
	}
	if key(h.Sum(nil)) != hash {
		s.drop(hash, file, "it has other content: it was being written when the machine crashed")
		return refuse(absent, "there is no blob %s", hash)
	}
	s.blobs.verified(hash)
	return nil
}

// drop removes a blob that is damaged, whose file is open.
func (s *store) drop(hash key, file *os.File, why string) {
	s.changing()
	if err := s.blobs.remove(hash, file); err != nil {
		s.o.log.say("the blob %s is damaged, and cannot be removed: %v", hash, err)
		return
	}
	s.o.metrics.damaged.Add(1)
	s.o.log.say("the blob %s was removed: %s", hash, why)
}
