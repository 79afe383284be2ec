// Package report turns events into bytes: one file per way of showing a run.
//
// A [Reporter] depends only on its events and its [Options], so that a recorded run can be shown by
// any of them. The package sees events, never the engine; Options.ErrorText formats errors for the
// user.
package report

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/schema/diag"
)

// Reporter shows a run. Its methods are called from one goroutine, so it needs no locks.
type Reporter interface {
	// Wants returns the details that the reporter needs in the events. It is called once, before the
	// run.
	Wants() event.Wants
	// Handle shows ev. It takes ownership of ev's Data, if any, and releases it. Errors are returned
	// by Err.
	Handle(ev event.Event)
	// Err returns the first write error, or nil. After an error nothing more is written.
	Err() error
	// Close shows held output, closes everything the reporter opened, and returns Err.
	Close() error
}

// Ticker is a [Reporter] whose display depends on the time, too.
type Ticker interface {
	// Tick is called on the goroutine that calls Handle, at most ten times a second, and
	// about once a second while nothing happens.
	Tick(now time.Time)
}

// Flusher is a [Reporter] that batches its writes.
type Flusher interface {
	// Flush writes the batched data. It is called on the goroutine that calls Handle when no more
	// events are pending.
	Flush()
}

// Options configure how a run is shown. Stdout and Stderr are required.
type Options struct {
	Stdout, Stderr *Out
	Name           string  // the program's name, before messages: "weft"
	DropIn         bool    // only the reference's texts
	Palette        Palette // the zero value has no colours
	Verbose        bool
	Terminal       bool // Stdout is a terminal
	ErrorOnly      bool // grouped: only the output of failed commands
	Clear          bool // clear the screen before each run in watch mode
	Keys           bool // the user can type while nothing runs
	// ErrorText formats an error for the user; nil means its Error method.
	ErrorText func(error) string
	// Describe describes an error with secrets masked; nil means its Error text only.
	Describe func(error) event.Failure
	// Log returns the command line that shows the whole log of a task, or "" if no log is kept; it may
	// be nil. It is called at the end of a run.
	Log        func(task string) string
	HasSummary bool // a [Summary] lists the failures at the end

	CI         System                      // the CI system that shows the output, or ""
	InCI       bool                        // a CI system shows the output, by CI or by another weft
	Sections   bool                        // the output style is "ci"
	CIOut      *Out                        // receives CI commands; nil means Stdout
	InCheckout func(place diag.Pos) string // path of place's file in the checkout, or ""; may be nil
}

// failure describes err.
func (o *Options) failure(err error) event.Failure {
	if f, ok := err.(*event.Failure); ok {
		return *f
	}
	if o.Describe == nil {
		return event.Failure{Text: err.Error(), Shown: err.Error(), Reason: err.Error()}
	}
	return o.Describe(err)
}

// errorText formats err for the user.
func (o *Options) errorText(err error) paragraph {
	if err == nil {
		return ""
	}
	if o.ErrorText == nil {
		return paragraph(err.Error())
	}
	return paragraph(o.ErrorText(err))
}

// inner returns err for use within a message that already begins with the program's name: the name
// is removed from err. The reference repeats it for each calling task.
func (o *Options) inner(err error) paragraph {
	text := string(o.errorText(err))
	if o.DropIn {
		return paragraph(text)
	}
	text = strings.TrimPrefix(text, o.Name+": ")
	return paragraph(strings.ReplaceAll(text, ": "+o.Name+": ", ": "))
}

// New returns the reporter of an output style: "interleaved", "group",
// "prefixed", "keep-order" or "ci".
func New(style string, o Options) Reporter {
	switch style {
	case "group":
		return &grouped{messages: newMessages(o), open: map[command]*group{}}
	case "prefixed":
		return newPrefixed(o)
	case "keep-order":
		return newOrdered(o)
	case "ci":
		return newCI(o)
	}
	return &plain{newMessages(o)}
}

// release returns the bytes of an Output event to their owner.
func release(ev *event.Output) {
	if ev.Release != nil {
		ev.Release()
	}
}

// multi hands every event to several reporters.
type multi []Reporter

// Multi returns a reporter that passes every event to all of rs, in order. Output is released after
// the last one.
func Multi(rs ...Reporter) Reporter {
	if len(rs) == 1 {
		return rs[0]
	}
	return multi(slices.Clone(rs))
}

// Wants implements Reporter.
func (m multi) Wants() (all event.Wants) {
	for _, r := range m {
		all = all.Union(r.Wants())
	}
	return all
}

// Ticks returns a function that calls Tick of r and its parts; nil if none of them is a [Ticker].
func Ticks(r Reporter) func(now time.Time) {
	var tickers []Ticker
	for _, r := range parts(r) {
		if t, ok := r.(Ticker); ok {
			tickers = append(tickers, t)
		}
	}
	if tickers == nil {
		return nil
	}
	return func(now time.Time) {
		for _, t := range tickers {
			t.Tick(now)
		}
	}
}

// Flushes returns a function that calls Flush of r and its parts; nil if none of them is a
// [Flusher].
func Flushes(r Reporter) func() {
	var flushers []Flusher
	for _, r := range parts(r) {
		if f, ok := r.(Flusher); ok {
			flushers = append(flushers, f)
		}
	}
	if flushers == nil {
		return nil
	}
	return func() {
		for _, f := range flushers {
			f.Flush()
		}
	}
}

// parts returns the reporters that r consists of.
func parts(r Reporter) []Reporter {
	if m, ok := r.(multi); ok {
		return m
	}
	return []Reporter{r}
}

// Handle implements Reporter.
func (m multi) Handle(ev event.Event) {
	if out, ok := ev.(*event.Output); ok {
		defer release(out)
		shared := *out
		shared.Release = nil
		ev = &shared
	}
	for _, r := range m {
		r.Handle(ev)
	}
}

func (m multi) Err() (first error) {
	for _, r := range m {
		first = cmp.Or(first, r.Err())
	}
	return first
}

func (m multi) Close() (first error) {
	for _, r := range m {
		first = cmp.Or(first, r.Close())
	}
	return first
}
