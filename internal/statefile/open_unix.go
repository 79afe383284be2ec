//go:build unix

package statefile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

func (d *Dir) fd() int { return int(d.f.Fd()) }

// openat opens name in d itself: a link is an error, and nothing waits.
func (d *Dir) openat(name string, flag int, perm fs.FileMode) (int, error) {
	if flag&unix.O_DIRECTORY == 0 { // a directory never blocks, and the poller has no use for one
		flag |= unix.O_NONBLOCK
	}
	for {
		fd, err := unix.Openat(d.fd(), name, flag|unix.O_NOFOLLOW|unix.O_NOCTTY|unix.O_CLOEXEC, uint32(perm))
		if err != unix.EINTR {
			return fd, err
		}
	}
}

// openBase opens a directory, through links, in order to open its entries.
func openBase(path string) (*os.File, error) {
	for {
		fd, err := unix.Open(path, searchOnly|unix.O_DIRECTORY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
		switch {
		case err == nil:
			return os.NewFile(uintptr(fd), path), nil
		case err != unix.EINTR:
			return nil, &fs.PathError{Op: "open", Path: path, Err: err}
		}
	}
}

func (d *Dir) openDir(name string) (*os.File, error) {
	path := filepath.Join(d.path, name)
	fd, err := d.openat(name, unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return nil, d.explain("open", name, err, true)
	}
	return os.NewFile(uintptr(fd), path), nil
}

func (d *Dir) openFile(name string, flag int) (*os.File, error) {
	if !d.rule.gives || flag&os.O_CREATE == 0 {
		return d.openOwn(name, flag)
	}
	// Only a file that did not exist is given away.
	f, err := d.openOwn(name, flag|os.O_EXCL)
	if err == nil {
		f.Chown(d.rule.owner, d.rule.group) // if that fails, it is root's
	} else if flag&os.O_EXCL == 0 && errors.Is(err, fs.ErrExist) {
		return d.openOwn(name, flag)
	}
	return f, err
}

// openOwn opens a file. If it is created, it belongs to the user that weft runs as.
func (d *Dir) openOwn(name string, flag int) (*os.File, error) {
	fd, err := d.openat(name, flag, 0o600)
	if err != nil {
		return nil, d.explain("open", name, err, false)
	}
	// The poller has no use for a regular file.
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_SETFL, flag&os.O_APPEND); err != nil {
		unix.Close(fd)
		return nil, err
	}
	return os.NewFile(uintptr(fd), filepath.Join(d.path, name)), nil
}

// create is openFile for a file that does not exist, and cannot be anything else.
func (d *Dir) create(name string, perm fs.FileMode) (*os.File, error) {
	path := filepath.Join(d.path, name)
	for {
		fd, err := unix.Openat(d.fd(), name, unix.O_RDWR|unix.O_CREAT|unix.O_EXCL|unix.O_CLOEXEC, uint32(perm))
		switch {
		case err == nil:
			f := os.NewFile(uintptr(fd), path)
			if d.rule.gives {
				f.Chown(d.rule.owner, d.rule.group) // if that fails, it is root's
			}
			return f, nil
		case err != unix.EINTR:
			return nil, d.explain("create", name, err, false)
		}
	}
}

// explain turns the error of an attempt to open name into one that names what exists instead. The
// current state of name affects only the wording.
func (d *Dir) explain(op, name string, err error, dir bool) error {
	path := filepath.Join(d.path, name)
	var st unix.Stat_t
	if err != unix.ENOENT && unix.Fstatat(d.fd(), name, &st, unix.AT_SYMLINK_NOFOLLOW) == nil {
		if why := irregular(uint32(st.Mode), dir); why != "" {
			return &Unsafe{Path: path, Why: why, Fix: "remove it"}
		}
	}
	return &fs.PathError{Op: op, Path: path, Err: err}
}

// irregular describes a mode where a directory, or a regular file, is wanted.
func irregular(mode uint32, dir bool) string {
	switch mode & unix.S_IFMT {
	case unix.S_IFLNK:
		return "it is a symbolic link"
	case unix.S_IFDIR:
		if !dir {
			return "it is a directory"
		}
	case unix.S_IFREG:
		if dir {
			return "it is not a directory"
		}
	case unix.S_IFIFO:
		return "it is a named pipe"
	case unix.S_IFSOCK:
		return "it is a socket"
	default:
		return "it is a device"
	}
	return ""
}

