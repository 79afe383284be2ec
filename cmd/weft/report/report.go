// Package report turns events into bytes: one file per way of showing a run.
//
// A [Reporter] is a function of the events it is handed and of its [Options],
// so that a recorded run replays into any of them. The package sees events
// only, never the engine: what an error looks like to the user it is told by
// Options.ErrorText.
package report

import (
	"cmp"
	"slices"

	"github.com/weftrun/weft/engine/event"
)

// Reporter shows a run. Its methods are called from one goroutine; it keeps no
// locks.
type Reporter interface {
	// Handle shows ev. It takes over ev's Data, if it has any, and releases
	// it. It does not fail: see Err.
	Handle(ev event.Event)
	// Err returns the first error of writing, or nil. After it nothing more is
	// written, so a run that goes on is run for nobody.
	Err() error
	// Close shows what is still held back and gives back what the reporter
	// opened itself. It returns Err.
	Close() error
}

// Options say how a run is shown. Stdout and Stderr are required.
type Options struct {
	Stdout, Stderr *Out
	Name           string  // the program's name, before messages: "weft"
	DropIn         bool    // texts of the reference, none of weft's own
	Palette        Palette // the zero value has no colours
	Verbose        bool
	Terminal       bool // Stdout is one
	ErrorOnly      bool // grouped: only the output of failed commands
	Clear          bool // the screen, before each run of what is watched
	Keys           bool // the user can type while nothing runs
	// ErrorText is an error as the user sees it; nil means its Error method.
	ErrorText func(error) string
}

// errorText is err as the user sees it.
func (o *Options) errorText(err error) paragraph {
	if err == nil {
		return ""
	}
	if o.ErrorText == nil {
		return paragraph(err.Error())
	}
	return paragraph(o.ErrorText(err))
}

// New returns the reporter of an output style: "interleaved", "group" or
// "prefixed".
func New(style string, o Options) Reporter {
	switch style {
	case "group":
		return newGrouped(o)
	case "prefixed":
		return newPrefixed(o)
	}
	return newPlain(o)
}

// release gives the bytes of an Output event back to their owner.
func release(ev *event.Output) {
	if ev.Release != nil {
		ev.Release()
	}
}

// multi hands every event to several reporters.
type multi []Reporter

// Multi returns a reporter that hands every event to all of rs, in order.
// Output is released when the last has seen it.
func Multi(rs ...Reporter) Reporter {
	if len(rs) == 1 {
		return rs[0]
	}
	return multi(slices.Clone(rs))
}

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

func (m multi) Err() error {
	for _, r := range m {
		if err := r.Err(); err != nil {
			return err
		}
	}
	return nil
}

func (m multi) Close() error {
	var first error
	for _, r := range m {
		first = cmp.Or(first, r.Close())
	}
	return first
}
