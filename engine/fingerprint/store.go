package fingerprint

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"time"

	"github.com/weftrun/weft/internal/statefile"
	"github.com/weftrun/weft/internal/xxh3"
	"github.com/weftrun/weft/schema/diag"
)

// What stands in the state directory.
const (
	logName    = "state"
	bodiesName = "files" // bodies of large entries
	locksName  = "locks"
	filesName  = "outputs" // that programs write to
	ignoreName = ".gitignore"
	ignoreAll  = "*\n"
	idSize     = 16
)

// unusedFor is how many days an entry is kept that nobody asks for.
const unusedFor = 30

// id is the name of a key's entry.
type id [idSize]byte

func idOf(key string) (k id) {
	sum := sha256.Sum256(append(append(make([]byte, 0, 256), formatVersion...), key...)) // what another version wrote is nobody's
	copy(k[:], sum[:])
	return k
}

func (k id) String() string { return hex.EncodeToString(k[:]) }

// Options configure a Store. The zero value is the usual one.
type Options struct {
	Now      func() time.Time // nil means time.Now
	ReadOnly bool             // nothing is written, nothing is locked
	// Warn is told, once, what the store has to do without. It may be nil, and
	// is called from whatever goroutine finds out.
	Warn func(*diag.Diagnostic)
	// Secret reports whether a text gives a secret away. It may be nil.
	Secret func(text string) bool
	// Within are the steps that this program runs in, of other programs like it,
	// with colons between them: a lock that one of them holds is not let go before
	// we have ended.
	Within string
}

// Store is a state directory. Nothing is read or made before it is needed. It
// is safe for concurrent use, by several processes too.
type Store struct {
	place statefile.Place
	dir   string // of place
	o     Options
	log   log
	locks locks

	once    sync.Once // reads the state
	useless bool      // it must not be read, or can be read but not be kept true
	made    sync.Once // makes the directory
	err     error     // why it could not be made
	told    sync.Once

	// These are nil until they are needed, and where they cannot be had.
	bodies, lockFiles *statefile.Dir

	scratching sync.Once // makes scratch, and removes what was left in it
	scratch    *statefile.Dir

	mu   sync.Mutex    // guards the fields below
	late map[id]stored // to be written at the end
}

// Open returns the store in a place.
func Open(place statefile.Place, o Options) *Store {
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Store{place: place, dir: place.String(), o: o}
}

func (s *Store) today() uint32 { return uint32(s.o.Now().Unix() / (24 * 60 * 60)) }

// open reads the state.
func (s *Store) open() {
	s.once.Do(func() {
		err := s.log.load(s.place)
		var bad *statefile.Unsafe
		switch {
		case errors.As(err, &bad):
			s.useless = true
			s.warnUnsafe(bad)
		case err != nil || s.log.bad:
			s.warn(fmt.Sprintf("part of the state in %s cannot be read", s.dir), "it is damaged, or of another version", "what it was about runs again")
		}
		// State that cannot be made untrue when something runs must not be
		// believed either.
		if !s.o.ReadOnly && !s.useless && !s.log.writable() {
			s.useless = true
			s.warnUnwritable(fs.ErrPermission)
		}
	})
}

// again makes the next load see what other processes have written.
func (s *Store) again() {
	s.open()
	if !s.o.ReadOnly && !s.useless {
		s.log.locked(func() error { return nil })
	}
}

// secretKey is the key of the digests that are recorded. It is made before anything is.
func (s *Store) secretKey() [keySize]byte {
	s.open()
	key, ok := s.log.secretKey()
	if ok || s.o.ReadOnly || s.useless || s.prepare() != nil {
		return key
	}
	s.log.locked(func() error { return nil })
	key, _ = s.log.secretKey()
	return key
}

// salt is that of the key.
func (s *Store) salt() *salt {
	if salt := s.log.salt.Load(); salt != nil {
		return salt
	}
	return saltOf(s.secretKey())
}

// load returns the entry of k, or nil.
func (s *Store) load(k id) *entry {
	s.open()
	if s.useless {
		return nil
	}
	s.mu.Lock()
	r, ok := s.late[k]
	s.mu.Unlock()
	if !ok {
		if r, ok = s.log.get(k); !ok {
			return nil
		}
	}
	e, err := decodeEntry(r.payload)
	if err != nil {
		return nil
	}
	if today := s.today(); r.day+7 < today {
		s.later(k, stored{off: r.off, day: today, payload: r.payload})
	}
	return e
}

// has reports whether e, or nothing if it is nil, is what is recorded of k.
func (s *Store) has(k id, e *entry) bool {
	now := s.load(k)
	if now == nil || e == nil {
		return now == e
	}
	return bytes.Equal(now.encode(nil), e.encode(nil))
}

// later has a record written at the end of the run, in place of the one at r.off if that is
// there still, which is 0 for none: losing it costs work, not truth.
func (s *Store) later(k id, r stored) {
	if s.o.ReadOnly {
		return
	}
	s.mu.Lock()
	if s.late == nil {
		s.late = map[id]stored{}
	}
	s.late[k] = r
	s.mu.Unlock()
}

// save stores e: at once, or with late at the end of the run.
func (s *Store) save(k id, e *entry, late bool) {
	s.open()
	if s.o.ReadOnly || s.useless {
		return
	}
	err := s.prepare()
	if err == nil && len(e.body) > inlineBody {
		err = s.writeBody(k, e)
	}
	if err == nil {
		r := stored{day: s.today(), payload: e.encode(nil)}
		if late {
			old, _ := s.log.get(k)
			r.off = old.off
			s.later(k, r)
			return
		}
		s.forgetLate(k)
		err = s.put(map[id]stored{k: r}, false)
	}
	if err != nil {
		s.warnUnwritable(err)
	}
}

