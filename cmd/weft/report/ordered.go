package report

import (
	"io"
	"slices"

	"github.com/weftrun/weft/engine/event"
)

// ordered is the style "keep-order": output of the oldest running step is shown as it arrives, each
// command announced first. Output of the others is held back, and follows whole, in start order.
// Lines of services and background commands, which outlive their step, are shown with a prefix
// between the steps.
type ordered struct {
	*prefixed
	turns   []*turn // in order of start
	of      map[event.StepID]*turn
	serving map[command]bool
}

// turn is the output of one step.
type turn struct {
	id        event.StepID
	held      held
	stamps    *Stamps // usually nil
	parts     []part  // held pieces, in order
	suspended bool    // it waits for called tasks
	settled   bool
	line      lineState // state of the shown output
}

// part is a held piece: n bytes for one of weft's streams.
type part struct {
	stderr bool
	n      int64
}

func newOrdered(o Options) *ordered {
	k := &ordered{prefixed: newPrefixed(o), of: map[event.StepID]*turn{}, serving: map[command]bool{}}
	k.messages.prefixed = false
	return k
}

// streams reports whether a step's output is shown as it arrives.
func (k *ordered) streams(id event.StepID) bool {
	t := k.of[id]
	return t == nil || t == k.head()
}

// head returns the turn whose output is shown as it arrives; nil if there is none.
func (k *ordered) head() *turn {
	for _, t := range k.turns {
		if !t.suspended {
			return t
		}
	}
	return nil
}

func (k *ordered) Handle(ev event.Event) {
	switch ev := ev.(type) {
	case *event.StepStarted:
		t := &turn{id: ev.Step, stamps: k.o.Stdout.stamps}
		k.of[ev.Step] = t
		k.turns = append(k.turns, t)
	case *event.CommandStarted:
		if ev.Service || ev.Background {
			k.serving[command{ev.Step, ev.Command}] = true
		}
	case *event.Output:
		k.output(ev)
		return
	case *event.CommandEnded:
		if c := (command{ev.Step, ev.Command}); k.serving[c] {
			delete(k.serving, c)
			k.prefixed.Handle(ev)
			return
		}
		if t := k.of[ev.Step]; t != nil && t == k.head() {
			k.lines.end(&t.line)
		}
	case *event.Suspended:
		k.suspend(ev.Step, true)
	case *event.Resumed:
		k.suspend(ev.Step, false)
	}
	k.message(ev)
	if ev, ok := ev.(*event.StepSettled); ok {
		if t := k.of[ev.Step]; t != nil {
			t.settled = true
			delete(k.of, ev.Step)
			k.advance()
		}
	}
}

// output shows output of a command, or holds it back.
func (k *ordered) output(ev *event.Output) {
	t := k.of[ev.Step]
	switch {
	case t == nil || k.serving[command{ev.Step, ev.Command}]:
		k.prefixed.Handle(ev)
		return
	case t != k.head():
		t.hold(ev.Data, false)
	case ev.Partial:
		k.lines.idle(&t.line)
		t.line.shown = ev.Time
	default:
		k.lines.write(&t.line, ev.Data)
		k.lines.progressed(&t.line, ev.Time)
	}
	release(ev)
}

// message shows an event other than output when it is its step's turn.
func (k *ordered) message(ev event.Event) {
	t := k.of[stepOf(ev)]
	if t == nil || t == k.head() {
		k.prefixed.Handle(ev)
		return
	}
	stdout, stderr, interrupt := k.messages.o.Stdout, k.messages.o.Stderr, k.messages.interrupt
	k.messages.o.Stdout, k.messages.o.Stderr, k.messages.interrupt = t.out(stdout, false), t.out(stderr, true), nil
	k.prefixed.Handle(ev)
	k.messages.o.Stdout, k.messages.o.Stderr, k.messages.interrupt = stdout, stderr, interrupt
}

func (k *ordered) suspend(id event.StepID, is bool) {
	if t := k.of[id]; t != nil {
		t.suspended = is
		k.advance()
	}
}

// advance shows the held output of the steps whose turn it is now.
func (k *ordered) advance() {
	for {
		t := k.head()
		if t == nil {
			return
		}
		t.show(k)
		if !t.settled {
			return
		}
		k.turns = slices.DeleteFunc(k.turns, func(other *turn) bool { return other == t })
	}
}

// Close shows the held output of steps that have not settled.
func (k *ordered) Close() error {
	for _, t := range k.turns {
		t.show(k)
	}
	return k.prefixed.Close()
}

// hold holds p back.
func (t *turn) hold(p []byte, stderr bool) {
	if len(p) == 0 {
		return
	}
	if n := len(t.parts); n == 0 || t.parts[n-1].stderr != stderr {
		t.parts = append(t.parts, part{stderr: stderr})
	}
	before := t.held.size
	t.held.add(t.stamps, p)
	t.parts[len(t.parts)-1].n += t.held.size - before
}

// out returns an Out whose output t holds back, masked as in o.
func (t *turn) out(o *Out, stderr bool) *Out {
	return &Out{w: holder{t, stderr}, mask: o.mask}
}

// holder holds back all writes.
type holder struct {
	*turn
	stderr bool
}

func (h holder) Write(p []byte) (int, error) {
	h.hold(p, h.stderr)
	return len(p), nil
}

// show shows the held output.
func (t *turn) show(k *ordered) {
	k.o.Stdout.asHeld(func() { k.o.Stderr.asHeld(func() { t.showHeld(k) }) })
}

func (t *turn) showHeld(k *ordered) {
	off := int64(0)
	buf := make([]byte, min(t.held.size, copyBlock))
	for _, p := range t.parts {
		r := io.NewSectionReader(&t.held.bytes, off, p.n)
		off += p.n
		if p.stderr {
			k.lines.end(&t.line)
		}
		for {
			n, err := r.Read(buf)
			if p.stderr {
				k.o.Stderr.Write(buf[:n])
			} else {
				k.lines.write(&t.line, buf[:n])
			}
			if err != nil {
				break
			}
		}
	}
	if t.settled {
		k.lines.end(&t.line)
	}
	t.parts = nil
	t.held.reset()
}

// stepOf returns the step of a message, or 0.
func stepOf(ev event.Event) event.StepID {
	switch ev := ev.(type) {
	case *event.CommandStarted:
		return ev.Step
	case *event.CommandSkipped:
		return ev.Step
	case *event.TaskSkipped:
		return ev.Step
	case *event.PreconditionFailed:
		return ev.Step
	case *event.StatusChecked:
		return ev.Step
	case *event.AttemptFailed:
		return ev.Step
	case *event.ErrorIgnored:
		return ev.Step
	case *event.DeferFailed:
		return ev.Step
	case *event.BodyEnded:
		return ev.Step
	case *event.Message:
		return ev.Step
	case *event.Progress:
		return ev.Step
	case *event.StepSettled:
		return ev.Step
	}
	return 0
}
