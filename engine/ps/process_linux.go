package ps

import (
	"bufio"
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

// process is a process as /proc shows it. The runs are known only for this user's own
// processes.
type process struct {
	pid, parent, session int
	name                 string // at most 15 bytes
	started              uint64 // in clock ticks since the machine was
	own                  bool   // it has the user ids of this user alone
	run                  string // WEFT_RUN_ID: identities of runs, the outermost first
	task                 string
	step                 int    // in the innermost of these; 0: it belongs to none
	began                string // WEFT_SESSION: the session it was started in
}

// all returns all visible processes, by process id.
func all() (map[int]*process, error) {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil, ErrUnsupported
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
		return nil, ErrUnsupported // not even this process: /proc is not mounted
	}
	return found, nil
}

// look returns the process with this id, or nil if it has ended.
func look(pid int) *process {
	text, _ := os.ReadFile(file(pid, "stat"))
	s, ok := procstat.Parse(text)
	if !ok || s.Dead() {
		return nil
	}
	p := &process{pid: pid, parent: int(s.Parent), session: int(s.Session), name: string(s.Name), started: s.Started}
	// Only its user and root may read this.
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
		} else if v, ok := bytes.CutPrefix(kv, []byte(proc.StepVariable+"=")); ok {
			p.step, _ = strconv.Atoi(string(v[bytes.LastIndexByte(v, '.')+1:]))
		} else if v, ok := bytes.CutPrefix(kv, []byte(proc.SessionVariable+"=")); ok {
			p.began = string(v)
		}
	}
	return p
}

func file(pid int, name string) string { return "/proc/" + strconv.Itoa(pid) + "/" + name }

// runsAs reports whether all user ids of a process are that of user. The name and the
// environment of a set-user-ID program are chosen by another user.
func runsAs(pid, user int) bool {
	ids := strings.Fields(field(pid, "Uid"))
	want := strconv.Itoa(user)
	return len(ids) >= 3 && ids[0] == want && ids[1] == want && ids[2] == want
}

// field returns the value of a field in a process's status file, or "".
func field(pid int, name string) string {
	status, _ := os.ReadFile(file(pid, "status"))
	_, value, _ := strings.Cut(string(status), "\n"+name+":\t")
	value, _, _ = strings.Cut(value, "\n")
	return value
}

// command returns the arguments of a process, or its name if it has none.
func (p *process) command() []string {
	b, _ := os.ReadFile(file(p.pid, "cmdline"))
	if len(b) == 0 {
		return []string{p.name}
	}
	return strings.Split(string(bytes.TrimSuffix(b, []byte{0})), "\x00")
}

// calledKeeper reports whether p has the name of a keeper. That proves nothing: any process
// can choose its name.
func (p *process) calledKeeper() bool {
	return p.name == keeper.Name && slices.Equal(p.command(), []string{keeper.Name})
}

// innermost returns the run that a process belongs to: the last in its list.
func (p *process) innermost() string { return p.run[strings.LastIndexByte(p.run, ':')+1:] }

// of reports whether p has one of the runs in its environment.
func (p *process) of(runs []string) bool {
	return p.run != "" && slices.ContainsFunc(strings.Split(p.run, ":"), func(id string) bool { return slices.Contains(runs, id) })
}

// detached reports whether p may be a daemon: it is in another session than it was started
// in, its command has the policy to keep it, or it ignores SIGHUP, as nohup arranges.
func (p *process) detached() bool {
	ignored, _ := strconv.ParseUint(field(p.pid, "SigIgn"), 16, 64)
	return strconv.Itoa(p.session) != p.began || ignored&(1<<(unix.SIGHUP-1)) != 0
}

// weftOf returns the weft of a keeper, or nil if k is not a keeper or its parent not a weft. A
// name proves nothing: both must be processes of this user with the same program, which must
// be weft, and the keeper must have a control socket. The first process of a container is
// left out: it must not be ended from within.
func weftOf(k *process, ps map[int]*process) *process {
	weft := ps[k.parent]
	if !k.own || !k.calledKeeper() || weft == nil || !weft.own || weft.pid == 1 || weft.calledKeeper() {
		return nil
	}
	exe := file(k.pid, "exe")
	if !sameFile(exe, file(weft.pid, "exe")) || !hasControl(k.pid) || !isWeft(exe) {
		return nil
	}
	return weft
}

func sameFile(a, b string) bool {
	ia, err := os.Stat(a)
	if err != nil {
		return false
	}
	ib, err := os.Stat(b)
	return err == nil && os.SameFile(ia, ib)
}

// isWeft reports whether a program is weft: this file, or one that contains the package
// keeper.
func isWeft(exe string) bool {
	return sameFile(exe, "/proc/self/exe") || contains(exe, "github.com/weftrun/weft/engine/keeper.")
}

// mostSearched is how much of a program is searched, in bytes. weft is far smaller.
const mostSearched = 256 << 20

// contains reports whether a file contains text.
func contains(name, text string) bool {
	f, err := os.Open(name)
	if err != nil {
		return false
	}
	defer f.Close()
	b := make([]byte, 1<<20)
	for have, total := 0, 0; total < mostSearched; {
		n, err := f.Read(b[have:])
		total, have = total+n, have+n
		if bytes.Contains(b[:have], []byte(text)) {
			return true
		}
		if err != nil {
			return false
		}
		have = copy(b, b[max(0, have-len(text)):have])
	}
	return false
}

// hasControl reports whether a process has a keeper's control socket.
func hasControl(pid int) bool {
	link, err := os.Readlink(file(pid, "fd/"+strconv.Itoa(keeper.Control)))
	number, ok := strings.CutPrefix(link, "socket:[")
	if err != nil || !ok {
		return false
	}
	number = strings.TrimSuffix(number, "]")
	list, err := os.Open(file(pid, "net/unix"))
	if err != nil {
		return false
	}
	defer list.Close()
	const sequencedPackets = "0005"
	for lines := bufio.NewScanner(list); lines.Scan(); {
		// The fields are Num RefCount Protocol Flags Type State Inode, and a path.
		if f := strings.Fields(lines.Text()); len(f) >= 7 && f[6] == number {
			return f[4] == sequencedPackets
		}
	}
	return false
}
