package report

import "github.com/weftrun/weft/engine/event"

// grouped is the style "group": what a command writes is held back and shown in
// one piece, on standard output, when it ends.
type grouped struct {
	messages
	open map[command]*group
	free []*group // for the next commands
}

// command names one command of a run.
type command struct {
	step  event.StepID
	index int
}

// group is the output of one command.
type group struct {
	held
	begin, end string
}

func newGrouped(o Options) *grouped {
	return &grouped{messages: newMessages(o), open: map[command]*group{}}
}

func (g *grouped) Handle(ev event.Event) {
	switch ev := ev.(type) {
	case *event.Output:
		if ev.Partial {
			return
		}
		g.group(command{ev.Step, ev.Command}).write(ev.Data)
		release(ev)
		return
	case *event.GroupLines:
		p := g.group(command{ev.Step, ev.Command})
		p.begin, p.end = ev.Begin, ev.End
		return
	case *event.CommandEnded:
		g.show(command{ev.Step, ev.Command}, ev.Code != 0 || ev.Err != nil)
		return
	}
	g.handle(ev)
}

func (g *grouped) group(c command) *group {
	p := g.open[c]
	if p == nil {
		if n := len(g.free); n > 0 {
			p, g.free = g.free[n-1], g.free[:n-1]
		} else {
			p = new(group)
		}
		g.open[c] = p
	}
	return p
}

// show writes the output of a command that has ended, between its begin and end
// lines. A command that wrote nothing shows nothing.
func (g *grouped) show(c command, failed bool) {
	p := g.open[c]
	if p == nil {
		return
	}
	delete(g.open, c)
	switch {
	case p.size == 0:
	case g.o.ErrorOnly && !failed:
		p.reset()
	default:
		g.write(p)
	}
	p.begin, p.end = "", ""
	if cap(p.bytes.Memory()) <= heldInMemory/16 && len(g.free) < 64 {
		g.free = append(g.free, p)
	}
}

// write shows p. An end line follows an unterminated last line directly, as
// files that set it have come to know.
func (g *grouped) write(p *group) {
	if p.begin != "" {
		g.o.Stdout.Show(p.begin + "\n")
	}
	p.writeTo(g.o.Stdout)
	if p.end != "" {
		g.o.Stdout.Show(p.end + "\n")
	}
}

// Close shows what commands wrote that never ended: nothing is lost.
func (g *grouped) Close() error {
	for c := range g.open {
		g.show(c, true)
	}
	return g.Err()
}
