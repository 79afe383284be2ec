package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/pflag"

	"github.com/weftrun/weft/cmd/weft/recorded"
	"github.com/weftrun/weft/cmd/weft/strace"
	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/proc"
	"github.com/weftrun/weft/engine/sched"
)

// A task is traced with the whole weft process around it, because weft itself performs the actions
// of scripts that it interprets, such as redirections. The events of that run tell when the task
// began and ended, and which steps it called; actions of other steps, such as needed services, are
// excluded.

// drained is the time limit for the end of the trace after the run has ended.
const drained = 2 * time.Second

// trace runs a task under strace, and returns its accesses to files inside root and to the network.
func (r *runner) trace(ctx context.Context, task, root string) (*accesses, error) {
	program, weft := findProgram(r.environ, "strace"), findProgram(r.environ, r.exe)
	switch {
	case program == "":
		return nil, flagError("--audit needs strace, which is not installed; install it, as in apt-get install strace")
	case weft == "":
		return nil, flagError(fmt.Sprintf("--audit runs weft again, and %q does not exist", r.exe))
	}
	dir, err := os.MkdirTemp("", "weft-audit-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	pipe, events := filepath.Join(dir, "trace"), filepath.Join(dir, "events")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		return nil, err
	}
	words, err := r.auditedWords(task, events)
	if err != nil {
		return nil, err
	}
	spec := &proc.Spec{Path: program, Argv: append(append([]string{"strace"}, strace.Arguments(pipe)...), append([]string{weft}, words...)...),
		Env: r.environ, Stdin: os.Stdin, Stdout: os.Stderr, Stderr: os.Stderr} // our stdout is the report
	log, code, err := r.runTraced(ctx, spec, pipe, root)
	if err != nil {
		return nil, err
	}
	part, err := partOf(events)
	switch {
	case err != nil:
		return nil, fmt.Errorf("--audit: %w", err)
	case context.Cause(ctx) != nil:
		return nil, context.Cause(ctx)
	case code == noTrace:
		return nil, flagError("--audit: strace cannot trace processes here; a container needs the capability SYS_PTRACE")
	case code != 0:
		return nil, errCode(code) // the run has shown the error
	case part == nil:
		return nil, fmt.Errorf("--audit: task %q has not run", task)
	}
	return part.accesses(log), nil
}

// auditedWords returns the command line of the traced run of a task: our own, with other tasks.
func (r *runner) auditedWords(task, events string) (words []string, err error) {
	var o options
	flags, err := o.parse(r.args)
	if err != nil {
		return nil, err
	}
	words = append(words, auditedWord)
	flags.Visit(func(f *pflag.Flag) {
		switch f.Name {
		case "audit", "fix", "json", "watch", "dry":
			return
		}
		value := f.Value.String()
		if list, ok := f.Value.(pflag.SliceValue); ok {
			value = strings.Join(list.GetSlice(), ",")
		}
		words = append(words, "--"+f.Name+"="+value)
	})
	words = append(words, "--events="+events)
	for _, v := range o.vars {
		words = append(words, fmt.Sprintf("%s=%v", v.Name, v.Value))
	}
	words = append(words, task)
	if o.cliArgs != nil {
		words = append(append(words, "--"), o.cliArgs...)
	}
	return words, nil
}

// traced is an access of a traced process.
type traced struct {
	strace.Access
	step int // 0: weft itself
}

// noTrace is the exit code if nothing was traced.
const noTrace = -1

// runTraced runs strace, and returns the accesses to the network and to files inside root that it
// writes to a pipe, and the exit code of the traced program.
func (r *runner) runTraced(ctx context.Context, spec *proc.Spec, pipe, root string) (log []traced, code int, err error) {
	// Open both ends before strace does, so that neither open blocks.
	out, err := os.OpenFile(pipe, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, 0, err
	}
	defer out.Close()
	in, err := os.OpenFile(pipe, os.O_WRONLY, 0)
	if err != nil {
		return nil, 0, err
	}
	defer in.Close()
	table := proc.NewTable(proc.Options{Environ: r.environ})
	defer table.Close(true)
	group := table.NewGroup(proc.GroupOptions{Name: "strace", Terminal: true})
	defer group.Close()
	tracer, err := group.Start(spec)
	if err != nil {
		return nil, 0, err
	}
	l := &traceLog{dir: r.workflow.Dir, root: root, seen: map[traced]bool{}, code: noTrace}
	// Leftover processes of the run are traced, too, and strace waits for them.
	l.ended = func() { time.AfterFunc(drained, func() { group.Kill(errLeft) }) }
	wd, err := os.Getwd()
	if err != nil {
		return nil, 0, err
	}
	read := make(chan error, 1)
	go func() { read <- strace.Scan(out, wd, l.note) }()
	stop := context.AfterFunc(ctx, func() {
		ladder := proc.Ladder{}
		if by, ok := errors.AsType[*sched.Interrupted](context.Cause(ctx)); ok {
			ladder.Signal, _ = by.Signal.(syscall.Signal)
		}
		group.Stop(context.Cause(ctx), ladder) // strace ignores it; weft ends the processes it has started
	})
	tracer.Wait() // the exit status of strace has no further meaning
	stop()
	in.Close()
	out.SetReadDeadline(time.Now().Add(drained))
	if err = <-read; errors.Is(err, os.ErrDeadlineExceeded) {
		err = nil
	}
	return l.log, l.code, err
}

