//go:build unix

package schema

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/weftrun/weft/schema/diag"
)

// TestCheckIsLinear: checking a file with four times as many problems takes about four times as
// long, not sixteen. CPU time is measured.
func TestCheckIsLinear(t *testing.T) {
	spent := func() time.Duration {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			t.Fatal(err)
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	for name, line := range map[string]string{
		"unknown keys of the root": "key%d: x\n",
		"unknown keys of a task":   "    key%d: x\n",
		"unknown keys of tasks":    "  t%d: {unknown: x}\n",
		"missing tasks":            "  t%d: [{task: missing%[1]d}]\n",
		"shared aliases":           "  t%d: {aliases: [x]}\n",
		"shared files":             "  t%d: {generates: [o], cmds: [{task: 't%[1]d'}]}\n",
		"wrong types":              "  t%d: {silent: [x]}\n",
		"repeated tasks":           "  t: echo %d\n",
		"repeated variables":       "  t%d: {vars: {A: 1, A: 2}}\n",
		"tags":                     "  t%d: ! x\n",
	} {
		file := func(n int) string {
			var b strings.Builder
			b.WriteString("version: '3'\n")
			if strings.HasPrefix(line, " ") {
				b.WriteString("tasks:\n")
			}
			if strings.HasPrefix(line, "   ") {
				b.WriteString("  a:\n")
			}
			for i := range n {
				fmt.Fprintf(&b, line, i)
			}
			return b.String()
		}
		cost := func(src string) time.Duration {
			best := time.Duration(1 << 62)
			for range 3 {
				began := spent()
				doc, list := decodeFile(&diag.File{Path: "T", Source: src})
				if list.Err() == nil {
					w := doc.workflow("/w")
					Check(w)
				}
				best = min(best, spent()-began)
			}
			return best
		}
		const n = 2000
		small, large := cost(file(n)), cost(file(4*n))
		if large > 10*small+50*time.Millisecond {
			t.Errorf("%s: %v for %d, %v for %d", name, small, n, large, 4*n)
		}
	}
}
