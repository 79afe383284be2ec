package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/weftrun/weft/cmd/weft/history"
	"github.com/weftrun/weft/cmd/weft/report"
	"github.com/weftrun/weft/cmd/weft/report/model"
	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/executor"
	"github.com/weftrun/weft/engine/pipe"
	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/schema"
)

// lastFailed is the value of --rerun-failed without an argument.
const lastFailed = "last failed"

// pastRun is a recorded run that is rerun.
type pastRun struct {
	number int
	run    *model.Run
}

// adoptFailed handles --rerun-failed: the command line becomes that of the recorded run, followed
// by the flags and variables of this one, in the original directory.
func (a *app) adoptFailed() error {
	if a.opts.tempDir == "" { // the settings come later, from the new command line
		setting(a, nil, &a.opts.tempDir, "temp-dir", "TASK_TEMP_DIR", a.taskrc().TempDir, parseText)
	}
	s, err := a.pastRuns()
	if err != nil {
		return err
	}
	e, err := failedRun(s, a.opts.rerunFailed)
	if err != nil {
		return err
	}
	run, err := s.Load(e.Number)
	if err != nil {
		return err
	}
	args, err := again(run.Argv, a.args, a.opts.vars)
	if err != nil {
		return fmt.Errorf("run %d: %w", e.Number, err)
	}
	if err := a.moveTo(run.Dir); err != nil {
		return fmt.Errorf("run %d was started in another directory: %w", e.Number, err)
	}
	line := a.name
	for _, word := range args {
		line += " " + quote(word)
	}
	a.say(a.err, report.Default, fmt.Sprintf("run %d again: %s", e.Number, line))
	a.args, a.opts = args, options{}
	a.again = &pastRun{e.Number, run}
	return nil
}

// failedRun returns the named run, or the last failed one.
func failedRun(s *history.Store, name string) (*history.Entry, error) {
	if name != lastFailed {
		return s.Find(name)
	}
	runs, err := s.Runs()
	if err != nil {
		return nil, err
	}
	runs = history.TopLevel(runs)
	i := slices.IndexFunc(runs, func(e *history.Entry) bool { return e.Result == history.Failed })
	if i < 0 {
		return nil, errors.New("no failed run is recorded")
	}
	return runs[i], nil
}

// again returns the command line of a run, followed by more words, whose variables are vars.
func again(argv, more []string, vars schema.Vars) ([]string, error) {
	i := slices.Index(argv, "--")
	if i < 0 {
		i = len(argv)
	}
	args := slices.Clone(argv[:i])
	for _, word := range argv {
		name, value, assigns := strings.Cut(word, "=")
		switch {
		case !strings.Contains(word, pipe.Masked), assigns && vars.Index(name) >= 0:
		case assigns && value == pipe.Masked:
			return nil, fmt.Errorf("the value of %s is secret, so it is not recorded; add %s=VALUE", name, name)
		default:
			return nil, fmt.Errorf("%q is not recorded completely, because a part of it is secret", word)
		}
	}
	for _, word := range more {
		if !strings.HasPrefix(word, "--rerun-failed") {
			args = append(args, word)
		}
	}
	return append(args, argv[i:]...), nil
}

// moveTo makes dir the working directory.
func (a *app) moveTo(dir string) error {
	if wd, err := a.workingDir(); err == nil && wd == dir || dir == "" {
		return nil
	}
	if err := os.Chdir(dir); err != nil {
		return err
	}
	a.wd = ""
	a.environ = append(slices.Clip(a.environ), "PWD="+dir)
	return os.Setenv("PWD", dir)
}

// before returns a function that returns the success of a step in p, for a workflow; nil if p is.
func (p *pastRun) before(w *schema.Workflow) func(*plan.Step) *executor.Success {
	if p == nil {
		return nil
	}
	known := map[uint64]*executor.Success{}
	for _, s := range p.run.Steps {
		key, ok := event.ParseKey(s.Key)
		if !ok {
			continue
		}
		was := &executor.Success{Fingerprint: s.Fingerprint, Wrote: s.Wrote, Reason: fmt.Sprintf("succeeded in run %d", p.number)}
		switch s.Outcome {
		case event.Succeeded, event.Fresh, event.Restored:
		default:
			was.Fingerprint = ""
		}
		// All of several identical steps in a run must have succeeded.
		if other := known[key]; other != nil && other.Fingerprint != was.Fingerprint {
			was.Fingerprint = ""
		}
		known[key] = was
	}
	return func(s *plan.Step) *executor.Success { return known[s.HistoryKey(w.Dir)] }
}
