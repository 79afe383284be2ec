// Package statefile opens weft's own files: fingerprints, locks, trust and caches. All access to
// them goes through it. It does not know what they contain.
//
// # The rules
//
// The files are in a directory of their own, a [Dir], at a place that a project, another user
// or a careless command may have prepared. So they are opened from directory to directory by
// descriptor, and checked when they are open; a path could be something else a moment later:
//
//   - Symbolic links are not followed, neither for the directory nor below it. They are
//     followed in the path before it, [Place.Base].
//   - A file must be regular and have one name: weft does not wait for named pipes, or
//     write through hard links.
//   - Directories and files must belong to the user that weft runs as, and must not be
//     writable by everyone. For root they may also belong to the owner of the project,
//     who decides anyway what root runs there. What root creates below the project belongs to
//     that owner, who could not use it otherwise.
//   - No more is read than the caller allows, and no holes.
//
// A violation is an [Unsafe]: the caller continues as if there were no file, and warns once.
// On Windows, where owners and modes have another meaning, only links and irregular files are
// refused.
//
// A file system without modes (FAT, NTFS, 9P, SMB and FUSE mounts) shows those of the mount,
// so modes are not checked there.
package statefile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
)

// Place is the place of a directory of state, with its permitted owners.
type Place struct {
	Base    string // an absolute path; links in it are followed
	Path    string // of the directory below Base, with slashes; none of its parts may be a link
	Project string // its owner may own the state, too, when root runs weft; "" for none
	Private bool   // only the owner may write to it and read its files
}

// String returns the path of the directory.
func (p Place) String() string { return filepath.Join(p.Base, filepath.FromSlash(p.Path)) }

// Unsafe is the error of a file or directory that violates the rules.
type Unsafe struct {
	Path string
	Why  string // "it is a symbolic link"
	Fix  string // "remove it"
}

func (u *Unsafe) Error() string { return u.Path + " is not used: " + u.Why }

// Dir is an open directory of state. It is safe for concurrent use until it is closed.
type Dir struct {
	f    *os.File
	path string
	rule rule
}

// rule is the set of requirements for everything in a directory.
type rule struct {
	owner   int  // another permitted owner; -1 for none
	group   int  // the group of the project
	gives   bool // created files are given to owner and group
	private bool
}

// Open opens the directory. An error is fs.ErrNotExist if there is none, or an [Unsafe].
func (p Place) Open() (*Dir, error) { return p.open(false) }

// Make is Open that makes the directory, and its parents, if necessary.
func (p Place) Make() (*Dir, error) { return p.open(true) }

func (p Place) open(create bool) (*Dir, error) {
	r := rule{owner: -1, private: p.Private}
	if p.Project != "" {
		r.owner, r.group = ownerFor(p.Project)
		r.gives = r.owner > 0 && (p.Base == p.Project || strings.HasPrefix(p.Base, p.Project+string(filepath.Separator)))
	}
	at, err := openBase(p.Base)
	if create && errors.Is(err, fs.ErrNotExist) {
		if err = os.MkdirAll(p.Base, 0o777); err == nil {
			at, err = openBase(p.Base)
		}
	}
	if err != nil {
		return nil, err
	}
	d := &Dir{f: at, path: p.Base, rule: r}
	for name := range strings.SplitSeq(p.Path, "/") {
		next, err := d.enter(name, create)
		d.Close()
		if err != nil {
			return nil, err
		}
		d = next
	}
	if err := d.check(d.f, d.path, true); err != nil {
		d.Close()
		return nil, err
	}
	return d, nil
}

// Sub opens the directory called name in d; with create it is made if necessary. The requirements
// for d apply to it.
func (d *Dir) Sub(name string, create bool) (*Dir, error) {
	sub, err := d.enter(name, create)
	if err != nil {
		return nil, err
	}
	if err := sub.check(sub.f, sub.path, true); err != nil {
		sub.Close()
		return nil, err
	}
	return sub, nil
}

