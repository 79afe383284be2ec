package shell

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"mvdan.cc/sh/v3/interp"
	"mvdan.cc/sh/v3/syntax"

	"github.com/weftrun/weft/schema/diag"
)

// The interpreter numbers background lists g1, g2 … for `$!` and has no kill. So a script that
// uses both gets two variables: jobCount counts the background lists that a shell has
// started, as the interpreter does, and jobPath is the path of the current one: "/2/1" is
// the first one that the second has started. A process has the path it was started under.
const (
	jobPrefix = "_weft_job_"
	jobPath   = jobPrefix + "path"
	jobCount  = jobPrefix + "count"
)

// numberJobs changes every `X &` to `count=$((count+1)); { path=…; count=0; X; } &`.
func numberJobs(f *syntax.File) {
	eachList(f, func(list []*syntax.Stmt) []*syntax.Stmt {
		var out []*syntax.Stmt
		for _, s := range list {
			if s.Background {
				out = append(out, parseList(jobCount+"=$((${"+jobCount+":-0}+1))")...)
				inBlock(s, func(inner *syntax.Stmt) []*syntax.Stmt {
					return append(parseList(jobPath+"=${"+jobPath+":-}/$"+jobCount+"; "+jobCount+"=0"), inner)
				})
			}
			out = append(out, s)
		}
		return out
	})
}

// inBlock makes the list `X &` that s is `{ … } &`, with what block makes of X.
//
//go:noinline
func inBlock(s *syntax.Stmt, block func(inner *syntax.Stmt) []*syntax.Stmt) {
	inner := *s
	inner.Background = false
	*s = syntax.Stmt{Position: s.Position, Semicolon: s.Semicolon, Background: true, Cmd: &syntax.Block{Stmts: block(&inner)}}
}

// parseList returns the statements of a constant text.
func parseList(text string) []*syntax.Stmt {
	f, err := syntax.NewParser().Parse(strings.NewReader(text), "")
	if err != nil {
		return nil // cannot happen
	}
	return f.Stmts
}

// eachList replaces each list of statements in f by the result of change.
func eachList(f *syntax.File, change func([]*syntax.Stmt) []*syntax.Stmt) {
	syntax.Walk(f, func(n syntax.Node) bool {
		switch n := n.(type) {
		case *syntax.File:
			n.Stmts = change(n.Stmts)
		case *syntax.Block:
			n.Stmts = change(n.Stmts)
		case *syntax.Subshell:
			n.Stmts = change(n.Stmts)
		case *syntax.CmdSubst:
			n.Stmts = change(n.Stmts)
		case *syntax.IfClause:
			n.Cond, n.Then = change(n.Cond), change(n.Then)
		case *syntax.WhileClause:
			n.Cond, n.Do = change(n.Cond), change(n.Do)
		case *syntax.ForClause:
			n.Do = change(n.Do)
		case *syntax.CaseItem:
			n.Stmts = change(n.Stmts)
		}
		return true
	})
}

// jobs records the background lists that were killed. They start nothing more.
type jobs struct {
	mu   sync.Mutex // guards list
	list []killedJob
}

type killedJob struct {
	path string
	by   syscall.Signal
}

// killed returns the signal that has killed the job or one of those that it was started by,
// or 0.
func (j *jobs) killed(path string) syscall.Signal {
	if path == "" {
		return 0
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, d := range j.list {
		if path == d.path || strings.HasPrefix(path, d.path+"/") {
			return d.by
		}
	}
	return 0
}

// kill implements the builtin. It returns a command with its exit status.
func (r *execution) kill(hc *interp.HandlerContext, args []string) ([]string, error) {
	sig, targets, err := killArgs(args[1:])
	if err != nil {
		fmt.Fprintf(hc.Stderr, "kill: %s\n", diag.Printable(err.Error()))
		return []string{"false"}, nil
	}
	status := colon
	for _, t := range targets {
		if err := r.signal(hc, t, sig); err != nil {
			fmt.Fprintf(hc.Stderr, "kill: (%s) - %v\n", diag.Printable(t), err)
			status = []string{"false"}
		}
	}
	return status, nil
}

// signal sends sig to a process, or to a job of the shell that hc belongs to.
func (r *execution) signal(hc *interp.HandlerContext, target string, sig syscall.Signal) error {
	number, isJob := strings.CutPrefix(target, "g")
	if !isJob {
		number, isJob = strings.CutPrefix(target, "%")
	}
	n, err := strconv.Atoi(number)
	switch {
	case err != nil:
		return fmt.Errorf("arguments must be process or job IDs")
	case !isJob && n == os.Getpid():
		// `$$` is weft itself, which must not be ended by its scripts.
		return fmt.Errorf("is weft itself; use exit")
	case !isJob:
		return kill(n, sig)
	}
	path := hc.Env.Get(jobPath).Str + "/" + number
	if sig == 0 {
		if !r.group.Signal(path, sig) {
			return syscall.ESRCH
		}
		return nil
	}
	if !isHarmless(sig) {
		// The job may be about to start something.
		r.jobs.mu.Lock()
		r.jobs.list = append(r.jobs.list, killedJob{path, sig})
		r.jobs.mu.Unlock()
	}
	r.group.Signal(path, sig)
	return nil
}

// killArgs parses the arguments -9, -KILL, -SIGKILL, -s KILL, -n 9 and --.
func killArgs(args []string) (sig syscall.Signal, targets []string, err error) {
	sig = syscall.SIGTERM
	if len(args) > 0 && strings.HasPrefix(args[0], "-") && args[0] != "--" {
		name := args[0][1:]
		args = args[1:]
		if name == "s" || name == "n" {
			if len(args) == 0 {
				return 0, nil, fmt.Errorf("-%s: option requires an argument", name)
			}
			name, args = args[0], args[1:]
		}
		if sig, err = signalNamed(name); err != nil {
			return 0, nil, err
		}
	}
	if len(args) > 0 && args[0] == "--" {
		args = args[1:]
	}
	if len(args) == 0 {
		return 0, nil, errors.New("usage: kill [-s sigspec | -n signum | -sigspec] (pid | jobspec)")
	}
	return sig, args, nil
}

func signalNamed(name string) (syscall.Signal, error) {
	if n, err := strconv.Atoi(name); err == nil && n >= 0 && n <= 64 {
		return syscall.Signal(n), nil
	}
	full := strings.ToUpper(name)
	if !strings.HasPrefix(full, "SIG") {
		full = "SIG" + full
	}
	if s := signalNumber(full); s != 0 {
		return s, nil
	}
	return 0, fmt.Errorf("%s: invalid signal specification", name)
}
