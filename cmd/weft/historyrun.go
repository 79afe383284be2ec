package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/weftrun/weft/cmd/weft/history"
	"github.com/weftrun/weft/cmd/weft/recorded"
	"github.com/weftrun/weft/cmd/weft/report"
	"github.com/weftrun/weft/engine/event"
)

// run shows one recorded run, or the output of one of its steps.
func (q *historyQuery) run(which string, words []string) error {
	e, err := q.store.Find(which)
	if err != nil {
		return err
	}
	if len(words) > 1 {
		return fmt.Errorf("one step at most; %d are named", len(words))
	}
	run, err := q.store.Load(e.Number)
	if err != nil {
		return err
	}
	d := history.NewDetail(e, run)
	switch {
	case len(words) == 1:
		return q.log(d, words[0])
	case q.opts.json:
		return q.json(struct {
			Version int `json:"version"`
			*history.Detail
		}{1, d})
	}
	q.detail(d)
	return nil
}

// mostSlow is the number of slowest steps shown.
const mostSlow = 10

// detail shows a run: its data, its failures, and its slowest steps.
func (q *historyQuery) detail(d *history.Detail) {
	q.paint(q.out, resultColor(d.Result), fmt.Sprintf("run %d: %s %s after %s, %s\n", d.Number, taskNames(d.Tasks), d.Result, report.FormatDuration(seconds(d.Seconds)), q.moment(d.Entry)))
	line := q.name
	for _, word := range d.Argv {
		line += " " + quote(word)
	}
	q.line("command", line)
	q.line("directory", d.Dir)
	q.line("id", d.ID)
	q.line("commit", d.Commit)
	q.line("part of", d.Parent)
	q.line("steps", counted(d.Entry))
	if d.Log {
		q.line("whole output", fmt.Sprintf("%s --replay %d; of one step: %s --history=%d STEP", q.name, d.Number, q.name, d.Number))
	}
	if failed := d.Failed(); len(failed) > 0 {
		q.out.Show("\nfailed:\n")
		for _, s := range failed {
			text := fmt.Sprintf("  %s: %s after %s", s.Label, s.Error, report.FormatDuration(seconds(s.Seconds)))
			if s.Attempts > 0 {
				text += fmt.Sprintf(", attempt %d", s.Attempts)
			}
			if s.Position != "" {
				text += ", at " + s.Position
			}
			q.paint(q.out, report.Red, text+"\n")
		}
	} else {
		for _, p := range d.Problems {
			q.paint(q.out, report.Red, "\n"+p+"\n")
		}
	}
	if slow := d.Slowest(mostSlow); len(slow) > 0 {
		t := table{width: q.width, columns: []column{{head: "slowest", right: true}, {head: "waited", right: true, optional: true}, {head: "cpu", right: true, optional: true}, {head: "result"}, {head: "step", shrinks: true}}}
		for _, s := range slow {
			t.rows = append(t.rows, []string{report.FormatDuration(seconds(s.Seconds)), report.FormatDuration(seconds(s.Queued)), report.FormatDuration(seconds(s.CPU)), s.Outcome, s.Label})
		}
		q.out.Show("\n")
		t.show(q.app)
	}
	q.critical(d)
}

// critical shows the critical path.
func (q *historyQuery) critical(d *history.Detail) {
	if len(d.All) < 2 {
		return
	}
	t := table{width: q.width, columns: []column{{head: "critical path", right: true}, {head: "share", right: true}, {head: "step", shrinks: true}}}
	total := 0.0
	for _, p := range d.Critical {
		total += p.Seconds
	}
	short, shorter := 0, 0.0
	for _, p := range d.Critical {
		if p.Seconds < total/100 {
			short, shorter = short+1, shorter+p.Seconds
			continue
		}
		what := p.Label
		if p.For != "" {
			what += ", waiting for " + string(p.For)
		}
		t.rows = append(t.rows, []string{report.FormatDuration(seconds(p.Seconds)), percent(p.Seconds / total), what})
	}
	if short > 0 && shorter > 0 {
		t.rows = append(t.rows, []string{report.FormatDuration(seconds(shorter)), percent(shorter / total), fmt.Sprintf("%d shorter parts", short)})
	}
	if len(t.rows) > 0 {
		q.out.Show("\n")
		t.show(q.app)
	}
}

// moment formats the time of a run.
func (q *historyQuery) moment(e *history.Entry) string {
	when := q.when(e.Time)
	if strings.HasPrefix(when, "today") {
		return when
	}
	return when + " " + e.Time.Local().Format("15:04")
}

// line shows a property of a run, if it is not empty.
func (q *historyQuery) line(name, text string) {
	if text != "" {
		q.out.Show("  " + name + ": " + text + "\n")
	}
}

func percent(share float64) string { return strconv.Itoa(int(100*share+0.5)) + "%" }

// log writes the output of a step to standard output.
func (q *historyQuery) log(d *history.Detail, name string) error {
	s, err := findStep(d, name)
	if err != nil {
		return err
	}
	f, err := q.store.Open(d.Number)
	if err != nil {
		return err
	}
	defer f.Close()
	wrote, shown, err := q.copyLog(f, s.Step)
	switch {
	case err != nil:
		return err
	case f.Missing > 0:
		return fmt.Errorf("the output of the steps of run %d is no longer stored", d.Number)
	case !wrote && shown:
		return fmt.Errorf("the output of %q went directly to the terminal; --record also records it", s.Label)
	case !wrote && s.Outcome == event.Fresh.String():
		q.say(q.err, report.Default, fmt.Sprintf("%q was up to date in run %d, and wrote nothing", s.Label, d.Number))
	case !wrote:
		q.say(q.err, report.Default, fmt.Sprintf("%q wrote nothing in run %d", s.Label, d.Number))
	}
	return nil
}

// copyLog writes the output of a step to standard output. It reports whether there was any, and
// whether commands of the step wrote elsewhere.
func (q *historyQuery) copyLog(f *recorded.File, step event.StepID) (wrote, elsewhere bool, err error) {
	for q.out.Err() == nil {
		ev, err := f.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return wrote, elsewhere, err
		}
		switch ev := ev.(type) {
		case *event.CommandStarted:
			elsewhere = elsewhere || ev.Step == step && !ev.Relayed
		case *event.Output:
			if ev.Step == step {
				wrote = wrote || len(ev.Data) > 0
				q.out.Write(ev.Data)
			}
		}
	}
	return wrote, elsewhere, nil
}

// findStep returns the step with a label, a name or a number.
func findStep(d *history.Detail, name string) (*history.Step, error) {
	number, _ := strconv.Atoi(name)
	for _, is := range [...]func(*history.Step) bool{
		func(s *history.Step) bool { return s.Label == name },
		func(s *history.Step) bool { return s.Task == name },
		func(s *history.Step) bool { return number > 0 && int(s.Step) == number },
	} {
		var found []*history.Step
		for i := range d.All {
			if is(&d.All[i]) {
				found = append(found, &d.All[i])
			}
		}
		switch len(found) {
		case 0:
			continue
		case 1:
			return found[0], nil
		}
		numbers := make([]string, min(len(found), mostSlow))
		for i := range numbers {
			numbers[i] = strconv.Itoa(int(found[i].Step))
		}
		return nil, fmt.Errorf("%d steps of run %d have the name %q; use a number: %s", len(found), d.Number, name, strings.Join(numbers, ", "))
	}
	return nil, fmt.Errorf("run %d has no step %q", d.Number, name)
}
