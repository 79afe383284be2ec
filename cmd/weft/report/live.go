package report

import (
	"cmp"
	"time"

	"github.com/weftrun/weft/engine/event"
)

// LiveOptions configure a live terminal. Area is required.
type LiveOptions struct {
	Area  *Area
	Style string // the output style
	Short bool   // one status line instead of rows
	// Estimate provides durations of steps; may be nil.
	Estimate Estimate
	// DirectOutput calls f with steps whose output goes past weft, and the number of bytes written
	// so far. It is called once a second while there are rows. Nil: unknown.
	DirectOutput func(f func(step event.StepID, bytes int64))
}

// writtenInterval is the time between two questions how much was written.
const writtenInterval = time.Second

// firstRows is the delay before the first rows: a shorter run shows none.
const firstRows = 300 * time.Millisecond

// Live shows running steps below the output on a terminal. Commands that write to the terminal
// directly have it to themselves meanwhile.
type Live struct {
	o       Options
	lo      LiveOptions
	next    Reporter // shows everything except rows
	style   Reporter // part of next that shows output
	filters bool     // output of steps comes from pseudo-terminals and is filtered

	feeds    map[command]*feed
	open     *feed              // source of the unterminated line on the screen; may be nil
	inherits map[command]func() // commands that write to the terminal directly, with the functions that end this

	board board // state for the rows
}

// feed is the output of one command.
type feed struct {
	*filter
	step event.StepID
}

// NewLive returns a reporter that shows a run in the style of lo, with rows below. others show
// further output, such as a summary at the end.
func NewLive(o Options, lo LiveOptions, others ...Reporter) *Live {
	l := &Live{o: o, lo: lo, feeds: map[command]*feed{}, inherits: map[command]func(){}, filters: Filters(lo.Style)}
	l.board = newBoard(lo.Estimate)
	l.style = New(lo.Style, o)
	switch s := l.style.(type) {
	case *plain:
		s.interrupt = l.interrupt
	case *ordered:
		s.interrupt = l.interrupt
	}
	l.next = Multi(append([]Reporter{l.style}, others...)...)
	return l
}

// Filters reports whether steps that run side by side have pseudo-terminals, whose output a live
// terminal filters, in an output style.
func Filters(style string) bool { return style == "interleaved" || style == "keep-order" }

// Wants implements Reporter.
func (l *Live) Wants() event.Wants {
	wants := l.next.Wants()
	wants.Graph = wants.Graph || l.lo.Estimate != nil
	return wants
}

// Handle implements Reporter.
func (l *Live) Handle(ev event.Event) {
	l.board.note(ev)
	switch ev := ev.(type) {
	case *event.Output:
		l.output(ev)
		return
	case *event.CommandStarted:
		l.next.Handle(ev)
		if !ev.Relayed && !ev.DryRun {
			l.interrupt()
			if c := (command{ev.Step, ev.Command}); l.inherits[c] == nil {
				l.inherits[c] = l.lo.Area.Hide()
			}
		}
		return
	case *event.CommandEnded:
		l.ended(command{ev.Step, ev.Command}, ev.Time)
	case *event.WatchTriggered:
		if l.o.Clear {
			l.lo.Area.Draw(nil)
		}
	case *event.RunFinished:
		l.lo.Area.Draw(nil)
	}
	l.next.Handle(ev)
}

// output passes on the complete lines of a command.
func (l *Live) output(ev *event.Output) {
	c := command{ev.Step, ev.Command}
	f := l.feeds[c]
	if f == nil {
		f = &feed{newFilter(), ev.Step}
		_, f.height, _ = l.lo.Area.Size()
		l.feeds[c] = f
		l.board.writes(f)
	}
	if !l.filters {
		f.tail.Write(ev.Data)
		l.pass(ev)
		return
	}
	f.write(ev.Data)
	l.show(c, f, f.take(ev.Partial && l.streams(ev.Step)), ev)
	release(ev)
}

// streams reports whether the step's output is shown at once.
func (l *Live) streams(id event.StepID) bool {
	o, ok := l.style.(*ordered)
	return !ok || o.streams(id)
}

// show shows data of a command, continuing its unterminated line if shown.
func (l *Live) show(c command, f *feed, data []byte, ev *event.Output) {
	if len(data) == 0 {
		return
	}
	if l.open != f {
		l.interrupt()
	}
	l.open = nil
	l.pass(&event.Output{Time: ev.Time, Step: c.step, Command: c.index, Stream: ev.Stream, Data: data})
	if data[len(data)-1] != '\n' {
		l.open = f
	}
}

// pass passes on output, of which the terminal is told whose it is.
func (l *Live) pass(ev *event.Output) {
	l.lo.Area.SetSource(ev.Step, ev.Time)
	l.next.Handle(ev)
	l.lo.Area.SetSource(0, time.Time{})
}

// interrupt ends the unterminated line that is shown.
func (l *Live) interrupt() {
	if l.open != nil {
		l.open.interrupted()
		l.open = nil
	}
	l.lo.Area.NewLine()
}

// ended shows the remaining output of a command, and allows rows again if it had the terminal.
func (l *Live) ended(c command, at time.Time) {
	if f := l.feeds[c]; f != nil {
		delete(l.feeds, c)
		if l.filters {
			f.end()
			l.show(c, f, f.take(false), &event.Output{Time: at, Stream: event.Merged})
		}
	}
	if returned := l.inherits[c]; returned != nil {
		delete(l.inherits, c)
		returned()
	}
}

// Tick implements Ticker.
func (l *Live) Tick(now time.Time) {
	if t, ok := l.next.(Ticker); ok {
		t.Tick(now)
	}
	columns, lines, free := l.lo.Area.Size()
	for _, f := range l.feeds {
		f.height = lines
	}
	var rows []row
	if free {
		if l.lo.DirectOutput != nil && l.board.beside && now.Sub(l.board.sampled) >= writtenInterval {
			l.board.sample(now, l.lo.DirectOutput)
		}
		rows = l.board.rows(&l.o.Palette, frame{now: now, columns: columns, lines: lines, short: l.lo.Short})
	}
	l.lo.Area.Draw(rows)
}

// Err implements Reporter.
func (l *Live) Err() error { return l.next.Err() }

// Close implements Reporter.
func (l *Live) Close() error {
	for c := range l.feeds {
		l.ended(c, time.Time{})
	}
	err := l.next.Close()
	l.lo.Area.Close()
	return cmp.Or(err, l.lo.Area.Err())
}
