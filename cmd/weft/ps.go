package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/weftrun/weft/cmd/weft/report"
	"github.com/weftrun/weft/engine/ps"
	"github.com/weftrun/weft/schema/diag"
)

// stopPatience is how long --stop waits for a run to end. It is longer than
// proc.DefaultGrace.
const stopPatience = 30 * time.Second

// ps handles --ps: it shows the runs of the user.
func (a *app) ps() int {
	rs, err := ps.List()
	if err != nil {
		return a.fail(fmt.Errorf("%s: --ps: %w", a.name, err))
	}
	if len(rs) == 0 {
		a.say(a.err, report.Default, "nothing runs")
	}
	a.showRuns(a.out, rs)
	return 0
}

// showRuns writes a line for each run, and one below it for each process.
func (a *app) showRuns(w *report.Out, rs []ps.Run) {
	for _, r := range rs {
		w.Show(fmt.Sprintf("%s  pid %d  %s  %s  %s\n", shortRun(r.ID), r.Pid, time.Since(r.Since).Round(time.Second), diag.Printable(r.Dir), oneLine(r.Command)))
		for _, p := range r.Processes {
			w.Show(fmt.Sprintf("  %s  pid %d  %s\n", diag.Printable(p.Task), p.Pid, oneLine(p.Command)))
		}
	}
}

// shortRun returns the beginning of a run's identity, which is enough to distinguish it.
func shortRun(id string) string { return id[:min(8, len(id))] }

// oneLine returns a command as one short line.
func oneLine(command []string) string {
	text := []rune(diag.Printable(strings.NewReplacer("\n", " ", "\t", " ").Replace(strings.Join(command, " "))))
	const most = 100
	if len(text) > most {
		return string(text[:most-1]) + "…"
	}
	return string(text)
}

// stopRun handles --stop: it stops a run and waits until it has ended.
func (a *app) stopRun() int {
	r, err := ps.Find(a.firstCall())
	if err != nil {
		if choice, ok := errors.AsType[*ps.ChoiceError](err); ok {
			a.showRuns(a.err, choice.Runs)
		}
		return a.fail(fmt.Errorf("%s: --stop: %w", a.name, err))
	}
	ended, err := ps.Stop(r, stopPatience)
	switch {
	case err != nil:
		return a.fail(fmt.Errorf("%s: --stop: %w", a.name, err))
	case !ended:
		return a.fail(fmt.Errorf("%s: --stop: run %s was told to end %v ago and goes on; kill -KILL %d ends it and all its processes", a.name, shortRun(r.ID), stopPatience, r.Pid))
	}
	a.say(a.out, report.Default, fmt.Sprintf("run %s has ended", shortRun(r.ID)))
	return 0
}

// reap handles --reap: it ends the processes that killed runs have left behind.
func (a *app) reap() int {
	left, err := ps.Reap(a.opts.calls, a.opts.reap == "all")
	for _, l := range left {
		what := fmt.Sprintf("%s (pid %d, of run %s, task %s)", oneLine(l.Command), l.Pid, shortRun(l.Run), diag.Printable(l.Task))
		switch {
		case l.Detached && a.opts.reap != "all":
			what += " may be meant to stay; --reap=all ends it, too"
		case l.Killed:
			what += " was killed"
		default:
			what += " has ended"
		}
		a.say(a.out, report.Default, what)
	}
	if err != nil {
		return a.fail(fmt.Errorf("%s: --reap: %w", a.name, err))
	}
	return 0
}
