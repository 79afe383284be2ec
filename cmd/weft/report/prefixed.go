package report

import (
	"time"

	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/schema/diag"
)

// prefixed is the style "prefixed": every line of a command is shown at once, on standard output,
// as "[PREFIX] line".
type prefixed struct {
	messages
	lines  lines
	open   map[command]*lineState
	colors map[string]Color // by prefix
}

// sequence are the colours prefixes get, in order of appearance.
var sequence = [...]Color{
	Yellow, Blue, Magenta, Cyan, Green, Red,
	BrightYellow, BrightBlue, BrightMagenta, BrightCyan, BrightGreen, BrightRed,
}

// lineState is the state of one command's output.
type lineState struct {
	prefix   []byte    // "[PREFIX] ", coloured
	partial  []byte    // unterminated line not yet shown
	inLine   bool      // the last shown line is not terminated
	long     bool      // the line was too long to be held back
	replaces bool      // further output overwrites the shown part of the line
	shown    time.Time // last time an unterminated line was shown
}

func newPrefixed(o Options) *prefixed {
	p := &prefixed{messages: newMessages(o), open: map[command]*lineState{}, colors: map[string]Color{}}
	p.messages.prefixed = true
	p.lines = lines{w: o.Stdout, hold: keepLine, progress: !o.DropIn, commands: o.CI != "", terminal: o.Terminal}
	if o.Terminal && !o.DropIn && o.Stdout.same(o.Stderr) {
		p.messages.interrupt = func() {
			p.lines.interrupt()
			p.lines.flush()
		}
	}
	return p
}

func (p *prefixed) Handle(ev event.Event) {
	switch ev := ev.(type) {
	case *event.Output:
		if ev.Partial {
			if t := p.open[command{ev.Step, ev.Command}]; t != nil && !p.o.DropIn {
				p.lines.idle(t)
				t.shown = ev.Time
			}
			return
		}
		t := p.tail(command{ev.Step, ev.Command})
		p.lines.write(t, ev.Data)
		p.lines.progressed(t, ev.Time)
		release(ev)
		return
	case *event.Progress:
		p.progress(ev)
		return
	case *event.CommandEnded:
		c := command{ev.Step, ev.Command}
		if t := p.open[c]; t != nil {
			delete(p.open, c)
			p.lines.end(t)
		}
		return
	}
	p.handle(ev)
}

func (p *prefixed) tail(c command) *lineState {
	t := p.open[c]
	if t == nil {
		t = &lineState{prefix: p.prefix(c.step)}
		p.open[c] = t
	}
	return t
}

// prefix returns the prefix of a step's lines.
func (p *prefixed) prefix(id event.StepID) []byte {
	name := diag.Printable(p.started(id).Prefix)
	b := []byte{'['}
	if p.o.Palette.On {
		c, seen := p.colors[name]
		if !seen {
			c = sequence[len(p.colors)%len(sequence)]
			p.colors[name] = c
		}
		b = p.o.Palette.Append(b, c, name)
	} else {
		b = append(b, name...)
	}
	return append(b, "] "...)
}

// Close shows unterminated lines of commands that did not end.
func (p *prefixed) Close() error {
	for c, t := range p.open {
		delete(p.open, c)
		p.lines.end(t)
	}
	return p.Err()
}
