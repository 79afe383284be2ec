package command

import (
	"errors"
	"os"

	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/pipe"
	"github.com/weftrun/weft/engine/plan"
)

// connect returns the file that a program gets to reach all of o.
func (w *wiring) connect(o *outs, stream event.Stream) (*os.File, error) {
	if f, ok := o.direct(); ok && !w.watched {
		return f, nil
	}
	s, err := pipe.NewSource(w.j.s.o.Clock)
	if err != nil {
		return nil, err
	}
	w.copy(s, o, stream)
	return s.W, nil
}

// terminal gives the command a terminal of its own, all that it writes there going
// to where its stdout leads.
func (w *wiring) terminal(o *outs, p *plan.Process) error {
	s, err := pipe.NewTerminal(w.j.s.o.Clock, w.j.s.o.Stdout)
	if err != nil {
		return err
	}
	w.copy(s, o, event.Merged)
	w.out, w.err = s.W, s.W
	if p.Stdin == nil {
		w.in = s.W
	}
	return nil
}

// copy copies what comes from s to all of o.
func (w *wiring) copy(s *pipe.Source, o *outs, stream event.Stream) {
	w.sources = append(w.sources, s)
	fan := pipe.Fan{}
	var mask *pipe.MaskWriter
	if w.idle != nil {
		fan.Taps = append(fan.Taps, w.idle)
	} else if w.j.Activity != nil {
		fan.Taps = append(fan.Taps, w.j.Activity)
	}
	if w.last != nil {
		fan.Taps = append(fan.Taps, w.last)
	}
	if o.log {
		mask = w.j.s.o.Secrets.Writer(report{w.j.s, w.j.index, stream})
		fan.Taps = append(fan.Taps, mask)
	}
	if o.capture != nil {
		fan.Taps = append(fan.Taps, o.capture)
	}
	for _, f := range o.files {
		fan.Taps = append(fan.Taps, f)
	}
	if o.flow != nil {
		fan.Flows = append(fan.Flows, o.flow)
	}
	large := w.j.s.o.Large.Enlarge(s.W)
	go func() {
		err := fan.Copy(s)
		if mask != nil {
			mask.Flush()
		}
		if large {
			w.j.s.o.Large.Release()
		}
		if err != nil {
			w.stop(&StreamError{err})
		}
		s.Close()
		w.copied <- err
	}()
}

// finish returns when all that the command wrote has arrived, and gives files
// their names if it succeeded; else nothing of the attempt is left. It returns err,
// or the fault of a stream.
func (w *wiring) finish(err error) error {
	if w.idle != nil {
		w.idle.end()
	}
	if w.relay != nil {
		w.relay.finish()
	}
	for _, s := range w.sources {
		s.Finish()
	}
	for range w.sources {
		if cerr := <-w.copied; cerr != nil {
			err = &StreamError{cerr}
		}
	}
	w.close()
	if w.last != nil {
		s := w.j.s
		s.mu.Lock()
		s.try.tail = w.last.Bytes()
		s.mu.Unlock()
	}
	if err != nil {
		w.discard()
		return err
	}
	var problems []error
	for _, t := range w.targets {
		if t.mode == pipe.Added {
			w.add(t.Target)
			continue
		}
		problems = append(problems, t.Commit())
	}
	return streamError(errors.Join(problems...))
}

// add keeps a file that gets what was written to it when the attempt has succeeded.
func (w *wiring) add(t *pipe.Target) {
	s := w.j.s
	s.mu.Lock()
	defer s.mu.Unlock()
	s.try.added = append(s.try.added, t)
}

func (w *wiring) close() {
	w.kept.Keep(-1)
	w.kept = nil
	for _, f := range w.own {
		f.Close()
	}
	w.own = nil
}

func (w *wiring) discard() {
	for _, t := range w.targets {
		t.Discard()
	}
	for _, m := range w.marks {
		m.c.Truncate(m.size)
	}
}
