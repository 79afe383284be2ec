package main

import (
	"fmt"

	"github.com/weftrun/weft/cmd/weft/report"
	"github.com/weftrun/weft/schema/diag"
)

// checked answers --check: every problem that can be known without running
// anything, unknown keys among them. Only "suspicious" ones are no errors.
func (a *app) checked(list diag.List) int {
	var first *diag.Diagnostic
	n := 0
	for _, d := range list.All() {
		if d.Severity == diag.Warning && d.Kind != diag.UnknownKey {
			a.paint(a.err, report.Yellow, "warning: "+d.Error()+"\n")
			continue
		}
		if n++; first == nil {
			first = d
		}
		a.paint(a.err, report.Red, d.Error()+"\n")
		a.err.WriteString(excerpt(d.Pos))
	}
	if first == nil {
		return 0
	}
	if n > 1 {
		a.say(a.err, report.Red, fmt.Sprintf("%d problems", n))
	}
	return kindCode(first.Kind)
}