// put writes records, and drops the bodies of those they replace. late is as log.put has it.
func (s *Store) put(records map[id]stored, late bool) error {
	old := make(map[id]stored, 1)
	for k := range records {
		if r, ok := s.log.get(k); ok && len(r.payload) == headSize {
			old[k] = r
		}
	}
	err := s.log.put(records, late)
	if err == nil {
		for k, r := range old {
			s.dropBody(k, r, records[k])
		}
	}
	return err
}

// dropBody removes the body of old, where it stands in a file that is not also
// that of r.
func (s *Store) dropBody(k id, old, r stored) {
	e, err := decodeEntry(old.payload)
	if err != nil || e.body != nil {
		return
	}
	if now, err := decodeEntry(r.payload); err == nil && now.bodyAt == e.bodyAt {
		return
	}
	if s.bodies != nil {
		s.bodies.Remove(bodyName(k, e.bodyAt.sum))
	}
}

func (s *Store) forgetLate(k id) {
	s.mu.Lock()
	delete(s.late, k)
	s.mu.Unlock()
}

// remove makes sure that k has no entry.
func (s *Store) remove(k id) {
	if s.o.ReadOnly {
		return
	}
	s.open()
	s.forgetLate(k)
	if s.useless {
		return
	}
	s.prepare() // where it fails, there may be a state file nevertheless
	old, _ := s.log.get(k)
	if err := s.log.kill(k); err != nil {
		// Better to lose all that is recorded than to leave this.
		if e := s.log.remove(); e != nil && !errors.Is(e, fs.ErrNotExist) {
			s.warnUnwritable(err)
		}
	}
	s.dropBody(k, old, stored{})
}

// Forget drops what is recorded for a key.
func (s *Store) Forget(key string) { s.remove(idOf(key)) }

// prepare makes the directory.
func (s *Store) prepare() error {
	s.made.Do(func() {
		d, err := s.log.open(s.place.Make)
		if err != nil {
			s.err = err
			return
		}
		s.bodies, s.err = d.Sub(bodiesName, true)
		if errors.Is(s.err, fs.ErrNotExist) { // the directory has been removed since it was read
			s.log.close()
			if d, s.err = s.log.open(s.place.Make); s.err == nil {
				s.bodies, s.err = d.Sub(bodiesName, true)
			}
		}
		if s.err != nil {
			return
		}
		if s.lockFiles, s.err = d.Sub(locksName, true); s.err != nil {
			return
		}
		ignore, err := d.OpenFile(ignoreName, os.O_WRONLY|os.O_CREATE|os.O_EXCL)
		if err == nil {
			_, s.err = ignore.WriteString(ignoreAll)
			ignore.Close()
		} else if !errors.Is(err, fs.ErrExist) {
			s.err = err
		}
	})
	return s.err
}

func bodyName(k id, sum [16]byte) string { return k.String() + "-" + hex.EncodeToString(sum[:4]) }

func (s *Store) writeBody(k id, e *entry) error {
	return s.bodies.WriteFile(bodyName(k, xxh3.Hash128(e.body).Bytes()), e.body)
}

// readBody returns the body of e that stands in a file of its own.
func (s *Store) readBody(k id, e *entry) ([]byte, error) {
	from := s.bodies
	if from == nil {
		d, err := s.place.Open()
		if err != nil {
			return nil, err
		}
		defer d.Close()
		if from, err = d.Sub(bodiesName, false); err != nil {
			return nil, err
		}
		defer from.Close()
	}
	return from.ReadFile(bodyName(k, e.bodyAt.sum), maxRecord)
}

// body returns an entry's body, or nil when it is lost.
func (s *Store) body(k id, e *entry) *body {
	b := e.body
	if b == nil {
		var err error
		if b, err = s.readBody(k, e); err != nil || xxh3.Hash128(b).Bytes() != e.bodyAt.sum {
			return nil
		}
	}
	out, err := decodeBody(b)
	if err != nil {
		return nil
	}
	return out
}

// warnUnsafe tells that something in the place of the state is not used.
func (s *Store) warnUnsafe(u *statefile.Unsafe) {
	s.warn(fmt.Sprintf("%s is not used as state", u.Path), u.Why+": everything runs every time", u.Fix+", or name another directory with --temp-dir")
}

func (s *Store) warnUnwritable(err error) {
	var bad *statefile.Unsafe
	if errors.As(err, &bad) {
		s.warnUnsafe(bad)
		return
	}
	s.warn(fmt.Sprintf("the state directory %s cannot be written", s.dir), err.Error()+": everything runs every time", "make it writable, or name another with --temp-dir")
}

func (s *Store) warn(what, why, fix string) {
	if s.o.Warn != nil {
		s.told.Do(func() {
			s.o.Warn(&diag.Diagnostic{Severity: diag.Warning, What: what, Why: why, Fix: fix})
		})
	}
}

// Close ends the use of the store: what could wait is written, and what has
// not been used for long is dropped.
func (s *Store) Close() {
	if s.o.ReadOnly {
		return
	}
	s.mu.Lock()
	late := s.late
	s.late = nil
	s.mu.Unlock()
	if len(late) > 0 && s.prepare() == nil {
		s.put(late, true)
	}
	s.tidy()
	s.log.close()
	for _, d := range [...]*statefile.Dir{s.bodies, s.lockFiles, s.scratch} {
		if d != nil {
			d.Close()
		}
	}
}