// euid is os.Geteuid, which weft does not change.
var euid = sync.OnceValue(os.Geteuid)

// check checks an open file against the rule.
func (d *Dir) check(f *os.File, path string, dir bool) error {
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return &fs.PathError{Op: "stat", Path: path, Err: err}
	}
	unsafe := func(why, fix string) error { return &Unsafe{Path: path, Why: why, Fix: fix} }
	if why := irregular(uint32(st.Mode), dir); why != "" {
		return unsafe(why, "remove it")
	}
	me := euid()
	if int(st.Uid) != me && (me != 0 || int(st.Uid) != d.rule.owner) {
		return unsafe(fmt.Sprintf("it belongs to user %d, and weft runs as user %d", st.Uid, me), "remove it, or change its owner to you")
	}
	if !dir && st.Nlink > 1 {
		return unsafe("it has another hard link", "remove it")
	}
	others, who, remedy := uint32(0o002), "every user may write to it", "chmod o-w "
	if d.rule.private {
		others, who, remedy = 0o022, "other users may write to it", "chmod go-w "
	}
	if uint32(st.Mode)&others != 0 && !modeless(f) {
		return unsafe(who, remedy+path)
	}
	return nil
}

// ownerFor returns the owner of a directory, and its group, when weft runs as root, else -1.
func ownerFor(dir string) (user, group int) {
	var st unix.Stat_t
	if euid() != 0 || unix.Stat(dir, &st) != nil {
		return -1, -1
	}
	return int(st.Uid), int(st.Gid)
}

func (d *Dir) mkdir(name string, perm fs.FileMode) error {
	if err := unix.Mkdirat(d.fd(), name, uint32(perm)); err != nil {
		return &fs.PathError{Op: "mkdir", Path: filepath.Join(d.path, name), Err: err}
	}
	if d.rule.gives {
		if f, err := d.openDir(name); err == nil {
			// The owner may have replaced it by another directory, which is not given away.
			if _, err := f.Readdirnames(1); err == io.EOF {
				f.Chown(d.rule.owner, d.rule.group)
			}
			f.Close()
		}
	}
	return nil
}

// Move moves the file called name to another directory of the same file system, under a new
// name. It replaces a file of that name.
func (d *Dir) Move(name string, to *Dir, newName string) error {
	if err := unix.Renameat(d.fd(), name, to.fd(), newName); err != nil {
		return &os.LinkError{Op: "rename", Old: filepath.Join(d.path, name), New: filepath.Join(to.path, newName), Err: err}
	}
	return nil
}

// Touch sets the time of the last change of the file called name.
func (d *Dir) Touch(name string, modified time.Time) error {
	t := unix.NsecToTimespec(modified.UnixNano())
	if err := unix.UtimesNanoAt(d.fd(), name, []unix.Timespec{t, t}, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return &fs.PathError{Op: "touch", Path: filepath.Join(d.path, name), Err: err}
	}
	return nil
}

// Remove removes the file called name.
func (d *Dir) Remove(name string) error {
	if err := unix.Unlinkat(d.fd(), name, 0); err != nil {
		return &fs.PathError{Op: "remove", Path: filepath.Join(d.path, name), Err: err}
	}
	return nil
}

// Stat returns the size of the file called name, in bytes, and the time of its last change.
func (d *Dir) Stat(name string) (size int64, modified time.Time, err error) {
	var st unix.Stat_t
	if err := unix.Fstatat(d.fd(), name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return 0, time.Time{}, &fs.PathError{Op: "stat", Path: filepath.Join(d.path, name), Err: err}
	}
	return st.Size, time.Unix(st.Mtim.Unix()), nil
}

// Is reports whether the open file f is still the file called name.
func (d *Dir) Is(name string, f *os.File) bool {
	var there, open unix.Stat_t
	return unix.Fstatat(d.fd(), name, &there, unix.AT_SYMLINK_NOFOLLOW) == nil && unix.Fstat(int(f.Fd()), &open) == nil &&
		there.Dev == open.Dev && there.Ino == open.Ino
}

// Writable reports whether files can be made in d.
func (d *Dir) Writable() bool {
	switch unix.Faccessat(d.fd(), ".", unix.W_OK|unix.X_OK, 0) {
	case unix.EROFS, unix.EACCES, unix.EPERM:
		return false
	}
	return true
}
