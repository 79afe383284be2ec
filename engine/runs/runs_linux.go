package runs

import (
	"bytes"
	"errors"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/weftrun/weft/engine/keeper"
	"github.com/weftrun/weft/engine/proc"
)

// process is what /proc tells of one.
type process struct {
	pid, parent, session int
	name                 string // at most 15 bytes
	started              uint64 // in clock ticks since the machine was
	run                  string // WEFT_RUN_ID: identities of runs, the outer first
	task                 string
	began                string // the session its run was in
}

// all returns the processes of this user, by process id; of root, everybody's.
func all() (map[int]*process, error) {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil, ErrNotHere
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	found := map[int]*process{}
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		if p := look(pid); p != nil {
			found[pid] = p
		}
	}
	return found, nil
}

// look returns a process, or nil if it is gone, dead, or another user's.
func look(pid int) *process {
	// Only its user may read it.
	environ, err := os.ReadFile(file(pid, "environ"))
	if err != nil {
		return nil
	}
	stat, err := os.ReadFile(file(pid, "stat"))
	if err != nil {
		return nil
	}
	_, rest, ok := bytes.Cut(stat, []byte(" ("))
	if !ok {
		return nil
	}
	end := bytes.LastIndexByte(rest, ')')
	if end < 0 {
		return nil
	}
	name, fields := rest[:end], strings.Fields(string(rest[end+1:]))
	if len(fields) < 20 || fields[0] == "Z" || fields[0] == "X" {
		return nil
	}
	p := &process{pid: pid, name: string(name)}
	p.parent, _ = strconv.Atoi(fields[1])
	p.session, _ = strconv.Atoi(fields[3])
	p.started, _ = strconv.ParseUint(fields[19], 10, 64)
	for kv := range bytes.SplitSeq(environ, []byte{0}) {
		if v, ok := bytes.CutPrefix(kv, []byte(proc.RunVariable+"=")); ok {
			p.run = string(v)
		} else if v, ok := bytes.CutPrefix(kv, []byte(proc.TaskVariable+"=")); ok {
			p.task = string(v)
		} else if v, ok := bytes.CutPrefix(kv, []byte(proc.SessionVariable+"=")); ok {
			p.began = string(v)
		}
	}
	return p
}

func file(pid int, name string) string { return "/proc/" + strconv.Itoa(pid) + "/" + name }

// command returns the arguments a process was started with, or its name.
func (p *process) command() []string {
	b, _ := os.ReadFile(file(p.pid, "cmdline"))
	if len(b) == 0 {
		return []string{p.name}
	}
	return strings.Split(string(bytes.TrimSuffix(b, []byte{0})), "\x00")
}

// isKeeper reports whether p keeps the processes of a run.
func (p *process) isKeeper() bool {
	return p.name == keeper.Name && slices.Equal(p.command(), []string{keeper.Name})
}

// innermost is the run a process is of, last in the list of those around it.
func (p *process) innermost() string { return p.run[strings.LastIndexByte(p.run, ':')+1:] }

// List returns the runs that go on, the oldest first.
func List() ([]Run, error) {
	ps, err := all()
	if err != nil {
		return nil, err
	}
	var out []Run
	for _, k := range ps {
		weft := ps[k.parent]
		if weft == nil || !k.isKeeper() || k.run == "" {
			continue
		}
		r := Run{ID: k.innermost(), Pid: weft.pid, Command: weft.command(), Since: time.Now().Add(-age(weft))}
		r.Dir, _ = os.Readlink(file(weft.pid, "cwd"))
		for _, p := range ps {
			if p != k && p.innermost() == r.ID && p.run != "" && !p.isKeeper() {
				r.Processes = append(r.Processes, Process{Pid: p.pid, Task: p.task, Command: p.command()})
			}
		}
		slices.SortFunc(r.Processes, func(a, b Process) int { return a.Pid - b.Pid })
		out = append(out, r)
	}
	slices.SortFunc(out, func(a, b Run) int { return a.Since.Compare(b.Since) })
	return out, nil
}

// age is how long a process has been there.
func age(p *process) time.Duration {
	const ticks = 100 // USER_HZ, the same on every architecture of ours
	var now unix.Timespec
	if unix.ClockGettime(unix.CLOCK_BOOTTIME, &now) != nil {
		return 0
	}
	return time.Duration(now.Nano()) - time.Duration(p.started)*(time.Second/ticks)
}

// Find returns the run whose identity begins with name, or whose weft has it as
// its process id; with an empty name, the only one there is. The run that this
// process is part of does not count then.
func Find(name string) (Run, error) {
	rs, err := List()
	if err != nil {
		return Run{}, err
	}
	own := strings.Split(os.Getenv(proc.RunVariable), ":")
	rs = slices.DeleteFunc(rs, func(r Run) bool {
		if name == "" {
			return slices.Contains(own, r.ID)
		}
		return !strings.HasPrefix(r.ID, name) && strconv.Itoa(r.Pid) != name
	})
	if len(rs) != 1 {
		return Run{}, &ChoiceError{Name: name, Runs: rs}
	}
	return rs[0], nil
}

