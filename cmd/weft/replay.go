package main

import (
	"fmt"
	"io"

	"github.com/weftrun/weft/cmd/weft/recorded"
	"github.com/weftrun/weft/cmd/weft/report"
	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/proc"
	"github.com/weftrun/weft/schema"
	"github.com/weftrun/weft/schema/diag"
)

// replay shows the run that was recorded in a file as it was, in the output style of
// the command line. Nothing is run.
func (a *app) replay() int {
	f, err := recorded.Open(a.opts.replay)
	if err != nil {
		return a.fail(fmt.Errorf("%s: --replay: %w", a.name, err))
	}
	defer f.Close()
	if a.opts.events != "" && f.Same(a.opts.events) {
		return a.fail(flagError("--replay and --events name the same file"))
	}
	if err := a.adopt(f); err != nil {
		return a.fail(fmt.Errorf("%s: --replay: %w", a.name, err))
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
	switch closed := to.Close(); {
	case a.out.Broken() || a.err.Broken():
		return proc.BrokenPipe
	case closed != nil:
		return a.fail(a.unwritten(closed))
	}
	for _, p := range problems {
		a.showProblem(p)
	}
	if err != nil {
		return a.fail(fmt.Errorf("%s: --replay: %w", a.name, err))
	}
	return 0
}

// adopt takes from the command line of the recorded run what is shown of it, and goes
// back to the beginning of f.
func (a *app) adopt(f *recorded.File) error {
	for {
		ev, err := f.Next()
		if err == io.EOF {
			return fmt.Errorf("%s: no run is recorded in it", a.opts.replay)
		}
		if err != nil {
			return err
		}
		if started, ok := ev.(*event.RunStarted); ok {
			var o options
			o.parse(started.Argv) // what is wrong with it was so when it ran
			a.opts.dir, a.opts.taskfile, a.opts.global = o.dir, o.taskfile, o.global
			a.opts.vars, a.opts.cliArgs, a.opts.watch = o.vars, o.cliArgs, o.watch
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
				a.say(a.err, report.Yellow, diag.Printable(a.opts.replay)+" ends before the run did")
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
