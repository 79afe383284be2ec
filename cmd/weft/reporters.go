package main

import (
	"fmt"
	"os"

	"golang.org/x/term"

	"github.com/weftrun/weft/cmd/weft/report"
	"github.com/weftrun/weft/schema"
)

// outputStyle returns the output style of the command line or the settings, or else of the
// workflow. The default for several services is prefixed.
func (a *app) outputStyle(w *schema.Workflow) (schema.Output, error) {
	out := w.Output
	if a.opts.output != "" {
		out = schema.Output{Style: a.opts.output, Begin: schema.Text{S: a.opts.groupBegin}, End: schema.Text{S: a.opts.groupEnd}, ErrorOnly: a.opts.groupErrorOnly}
	}
	switch out.Style {
	case "":
		out.Style = "interleaved"
		if a.groups(w) {
			out.Style = "ci"
		} else if !a.dropIn() && w.IsStack(a.named()) {
			out.Style, a.chosenStyle = "prefixed", "prefixed"
		}
	case "interleaved", "group", "prefixed":
	default:
		if out.Style == a.opts.output && out.Style == "keep-order" && !a.dropIn() {
			break
		}
		return out, flagError(fmt.Sprintf("output style %q not recognized", out.Style))
	}
	return out, nil
}

// relayedAs returns the engine's output style for a displayed style.
func relayedAs(style string) string {
	if style == "ci" {
		return "group"
	}
	return style
}

// reporterOptions returns the options of the reporters of a run.
func (a *app) reporterOptions(style schema.Output) report.Options {
	o := report.Options{Stdout: a.out, Stderr: a.err, Name: a.name, DropIn: a.dropIn(), Palette: a.palette,
		Verbose: a.opts.verbose, ErrorOnly: style.ErrorOnly, Clear: a.opts.clear, Terminal: term.IsTerminal(int(os.Stdout.Fd())), Keys: a.opts.replay == "" && term.IsTerminal(int(os.Stdin.Fd())), ErrorText: a.errorText, Describe: a.describe}
	if a.history != nil || a.opts.replay != "" {
		o.Log = a.logLine
	}
	return o
}

// newReporter returns all reporters of a run as one.
func (a *app) newReporter(style schema.Output) (report.Reporter, error) {
	o := a.reporterOptions(style)
	files, err := a.reportFiles()
	if err != nil {
		return nil, err
	}
	if err := a.tellCI(&o); err != nil {
		return nil, err
	}
	var beside []report.Reporter
	if a.opts.timings {
		beside = append(beside, report.NewTimings(o))
	}
	if o.HasSummary = !a.dropIn() && !a.opts.watch; o.HasSummary {
		o := o
		if style.Style == "ci" {
			o.Stderr, o.Sections = o.Stdout, true // keeps the order
		}
		beside = append(beside, report.NewSummary(o, a.rerun))
	}
	var all []report.Reporter
	if a.opts.detached {
		all = []report.Reporter{a.detachedReporter(o)}
	} else {
		all = []report.Reporter{a.shown(style.Style, o, beside)}
	}
	if a.opts.replay != "" && a.terminals {
		all[0] = report.WholeLines(all[0])
	}
	if a.controller != nil {
		all = append(all, a.controller)
	}
	if a.area != nil && report.TerminalOf(a.env).Progresses() {
		all = append(all, report.NewTaskbar(a.area.Progress))
	}
	if n, err := a.notifier(); err != nil {
		return nil, err
	} else if n != nil {
		all = append(all, n)
	}
	if a.history != nil {
		all = append(all, a.history)
	}
	if a.opts.events != "" {
		if a.events, err = a.newEvents(); err != nil {
			return nil, err
		}
		if a.eventsAlone() {
			all[0] = report.WithoutOutput(all[0])
		}
		all = append(all, a.events)
	}
	if files != nil {
		all = append(all, files)
	}
	if a.opts.timestamps {
		stamps := new(report.Stamps)
		a.out.Stamp(stamps)
		a.err.Stamp(stamps)
		all = append([]report.Reporter{stamps}, all...)
	}
	if a.page != nil {
		all = append(all, a.page)
	}
	if e := a.newExporter(); e != nil {
		all = append(all, e)
	}
	others := 1
	if a.history != nil { // can do without
		others++
	}
	a.concluding = len(all) > others || a.supervisor != nil
	return report.Multi(all...), nil
}
