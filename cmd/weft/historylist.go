package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/weftrun/weft/cmd/weft/history"
	"github.com/weftrun/weft/cmd/weft/report"
	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/schema/diag"
)

// list lists the recorded runs, or those that ran one of tasks.
func (q *historyQuery) list(tasks []string) error {
	runs, err := q.runs(tasks)
	if err != nil {
		return err
	}
	if q.opts.json {
		return q.json(struct {
			Version int              `json:"version"`
			Runs    []*history.Entry `json:"runs"`
		}{1, append([]*history.Entry{}, runs...)})
	}
	if len(runs) == 0 {
		return nil
	}
	t := table{width: q.width, columns: []column{{head: "#", right: true}, {head: "when", optional: true}, {head: "tasks", shrinks: true}, {head: "result"}, {head: "took", right: true}, {head: "steps", optional: true, shrinks: true}}}
	for _, run := range nested(runs) {
		e := run.Entry
		t.rows = append(t.rows, []string{
			strconv.Itoa(e.Number), q.when(e.Time), strings.Repeat("  ", run.depth) + taskNames(e.Tasks), string(e.Result), report.FormatDuration(seconds(e.Seconds)), counted(e),
		})
		t.colors = append(t.colors, resultColor(e.Result))
	}
	t.show(q.app)
	return nil
}

// nestedRun is a run with its nesting depth.
type nestedRun struct {
	*history.Entry
	depth int
}

// nested returns runs, the newest first, each followed by the runs that it has started.
func nested(runs []*history.Entry) []nestedRun {
	started := map[string][]*history.Entry{}
	for _, e := range runs {
		started[e.Parent] = append(started[e.Parent], e)
	}
	var all []nestedRun
	var add func(e *history.Entry, depth int)
	add = func(e *history.Entry, depth int) {
		all = append(all, nestedRun{e, depth})
		below := started[e.ID]
		delete(started, e.ID) // hostile identities may form cycles
		for _, e := range below {
			add(e, depth+1)
		}
	}
	for _, e := range history.TopLevel(runs) {
		add(e, 0)
	}
	return all
}

// when formats a time briefly.
func (q *historyQuery) when(t time.Time) string {
	t, now := t.Local(), q.now
	day := func(t time.Time) time.Time { return time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC) }
	switch days := int(day(now).Sub(day(t)).Hours() / 24); {
	case days == 0:
		return "today " + t.Format("15:04")
	case days == 1:
		return "yesterday"
	case t.Year() == now.Year():
		return t.Format("Jan 2")
	}
	return t.Format("Jan 2 2006")
}

// taskNames returns the tasks of a command line.
func taskNames(tasks []string) string {
	if len(tasks) == 0 {
		return "default"
	}
	return strings.Join(tasks, " ")
}

// seconds converts a number of seconds.
func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// outcomeWords are the words after a number of steps.
var outcomeWords = [...]string{event.Succeeded: "ok", event.Fresh: "fresh", event.Restored: "restored", event.Failed: "failed", event.Skipped: "skipped", event.Cancelled: "cancelled"}

// counted describes the outcomes of a run's steps, and names the failed ones.
func counted(e *history.Entry) string {
	if e.Result == history.Running || e.Result == history.Killed {
		return fmt.Sprintf("%d of %d", e.Counts.Settled(), max(e.Planned, e.Counts.Settled()))
	}
	const named = 3
	var parts []string
	for o, n := range e.Counts {
		if n > 0 && (event.Outcome(o) != event.Failed || len(e.Failures) == 0) {
			parts = append(parts, fmt.Sprintf("%d %s", n, outcomeWords[o]))
		}
	}
	text := strings.Join(parts, ", ")
	if n := len(e.Failures); n > 0 {
		if text != "" {
			text += "; "
		}
		text += strings.Join(e.Failures[:min(n, named)], ", ")
		if more := max(n, e.Counts[event.Failed]) - named; more > 0 {
			text += fmt.Sprintf(" and %d more", more)
		}
		text += " failed"
	}
	return text
}

func resultColor(r history.Result) report.Color {
	switch r {
	case history.Failed, history.Killed:
		return report.Red
	case history.Cancelled, history.Running:
		return report.Yellow
	}
	return report.Default
}

// table is a table of text. If it is wider than the terminal, optional columns are omitted, the
// last one first, and then columns that can be cut are.
type table struct {
	width   int // 0: no limit
	columns []column
	rows    [][]string
	colors  []report.Color // of the rows; may be nil
}

type column struct {
	head              string
	right             bool // aligned on the right
	optional, shrinks bool
}

const (
	columnGap = 2
	leastCut  = 6 // minimum width of a cut text
)

func (t *table) show(a *app) {
	for _, row := range t.rows {
		for i, text := range row {
			row[i] = diag.Printable(text)
		}
	}
	widths := t.fit()
	a.out.Show(t.line(widths, nil) + "\n")
	for i, row := range t.rows {
		color := report.Default
		if t.colors != nil {
			color = t.colors[i]
		}
		a.paint(a.out, color, t.line(widths, row)+"\n")
	}
}

// fit returns the width of each column; 0 for an omitted one.
func (t *table) fit() []int {
	widths, sum := make([]int, len(t.columns)), 0
	for i, c := range t.columns {
		widths[i] = utf8.RuneCountInString(c.head)
		for _, row := range t.rows {
			widths[i] = max(widths[i], utf8.RuneCountInString(row[i]))
		}
		sum += widths[i] + columnGap
	}
	if t.width == 0 {
		return widths
	}
	room := t.width - 1 + columnGap
	shrink := func(to int) {
		for i := len(widths) - 1; i >= 0 && sum > room; i-- {
			if t.columns[i].shrinks && widths[i] > to {
				less := min(widths[i]-to, sum-room)
				widths[i], sum = widths[i]-less, sum-less
			}
		}
	}
	shrink(4 * leastCut)
	for i := len(widths) - 1; i >= 0 && sum > room; i-- {
		if t.columns[i].optional {
			sum -= widths[i] + columnGap
			widths[i] = 0
		}
	}
	shrink(leastCut)
	return widths
}

// line formats a row, or the head if row is nil.
func (t *table) line(widths []int, row []string) string {
	var b strings.Builder
	for i, c := range t.columns {
		if widths[i] == 0 {
			continue
		}
		text := c.head
		if row != nil {
			text = row[i]
		}
		if n := utf8.RuneCountInString(text); n > widths[i] {
			text = string([]rune(text)[:widths[i]-1]) + "…"
		} else if space := strings.Repeat(" ", widths[i]-n); c.right {
			text = space + text
		} else {
			text += space
		}
		if b.Len() > 0 {
			b.WriteString(strings.Repeat(" ", columnGap))
		}
		b.WriteString(text)
	}
	return strings.TrimRight(b.String(), " ")
}
