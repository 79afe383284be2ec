package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/weftrun/weft/cmd/weft/history"
	"github.com/weftrun/weft/cmd/weft/report"
	"github.com/weftrun/weft/cmd/weft/report/model"
)

// diff shows the differences between two runs, by default the last two of the same tasks.
func (q *historyQuery) diff(words []string) error {
	a, b, err := q.pair(words)
	if err != nil {
		return err
	}
	before, err := q.store.Load(a.Number)
	if err != nil {
		return err
	}
	after, err := q.store.Load(b.Number)
	if err != nil {
		return err
	}
	d := history.Compare(before, after)
	if q.opts.json {
		return q.json(struct {
			Version int            `json:"version"`
			A       *history.Entry `json:"a"`
			B       *history.Entry `json:"b"`
			*history.Diff
		}{1, a, b, d})
	}
	for _, e := range [...]*history.Entry{a, b} {
		q.paint(q.out, resultColor(e.Result), fmt.Sprintf("run %d: %s %s after %s, %s\n", e.Number, taskNames(e.Tasks), e.Result, report.FormatDuration(seconds(e.Seconds)), q.moment(e)))
	}
	t := table{width: q.width, columns: []column{{head: "what"}, {head: "step", shrinks: true}, {head: "before", shrinks: true}, {head: "after", shrinks: true}, {head: "why it ran", optional: true, shrinks: true}}}
	for _, list := range [...]struct {
		what    string
		changes []history.Change
	}{{"outcome", d.Outcome}, {"slower", d.Slower}, {"faster", d.Faster}, {"new", d.New}, {"gone", d.Gone}} {
		for _, c := range list.changes {
			before, after := sideText(c.Before, list.what), sideText(c.After, list.what)
			if list.what == "slower" || list.what == "faster" {
				after += fmt.Sprintf(" (%+.0f%%)", 100*(c.After.Seconds/max(c.Before.Seconds, 1e-6)-1))
			}
			t.rows = append(t.rows, []string{list.what, c.Label, before, after, strings.Join(c.Reasons, "; ")})
		}
	}
	if len(t.rows) == 0 {
		q.out.Show("no step is new or gone, has another outcome, or took much longer or shorter\n")
		return nil
	}
	q.out.Show("\n")
	t.show(q.app)
	return nil
}

// sideText describes a step in one of two runs: its outcome or its duration.
func sideText(s *history.Side, what string) string {
	switch {
	case s == nil:
		return ""
	case what == "outcome" && s.Outcome != "":
		return s.Outcome
	case s.Outcome == "":
		return "not ended"
	case what == "slower" || what == "faster":
		return report.FormatDuration(s.Duration())
	}
	return s.Outcome + ", " + report.FormatDuration(s.Duration())
}

// pair returns the runs to compare, the older one first.
func (q *historyQuery) pair(words []string) (a, b *history.Entry, err error) {
	switch len(words) {
	case 0:
		runs, err := q.store.Runs()
		if err != nil {
			return nil, nil, err
		}
		for _, b := range history.TopLevel(runs) {
			if a := history.Before(runs, b); a != nil {
				return a, b, nil
			}
		}
		return nil, nil, errors.New("no two runs of the same tasks are recorded")
	case 2:
		if a, err = q.store.Find(words[0]); err == nil {
			b, err = q.store.Find(words[1])
		}
		return a, b, err
	}
	return nil, nil, errors.New("diff takes two runs, or none for the last two of the same tasks")
}

// stats computes statistics of the ended runs that ran one of tasks, or any.
func (q *historyQuery) stats(tasks []string) (*history.Stats, error) {
	runs, err := q.runs(tasks)
	if err != nil {
		return nil, err
	}
	stats := new(history.Stats)
	for _, e := range runs {
		if e.Result == history.Running {
			continue
		}
		var run *model.Run
		if run, err = q.store.Load(e.Number); err == nil {
			stats.Add(e.Number, run)
		}
	}
	return stats, nil
}

// mostStats is the number of steps shown. JSON contains all.
const mostStats = 20

// slowest lists the slowest steps.
func (q *historyQuery) slowest(tasks []string) error {
	stats, err := q.stats(tasks)
	if err != nil {
		return err
	}
	all := stats.Slowest()
	if q.opts.json {
		return q.json(struct {
			Version int                `json:"version"`
			Slowest []history.SlowStep `json:"slowest"`
		}{1, all})
	}
	if len(all) == 0 {
		return nil
	}
	t := table{width: q.width, columns: []column{{head: "median", right: true}, {head: "worst", right: true}, {head: "runs", right: true, optional: true}, {head: "cached", right: true, optional: true}, {head: "critical", right: true, optional: true}, {head: "step", shrinks: true}}}
	for _, s := range all[:min(len(all), mostStats)] {
		t.rows = append(t.rows, []string{report.FormatDuration(seconds(s.Median)), report.FormatDuration(seconds(s.Worst)), strconv.Itoa(s.Runs), percent(s.Cached), percent(s.Critical), s.Label})
	}
	t.show(q.app)
	return nil
}

// flaky lists steps that sometimes fail.
func (q *historyQuery) flaky(words []string) error {
	stats, err := q.stats(words)
	if err != nil {
		return err
	}
	all := stats.Flaky()
	if q.opts.json {
		return q.json(struct {
			Version int                 `json:"version"`
			Flaky   []history.FlakyStep `json:"flaky"`
		}{1, all})
	}
	if len(all) == 0 {
		q.say(q.err, report.Default, "no step is flaky")
		return nil
	}
	for _, f := range all {
		text := f.Label + ":"
		if n := len(f.Retried); n > 0 {
			text += fmt.Sprintf(" succeeded after a failed attempt in %d of %d runs (run %s)", n, f.Runs, numbers(f.Retried))
		}
		if len(f.Differing) > 0 {
			if len(f.Retried) > 0 {
				text += ";"
			}
			text += fmt.Sprintf(" succeeded and failed with the same inputs (run %s)", numbers(f.Differing))
		}
		q.out.Show(text + "\n")
	}
	return nil
}

// numbers formats the last of a list of run numbers.
func numbers(runs []int) string {
	const most = 5
	var parts []string
	for i := len(runs) - 1; i >= max(0, len(runs)-most); i-- {
		parts = append(parts, strconv.Itoa(runs[i]))
	}
	if more := len(runs) - most; more > 0 {
		parts = append(parts, fmt.Sprintf("%d more", more))
	}
	return strings.Join(parts, ", ")
}
