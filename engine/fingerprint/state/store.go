package state

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"sync"
	"time"

	"github.com/weftrun/weft/internal/statefile"
	"github.com/weftrun/weft/schema/diag"
)

// Options configure a Store. The zero value is the usual one.
type Options struct {
	Now      func() time.Time // nil means time.Now
	ReadOnly bool             // nothing is written, nothing is locked
	// Warn is called at most once, from any goroutine, when the state cannot be used,
	// or not all of it. It may be nil.
	Warn func(*diag.Diagnostic)
	// InStep reports whether this process runs in a step of another weft process: a lock that it
	// holds is not released before this process has ended. It is called for holders of awaited
	// locks. May be nil.
	InStep func(step string) bool
}

// Store is a directory of state. Files are read and made on demand. It
// is safe for concurrent use, by several processes too.
type Store struct {
	place statefile.Place
	o     Options
	log   log
	locks locks

	once     sync.Once    // reads the state
	disabled bool         // the state must not be read, or cannot be invalidated
	prepare  func() error // makes the directory, once
	warned   sync.Once

	// These are nil until they are needed, and if they cannot be opened.
	bodies, lockDir *statefile.Dir
	lockFiles       *statefile.Locks // in lockDir

	makingOutputs sync.Once // makes outputs, and removes leftovers of killed processes
	outputs       *statefile.Dir

	mu       sync.Mutex     // guards the fields below
	deferred map[Key]stored // to be written at the end
}

// Open returns the store in a place.
func Open(place statefile.Place, o Options) *Store {
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &Store{place: place, o: o}
	s.prepare = sync.OnceValue(s.makeDirs)
	return s
}

// Dir returns the path of the directory.
func (s *Store) Dir() string { return s.place.String() }

// Now returns the time.
func (s *Store) Now() time.Time { return s.o.Now() }

// ReadOnly reports whether nothing is written.
func (s *Store) ReadOnly() bool { return s.o.ReadOnly }

// Read reads the state now, not on first use.
func (s *Store) Read() {
	s.once.Do(func() {
		err := s.log.load(s.place)
		var bad *statefile.Unsafe
		switch {
		case errors.As(err, &bad):
			s.disabled = true
			s.warnUnsafe(bad)
		case err != nil && !errors.Is(err, fs.ErrNotExist) || s.log.damaged:
			s.warn(fmt.Sprintf("part of the state in %s cannot be read", s.Dir()), "it is damaged, or of another version", "the tasks concerned run again")
		}
		// State that cannot be invalidated must not be trusted either.
		if !s.o.ReadOnly && !s.disabled && !s.log.writable() {
			s.disabled = true
			s.warnUnwritable(fs.ErrPermission)
		}
	})
}

// reread makes the next Get see records written by other processes.
func (s *Store) reread() {
	s.Read()
	if !s.o.ReadOnly && !s.disabled {
		s.log.locked(func() error { return nil })
	}
}

// Secret returns the secret of this state, a key for digests of texts that readers of the state
// must not guess: random bytes that are made before anything is recorded, or zeros if there is no
// state, and none can be made.
func (s *Store) Secret() Secret {
	if s.log.secret.Load() == nil {
		s.Read()
	}
	if s.log.secret.Load() == nil && !s.o.ReadOnly && !s.disabled && s.prepare() == nil {
		s.log.locked(func() error { return nil })
	}
	if secret := s.log.secret.Load(); secret != nil {
		return *secret
	}
	return Secret{}
}

// Get returns the record of k; ok is false if there is none. It records the day of use, since
// unused records are finally dropped.
func (s *Store) Get(k Key) (r Record, ok bool) {
	s.Read()
	if s.disabled {
		return Record{}, false
	}
	s.mu.Lock()
	at, ok := s.deferred[k]
	s.mu.Unlock()
	if !ok {
		if at, ok = s.log.get(k); !ok {
			return Record{}, false
		}
	}
	r, err := parseRecord(at.payload)
	if err != nil {
		return Record{}, false
	}
	if today := s.today(); at.day+7 < today {
		s.later(k, stored{off: at.off, day: today, payload: at.payload})
	}
	return r, true
}

// Each calls f with every record, in no order. It does not count as a use.
func (s *Store) Each(f func(k Key, r Record)) {
	s.Read()
	if s.disabled {
		return
	}
	all := s.log.all()
	s.mu.Lock()
	maps.Copy(all, s.deferred)
	s.mu.Unlock()
	for k, at := range all {
		if r, err := parseRecord(at.payload); err == nil {
			f(k, r)
		}
	}
}

// Unchanged reports whether r, the zero Record for none, is the current record of k.
func (s *Store) Unchanged(k Key, r Record) bool {
	now, _ := s.Get(k)
	return bytes.Equal(now.payload, r.payload)
}

// Put records a success.
func (s *Store) Put(k Key, head, body []byte) {
	if r, ok := s.prepareRecord(k, head, body); ok {
		s.cancelDeferred(k)
		old, _ := s.log.get(k)
		now := stored{day: s.today(), payload: r.payload}
		if err := s.log.put(map[Key]stored{k: now}, false); err != nil {
			s.warnUnwritable(err)
			return
		}
		s.removeBody(k, old, now)
	}
}

