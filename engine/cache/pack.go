package cache

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// The state directory holds entries in two forms. A success writes a loose
// file of its own, by temporary file and rename. At the end of a run that left
// many small ones they are put into one pack, because reading a thousand files
// takes longer than everything else of a run with nothing to do.
//
// A loose file outranks the pack; an empty one says that there is no entry.
// Packing needs the lock file exclusively, writing needs it shared, so that no
// loose file is removed but the one that went into the pack. Reading needs no
// lock: who first lists the loose files and then reads the pack sees every
// entry in one of the two.
const (
	packMagic   = "weft pack 1\n"
	packAt      = 32       // loose files
	maxPacked   = 16 << 10 // bytes of an entry
	idSize      = 16
	packName    = "pack"
	lockName    = "lock"
	stateSubdir = "state"
)

// id is the name of a key's entry.
type id [idSize]byte

func idOf(key string) (k id) {
	sum := sha256.Sum256([]byte(key))
	copy(k[:], sum[:])
	return k
}

func (k id) String() string { return hex.EncodeToString(k[:]) }

// entries is what a store knows of its directory.
type entries struct {
	dir  string
	once sync.Once // reads the directory

	mu     sync.Mutex // guards the fields below
	loose  map[id]bool
	packed map[id][]byte
	lock   *os.File // held shared from the first write on
}

// open reads what is there.
func (e *entries) open() {
	e.once.Do(func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.list()
		e.packed = readPack(filepath.Join(e.dir, packName))
	})
}

func (e *entries) list() {
	e.loose = map[id]bool{}
	f, err := os.Open(filepath.Join(e.dir, stateSubdir))
	if err != nil {
		return
	}
	defer f.Close()
	names, _ := f.Readdirnames(-1)
	for _, n := range names {
		if k, ok := parseID(n); ok {
			e.loose[k] = true
		}
	}
}

func parseID(name string) (k id, ok bool) {
	if len(name) != 2*idSize {
		return k, false
	}
	_, err := hex.Decode(k[:], []byte(name))
	return k, err == nil
}

func (e *entries) path(k id) string { return filepath.Join(e.dir, stateSubdir, k.String()) }

// get returns the bytes of an entry, or nil.
func (e *entries) get(k id) []byte {
	e.open()
	e.mu.Lock()
	loose, packed := e.loose[k], e.packed[k]
	e.mu.Unlock()
	if !loose {
		return packed
	}
	b, err := readFile(e.path(k))
	if errors.Is(err, fs.ErrNotExist) {
		// Another process has just packed it.
		return readPack(filepath.Join(e.dir, packName))[k]
	}
	return b
}

// put writes a loose entry; nothing at all says that there is none.
func (e *entries) put(k id, b []byte) error {
	e.open()
	if err := e.share(); err != nil {
		return err
	}
	if err := writeFile(e.path(k), b); err != nil {
		return err
	}
	e.mu.Lock()
	e.loose[k] = true
	e.mu.Unlock()
	return nil
}

// drop makes sure that k has no entry.
func (e *entries) drop(k id) {
	e.open()
	e.mu.Lock()
	loose, packed := e.loose[k], e.packed[k] != nil
	e.mu.Unlock()
	switch {
	case packed:
		if e.put(k, nil) != nil {
			os.Remove(filepath.Join(e.dir, packName))
		}
	case loose && e.share() == nil:
		os.Remove(e.path(k))
		e.mu.Lock()
		delete(e.loose, k)
		e.mu.Unlock()
	}
}

// share takes the lock that keeps others from packing.
func (e *entries) share() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.lock != nil {
		return nil
	}
	f, err := os.OpenFile(filepath.Join(e.dir, lockName), os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	for {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_SH)
		if err != syscall.EINTR {
			break
		}
	}
	if err != nil && err != syscall.ENOLCK && err != syscall.EOPNOTSUPP {
		f.Close()
		return err
	}
	e.lock = f
	return nil
}

// close packs what is worth it and gives the lock back. now is for dropping
// what nothing has written for unusedFor.
func (e *entries) close(now time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.lock == nil {
		return
	}
	defer func() {
		e.lock.Close()
		e.lock = nil
	}()
	if len(e.loose) < packAt || syscall.Flock(int(e.lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil {
		return
	}
	e.list()
	all := readPack(filepath.Join(e.dir, packName))
	var gone []string
	for k := range e.loose {
		path := e.path(k)
		info, err := os.Stat(path)
		if err != nil || info.Size() > maxPacked {
			continue
		}
		b, err := readFile(path)
		if err != nil {
			continue
		}
		gone = append(gone, path)
		delete(all, k)
		if len(b) > 0 && now.Sub(info.ModTime()) < unusedFor {
			all[k] = b
		}
	}
	if writeFile(filepath.Join(e.dir, packName), encodePack(all)) != nil {
		return
	}
	for _, path := range gone {
		os.Remove(path)
	}
}

// encodePack writes the entries one after the other; each has a digest of its
// own.
func encodePack(m map[id][]byte) []byte {
	n := len(packMagic)
	for _, b := range m {
		n += idSize + 4 + len(b)
	}
	out := append(make([]byte, 0, n), packMagic...)
	for k, b := range m {
		out = append(out, k[:]...)
		out = binary.LittleEndian.AppendUint32(out, uint32(len(b)))
		out = append(out, b...)
	}
	return out
}

// readPack returns the entries of a pack: as many as can be read.
func readPack(path string) map[id][]byte {
	b, err := readFile(path)
	if err != nil || len(b) < len(packMagic) || string(b[:len(packMagic)]) != packMagic {
		return map[id][]byte{}
	}
	b = b[len(packMagic):]
	m := make(map[id][]byte, len(b)/256)
	for len(b) >= idSize+4 {
		k := id(b[:idSize])
		n := int(binary.LittleEndian.Uint32(b[idSize:]))
		b = b[idSize+4:]
		if n > len(b) {
			break
		}
		m[k] = b[:n:n]
		b = b[n:]
	}
	return m
}
