package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"unicode/utf8"

	"github.com/weftrun/weft/cmd/weft/report"
	"github.com/weftrun/weft/engine"
	"github.com/weftrun/weft/engine/vars"
	"github.com/weftrun/weft/internal/limit"
	"github.com/weftrun/weft/schema"
	"github.com/weftrun/weft/schema/diag"
)

// loadOptions returns the options for loading the Taskfile selected by o.
func (a *app) loadOptions(o *options) (schema.LoadOptions, error) {
	dir := o.dir
	if o.global {
		if dir = a.env("HOME"); dir == "" {
			return schema.LoadOptions{}, flagError("--global needs HOME to be set")
		}
	}
	wd, _ := a.workingDir() // an error is reported at the next call
	return schema.LoadOptions{Dir: dir, WorkingDir: wd, Entrypoint: o.taskfile, Stdin: os.Stdin, Environ: a.environ, Expand: vars.Expand, Open: a.openRemote}, nil
}

// load reads the workflow, or shows all its problems and returns the exit code.
func (a *app) load(ctx context.Context) (*schema.Workflow, int) {
	o, err := a.loadOptions(&a.opts)
	if err != nil {
		return nil, a.fail(err)
	}
	a.warned = nil
	w, list := schema.Load(ctx, o)
	err = list.Err()
	if a.opts.check {
		var servers *jsonServers
		if err == nil {
			list.Append(engine.Check(w))
			if a.opts.connects {
				servers = a.checkServers(ctx, w, &list)
			}
		}
		return w, a.checked(list, servers) // including warnings
	}
	a.warnings(list.Warnings())
	if err != nil {
		return nil, a.fail(err)
	}
	return w, 0
}

func (a *app) warnings(ds []*diag.Diagnostic) {
	shown := ds[:min(len(ds), limit.Problems)]
	a.warned = append(a.warned, shown...)
	for _, d := range shown {
		a.paint(a.err, report.Yellow, "warning: "+d.Error()+"\n")
	}
	a.unshown(len(ds)-limit.Problems, "warnings")
}

// unshown prints that n more things are omitted, if n is positive.
func (a *app) unshown(n int, things string) {
	if n > 0 {
		a.say(a.err, report.Red, fmt.Sprintf("%d more %s are not shown", n, things))
	}
}

const (
	around   = 2   // lines shown before and after the one with the problem
	maxShown = 120 // bytes shown of a line
)

// excerpt returns the lines around p, with ">" before its line and "^" below its column.
func excerpt(p diag.Pos) string {
	if !p.IsValid() || p.Line == 0 || len(p.File.Source) == 0 || int(p.Line) > p.File.Lines() {
		return ""
	}
	var b strings.Builder
	last := min(p.File.Lines(), int(p.Line)+around)
	for n := max(1, int(p.Line)-around); n <= last; n++ {
		line := p.File.Line(n)
		if n == last && len(line) == 0 && n > int(p.Line) {
			break // no line follows the last newline
		}
		mark := " "
		if n == int(p.Line) {
			mark = ">"
		}
		shown := diag.Printable(beginning(line, maxShown))
		if len(line) > maxShown {
			shown += "..."
		}
		fmt.Fprintf(&b, "%s %4d | %s\n", mark, n, shown)
		if n == int(p.Line) && p.Column > 0 {
			fmt.Fprintf(&b, "       | %s^\n", indent(line, int(p.Column)-1))
		}
	}
	return b.String()
}

// beginning returns at most the first n bytes of s, without cutting a character.
func beginning(s string, n int) string {
	if n >= len(s) {
		return s
	}
	for i := range min(n, utf8.UTFMax) {
		if utf8.RuneStart(s[n-i]) {
			return s[:n-i]
		}
	}
	return s[:n]
}

// indent returns white space as wide as the first n bytes of line.
func indent(line string, n int) string {
	return strings.Map(func(r rune) rune {
		if r == '\t' {
			return r
		}
		return ' '
	}, diag.Printable(beginning(line, min(n, maxShown))))
}

// checked handles --check: it shows every problem that can be found without running anything.
// Here unknown keys, and keys that can never have an effect, are errors. Hints are shown only
// with --verbose, and are not problems.
// servers is what checkServers returned, or nil.
func (a *app) checked(list diag.List, servers *jsonServers) int {
	if a.opts.json {
		return a.checkedJSON(list, servers)
	}
	if servers != nil {
		a.showServers(servers)
	}
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
