package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/weftrun/weft/cmd/weft/report"
	"github.com/weftrun/weft/engine/proc"
	"github.com/weftrun/weft/schema"
	"github.com/weftrun/weft/schema/diag"
)

// ciSystem returns the CI system whose log the run is shown in, and whether the user has named it;
// "" for none. If weft is a command of another weft, it returns none, because the outer one reports
// to the system.
func (a *app) ciSystem() (system report.System, named bool, err error) {
	if a.dropIn() || a.env(proc.RunVariable) != "" {
		return "", false, nil
	}
	from, name := "--ci", a.opts.ci
	if name == "" {
		from, name = "WEFT_CI", a.env("WEFT_CI")
	}
	all := report.Systems()
	switch {
	case name == "" || name == "auto":
		return a.detectedSystem(), false, nil
	case name == "off":
		return "", false, nil
	case slices.Contains(all, report.System(name)):
		return report.System(name), true, nil
	}
	known := "auto, off"
	for _, s := range all {
		known += ", " + string(s)
	}
	return "", false, flagError(fmt.Sprintf("%s: there is no %q; there are %s", from, name, known))
}

// groups reports whether the output of each step becomes a group in the log of a CI system, if no
// output style is chosen. That is so in runs of several steps that have the log to themselves,
// unless the user names the system.
func (a *app) groups(w *schema.Workflow) bool {
	system, named, err := a.ciSystem()
	o := &a.opts
	if err != nil || system == "" || o.inspects() || o.watch || o.dry || o.audited || o.events == "-" {
		return false
	}
	return named || !o.silent && !a.oneStep(w) && inheritsOutput()
}

// inspects reports whether tasks are only inspected.
func (o *options) inspects() bool {
	return o.list || o.listAll || o.summary || o.status || o.why || o.cache != "" || o.audit || o.graph != "" || o.chooses() && o.lists()
}

// oneStep reports whether a single task runs that neither needs nor calls another.
func (a *app) oneStep(w *schema.Workflow) bool {
	names := a.named()
	if len(names) != 1 || a.opts.chooses() {
		return false
	}
	t, _, err := w.Lookup(names[0])
	if err != nil {
		return false
	}
	one := true
	schema.EachText(t, func(p schema.Place, _ schema.Text) {
		if p.Kind() == schema.TextTask && p.Key != schema.KeyAfter {
			one = false
		}
	})
	return one
}

// inheritsOutput reports whether standard output is shared with the parent process, and was not
// created to capture weft's output. It is true if that is unknown.
func inheritsOutput() bool {
	theirs, err := os.Stat(fmt.Sprintf("/proc/%d/fd/1", os.Getppid()))
	if err != nil {
		return true
	}
	ours, err := os.Stdout.Stat()
	return err != nil || os.SameFile(ours, theirs)
}

// inCheckout returns the path of a position's file relative to the CI system's checkout, or "" if
// it is outside.
func (a *app) inCheckout(p diag.Pos) string {
	root := a.env("GITHUB_WORKSPACE")
	if root == "" {
		root = a.env("BUILD_SOURCESDIRECTORY")
	}
	file := p.Path()
	if root == "" || !p.IsValid() {
		return ""
	}
	if file == "" {
		file = p.File.Name
	}
	if wd, err := a.workingDir(); err == nil && !filepath.IsAbs(file) {
		file = filepath.Join(wd, file)
	}
	rel, err := filepath.Rel(resolved(root), filepath.Join(resolved(filepath.Dir(file)), filepath.Base(file)))
	if err != nil || rel == ".." || strings.HasPrefix(rel, "../") {
		return ""
	}
	return filepath.ToSlash(rel)
}

// resolved returns dir without symbolic links, or unchanged on an error.
func resolved(dir string) string {
	if path, err := filepath.EvalSymlinks(dir); err == nil {
		return path
	}
	return dir
}

// tellCI configures o to report to the CI system during the run. If standard output may be captured
// by another program, standard error leads to the log.
func (a *app) tellCI(o *report.Options) error {
	system, named, err := a.ciSystem()
	if err != nil {
		return err
	}
	o.CI, o.InCI, o.InCheckout = system, a.inCI(), a.inCheckout
	o.CIOut = a.out
	if system != "" && !named && !inheritsOutput() || a.opts.events == "-" {
		o.CIOut = a.err
	}
	return nil
}

// ownText returns text of weft's own as standard error shows it: without secrets and, where it
// becomes part of the log of a CI system, without commands to that.
func (a *app) ownText(text string) string {
	text = a.secrets.Mask(text)
	if shown := report.EscapeMarkers(text); shown != text && a.inCI() {
		return shown
	}
	return text
}

// inCI reports whether standard error becomes part of the log of a CI system.
func (a *app) inCI() bool {
	system, _, err := a.ciSystem()
	return err == nil && system != "" || a.env(proc.RunVariable) != "" && a.onCI() && !a.dropIn()
}
