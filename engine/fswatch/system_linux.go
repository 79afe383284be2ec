package fswatch

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"golang.org/x/sys/unix"
)

// mask are the events to be reported: files that are created, removed, written and moved in a
// directory, and the removal or move of the directory itself. A write through mmap is reported
// when the file is closed. A change of attributes does not change the content.
const mask = unix.IN_CREATE | unix.IN_DELETE | unix.IN_MODIFY | unix.IN_CLOSE_WRITE | unix.IN_MOVED_FROM | unix.IN_MOVED_TO |
	unix.IN_DELETE_SELF | unix.IN_MOVE_SELF | unix.IN_ONLYDIR

// gone are the events after which the kernel no longer watches the path.
const gone = unix.IN_DELETE_SELF | unix.IN_MOVE_SELF | unix.IN_UNMOUNT | unix.IN_IGNORED

// notifier uses inotify directly. The library that other systems use (fsnotify) does not
// report that a file was closed, and knows only one path of a directory. The kernel has one
// watch for a directory with all its paths; notifier reports changes for each of them.
type notifier struct {
	file   *os.File
	events chan string
	ended  chan struct{} // closed by Close

	mu    sync.Mutex // guards the fields below
	wds   map[string]int32
	paths map[int32][]string
}

func newSystem() (System, error) {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil, os.NewSyscallError("inotify_init", err)
	}
	n := &notifier{file: os.NewFile(uintptr(fd), "inotify"), events: make(chan string, 64), ended: make(chan struct{}),
		wds: map[string]int32{}, paths: map[int32][]string{}}
	go n.serve()
	return n, nil
}

// control calls f with the descriptor, unless it is closed.
func (n *notifier) control(f func(fd int)) error {
	c, err := n.file.SyscallConn()
	if err != nil {
		return err
	}
	return c.Control(func(fd uintptr) { f(int(fd)) })
}

// Add implements System. A path that is added again stands for the directory that is there now.
func (n *notifier) Add(dir string) (err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	var wd int
	if cerr := n.control(func(fd int) { wd, err = unix.InotifyAddWatch(fd, dir, mask) }); cerr != nil {
		return cerr
	}
	if err != nil {
		return &os.PathError{Op: "inotify_add_watch", Path: dir, Err: err}
	}
	if old, known := n.wds[dir]; known {
		if old == int32(wd) {
			return nil
		}
		n.remove(dir)
	}
	n.wds[dir] = int32(wd)
	n.paths[int32(wd)] = append(n.paths[int32(wd)], dir)
	return nil
}

// Remove implements System.
func (n *notifier) Remove(dir string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.remove(dir)
}

// remove removes a path from its watch, which ends with its last path. n.mu is held.
func (n *notifier) remove(dir string) {
	wd, known := n.wds[dir]
	if !known {
		return
	}
	delete(n.wds, dir)
	paths := slices.DeleteFunc(n.paths[wd], func(p string) bool { return p == dir })
	if n.paths[wd] = paths; len(paths) == 0 {
		n.end(wd)
	}
}

// end ends a watch. n.mu is held.
func (n *notifier) end(wd int32) {
	delete(n.paths, wd)
	n.control(func(fd int) { unix.InotifyRmWatch(fd, uint32(wd)) }) // the directory may be gone
}

// Watching implements System.
func (n *notifier) Watching(dir string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	_, known := n.wds[dir]
	return known
}

// Events implements System.
func (n *notifier) Events() <-chan string { return n.events }

// serve delivers the events of the kernel.
func (n *notifier) serve() {
	defer close(n.events)
	var buf [64 << 10]byte
	for {
		size, err := n.file.Read(buf[:])
		if err != nil {
			return
		}
		last := "" // a write causes several events in a row
		for at := 0; at+unix.SizeofInotifyEvent <= size; {
			head := buf[at : at+unix.SizeofInotifyEvent] // struct inotify_event: wd, mask, cookie, len
			wd, mask := int32(binary.NativeEndian.Uint32(head)), binary.NativeEndian.Uint32(head[4:])
			at += len(head)
			name := buf[at:][:binary.NativeEndian.Uint32(head[12:])]
			at += len(name)
			for _, path := range n.affected(wd, mask, string(bytes.TrimRight(name, "\x00"))) {
				if path == last && path != "" {
					continue
				}
				last = path
				select {
				case n.events <- path:
				case <-n.ended:
					return
				}
			}
		}
	}
}

// affected returns the paths that an event is about; "" means that events were lost.
func (n *notifier) affected(wd int32, mask uint32, name string) []string {
	if mask&unix.IN_Q_OVERFLOW != 0 {
		return []string{""}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	dirs := n.paths[wd]
	if mask&gone != 0 {
		for _, dir := range dirs {
			delete(n.wds, dir)
		}
		if len(dirs) > 0 {
			n.end(wd)
		}
		return dirs
	}
	paths := make([]string, len(dirs))
	for i, dir := range dirs {
		paths[i] = filepath.Join(dir, name)
	}
	return paths
}

// Close implements System. It drops events that were not received yet.
func (n *notifier) Close() error {
	close(n.ended)
	err := n.file.Close()
	for range n.events {
	}
	return err
}

// remote reports whether dir is on a file system that does not report what others change.
func remote(dir string) bool {
	var st unix.Statfs_t
	return unix.Statfs(dir, &st) == nil && slices.Contains([]int64{unix.NFS_SUPER_MAGIC, unix.SMB_SUPER_MAGIC,
		unix.SMB2_SUPER_MAGIC, unix.CIFS_SUPER_MAGIC, unix.V9FS_MAGIC, unix.FUSE_SUPER_MAGIC}, int64(uint32(st.Type)))
}
