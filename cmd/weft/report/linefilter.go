package report

import (
	"maps"
	"slices"
	"sort"
	"time"

	"github.com/weftrun/weft/engine/event"
)

// LineFilter converts the terminal output of a program into lines, as the live terminal does:
// colours are kept, and of repainted lines only the final state.
type LineFilter struct{ f *filter }

// NewLineFilter returns a filter for one command.
func NewLineFilter() *LineFilter { return &LineFilter{newFilter()} }

// Write processes output of the program, and returns the complete lines, each with its newline.
// They are valid until the next call.
func (l *LineFilter) Write(p []byte) []byte {
	l.f.write(p)
	return l.f.take(false)
}

// End returns the remaining output after the program has ended.
func (l *LineFilter) End() []byte {
	l.f.end()
	return l.f.take(false)
}

// wholeLines passes output of terminals to a Reporter as whole lines.
type wholeLines struct {
	Reporter
	filters map[command]*filter // by running commands that have written something
}

// WholeLines returns a reporter that passes all events to r, but of the output of commands, which
// they wrote to terminals of their own, whole lines as the live terminal shows them. So lines of
// commands that ran at the same time are not mixed.
func WholeLines(r Reporter) Reporter { return &wholeLines{r, map[command]*filter{}} }

// Handle implements Reporter.
func (w *wholeLines) Handle(ev event.Event) {
	switch ev := ev.(type) {
	case *event.Output:
		c := command{ev.Step, ev.Command}
		f := w.filters[c]
		if f == nil {
			f = newFilter()
			w.filters[c] = f
		}
		f.write(ev.Data)
		w.show(c, f, ev.Stream, ev.Time)
		release(ev)
		return
	case *event.CommandEnded:
		w.end(command{ev.Step, ev.Command}, ev.Time)
	}
	w.Reporter.Handle(ev)
}

// show passes on the complete lines of a command.
func (w *wholeLines) show(c command, f *filter, stream event.Stream, at time.Time) {
	if lines := f.take(false); len(lines) > 0 {
		w.Reporter.Handle(&event.Output{Time: at, Step: c.step, Command: c.index, Stream: stream, Data: lines})
	}
}

// end passes on the remaining output of a command.
func (w *wholeLines) end(c command, at time.Time) {
	if f := w.filters[c]; f != nil {
		delete(w.filters, c)
		f.end()
		w.show(c, f, event.Merged, at)
	}
}

// Close implements Reporter. It also shows the last lines of commands that have not ended.
func (w *wholeLines) Close() error {
	left := slices.Collect(maps.Keys(w.filters))
	sort.Slice(left, func(i, j int) bool {
		a, b := left[i], left[j]
		return a.step < b.step || a.step == b.step && a.index < b.index
	})
	for _, c := range left {
		w.end(c, time.Time{})
	}
	return w.Reporter.Close()
}
