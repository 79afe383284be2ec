package history

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/weftrun/weft/cmd/weft/recorded"
	"github.com/weftrun/weft/cmd/weft/report/model"
	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/internal/statefile"
)

// NoRunError means that a run is not in the history.
type NoRunError struct {
	Run  string // as named by the user
	Last int    // number of the last run; 0 if there is none
}

func (e *NoRunError) Error() string {
	if e.Last == 0 {
		return "no runs are recorded"
	}
	return fmt.Sprintf("there is no run %q; the last one is %d", e.Run, e.Last)
}

// Runs returns the recorded runs, the newest first. A missing directory has none.
func (s *Store) Runs() ([]*Entry, error) {
	d, err := s.open()
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer d.Close()
	all, err := listFiles(d)
	if err != nil {
		return nil, err
	}
	index := readIndex(d)
	var runs []*Entry
	for i := len(all) - 1; i >= 0 && len(runs) < s.keep(); i-- {
		name := all[i].eventsName()
		if name == "" {
			continue
		}
		e := index[all[i].number]
		if e == nil {
			e = readEntry(d, &all[i])
		}
		if e != nil {
			e.Log = all[i].has[log]
			runs = append(runs, e)
		}
	}
	return runs, nil
}

// readEntry reads the entry of a run that is not in the index, or returns nil if nothing is
// recorded.
func readEntry(d *statefile.Dir, f *files) *Entry {
	running := inUse(d, f.eventsName())
	file, err := open(d, f, false)
	if err != nil {
		return nil
	}
	defer file.Close()
	run, planned, err := fold(file)
	if run == nil {
		return nil
	}
	e := entryOf(run)
	e.Number, e.Planned = f.number, planned
	switch {
	case !run.Finished.IsZero() && err == nil:
	case running:
		e.Result = Running
	default:
		e.Result = Killed
	}
	return e
}

// entryOf returns the index entry of a run.
func entryOf(run *model.Run) *Entry {
	e := &Entry{ID: run.ID, Time: run.Started, Tasks: firstNames(run.Tasks), Result: Succeeded, Seconds: run.Last.Sub(run.Started).Seconds(), Commit: run.Commit, Parent: run.ParentRun}
	for _, s := range run.Steps {
		if s.Outcome != 0 {
			e.Counts[s.Outcome]++
		}
		if s.Root() {
			e.Failures = append(e.Failures, s.Label)
		}
	}
	e.Failures = firstNames(e.Failures)
	switch {
	case !run.Failed:
	case run.Signal != "" && len(e.Failures) == 0:
		e.Result = Cancelled
	default:
		e.Result = Failed
	}
	return e
}

// open opens the run with these files, with or without its output.
func open(d *statefile.Dir, f *files, whole bool) (*recorded.File, error) {
	name := f.eventsName()
	if name == "" {
		return nil, fs.ErrNotExist
	}
	file, err := d.OpenFile(name, os.O_RDONLY)
	if err != nil {
		return nil, err
	}
	r, err := recorded.New(file)
	if err != nil {
		return nil, err
	}
	r.SkipIncomplete = true
	if whole && f.has[log] {
		r.Log, _ = d.OpenFile(fileName(f.number, log), os.O_RDONLY)
	}
	return r, nil
}

// fold folds the events of a file; run is nil if there is none in it.
func fold(file *recorded.File) (run *model.Run, planned int, err error) {
	var f model.Folder
	for {
		ev, err := file.Next()
		if err == io.EOF {
			err = nil
		} else if err == nil {
			if p, ok := ev.(*event.Planned); ok {
				planned += p.Steps
			}
			f.Handle(ev)
			continue
		}
		return f.Run(), planned, err
	}
}

// Problem returns why runs cannot be recorded, or "".
func (s *Store) Problem() string {
	for _, p := range [...]statefile.Place{s.place(), s.State, {Base: s.State.Base, Path: ".", Project: s.State.Base}} {
		d, err := p.Open()
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue
		case err != nil:
			return err.Error()
		}
		defer d.Close()
		if !d.Writable() {
			return d.Path() + " cannot be written"
		}
		return ""
	}
	return ""
}