// PutLater is Put for a record that differs from the present one only in the times of files: it is
// written when the store is closed, if the present one is still valid then.
func (s *Store) PutLater(k Key, head, body []byte) {
	if r, ok := s.prepareRecord(k, head, body); ok {
		old, _ := s.log.get(k)
		s.cancelDeferred(k)
		s.later(k, stored{off: old.off, day: s.today(), payload: r.payload})
	}
}

// prepareRecord makes a record; ok is false if none can be written.
func (s *Store) prepareRecord(k Key, head, body []byte) (r Record, ok bool) {
	s.Read()
	if s.o.ReadOnly || s.disabled {
		return r, false
	}
	err := s.prepare()
	r = newRecord(head, body)
	if err == nil && r.isApart() {
		err = s.bodies.WriteFile(bodyName(k, r.apart.id), body)
	}
	if err != nil {
		s.warnUnwritable(err)
	}
	return r, err == nil
}

// later defers the writing of a record to the end of the run. It replaces the record at
// r.off, 0 for none, if that is still valid then.
func (s *Store) later(k Key, r stored) {
	if s.o.ReadOnly {
		return
	}
	s.mu.Lock()
	if s.deferred == nil {
		s.deferred = map[Key]stored{}
	}
	s.deferred[k] = r
	s.mu.Unlock()
}

// cancelDeferred drops the deferred record of k.
func (s *Store) cancelDeferred(k Key) {
	s.mu.Lock()
	r, ok := s.deferred[k]
	delete(s.deferred, k)
	s.mu.Unlock()
	if ok {
		now, _ := s.log.get(k)
		s.removeBody(k, r, now)
	}
}

// writeDeferred writes the deferred records.
func (s *Store) writeDeferred() {
	s.mu.Lock()
	records := s.deferred
	s.deferred = nil
	s.mu.Unlock()
	if len(records) == 0 || s.prepare() != nil {
		return
	}
	old := map[Key]stored{}
	for k := range records {
		old[k], _ = s.log.get(k)
	}
	if s.log.put(maps.Clone(records), true) != nil {
		return
	}
	for k, r := range records {
		now, _ := s.log.get(k)
		s.removeBody(k, old[k], now)
		s.removeBody(k, r, now) // if it was omitted
	}
}

// Remove makes sure that k has no record.
func (s *Store) Remove(k Key) {
	if s.o.ReadOnly {
		return
	}
	s.Read()
	if s.disabled {
		return
	}
	s.cancelDeferred(k)
	s.prepare() // if it fails, a state file may exist nevertheless
	old, _ := s.log.get(k)
	if err := s.log.invalidate(k); err != nil {
		// It is better to lose all records than to keep this one.
		if e := s.log.remove(); e != nil && !errors.Is(e, fs.ErrNotExist) {
			s.warnUnwritable(err)
		}
	}
	s.removeBody(k, old, stored{})
}

func (s *Store) makeDirs() (err error) {
	d, err := s.log.open(s.place.Make)
	if err != nil {
		return err
	}
	s.bodies, err = d.Sub(bodiesName, true)
	if errors.Is(err, fs.ErrNotExist) { // the directory has been removed since it was read
		s.log.close()
		if d, err = s.log.open(s.place.Make); err == nil {
			s.bodies, err = d.Sub(bodiesName, true)
		}
	}
	if err != nil {
		return err
	}
	if s.lockDir, err = d.Sub(locksName, true); err != nil {
		return err
	}
	s.lockFiles = statefile.NewLocks(s.lockDir)
	return d.IgnoreByGit()
}

// warnUnsafe warns that something in the place of the state is not used.
func (s *Store) warnUnsafe(u *statefile.Unsafe) {
	s.warn(fmt.Sprintf("%s is not used as state", u.Path), u.Why+": all tasks run every time", u.Fix+", or name another directory with --temp-dir")
}

func (s *Store) warnUnwritable(err error) {
	var bad *statefile.Unsafe
	if errors.As(err, &bad) {
		s.warnUnsafe(bad)
		return
	}
	s.warn(fmt.Sprintf("the state directory %s cannot be written", s.Dir()), err.Error()+": all tasks run every time", "make it writable, or name another with --temp-dir")
}

func (s *Store) warn(what, why, fix string) {
	if s.o.Warn != nil {
		s.warned.Do(func() {
			s.o.Warn(&diag.Diagnostic{Severity: diag.Warning, What: what, Why: why, Fix: fix})
		})
	}
}

// Close ends the use of the store: it writes deferred records, and drops records that were not used
// for long.
func (s *Store) Close() {
	if s.o.ReadOnly {
		return
	}
	s.writeDeferred()
	s.compact()
	s.log.close()
	if s.lockFiles != nil {
		s.lockFiles.Close()
	}
	for _, d := range [...]*statefile.Dir{s.bodies, s.lockDir, s.outputs} {
		if d != nil {
			d.Close()
		}
	}
}
