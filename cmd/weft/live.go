package main

import (
	"cmp"
	"time"

	"github.com/weftrun/weft/cmd/weft/history"
	"github.com/weftrun/weft/cmd/weft/report"
	"github.com/weftrun/weft/schema"
)

// progresses are the values of --progress.
var progresses = [...]string{"auto", "line", "plain", "off"}

// shown returns the reporter that shows a run in an output style, together with beside: on a live
// terminal with rows below.
func (a *app) shown(style string, o report.Options, beside []report.Reporter) report.Reporter {
	progress := a.progress()
	if style == "ci" && progress != "plain" {
		progress = "off"
	}
	if progress == "auto" || progress == "line" {
		a.area = report.AreaOf(a.out, a.err)
	}
	switch {
	case a.area == nil:
	case progress == "auto" && a.env("ACCESSIBLE") != "":
		a.area, progress = nil, "plain" // screen readers cannot read redrawn rows
	default:
		a.area.Attach(a.out, a.err)
		a.terminals = report.Filters(style)
		return report.NewLive(o, report.LiveOptions{Area: a.area, Style: style, Short: progress == "line", Estimate: a.estimate, DirectOutput: a.outputs.Each}, beside...)
	}
	all := []report.Reporter{report.New(style, o)}
	if progress == "plain" {
		all = append(all, report.NewSettled(o))
	}
	return report.Multi(append(all, beside...)...)
}

// progress returns the display mode for running steps: that of --progress, or "off" if the output
// is never live.
func (a *app) progress() string {
	o := &a.opts
	switch {
	case a.dropIn() || o.audited || o.lists() || a.env("WEFT_RUN_ID") != "":
		return "off"
	case o.progress == "plain" || o.progress == "off":
		return o.progress
	case o.replay != "":
		return "off"
	case a.env("TERM") == "" || a.env("TERM") == "dumb" || a.onCI() || o.events == "-":
		return "off"
	}
	return cmp.Or(o.progress, "auto")
}

// estimates provides the durations of recorded runs.
type estimates struct {
	store     history.Store
	durations *history.Durations
}

// estimates returns the durations recorded in the history of a project, or nil.
func (a *app) estimates(w *schema.Workflow) report.Estimate {
	if a.history == nil {
		return nil
	}
	store := a.runsIn(w.Dir)
	return &estimates{store, store.Durations()}
}

// Duration implements report.Estimate.
func (e *estimates) Duration(key string) time.Duration { return e.durations.Of(key) }

// Steps implements report.Estimate.
func (e *estimates) Steps(tasks []string) int { return e.store.LastTotal(tasks) }

// lend returns a function that hides the rows of a live terminal for a command; nil if it is not
// live.
func (a *app) lend(leave func(*report.Area) (ended func())) func() func() {
	if a.area == nil {
		return nil
	}
	return func() func() { return leave(a.area) }
}