// enter opens a directory, without checking its owner.
func (d *Dir) enter(name string, create bool) (*Dir, error) {
	f, err := d.openDir(name)
	if create && errors.Is(err, fs.ErrNotExist) {
		perm := fs.FileMode(0o755)
		if d.rule.private {
			perm = 0o700
		}
		if err = d.mkdir(name, perm); err == nil || errors.Is(err, fs.ErrExist) {
			f, err = d.openDir(name)
		}
	}
	if err != nil {
		return nil, err
	}
	return &Dir{f: f, path: filepath.Join(d.path, name), rule: d.rule}, nil
}

// Close ends the use of d. Files that were opened stay open.
//
//go:noinline
func (d *Dir) Close() error { return d.f.Close() }

// Path returns the path of d, for messages.
func (d *Dir) Path() string { return d.path }

// OpenFile opens the file called name. flag is as in os.OpenFile; only the owner can use a created
// file.
func (d *Dir) OpenFile(name string, flag int) (*os.File, error) {
	f, err := d.openFile(name, flag)
	if err != nil {
		return nil, err
	}
	if err := d.check(f, f.Name(), false); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// Create makes a file called name for reading and writing, with the permissions perm less the umask.
// It is an error if anything of that name exists.
func (d *Dir) Create(name string, perm fs.FileMode) (*os.File, error) { return d.create(name, perm) }

// ReadFile returns the content of the file called name, up to its first hole. One of
// more than limit bytes is an [Unsafe].
func (d *Dir) ReadFile(name string, limit int64) ([]byte, error) {
	f, err := d.OpenFile(name, os.O_RDONLY)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	size, err := Size(f, limit)
	if err != nil {
		return nil, err
	}
	b := make([]byte, size)
	n, err := io.ReadFull(f, b)
	if err == io.ErrUnexpectedEOF || err == io.EOF {
		err = nil // it has become shorter
	}
	return b[:n], err
}

// someHoles is the size from which a file is searched for holes: smaller ones are simply read.
const someHoles = 1 << 20

// Size returns the number of bytes of a file of state to be read: those before its first hole. A
// file of more than limit bytes before it is an [Unsafe].
func Size(f *os.File, limit int64) (int64, error) {
	st, err := f.Stat()
	if err != nil {
		return 0, err
	}
	size := st.Size()
	if size > someHoles {
		size = firstHole(f, size)
	}
	if size > limit {
		return 0, &Unsafe{Path: f.Name(), Why: fmt.Sprintf("it has %d bytes, more than %d", size, limit), Fix: "remove it"}
	}
	return size, nil
}

// DirName is the name of the state directory in the root directory, unless another place is
// configured. No pattern matches it, and no change in it is watched.
const DirName = ".weft"

// TemporarySuffix ends the names of files that WriteFile has not finished.
const TemporarySuffix = ".new"

// BesideSuffix ends the names of temporary files in the directory of their final file, outside of
// any directory of state: no pattern matches them.
const BesideSuffix = ".weft-tmp"

// WriteFile replaces the file called name, whatever it was, by one with the content b that only the
// owner may read. Readers see the old one or the new one.
func (d *Dir) WriteFile(name string, b []byte) error {
	temp := fmt.Sprintf("%s.%016x%s", name, rand.Uint64(), TemporarySuffix)
	f, err := d.Create(temp, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = d.Move(temp, d, name)
	}
	if err != nil {
		d.Remove(temp)
	}
	return err
}

const (
	ignoreName = ".gitignore"
	ignoreAll  = "*\n"
)

// IgnoreByGit makes git ignore everything in d, unless d has its own ignore rules.
func (d *Dir) IgnoreByGit() error {
	f, err := d.OpenFile(ignoreName, os.O_WRONLY|os.O_CREATE|os.O_EXCL)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.WriteString(ignoreAll)
	return err
}

// IgnoredByGit reports whether IgnoreByGit has done that for d.
func (d *Dir) IgnoredByGit() bool {
	b, err := d.ReadFile(ignoreName, int64(len(ignoreAll)))
	return err == nil && string(b) == ignoreAll
}

// Names returns the names in d, in no order.
func (d *Dir) Names() ([]string, error) {
	f, err := d.openDir(".") // with its own read position
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return f.Readdirnames(-1)
}
