package cache

import (
	"cmp"
	"errors"
	"io/fs"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/weftrun/weft/internal/statefile"
)

// Disk is a cache in a directory. Any number of processes may use it at the same time:
//
//	v1/cas/ab/<sha256>            blobs: their bytes, mode 0444
//	v1/ac/ab/<digest of Action>   results, each an [ActionResult]
//	v1/tmp/…                      blobs that are being written
//	v1/usage                      approximate size; see [Disk.Trim]
//
// The rules of package statefile apply to all of it, and only the owner may read it. A file gets
// its name when it is complete. No file is synced to the disk: after a power failure it may have
// other content, which is detected like any other damage. A blob is read only together with its
// digest, and a result carries a digest of itself, its seal.
//
// The time of a result is that of its last use, to the hour. The time of a blob is that of
// its last verification; see stamp.go.
//
// Its methods may be called concurrently. Directories are opened when they are needed and
// stay open until Close; nothing is made until something is kept.
type Disk struct {
	place   statefile.Place
	boot    string // of the system; "" if unknown
	blobs   shelf
	results shelf
	added   atomic.Int64 // bytes kept since Open
	noClone atomic.Bool  // the file systems cannot share content
	cleaned sync.Map     // keys are directories without abandoned stages; see removeAbandoned

	mu  sync.Mutex                // guards the next two
	top *statefile.Dir            // v1; nil: not open
	sub map[string]*statefile.Dir // in it, by name

	// onChange, if it is set, is called before every change of a file or directory, also by
	// several goroutines at once. Tests end the process there.
	onChange func()
}

// version is the directory of this version of the layout.
const version = "v1"

// Open opens the cache in the directory dir, which need not exist. A part of the path
// may be a link.
func Open(dir string) (*Disk, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	d := &Disk{
		place: statefile.Place{Base: dir, Path: version, Private: true},
		boot:  bootID(),
		sub:   map[string]*statefile.Dir{},
	}
	d.blobs = shelf{disk: d, name: "cas"}
	d.results = shelf{disk: d, name: "ac"}
	if _, err := d.dir("", false); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return d, nil
}

// Path returns the directory of the cache, for messages.
func (d *Disk) Path() string { return d.place.Base }

// Writable reports whether something can be kept in d. It makes the directory of d, if there is none.
func (d *Disk) Writable() bool {
	for _, name := range [...]string{"tmp", d.blobs.name, d.results.name} {
		if dir, err := d.dir(name, true); err != nil || !dir.Writable() {
			return false
		}
	}
	return true
}

// Close ends the use of d. Files that were opened stay open.
func (d *Disk) Close() {
	d.blobs.close()
	d.results.close()
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, s := range d.sub {
		s.Close()
	}
	clear(d.sub)
	if d.top != nil {
		d.top.Close()
		d.top = nil
	}
}

// dir returns the directory called name in v1, or v1 itself for "". It stays open. An error is
// fs.ErrNotExist if there is none and it is not to be made.
func (d *Disk) dir(name string, create bool) (*statefile.Dir, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var err error
	if d.top == nil {
		if create {
			d.changing()
			if d.top, err = d.place.Make(); err == nil {
				d.countFrom0()
			}
		} else {
			d.top, err = d.place.Open()
		}
		if err != nil {
			return nil, err
		}
	}
	if name == "" || d.sub[name] != nil {
		return cmp.Or(d.sub[name], d.top), nil
	}
	if create {
		d.changing()
	}
	s, err := d.top.Sub(name, create)
	if err != nil {
		return nil, err
	}
	d.sub[name] = s
	return s, nil
}

// changing is called before every change of a file or directory.
//
//go:noinline
func (d *Disk) changing() {
	if d.onChange != nil {
		d.onChange()
	}
}
