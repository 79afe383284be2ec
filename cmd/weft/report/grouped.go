package report

import (
	"io"
	"math"

	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/internal/spool"
)

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

// heldInMemory is how many bytes of a held output are kept in memory.
const heldInMemory = 1 << 20

// copyBlock is the piece in which a held output is copied out of a file.
const copyBlock = 128 << 10

// held is the output of one command until it may be shown. The zero value is empty.
type held struct {
	bytes spool.Buffer
	size  int64
}

// write appends p. When no file can be had it stays in memory: slow beats lost.
func (h *held) write(p []byte) {
	if h.size == 0 {
		h.bytes.InMemory = heldInMemory
	}
	if _, err := h.bytes.WriteAt(p, h.size); err != nil {
		h.keepInMemory()
		h.bytes.WriteAt(p, h.size)
	}
	h.size += int64(len(p))
}

// keepInMemory moves everything back to memory: the disk is full.
func (h *held) keepInMemory() {
	all := make([]byte, h.size)
	if _, err := h.bytes.ReadAt(all, 0); err != nil {
		all = append(all[:0], "[output lost: "+err.Error()+"]\n"...)
	}
	h.bytes.Reset()
	h.bytes.InMemory = math.MaxInt64
	h.bytes.WriteAt(all, 0)
	h.size = int64(len(all))
}

// writeTo shows everything and empties h. Its memory is kept for the next.
func (h *held) writeTo(w *Out) {
	w.Write(h.bytes.Memory())
	if h.bytes.File() != nil {
		h.copyFile(w)
	}
	h.reset()
}

func (h *held) copyFile(w *Out) {
	off := w.splice(h.bytes.File(), 0, h.size)
	if off == h.size {
		return
	}
	rest := io.NewSectionReader(&h.bytes, off, h.size-off)
	if _, err := io.CopyBuffer(w, rest, make([]byte, copyBlock)); err != nil {
		w.Show("[output lost: " + err.Error() + "]\n") // nothing if w has ended
	}
}

// reset empties h.
func (h *held) reset() {
	h.bytes.Reset()
	h.size = 0
}
