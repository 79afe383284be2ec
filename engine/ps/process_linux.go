package ps

import (
	"bytes"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/weftrun/weft/engine/keeper"
	"github.com/weftrun/weft/engine/proc"
	"github.com/weftrun/weft/internal/procstat"
)

// process is what /proc tells of one. Only of this user's own processes is it
// known what they belong to; of all others who their parents are, as far as that
// can be seen.
type process struct {
	pid, parent, session int
	name                 string // at most 15 bytes
	started              uint64 // in clock ticks since the machine was
	own                  bool   // it runs as this user and as nobody else
	run                  string // WEFT_RUN_ID: identities of runs, the outer first
	task                 string
	began                string // the session its run was in
}

// all returns the processes that can be seen, by process id.
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
	if len(found) == 0 {
		return nil, ErrNotHere // not even this one: /proc is not mounted
	}
	return found, nil
}

// look returns a process, or nil if it is gone or dead.
func look(pid int) *process {
	text, _ := os.ReadFile(file(pid, "stat"))
	s, ok := procstat.Parse(text)
	if !ok || s.Dead() {
		return nil
	}
	p := &process{pid: pid, parent: int(s.Parent), session: int(s.Session), name: string(s.Name), started: s.Started}
	// Its user may read it, and root.
	environ, err := os.ReadFile(file(pid, "environ"))
	if err != nil || !runsAs(pid, os.Geteuid()) {
		return p
	}
	p.own = true
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

// runsAs reports whether a process is the user's in every respect: a program that
// is set to run as its owner is partly that of whoever started it, who chose its
// name and environment.
func runsAs(pid, user int) bool {
	ids := strings.Fields(field(pid, "Uid"))
	want := strconv.Itoa(user)
	return len(ids) >= 3 && ids[0] == want && ids[1] == want && ids[2] == want
}

// field returns the value of a line of a process's status, or "".
func field(pid int, name string) string {
	status, _ := os.ReadFile(file(pid, "status"))
	_, value, _ := strings.Cut(string(status), "\n"+name+":\t")
	value, _, _ = strings.Cut(value, "\n")
	return value
}

// command returns the arguments a process was started with, or its name.
func (p *process) command() []string {
	b, _ := os.ReadFile(file(p.pid, "cmdline"))
	if len(b) == 0 {
		return []string{p.name}
	}
	return strings.Split(string(bytes.TrimSuffix(b, []byte{0})), "\x00")
}

// calledKeeper reports whether p has the name of one that keeps the processes of a
// run. Any process may call itself so.
func (p *process) calledKeeper() bool {
	return p.name == keeper.Name && slices.Equal(p.command(), []string{keeper.Name})
}

// innermost is the run a process is of, last in the list of those around it.
func (p *process) innermost() string { return p.run[strings.LastIndexByte(p.run, ':')+1:] }

// of reports whether p carries one of the runs in its environment.
func (p *process) of(runs []string) bool {
	return p.run != "" && slices.ContainsFunc(strings.Split(p.run, ":"), func(id string) bool { return slices.Contains(runs, id) })
}

// detached reports whether p may be meant to stay: it is in another session than
// its run was, its command was to be kept, or it ignores SIGHUP, as of nohup.
func (p *process) detached() bool {
	if strconv.Itoa(p.session) != p.began {
		return true
	}
	ignored, _ := strconv.ParseUint(field(p.pid, "SigIgn"), 16, 64)
	return ignored&(1<<(unix.SIGHUP-1)) != 0
}