// traceLog collects a trace.
type traceLog struct {
	dir, root string          // two names of the root directory; the second without links
	seen      map[traced]bool // accesses already recorded
	ended     func()          // called when the traced run has ended

	log  []traced
	code int // exit code of the run
}

// note records an access.
func (l *traceLog) note(a strace.Access) {
	a.Path, a.From = l.inRoot(a.Path), l.inRoot(a.From)
	switch {
	case a.Kind == strace.End:
		l.code = a.Code
		l.ended()
		return
	case a.Kind != strace.Connect && !strings.HasPrefix(a.Path, l.root+"/") && !strings.HasPrefix(a.From, l.root+"/"):
		return
	}
	step, _ := strconv.Atoi(a.Step[strings.LastIndexByte(a.Step, '.')+1:]) // of WEFT_STEP_ID
	t := traced{a, step}
	once := t
	once.Time = time.Time{}
	switch {
	case t.step == 0 || a.Kind == strace.Rename: // the time matters
		clear(l.seen)
	case l.seen[once]:
		return
	default:
		l.seen[once] = true
	}
	l.log = append(l.log, t)
}

// inRoot replaces the root directory in p by its name without links.
func (l *traceLog) inRoot(p string) string {
	if rest, ok := strings.CutPrefix(p, l.dir+"/"); ok {
		return l.root + "/" + rest
	}
	return p
}

// errLeft stops strace when only leftover processes are still traced.
var errLeft = errors.New("the traced run has ended")

// findProgram returns the path of a program, or "".
func findProgram(environ []string, name string) string {
	if strings.Contains(name, "/") {
		return name
	}
	paths := ""
	for _, entry := range environ {
		if value, ok := strings.CutPrefix(entry, "PATH="); ok {
			paths = value
		}
	}
	for _, dir := range filepath.SplitList(paths) {
		path := filepath.Join(dir, name)
		if st, err := os.Stat(path); err == nil && st.Mode().IsRegular() && st.Mode()&0o111 != 0 && filepath.IsAbs(dir) {
			return path
		}
	}
	return ""
}

// part is the part of a run that belongs to one task: its time and its steps.
type part struct {
	from, to time.Time
	steps    map[int]bool
}

// partOf returns the part of a recorded run that belongs to the named task; nil if it did not run.
func partOf(events string) (*part, error) {
	f, err := recorded.Open(events)
	if err != nil {
		if errors.Is(err, os.ErrNotExist) {
			return nil, nil
		}
		return nil, err
	}
	defer f.Close()
	var p *part
	var root event.StepID
	for {
		ev, err := f.Next()
		if err == io.EOF {
			return p, nil
		}
		if err != nil {
			return nil, err
		}
		switch ev := ev.(type) {
		case *event.StepStarted:
			if ev.Parent == 0 {
				root, p = ev.Step, &part{from: ev.Time, steps: map[int]bool{}}
			}
			if p != nil { // its needs began before
				p.steps[int(ev.Step)] = true
			}
		case *event.StepSettled:
			if p != nil && ev.Step == root {
				p.to = ev.Time
			}
		}
	}
}

// accesses returns the accesses that belong to the part.
func (p *part) accesses(log []traced) *accesses {
	a := &accesses{read: map[string]bool{}, written: map[string]bool{}, network: map[string]bool{}}
	for _, t := range log {
		switch {
		case t.step != 0 && !p.steps[t.step]:
			continue
		case t.step != 0:
		case t.Time.Before(p.from.Truncate(time.Microsecond)), !p.to.IsZero() && t.Time.After(p.to): // of other tasks
			continue
		case filepath.Base(t.Path) == ".gitignore", strings.Contains(t.Path, "/.git/"): // weft's own search for sources
			continue
		}
		switch t.Kind {
		case strace.Read:
			if !a.written[t.Path] {
				a.read[t.Path] = true
			}
		case strace.Write:
			a.written[t.Path] = true
		case strace.Rename:
			a.rename(t.From, t.Path)
		case strace.Connect:
			a.network[t.Path] = true
		}
	}
	return a
}

// rename records that a file, or a directory with written files, was renamed.
func (a *accesses) rename(from, to string) {
	moved := false
	for p := range a.written {
		if rest, below := strings.CutPrefix(p, from+"/"); below {
			delete(a.written, p)
			a.written[to+"/"+rest], moved = true, true
		}
	}
	delete(a.written, from)
	if !moved {
		a.written[to] = true
	}
}
