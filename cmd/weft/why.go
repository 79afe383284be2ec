package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/weftrun/weft/cmd/weft/report"
	"github.com/weftrun/weft/engine"
	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/schema/diag"
)

// why handles --why: it shows for each task and its needs why it would run or not. Needs come
// first, so that the first cause is at the top.
func (r *runner) why(ctx context.Context, calls []plan.Call) error {
	answers, err := r.engine.Why(ctx, calls)
	if r.opts.json {
		if err == nil {
			r.writeJSON(answers)
		}
		return err
	}
	for _, x := range answers {
		verdict, color := "would run", report.Yellow
		switch {
		case x.Fresh:
			verdict, color = "is up to date", report.Green
		case len(x.Reasons) == 1 && x.Reasons[0].Kind == "skipped":
			verdict, color = "would be skipped: its condition or platform does not hold", report.Cyan
		}
		r.paint(r.out, color, fmt.Sprintf("%q %s\n", x.Task, verdict))
		for _, reason := range x.Reasons {
			if reason.Kind != "skipped" {
				r.out.Show("  " + diag.Printable(explain(reason)) + "\n")
			}
		}
	}
	return err
}

// explain returns a reason as a line.
func explain(x engine.Reason) string {
	what := strings.TrimSpace(x.Kind + " " + x.Name)
	switch {
	case x.Old != "" && x.New != "":
		return what + ": " + x.Old + " -> " + x.New
	case x.New != "":
		return what + ": " + x.New
	case x.Old != "":
		return what + ": was " + x.Old
	}
	return what
}
