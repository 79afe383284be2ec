package report

import "github.com/weftrun/weft/engine/event"

// plain is the style "interleaved": commands write to weft's own streams directly, and relayed
// output is passed on as it arrives.
type plain struct{ messages }

func (p *plain) Handle(ev event.Event) {
	if out, ok := ev.(*event.Output); ok {
		w := p.o.Stdout
		if out.Stream == event.Stderr {
			w = p.o.Stderr
		}
		w.Write(out.Data)
		release(out)
		return
	}
	p.handle(ev)
}
