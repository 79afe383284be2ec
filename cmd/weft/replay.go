package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/weftrun/weft/cmd/weft/recorded"
	"github.com/weftrun/weft/cmd/weft/report"
	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/proc"
	"github.com/weftrun/weft/schema"
	"github.com/weftrun/weft/schema/diag"
)

// replay shows a run recorded in a file or in the history, in the output style of the command line.
// Nothing is run.
func (a *app) replay() int {
	f, err := a.openRecorded()
	if err != nil {
		return a.failIn("--replay", err)
	}
	defer f.Close()
	if a.opts.events != "" && f.Same(a.opts.events) {
		return a.fail(flagError("--replay and --events name the same file"))
	}
	if err := a.adopt(f); err != nil {
		return a.failIn("--replay", err)
	}
	style, err := a.outputStyle(&schema.Workflow{})
	if err != nil {
		return a.fail(err)
	}
	to, err := a.newReporter(style)
	if err != nil {
		return a.fail(err)
	}
	problems, err := a.showRecorded(f, to)
	var code errCode
	switch closed := to.Close(); {
	case a.unread():
		return proc.BrokenPipe
	case errors.As(closed, &code): // already shown
		return int(code)
	case closed != nil:
		return a.fail(a.unwritten(closed))
	}
	for _, p := range problems {
		a.showProblem(p)
	}
	if err == nil && f.Missing > 0 {
		a.say(a.err, report.Yellow, fmt.Sprintf("%d bytes of output of %s are no longer stored", f.Missing, a.replayed()))
	}
	if err != nil {
		return a.failIn("--replay", err)
	}
	return 0
}

// openRecorded opens what --replay names: a run of the history by its number or as one of the last,
// or a file.
func (a *app) openRecorded() (*recorded.File, error) {
	name := a.opts.replay
	number, isNumber := runNumber(name)
	back, isLast := strings.CutPrefix(name, "last")
	if !isNumber && (!isLast || strings.Trim(back, "-0123456789") != "") {
		return recorded.Open(name)
	}
	s, err := a.pastRuns()
	if err != nil {
		return nil, err
	}
	if isLast {
		e, err := s.Find(name)
		if err != nil {
			return nil, err
		}
		number, a.opts.replay = e.Number, strconv.Itoa(e.Number)
	}
	return s.Open(number)
}

// runNumber parses the number of a run.
func runNumber(name string) (number int, ok bool) {
	n, err := strconv.ParseUint(name, 10, 31)
	return int(n), err == nil
}

// replayed describes the argument of --replay.
func (a *app) replayed() string {
	if _, isNumber := runNumber(a.opts.replay); isNumber {
		return "run " + a.opts.replay
	}
	return diag.Printable(a.opts.replay)
}

// adopt uses the display flags of the recorded run, and rewinds f.
func (a *app) adopt(f *recorded.File) error {
	for {
		ev, err := f.Next()
		if err == io.EOF {
			return fmt.Errorf("%s: it contains no run", a.replayed())
		}
		if err != nil {
			return err
		}
		if started, ok := ev.(*event.RunStarted); ok {
			var o options
			o.parse(started.Argv) // it had the same errors when it ran
			a.opts.dir, a.opts.taskfile, a.opts.global = o.dir, o.taskfile, o.global
			a.opts.vars, a.opts.cliArgs, a.opts.watch = o.vars, o.cliArgs, o.watch
			a.opts.progress = cmp.Or(a.opts.progress, o.progress)
			a.terminals = started.Terminals
			if a.opts.output == "" && started.Style == "prefixed" {
				a.opts.output = started.Style
			}
			return f.Rewind()
		}
	}
}

// showRecorded hands the events of f to a reporter. It returns why the run failed, unless
// it was one of what is watched: those are told of as they end.
func (a *app) showRecorded(f *recorded.File, to report.Reporter) (problems []event.Problem, err error) {
	watched, finished := false, false
	for to.Err() == nil {
		ev, err := f.Next()
		if err == io.EOF {
			if !finished && !watched {
				a.say(a.err, report.Yellow, a.replayed()+" ends before the run did")
			}
			return problems, nil
		}
		if err != nil {
			return problems, err
		}
		to.Handle(ev)
		switch ev := ev.(type) {
		case *event.WatchStarted:
			watched, problems = true, nil
		case *event.RunStarted:
			finished = false
		case *event.RunFinished:
			finished = true
			if !watched {
				problems = ev.Problems
			}
		}
	}
	return problems, nil
}
