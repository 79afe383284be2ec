package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/weftrun/weft/cmd/weft/report"
	"github.com/weftrun/weft/engine/control"
	"github.com/weftrun/weft/engine/ps"
	"github.com/weftrun/weft/schema/diag"
)

// stopPatience is the time limit of --stop for a run to end. It is longer than proc.DefaultGrace.
const stopPatience = 30 * time.Second

// shownRun is a run with its steps, if it answers requests.
type shownRun struct {
	ps.Run
	ready bool // everything is ready or done
	steps []shownStep
}

// shownStep is a step with the resources of its processes.
type shownStep struct {
	*stepState
	cpu    time.Duration
	memory int64 // bytes
	ports  []int
}

// ps handles --ps: it lists the runs of the user.
func (a *app) ps() int {
	found, err := ps.List()
	rs := a.queryAll(found)
	if err != nil && len(rs) == 0 {
		return a.failIn("--ps", err)
	}
	if a.opts.json {
		a.writeJSON(jsonRuns(rs))
		return 0
	}
	if len(rs) == 0 {
		a.say(a.err, report.Default, "nothing runs")
	}
	a.showRuns(a.out, rs)
	return 0
}

// queryAll queries the runs that answer requests for their steps. They may include runs without a
// process at the moment.
func (a *app) queryAll(found []ps.Run) []shownRun {
	all := make([]shownRun, len(found))
	for i, r := range found {
		all[i].Run = r
	}
	for _, socket := range control.List(a.env) {
		s, err := queryState(socket.Path)
		if err != nil {
			continue // it has just ended, or is stopped
		}
		i := slices.IndexFunc(all, func(r shownRun) bool { return r.ID == s.Run || r.Pid == s.Pid })
		if i < 0 {
			i = len(all)
			all = append(all, shownRun{Run: ps.Run{ID: s.Run, Pid: s.Pid, Dir: s.Dir, Command: append([]string{a.name}, s.Command...), Since: s.Since}})
		}
		all[i].Run.ID = s.Run // in watch mode each run has its own identity
		all[i].ready = s.Ready
		for _, step := range s.Steps {
			if !step.runs() && !step.Service {
				continue
			}
			shown := shownStep{stepState: step}
			for _, p := range all[i].Processes {
				if p.Step == int(step.Step) {
					shown.cpu += p.CPU
					shown.memory += p.Memory
					shown.ports = append(shown.ports, p.Ports...)
				}
			}
			slices.Sort(shown.ports)
			shown.ports = slices.Compact(shown.ports)
			all[i].steps = append(all[i].steps, shown)
		}
	}
	return all
}

// queryState queries the run with a socket for its state.
func queryState(path string) (*runState, error) {
	c, err := control.Dial(path)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	answer, err := c.Do(control.Request{Request: "state"})
	if err != nil {
		return nil, err
	}
	s := new(runState)
	return s, json.Unmarshal(answer, s)
}

// showRuns writes a line for each run, followed by lines for its known steps and its processes.
func (a *app) showRuns(w *report.Out, rs []shownRun) {
	for _, r := range rs {
		w.Show(fmt.Sprintf("%s  pid %d  %s  %s  %s\n", shortRun(r.ID), r.Pid, time.Since(r.Since).Round(time.Second), diag.Printable(r.Dir), oneLine(r.Command)))
		for _, s := range r.steps {
			line := fmt.Sprintf("  %s  %s %s", diag.Printable(s.Label), diag.Printable(s.State), time.Since(s.Since).Round(time.Second))
			w.Show(line + restarts(s.Restarts) + uses(s.cpu, s.memory, s.ports) + "\n")
		}
		for _, p := range r.Processes {
			w.Show(fmt.Sprintf("  %s  pid %d%s  %s\n", diag.Printable(p.Task), p.Pid, uses(p.CPU, p.Memory, p.Ports), oneLine(p.Command)))
		}
	}
}

