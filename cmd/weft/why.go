package main

import (
	"context"
	"fmt"

	"github.com/weftrun/weft/cmd/weft/report"
	"github.com/weftrun/weft/engine"
	"github.com/weftrun/weft/engine/executor"
	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/schema/diag"
)

// jsonWhy is the output of --why --json; docs/incremental.md describes it.
type jsonWhy struct {
	Version int                  `json:"version"`
	Tasks   []engine.Explanation `json:"tasks"`
}

// why handles --why: it shows for each task and its needs why it would run or not. Needs come
// first, so that the root cause is at the top.
func (r *runner) why(ctx context.Context, calls []plan.Call) error {
	answers, err := r.engine.Why(ctx, calls)
	if r.opts.json {
		if err == nil {
			r.writeJSON(jsonWhy{1, answers})
		}
		return err
	}
	for _, x := range answers {
		verdict, color := "would run", report.Yellow
		switch {
		case x.Fresh:
			verdict, color = "is up to date", report.Green
		case x.Restored:
			verdict, color = "would be restored from the cache", report.Green
		case len(x.Reasons) == 1 && x.Reasons[0].Kind == "skipped":
			verdict, color = "would be skipped: its condition or platform is not met", report.Cyan
		}
		r.paint(r.out, color, fmt.Sprintf("%q %s\n", x.Task, verdict))
		for _, reason := range x.Reasons {
			if reason.Kind != "skipped" {
				r.out.Show("  " + diag.Printable(reason.String()) + "\n")
			}
		}
		r.whyNotCached(x.Cache)
	}
	return err
}

// whyNotCached shows why the cache lacks the result of a task.
func (r *runner) whyNotCached(m *executor.Miss) {
	switch {
	case m == nil:
	case m.Nearest == "":
		r.out.Show("  cache: " + diag.Printable(m.Why) + "\n")
	default:
		r.out.Show("  cache: " + diag.Printable(m.Why) + "; the nearest entry is " + m.Nearest[:12] + ", which differs in\n")
		for _, reason := range m.Reasons {
			r.out.Show("    " + diag.Printable(reason.String()) + "\n")
		}
	}
}
