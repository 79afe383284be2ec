package main

import (
	"encoding/json"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/weftrun/weft/cmd/weft/history"
	"github.com/weftrun/weft/cmd/weft/report"
	"github.com/weftrun/weft/engine"
	"github.com/weftrun/weft/schema"
	"github.com/weftrun/weft/schema/diag"
)

// What --history shows beside one run.
const (
	historyList    = "list"
	historyDiff    = "diff"
	historySlowest = "slowest"
	historyFlaky   = "flaky"
)

// runsKept returns the number of runs kept in the history, 0 for none.
func (a *app) runsKept() int {
	if n, err := strconv.Atoi(a.env("WEFT_HISTORY")); err == nil && n >= 0 {
		return n
	}
	return history.DefaultKeep
}

// recorder returns what records the run in the history of the project, or nil if it is not to be
// recorded. It makes nothing in the directory of another user, who could not use it, unless weft
// runs as root: then it belongs to that user.
func (a *app) recorder(w *schema.Workflow) *history.Writer {
	o := &a.opts
	if a.dropIn() || o.dry || o.audited || a.runsKept() == 0 {
		return nil
	}
	if dir, err := os.Stat(w.Dir); err != nil || !isOurs(dir) && os.Geteuid() != 0 {
		return nil
	}
	return history.NewWriter(a.runsIn(w.Dir), a.describe)
}

// runsIn returns the history of the project whose Taskfile is in root.
func (a *app) runsIn(root string) history.Store {
	return history.Store{State: engine.StatePlace(root, a.opts.tempDir, a.environ), Keep: a.runsKept()}
}

// stepDurations returns the durations of steps in earlier runs, by history key; nil if no runs are
// recorded.
func (a *app) stepDurations(w *schema.Workflow) func(key uint64) time.Duration {
	if a.dropIn() || a.runsKept() == 0 {
		return nil
	}
	s := a.runsIn(w.Dir)
	return s.Durations().OfKey
}

// pastRuns returns the history of the project selected by the command line, without reading its
// Taskfile.
func (a *app) pastRuns() (*history.Store, error) {
	o, err := a.loadOptions(&a.opts)
	if err != nil {
		return nil, err
	}
	if _, err := a.workingDir(); err != nil {
		return nil, err
	}
	root, err := schema.Root(o)
	if err != nil {
		return nil, err
	}
	s := a.runsIn(root)
	return &s, nil
}

// showHistory handles --history.
func (a *app) showHistory() int {
	s, err := a.pastRuns()
	if err != nil {
		return a.fail(err)
	}
	q := &historyQuery{app: a, store: s, now: time.Now(), width: terminalWidth()}
	words := a.opts.calls
	switch which := a.opts.history; which {
	case historyList:
		err = q.list(words)
	case historyDiff:
		err = q.diff(words)
	case historySlowest:
		err = q.slowest(words)
	case historyFlaky:
		err = q.flaky(words)
	default:
		err = q.run(which, words)
	}
	if err != nil {
		return a.failIn("--history", err)
	}
	return 0
}

// historyQuery is a query about the history.
type historyQuery struct {
	*app
	store *history.Store
	now   time.Time
	width int // of the terminal; 0: unlimited
}

// terminalWidth returns the number of columns of standard output, or 0 if it is not a terminal.
func terminalWidth() int {
	fd := int(os.Stdout.Fd())
	if !term.IsTerminal(fd) {
		return 0
	}
	width, _, err := term.GetSize(fd)
	if err != nil {
		return 0
	}
	return width
}

// json writes v as a JSON document.
func (q *historyQuery) json(v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err == nil {
		q.out.Show(string(b) + "\n")
	}
	return err
}

// runs returns the recorded runs that ran one of tasks, or all if there are no tasks, the newest
// first. It tells the user why there are none, or will be no more.
func (q *historyQuery) runs(tasks []string) ([]*history.Entry, error) {
	runs, err := q.store.Runs()
	if err != nil {
		return nil, err
	}
	trouble := q.store.Problem()
	if q.runsKept() == 0 {
		trouble = "WEFT_HISTORY=0 is set"
	}
	switch {
	case trouble != "":
		q.say(q.err, report.Yellow, "runs are not recorded: "+trouble)
	case len(runs) == 0:
		q.say(q.err, report.Default, "no runs are recorded")
	}
	recorded := len(runs) > 0
	runs = slices.DeleteFunc(runs, func(e *history.Entry) bool { return !q.store.HasRun(e, tasks) })
	if recorded && len(runs) == 0 {
		q.say(q.err, report.Default, "no recorded run includes "+diag.Printable(strings.Join(tasks, " or ")))
	}
	return runs, nil
}
