package command

import (
	"fmt"
	"os"
	"strings"
	"sync"

	"github.com/weftrun/weft/engine/account"
	"github.com/weftrun/weft/engine/pipe"
	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/engine/proc"
	"github.com/weftrun/weft/engine/shell"
)

// setUp configures the programs of a script as p says: their user, and their limits. It returns the
// control group that they run in, if any, which must be left.
func (s *step) setUp(sc *shell.Script, p *plan.Process) (*limited, error) {
	if p.User == "" && p.Limits == nil {
		return nil, nil
	}
	setup := proc.Setup{}
	if sc.Setup != nil {
		setup = *sc.Setup
	}
	if p.User != "" {
		a, err := s.accounts.find(p.User)
		if err != nil {
			return nil, err
		}
		if !a.Own() {
			setup.User = &proc.User{UID: a.UID, GID: a.GID, Groups: a.Groups}
			s.handOver(sc, a)
		}
	}
	if p.Limits != nil {
		setup.Limits = proc.Limits(*p.Limits)
	}
	group := s.cgroups.enter(s.Cookie, p.Limits)
	if group != nil {
		setup.Cgroup = group.group.Procs()
		setup.Limits.Memory, setup.Limits.Processes = 0, 0
	}
	sc.Setup = &setup
	return group, nil
}

// handOver gives a script the environment of another user, unless the Taskfile defines it, and
// ownership of files that weft has created for the script to write.
func (s *step) handOver(sc *shell.Script, a *account.Account) {
	for _, v := range [...][2]string{{"HOME", a.Home}, {"USER", a.Name}, {"LOGNAME", a.Name}} {
		if value, ok := valueOf(sc.Env, v[0]); !ok || value == os.Getenv(v[0]) {
			sc.Extra = append(sc.Extra[:len(sc.Extra):len(sc.Extra)], v[0]+"="+v[1])
		}
	}
	for _, f := range [...]*os.File{sc.Stdin, sc.Stdout, sc.Stderr} {
		if f != nil && (sc.Session || pipe.Anonymous(f)) {
			f.Chown(int(a.UID), -1) // so that it can be opened by its name in /dev
		}
	}
	if file, ok := valueOf(sc.Env, "WEFT_OUTPUT"); ok && len(s.Step.Task.Outputs) > 0 {
		os.Lchown(file, int(a.UID), -1)
	}
}

// explain adds to the error of a script its cause, if known: one of its limits, or exhausted
// memory. group is the one that it ran in; may be nil.
func (s *step) explain(err error, l *plan.Limits, group *limited) {
	exit, ok := err.(*shell.ExitError)
	if !ok {
		return
	}
	short := group != nil && group.group.OutOfMemory()
	if l != nil {
		nameLimit(exit, l, short)
	}
	const killed = 128 + 9
	exit.OutOfMemory = short || exit.Code == killed && s.memory.short()
}

// nameLimit adds to the error of a script the limit that ended it, if known. outOfMemory means that
// one of its processes was killed because of their total memory.
func nameLimit(err error, l *plan.Limits, outOfMemory bool) {
	const sigKill, sigXCPU = 9, 24 // on Linux, the only system with limits
	exit, ok := err.(*shell.ExitError)
	switch {
	case !ok:
	case l.CPUTime > 0 && exit.Code == 128+sigXCPU:
		exit.Why = fmt.Sprintf("killed by SIGXCPU: limit cpu_time %s", l.CPUTime)
	case !outOfMemory:
	case exit.Code == 128+sigKill:
		exit.Why = "killed by SIGKILL, out of memory: limit " + size(l.Memory)
	default:
		exit.Why = fmt.Sprintf("exit status %d, after a process was killed, out of memory: limit %s", exit.Code, size(l.Memory))
	}
}

// size formats a number of bytes: 512 MiB.
func size(bytes int64) string {
	for _, unit := range [...]struct {
		size int64
		name string
	}{{1 << 30, "GiB"}, {1 << 20, "MiB"}, {1 << 10, "KiB"}} {
		if bytes%unit.size == 0 {
			return fmt.Sprintf("%d %s", bytes/unit.size, unit.name)
		}
	}
	return fmt.Sprintf("%d bytes", bytes)
}

// valueOf returns the last value of a variable.
func valueOf(env []string, name string) (value string, ok bool) {
	for i := len(env) - 1; i >= 0; i-- {
		if k, v, _ := strings.Cut(env[i], "="); k == name {
			return v, true
		}
	}
	return "", false
}

// accounts caches the user accounts of commands. The zero value is ready to use. It is safe for
// concurrent use.
type accounts struct {
	mu    sync.Mutex // guards known
	known map[string]*account.Account
}

// find is a cached account.Find.
func (x *accounts) find(text string) (*account.Account, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if a := x.known[text]; a != nil {
		return a, nil
	}
	a, problem := account.Find(text)
	if problem != nil {
		return nil, problem
	}
	if x.known == nil {
		x.known = map[string]*account.Account{}
	}
	x.known[text] = a
	return a, nil
}