// restarts formats the number of restarts of a service.
func restarts(n int) string {
	switch n {
	case 0:
		return ""
	case 1:
		return ", 1 restart"
	}
	return fmt.Sprintf(", %d restarts", n)
}

// uses formats the resources of processes.
func uses(cpu time.Duration, memory int64, ports []int) string {
	if memory == 0 {
		return ""
	}
	text := fmt.Sprintf("  cpu %.1fs  %.1f MiB", cpu.Seconds(), float64(memory)/(1<<20))
	for _, port := range ports {
		text += fmt.Sprintf("  :%d", port)
	}
	return text
}

// shortRun returns a prefix of a run's identity, long enough to be unique.
func shortRun(id string) string { return id[:min(8, len(id))] }

// mostShown is the maximum number of characters shown of a command.
const mostShown = 100

// oneLine formats a command as one short line.
func oneLine(command []string) string {
	if len(command) > 1 && command[1] == detachedWord { // added by weft itself
		command = append(command[:1:1], command[2:]...)
	}
	text := []rune(diag.Printable(strings.NewReplacer("\n", " ", "\t", " ").Replace(strings.Join(command, " "))))
	if len(text) > mostShown {
		text = append(text[:mostShown-1], '…')
	}
	return string(text)
}

// stopRun handles --stop: it stops a run and waits until it has ended.
func (a *app) stopRun() int {
	r, err := ps.Find(a.firstCall())
	if err != nil {
		choice, ok := errors.AsType[*ps.ChoiceError](err)
		if !ok || len(choice.Runs) == 0 {
			if c, unknown := a.connectTo(a.firstCall()); unknown == nil {
				return a.stopBySocket(c)
			}
		}
		if ok {
			a.showRuns(a.err, a.queryAll(choice.Runs))
		}
		return a.failIn("--stop", err)
	}
	ended, err := ps.Stop(r, stopPatience)
	if err == nil && !ended {
		err = fmt.Errorf("run %s was asked to stop %v ago and is still running; kill -KILL %d ends it and all its processes", shortRun(r.ID), stopPatience, r.Pid)
	}
	if err != nil {
		return a.failIn("--stop", err)
	}
	a.say(a.out, report.Default, fmt.Sprintf("run %s has ended", shortRun(r.ID)))
	return 0
}

// stopBySocket stops a run that has no process at the moment, or whose processes have another run
// identity, and waits until it has ended.
func (a *app) stopBySocket(c *control.Client) int {
	defer c.Close()
	p, err := os.FindProcess(c.Hello.Pid)
	if err == nil {
		err = p.Signal(syscall.SIGTERM)
	}
	if err != nil {
		return a.failIn("--stop", err)
	}
	late := time.AfterFunc(stopPatience, c.Close)
	defer late.Stop()
	for err == nil {
		_, err = c.Next()
	}
	if err != io.EOF && !errors.Is(err, syscall.ECONNRESET) {
		return a.failIn("--stop", fmt.Errorf("run %s was asked to stop %v ago and is still running", shortRun(c.Hello.Run), stopPatience))
	}
	a.say(a.out, report.Default, fmt.Sprintf("run %s has ended", shortRun(c.Hello.Run)))
	return 0
}

// reap handles --reap: it ends leftover processes of killed runs.
func (a *app) reap() int {
	left, err := ps.Reap(a.opts.calls, a.opts.reap == "all")
	for _, l := range left {
		what := fmt.Sprintf("%s (pid %d, of run %s, task %s)", oneLine(l.Command), l.Pid, shortRun(l.Run), diag.Printable(l.Task))
		switch {
		case l.Detached && a.opts.reap != "all":
			what += " may be a daemon; --reap=all also ends it"
		case l.Killed:
			what += " was killed"
		default:
			what += " has ended"
		}
		a.say(a.out, report.Default, what)
	}
	if err != nil {
		return a.failIn("--reap", err)
	}
	return 0
}

// failIn shows an error of a flag's action, and returns the exit code.
func (a *app) failIn(flag string, err error) int {
	return a.fail(fmt.Errorf("%s: %s: %w", a.name, flag, err))
}