// Stop tells a run to end, by SIGTERM, and returns when it has: true. After
// patience it returns false.
func Stop(r Run, patience time.Duration) (bool, error) {
	fd, err := unix.PidfdOpen(r.Pid, 0)
	if err == nil {
		defer unix.Close(fd)
		// It may be another process's number by now.
		if p := look(r.Pid); p == nil || !slices.Equal(p.command(), r.Command) {
			return true, nil
		}
		err = unix.PidfdSendSignal(fd, unix.SIGTERM, nil, 0)
	}
	if errors.Is(err, unix.ESRCH) {
		return true, nil
	}
	if err != nil {
		return false, os.NewSyscallError("kill", err)
	}
	return ended(fd, patience), nil
}

// ended waits until a process has ended.
func ended(fd int, patience time.Duration) bool {
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	for end := time.Now().Add(patience); ; {
		n, err := unix.Poll(fds, int(max(0, time.Until(end).Milliseconds())))
		if err != unix.EINTR {
			return n > 0
		}
	}
}

// politely is how long a process that was left may take to end.
const politely = time.Second

// Reap ends what runs whose weft is gone have left, and returns all of it: what
// is Detached too, which is ended only with detached set. A process that starts
// others meanwhile is looked for again. With names, only runs count whose
// identity begins with one of them.
func Reap(names []string, detached bool) ([]Left, error) {
	var out []Left
	for range 100 {
		left, err := leftBehind()
		if err != nil {
			return out, err
		}
		open := map[int]int{} // process file descriptors, by place in out
		for _, l := range left {
			if len(names) > 0 && !slices.ContainsFunc(names, func(name string) bool { return strings.HasPrefix(l.Run, name) }) {
				continue
			}
			if slices.ContainsFunc(out, func(o Left) bool { return o.Pid == l.Pid && o.Run == l.Run }) {
				continue
			}
			if l.Detached && !detached {
				out = append(out, l)
				continue
			}
			if fd := hold(&l); fd >= 0 {
				open[len(out)] = fd
				out = append(out, l)
				unix.PidfdSendSignal(fd, unix.SIGTERM, nil, 0)
				unix.PidfdSendSignal(fd, unix.SIGCONT, nil, 0)
			}
		}
		if len(open) == 0 {
			break
		}
		limit := time.Now().Add(politely)
		for at, fd := range open {
			if !ended(fd, time.Until(limit)) {
				out[at].Killed = true
				unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0)
				ended(fd, politely)
			}
			unix.Close(fd)
		}
	}
	return out, nil
}

// hold returns a descriptor of l's process, which can become no other one's, or
// -1 if it is gone.
func hold(l *Left) int {
	fd, err := unix.PidfdOpen(l.Pid, 0)
	if err != nil {
		return -1
	}
	if p := look(l.Pid); p == nil || p.innermost() != l.Run {
		unix.Close(fd)
		return -1
	}
	return fd
}

// leftBehind returns the processes of runs none of which has its weft any more.
func leftBehind() ([]Left, error) {
	ps, err := all()
	if err != nil {
		return nil, err
	}
	alive := map[string]bool{}
	for _, p := range ps {
		if p.isKeeper() && ps[p.parent] != nil {
			alive[p.innermost()] = true
		}
	}
	for pid := os.Getpid(); ps[pid] != nil; {
		pid, ps[pid].run = ps[pid].parent, "" // whoever asks does not end himself
	}
	var out []Left
	for _, p := range ps {
		if p.run == "" || p.isKeeper() || slices.ContainsFunc(strings.Split(p.run, ":"), func(id string) bool { return alive[id] }) {
			continue
		}
		out = append(out, Left{Process: Process{Pid: p.pid, Task: p.task, Command: p.command()}, Run: p.innermost(), Detached: p.detached()})
	}
	slices.SortFunc(out, func(a, b Left) int { return a.Pid - b.Pid })
	return out, nil
}

// detached reports whether p may be meant to stay: it is in another session than
// its run was, or ignores SIGHUP, as of nohup.
func (p *process) detached() bool {
	if strconv.Itoa(p.session) != p.began {
		return true
	}
	status, _ := os.ReadFile(file(p.pid, "status"))
	_, mask, _ := strings.Cut(string(status), "\nSigIgn:\t")
	mask, _, _ = strings.Cut(mask, "\n")
	ignored, _ := strconv.ParseUint(mask, 16, 64)
	return ignored&(1<<(unix.SIGHUP-1)) != 0
}
