package main

import (
	"fmt"

	"github.com/weftrun/weft/cmd/weft/report"
	"github.com/weftrun/weft/internal/limit"
	"github.com/weftrun/weft/schema/diag"
)

// checked handles --check: it shows every problem that can be found without running anything.
// Here unknown keys, and keys that can never have an effect, are errors. Hints are shown only
// with --verbose, and are not problems.
func (a *app) checked(list diag.List) int {
	var first *diag.Diagnostic
	n := 0
	for _, d := range list.All() {
		if d.Severity == diag.Hint {
			if a.opts.verbose {
				a.paint(a.err, report.Default, "hint: "+d.Error()+"\n")
			}
			continue
		}
		if n++; first == nil {
			first = d
		}
		if n > limit.Problems {
			continue
		}
		a.paint(a.err, report.Red, d.Error()+"\n")
		a.err.Show(excerpt(d.Pos))
	}
	if first == nil {
		return 0
	}
	a.unshown(n-limit.Problems, "problems")
	if n > 1 {
		a.say(a.err, report.Red, fmt.Sprintf("%d problems", n))
	}
	return kindCode(first.Kind)
}
