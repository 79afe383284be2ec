package report

import (
	"fmt"
	"io"
	"math"

	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/internal/spool"
)

// grouped is the style "group": the output of a command is held back and shown in one piece, on
// standard output, when it ends.
type grouped struct {
	messages
	open map[command]*group
	free []*group // for reuse

	services *prefixed        // shows output of services; nil until there is one
	serving  map[command]bool // commands that are services
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

// serve records that a command is a service. Its output is shown at once, each line with a prefix,
// because the service may run for long.
func (g *grouped) serve(c command) {
	if g.services == nil {
		g.services, g.serving = newPrefixed(g.o), map[command]bool{}
		g.services.steps, g.messages.interrupt = g.steps, g.services.messages.interrupt
	}
	g.serving[c] = true
}

func (g *grouped) Handle(ev event.Event) {
	switch ev := ev.(type) {
	case *event.CommandStarted:
		if ev.Service {
			g.serve(command{ev.Step, ev.Command})
		}
	case *event.Output:
		if g.serving[command{ev.Step, ev.Command}] {
			g.services.Handle(ev)
			return
		}
		if ev.Partial {
			return
		}
		g.group(command{ev.Step, ev.Command}).add(g.o.Stdout.stamps, ev.Data)
		release(ev)
		return
	case *event.GroupLines:
		if g.serving[command{ev.Step, ev.Command}] {
			return
		}
		p := g.group(command{ev.Step, ev.Command})
		p.begin, p.end = ev.Begin, ev.End
		return
	case *event.Progress:
		g.progress(ev)
		return
	case *event.CommandEnded:
		if c := (command{ev.Step, ev.Command}); g.serving[c] {
			delete(g.serving, c)
			g.services.Handle(ev)
			return
		}
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

// show writes the output of an ended command between its begin and end lines. A command without
// output shows nothing.
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

// write shows p. An end line directly follows an unterminated last line; existing Taskfiles rely on
// that.
func (g *grouped) write(p *group) {
	if p.begin != "" {
		g.o.Stdout.Show(p.begin + "\n")
	}
	g.o.Stdout.asHeld(func() { p.writeTo(g.o.Stdout) })
	if p.end != "" {
		g.o.Stdout.Show(p.end + "\n")
	}
}

// Close shows the output of commands that did not end.
func (g *grouped) Close() error {
	if g.services != nil {
		g.services.Close()
	}
	for c := range g.open {
		g.show(c, true)
	}
	return g.Err()
}

// heldInMemory is the number of bytes of a held output kept in memory.
const heldInMemory = 1 << 20

// copyBlock is the buffer size for copying a held output from a file.
const copyBlock = 128 << 10

// held is the output of one command until it is shown. The zero value is empty.
type held struct {
	bytes  spool.Buffer
	size   int64
	within bool // with stamps: the last line is not terminated
}

// add appends p, with stamps before each line if s is not nil.
func (h *held) add(s *Stamps, p []byte) {
	if s != nil {
		p = s.append(nil, p, &h.within)
	}
	h.write(p)
}

// write appends p. If no file can be created, all output stays in memory.
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

// keepInMemory moves everything back to memory, because the disk is full.
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

// writeTo shows everything and empties h, which keeps its memory for reuse.
func (h *held) writeTo(w *Out) {
	w.Write(h.bytes.Memory())
	if h.bytes.File() != nil {
		h.copyFile(w)
	}
	h.reset()
}

// copyTo writes everything to w.
func (h *held) copyTo(w io.Writer) {
	if h.bytes.File() == nil {
		w.Write(h.bytes.Memory())
		return
	}
	if _, err := io.CopyBuffer(struct{ io.Writer }{w}, io.NewSectionReader(&h.bytes, 0, h.size), make([]byte, copyBlock)); err != nil {
		fmt.Fprintf(w, "[output lost: %v]\n", err) // does nothing if w has failed
	}
}

func (h *held) copyFile(w *Out) {
	off := w.splice(h.bytes.File(), 0, h.size)
	if off == h.size {
		return
	}
	rest := io.NewSectionReader(&h.bytes, off, h.size-off)
	if _, err := io.CopyBuffer(w, rest, make([]byte, copyBlock)); err != nil {
		w.Show("[output lost: " + err.Error() + "]\n") // does nothing if w has failed
	}
}

// reset empties h.
func (h *held) reset() {
	h.bytes.Reset()
	h.size, h.within = 0, false
}
