package report

import "github.com/weftrun/weft/engine/event"

// plain is the style "interleaved": commands write to weft's own streams
// themselves, and what is relayed all the same is passed on as it comes.
type plain struct{ messages }

func newPlain(o Options) *plain { return &plain{newMessages(o)} }

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

func (p *plain) Close() error { return p.Err() }