// HasRun reports whether a step of one of tasks has started in a run, or tasks is empty. Tasks are
// full names.
func (s *Store) HasRun(e *Entry, tasks []string) bool {
	if len(tasks) == 0 || slices.ContainsFunc(e.Tasks, func(t string) bool { return slices.Contains(tasks, t) }) {
		return true
	}
	file, err := s.openRun(e.Number, false)
	if err != nil {
		return false
	}
	defer file.Close()
	var texts []string
	for _, t := range tasks {
		if name, err := json.Marshal(t); err == nil {
			texts = append(texts, `"task":`+string(name))
		}
	}
	found, _ := file.Find(`{"event":"step_started"`, texts)
	return found
}

// Open opens a run by its number.
func (s *Store) Open(number int) (*recorded.File, error) { return s.openRun(number, true) }

// openRun opens a run, with or without its output.
func (s *Store) openRun(number int, whole bool) (*recorded.File, error) {
	d, err := s.open()
	if err != nil {
		return nil, cmp.Or(absent(err), error(&NoRunError{Run: strconv.Itoa(number)}))
	}
	defer d.Close()
	all, err := listFiles(d)
	if err != nil {
		return nil, err
	}
	for i := range all {
		if all[i].number == number {
			return open(d, &all[i], whole)
		}
	}
	e := &NoRunError{Run: strconv.Itoa(number)}
	if len(all) > 0 {
		e.Last = all[len(all)-1].number
	}
	return nil, e
}

// absent returns err, or nil if it means that the file does not exist.
func absent(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// Load folds the events of a run, without its output.
func (s *Store) Load(number int) (*model.Run, error) {
	file, err := s.openRun(number, false)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	run, _, err := fold(file)
	if err == nil && run == nil {
		err = &NoRunError{Run: strconv.Itoa(number)}
	}
	return run, err
}

// leastID is the minimum length of an id prefix that names a run.
const leastID = 4

// Find returns the run named by its number, by a prefix of its id, or as "last", "last-1" and so
// on, which count the runs that were not started by others.
func (s *Store) Find(name string) (*Entry, error) {
	runs, err := s.Runs()
	if err != nil {
		return nil, err
	}
	missing := &NoRunError{Run: name}
	if len(runs) > 0 {
		missing.Last = runs[0].Number
	}
	if back, ok := strings.CutPrefix(name, "last"); ok {
		n, err := strconv.ParseUint(cmp.Or(strings.TrimPrefix(back, "-"), "0"), 10, 31)
		if top := TopLevel(runs); err == nil && (back == "" || back[0] == '-') && n < uint64(len(top)) {
			return top[n], nil
		}
		return nil, missing
	}
	if n, err := strconv.Atoi(name); err == nil {
		if i := slices.IndexFunc(runs, func(e *Entry) bool { return e.Number == n }); i >= 0 {
			return runs[i], nil
		}
	}
	for _, e := range runs {
		if len(name) >= leastID && strings.HasPrefix(e.ID, name) {
			return e, nil
		}
	}
	return nil, missing
}

// TopLevel returns the runs that were not started by another of them.
func TopLevel(runs []*Entry) []*Entry {
	ids := map[string]bool{}
	for _, e := range runs {
		ids[e.ID] = true
	}
	return slices.DeleteFunc(slices.Clone(runs), func(e *Entry) bool { return ids[e.Parent] })
}

// Before returns the last ended run of the same tasks before e, or nil. runs are all, the newest
// first.
func Before(runs []*Entry, e *Entry) *Entry {
	for _, other := range TopLevel(runs) {
		if other.Number < e.Number && other.Result != Running && slices.Equal(other.Tasks, e.Tasks) {
			return other
		}
	}
	return nil
}

// LastTotal returns the number of steps of the last successful run of these tasks, or 0 if the
// index contains none.
func (s *Store) LastTotal(tasks []string) int {
	d, err := s.open()
	if err != nil {
		return 0
	}
	defer d.Close()
	var last *Entry
	tasks = firstNames(tasks)
	for _, e := range readIndex(d) {
		if e.Result == Succeeded && slices.Equal(e.Tasks, tasks) && (last == nil || e.Number > last.Number) {
			last = e
		}
	}
	if last == nil {
		return 0
	}
	return last.Counts.Settled()
}
