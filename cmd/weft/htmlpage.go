package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"

	"github.com/weftrun/weft/cmd/weft/history"
	"github.com/weftrun/weft/cmd/weft/report"
	"github.com/weftrun/weft/cmd/weft/report/model"
	"github.com/weftrun/weft/cmd/weft/report/page"
	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/plan"
)

// writePage writes the HTML page of a run.
func (a *app) writePage(w io.Writer, run report.Finished) error {
	o, err := a.pageOptions(run.Run)
	if err != nil {
		return err
	}
	return page.Write(w, o, run)
}

// findCompared looks for the run that --compare names before anything runs: then it is not found
// missing after a long run, and "last" is the last one before this. files are the reports that are
// asked for.
func (a *app) findCompared(files []reportFile) error {
	o := &a.opts
	if o.compare == "" {
		return nil
	}
	if o.ui == "" && !slices.ContainsFunc(files, func(f reportFile) bool { return f.name == "html" }) {
		return flagError("--compare needs a page: --report html=FILE, or --ui")
	}
	if o.replay != "" || a.runsKept() == 0 {
		return nil // pageOptions looks, in the directory of the recorded run
	}
	store, err := a.pastRuns()
	if err != nil {
		return err
	}
	e, err := store.Find(o.compare)
	if err != nil {
		return flagError(fmt.Sprintf("--compare %s: %v", o.compare, err))
	}
	o.compare = strconv.Itoa(e.Number)
	return nil
}

// pageOptions returns what the page of a run shows beside it: its number in the history, and the
// run to compare with, which is the one that --compare names, or the last one of the same tasks
// before. Without a history there is neither. It also returns the words around a task on the command line
// of the run.
func (a *app) pageOptions(run *model.Run) (o page.Options, err error) {
	var line options
	if _, err := line.parse(run.Argv); err == nil {
		o.Again = line.around(nil)
	}
	if run.Root == "" || a.dropIn() || a.runsKept() == 0 {
		if a.opts.compare != "" {
			err = a.notCompared(errNoRuns)
		}
		return o, err
	}
	store := a.runsIn(run.Root)
	var before *history.Entry
	if runs, err := store.Runs(); err == nil {
		for _, e := range runs {
			if e.ID == run.ID {
				o.Number, before = e.Number, history.Before(runs, e)
			}
		}
	}
	if a.opts.compare != "" {
		if before, err = store.Find(a.opts.compare); err != nil {
			return o, a.notCompared(err)
		}
	}
	if before == nil {
		return o, nil
	}
	o.BeforeName = "run " + strconv.Itoa(before.Number)
	if o.Before, err = store.Load(before.Number); err != nil && a.opts.compare != "" {
		return o, a.notCompared(err)
	}
	return o, nil
}

var errNoRuns = errors.New("no runs are recorded")

// notCompared is the error of a run to compare with that cannot be read.
func (a *app) notCompared(err error) error {
	return fmt.Errorf("--compare %s: %w", a.opts.compare, err)
}

// planPage writes the HTML page of a plan: its steps and what needs what. mask masks secrets.
func planPage(w io.Writer, planned *event.Planned, tasks []string, mask func(string) string) error {
	var folder model.Folder
	folder.Handle(event.Masked(&event.RunStarted{Tasks: tasks}, mask))
	folder.Handle(event.Masked(planned, mask))
	return page.Write(w, page.Options{Plan: true}, report.Finished{Run: folder.Run()})
}

// plannedSteps converts a plan to an event.
func plannedSteps(p *plan.Plan) *event.Planned {
	planned := &event.Planned{Graph: make([]event.PlannedStep, len(p.Steps))}
	for i, s := range p.Steps {
		step := event.PlannedStep{Step: event.StepID(i + 1), Name: s.Name, Label: s.Label, Pos: s.TaskPos()}
		for _, n := range p.Needs[i] {
			step.Needs = append(step.Needs, event.Need{Step: event.StepID(n.Step + 1), Until: needUntil(n.When)})
		}
		planned.Graph[i] = step
	}
	return planned
}

// needUntil converts a condition for events.
func needUntil(when plan.When) event.Until {
	switch when {
	case plan.Together:
		return event.UntilTogether
	case plan.Started:
		return event.UntilStarted
	case plan.Ready:
		return event.UntilReady
	case plan.Succeeded:
		return event.UntilSucceeded
	}
	return event.UntilEnded
}
