package cgroup

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/weftrun/weft/internal/procstat"
)

// New makes a group. name must be one that no other group has. The caller must call Close. If
// groups are not available, the error is ErrUnavailable or says what went wrong.
func New(name string, l Limits) (*Group, error) {
	parent := own()
	if parent == "" {
		return nil, ErrUnavailable
	}
	var controllers []string
	if l.Memory > 0 {
		controllers = append(controllers, "memory")
	}
	if l.Processes > 0 {
		controllers = append(controllers, "pids")
	}
	if err := enable(parent, controllers); err != nil {
		return nil, err
	}
	return below(parent, "weft-"+name, l)
}

// own returns the directory of weft's own group, or "" if weft may not make groups there.
var own = sync.OnceValue(func() string {
	dir, root := visible()
	if dir == "" || !root && !delegated(dir) || unix.Access(dir, unix.W_OK) != nil {
		return ""
	}
	return dir
})

// visible is [directory] of weft's own group, as it was at first.
var visible = sync.OnceValues(func() (dir string, root bool) {
	of, _ := os.ReadFile("/proc/self/cgroup")
	mounts, _ := os.ReadFile("/proc/self/mountinfo")
	return directory(string(of), string(mounts))
})

// Killed returns how many processes of the group that weft itself was started in have been killed
// because no memory was left, since that group was made; 0 where that is not known.
func Killed() int {
	dir, _ := visible()
	if dir == "" {
		return 0
	}
	text, _ := os.ReadFile(filepath.Join(dir, "memory.events"))
	return killed(string(text))
}

// directory returns the directory of a process's group, from what /proc says of its groups and
// of what is mounted, or "". root reports whether the group is the highest that can be seen.
func directory(of, mounts string) (dir string, root bool) {
	path, ok := "", false
	for line := range strings.Lines(of) {
		if path, ok = strings.CutPrefix(strings.TrimSuffix(line, "\n"), "0::"); ok {
			break
		}
	}
	if !ok || strings.HasPrefix(path, "/..") { // outside of what can be seen
		return "", false
	}
	for line := range strings.Lines(mounts) {
		before, after, _ := strings.Cut(line, " - ")
		fields := strings.Fields(before)
		if len(fields) < 5 || !strings.HasPrefix(after, "cgroup2 ") {
			continue
		}
		rel, err := filepath.Rel(fields[3], path)
		if err == nil && rel != ".." && !strings.HasPrefix(rel, "../") {
			return filepath.Join(fields[4], rel), path == "/"
		}
	}
	return "", false
}

// delegated reports whether systemd has given a group to whoever runs in it.
func delegated(dir string) bool {
	for _, name := range [...]string{"user.delegate", "trusted.delegate"} {
		var value [2]byte
		if n, err := unix.Getxattr(dir, name, value[:]); err == nil && n == 1 && value[0] == '1' {
			return true
		}
	}
	return false
}

// enabling is locked while a group is made to have limits below it.
var enabling sync.Mutex

// enable makes controllers available to the groups below dir. If dir has processes itself, and
// all of them are weft's, they move to a group below.
func enable(dir string, controllers []string) error {
	enabling.Lock()
	defer enabling.Unlock()
	control := filepath.Join(dir, "cgroup.subtree_control")
	on, err := os.ReadFile(control)
	if err != nil {
		return err
	}
	missing := slices.DeleteFunc(slices.Clone(controllers), func(c string) bool { return slices.Contains(strings.Fields(string(on)), c) })
	if len(missing) == 0 {
		return nil
	}
	request := []byte("+" + strings.Join(missing, " +"))
	for range 10 { // processes may be started meanwhile
		if err = write(control, request); !errors.Is(err, syscall.EBUSY) {
			return err
		}
		if err := move(dir, filepath.Join(dir, "weft")); err != nil {
			return err
		}
	}
	return err
}

// move moves the processes of a group to another, if all are weft itself or its descendants.
func move(from, to string) error {
	pids, err := os.ReadFile(filepath.Join(from, "cgroup.procs"))
	if err != nil {
		return err
	}
	for pid := range bytes.FieldsSeq(pids) {
		if n, err := strconv.Atoi(string(pid)); err != nil || !descends(n, os.Getpid()) {
			return fmt.Errorf("%w: process %s is also in it", ErrUnavailable, pid)
		}
	}
	if err := os.Mkdir(to, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	for pid := range bytes.FieldsSeq(pids) {
		if err := write(filepath.Join(to, "cgroup.procs"), pid); err != nil && !errors.Is(err, syscall.ESRCH) {
			return err
		}
	}
	return nil
}

// descends reports whether a process is another one, or was started by it or its descendants. A
// process that is gone is nobody else's.
func descends(pid, from int) bool {
	for pid != from {
		text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
		s, ok := procstat.Parse(text)
		switch {
		case err != nil:
			return errors.Is(err, os.ErrNotExist)
		case !ok || s.Parent < 1 || s.Parent == 1 && from != 1:
			return false
		}
		pid = int(s.Parent)
	}
	return true
}

// below makes a group below parent.
func below(parent, name string, l Limits) (*Group, error) {
	g := &Group{dir: filepath.Join(parent, name)}
	if err := os.Mkdir(g.dir, 0o755); err != nil {
		return nil, err
	}
	err := g.limit(l)
	if err == nil {
		g.procs, err = os.OpenFile(filepath.Join(g.dir, "cgroup.procs"), os.O_WRONLY, 0)
	}
	if err != nil {
		os.Remove(g.dir)
		return nil, err
	}
	return g, nil
}

func (g *Group) limit(l Limits) error {
	if l.Memory > 0 {
		if err := g.write("memory.max", l.Memory); err != nil {
			return err
		}
		// Without that, what is beyond the limit is swapped out. It exists only where swap
		// is counted.
		if err := g.write("memory.swap.max", 0); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	if l.Processes > 0 {
		return g.write("pids.max", l.Processes)
	}
	return nil
}

func (g *Group) write(name string, value int64) error {
	return write(filepath.Join(g.dir, name), strconv.AppendInt(nil, value, 10))
}

// write writes to a file that exists, at once.
func write(path string, text []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Close())
}

// OutOfMemory reports whether a process of the group was killed because the group had used up
// its memory.
func (g *Group) OutOfMemory() bool {
	text, _ := os.ReadFile(filepath.Join(g.dir, "memory.events"))
	return killed(string(text)) > 0
}

// killed reads how many processes were killed, as memory.events says.
func killed(events string) int {
	for line := range strings.Lines(events) {
		if n, ok := strings.CutPrefix(line, "oom_kill "); ok {
			count, _ := strconv.Atoi(strings.TrimSpace(n))
			return count
		}
	}
	return 0
}

// removeLimit is how long Close waits for processes that were killed to be gone.
const removeLimit = time.Second

// Close removes the group. One whose processes are kept (leftover: keep) stays, with its limits.
func (g *Group) Close() {
	g.procs.Close()
	for end := time.Now().Add(removeLimit); ; time.Sleep(time.Millisecond) {
		busy := errors.Is(os.Remove(g.dir), syscall.EBUSY)
		events, _ := os.ReadFile(filepath.Join(g.dir, "cgroup.events"))
		if alive := strings.Contains(string(events), "populated 1"); !busy || alive || time.Now().After(end) {
			return
		}
	}
}
