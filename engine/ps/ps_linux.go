package ps

import (
	"errors"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/weftrun/weft/engine/proc"
)

// List returns the runs that go on, the oldest first.
func List() ([]Run, error) {
	ps, err := all()
	if err != nil {
		return nil, err
	}
	var out []Run
	for _, k := range ps {
		if k.run == "" {
			continue
		}
		weft := weftOf(k, ps)
		if weft == nil {
			continue
		}
		r := Run{ID: k.innermost(), Pid: weft.pid, Command: weft.command(), Since: time.Now().Add(-age(weft)), started: weft.started}
		r.Dir, _ = os.Readlink(file(weft.pid, "cwd"))
		for _, p := range ps {
			if p != k && p.innermost() == r.ID && p.run != "" && !p.calledKeeper() {
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
	h, ok := hold(r.Pid, func(p *process) bool { return p.own && p.started == r.started })
	if !ok {
		return true, nil // it may be another process's number by now
	}
	defer h.release()
	if err := h.signal(unix.SIGTERM); err != nil && !errors.Is(err, unix.ESRCH) {
		return false, os.NewSyscallError("kill", err)
	}
	return h.ended(patience), nil
}

// politely is how long a process that was left may take to end.
const politely = time.Second

// Reap ends what runs of this user whose weft is gone have left, and returns all of
// it: what is Detached too, which is ended only with detached set. A process that
// starts others meanwhile is looked for again. With names, only runs count whose
// identity begins with one of them.
func Reap(names []string, detached bool) ([]Left, error) {
	var out []Left
	for range 100 {
		left, err := leftBehind()
		if err != nil {
			return out, err
		}
		open := map[int]*held{} // by place in out
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
			if h, ok := hold(l.Pid, func(p *process) bool { return p.own && p.innermost() == l.Run }); ok {
				open[len(out)] = h
				out = append(out, l)
				h.signal(unix.SIGTERM)
				h.signal(unix.SIGCONT)
			}
		}
		if len(open) == 0 {
			break
		}
		limit := time.Now().Add(politely)
		for at, h := range open {
			if !h.ended(time.Until(limit)) {
				out[at].Killed = true
				h.signal(unix.SIGKILL)
				h.ended(politely)
			}
			h.release()
		}
	}
	return out, nil
}

// leftBehind returns the processes of runs none of which has its weft any more.
func leftBehind() ([]Left, error) {
	ps, err := all()
	if err != nil {
		return nil, err
	}
	var alive []string
	for _, p := range ps {
		if p.own && p.calledKeeper() && ps[p.parent] != nil {
			alive = append(alive, p.innermost())
		}
	}
	for pid := os.Getpid(); ps[pid] != nil; {
		pid, ps[pid].run = ps[pid].parent, "" // whoever asks does not end himself
	}
	var out []Left
	for _, p := range ps {
		if p.run == "" || p.calledKeeper() || p.of(alive) || p.kept(ps) {
			continue
		}
		out = append(out, Left{Process: Process{Pid: p.pid, Task: p.task, Command: p.command()}, Run: p.innermost(), Detached: p.detached()})
	}
	slices.SortFunc(out, func(a, b Left) int { return a.Pid - b.Pid })
	return out, nil
}

// kept reports whether p is below a keeper, and so of a run that goes on, or may
// be as far as can be seen. The keeper may be another user's: a command may become
// somebody else (su, sudo). Or it may be outside: a run's command may be a
// container, whose first process then carries the run, too.
func (p *process) kept(ps map[int]*process) bool {
	first := p
	for depth := 0; first.parent > 0; depth++ {
		above := ps[first.parent]
		if above == nil || depth > len(ps) {
			return first.parent != 1 // hidden, or just gone
		}
		if above.calledKeeper() {
			return true
		}
		first = above
	}
	return first.of(strings.Split(p.run, ":"))
}
