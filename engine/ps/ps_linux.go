package ps

import (
	"errors"
	"os"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/weftrun/weft/engine/proc"
)

// List returns the runs, the oldest first.
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
		ports := listening(weft.pid)
		for _, p := range ps {
			if p != k && p.innermost() == r.ID && p.run != "" && !p.calledKeeper() {
				found := Process{Pid: p.pid, Task: p.task, Command: p.command(), Step: p.step}
				found.measure(ports)
				r.Processes = append(r.Processes, found)
			}
		}
		sort.Slice(r.Processes, func(i, j int) bool { return r.Processes[i].Pid < r.Processes[j].Pid })
		out = append(out, r)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Since.Before(out[j].Since) })
	return out, nil
}

// age returns how long ago a process was started.
func age(p *process) time.Duration {
	const ticks = 100 // USER_HZ, the same on every architecture of ours
	var now unix.Timespec
	if unix.ClockGettime(unix.CLOCK_BOOTTIME, &now) != nil {
		return 0
	}
	return time.Duration(now.Nano()) - time.Duration(p.started)*(time.Second/ticks)
}

// Find returns the run whose identity begins with name, or whose process id name is. If name
// is empty, it returns the only run, apart from the one that this process belongs to.
func Find(name string) (Run, error) {
	rs, err := List()
	if err != nil {
		return Run{}, err
	}
	own := strings.Split(os.Getenv(proc.RunVariable), ":")
	found := rs[:0]
	for _, r := range rs {
		if name == "" && !slices.Contains(own, r.ID) || name != "" && (strings.HasPrefix(r.ID, name) || strconv.Itoa(r.Pid) == name) {
			found = append(found, r)
		}
	}
	if len(found) != 1 {
		return Run{}, &ChoiceError{Name: name, Runs: found}
	}
	return found[0], nil
}

// Stop sends SIGTERM to a run and waits until it has ended. It returns false if it has not
// after that limit.
func Stop(r Run, limit time.Duration) (bool, error) {
	h, ok := hold(r.Pid, func(p *process) bool { return p.own && p.started == r.started })
	if !ok {
		return true, nil // the process is gone, or is another one
	}
	defer h.release()
	if err := h.signal(unix.SIGTERM); err != nil && !errors.Is(err, unix.ESRCH) {
		return false, os.NewSyscallError("kill", err)
	}
	return h.ended(limit), nil
}

// termLimit is how long a leftover may take to end after SIGTERM.
const termLimit = time.Second

// Reap ends the leftovers of this user's runs whose weft is gone, and returns them. Detached
// ones are ended only if detached is set, but returned in any case. It looks again until no
// new ones appear. With names, it includes only runs whose identity begins with one of them.
func Reap(names []string, detached bool) ([]Leftover, error) {
	var out []Leftover
	for range 100 {
		found, err := leftovers()
		if err != nil {
			return out, err
		}
		open := map[int]*held{} // by index in out
		for _, l := range found {
			if len(names) > 0 && !slices.ContainsFunc(names, func(name string) bool { return strings.HasPrefix(l.Run, name) }) {
				continue
			}
			if slices.ContainsFunc(out, func(o Leftover) bool { return o.Pid == l.Pid && o.Run == l.Run }) {
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
		limit := time.Now().Add(termLimit)
		for at, h := range open {
			if !h.ended(time.Until(limit)) {
				out[at].Killed = true
				h.signal(unix.SIGKILL)
				h.ended(termLimit)
			}
			h.release()
		}
	}
	return out, nil
}

// leftovers returns the processes that belong only to runs whose weft is gone.
func leftovers() ([]Leftover, error) {
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
		pid, ps[pid].run = ps[pid].parent, "" // not this process and its ancestors
	}
	var out []Leftover
	for _, p := range ps {
		if p.run == "" || p.calledKeeper() || p.of(alive) || p.kept(ps) {
			continue
		}
		out = append(out, Leftover{Process: Process{Pid: p.pid, Task: p.task, Command: p.command()}, Run: p.innermost(), Detached: p.detached()})
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Pid < out[j].Pid })
	return out, nil
}

// kept reports whether p is below a keeper, and so belongs to a run, or may be as far as can
// be seen. The keeper may be another user's, since a command may change its user (su, sudo).
// Or it may be outside, if the run has started a container: then the first process of the
// container has the run in its environment, too.
func (p *process) kept(ps map[int]*process) bool {
	first := p
	for depth := 0; first.parent > 0; depth++ {
		above := ps[first.parent]
		if above == nil || depth > len(ps) {
			return first.parent != 1 // hidden, or it has just ended
		}
		if above.calledKeeper() {
			return true
		}
		first = above
	}
	return first.of(strings.Split(p.run, ":"))
}
