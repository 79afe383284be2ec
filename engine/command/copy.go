package command

import (
	"errors"
	"os"

	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/pipe"
	"github.com/weftrun/weft/engine/plan"
)

// connect returns the file through which a program reaches all of o.
func (w *wiring) connect(o *outs, stream event.Stream) (*os.File, error) {
	if f, ok := o.direct(); ok && !w.watched {
		return f, nil
	}
	source := func() (*pipe.Source, error) { return pipe.NewSource(w.j.s.o.Clock) }
	if onlyLog(o) {
		source = w.j.source
	}
	s, err := source()
	if err != nil {
		return nil, err
	}
	w.copy(s, o, stream)
	return s.W, nil
}

// terminal gives the command a pseudo-terminal whose output goes to the destination of stdout.
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

// copy copies from s to all of o.
func (w *wiring) copy(s *pipe.Source, o *outs, stream event.Stream) {
	w.sources = append(w.sources, s)
	fan := pipe.Fan{}
	var mask *pipe.MaskWriter
	shown := pauses{report: report{w.j.s, w.j.index, stream}}
	if o.log {
		mask = w.j.s.o.Secrets.Writer(shown.report)
		fan.Writers = append(fan.Writers, mask, &shown)
	}
	// A line that makes a service ready is shown before the output of what needs the service.
	if w.idle != nil {
		fan.Writers = append(fan.Writers, w.idle)
	} else if w.j.Activity != nil {
		fan.Writers = append(fan.Writers, w.j.Activity)
	}
	if w.last != nil {
		fan.Writers = append(fan.Writers, w.last)
	}
	if o.capture != nil {
		fan.Writers = append(fan.Writers, o.capture)
	}
	for _, f := range o.files {
		fan.Writers = append(fan.Writers, f)
	}
	for _, r := range o.rotated {
		fan.Writers = append(fan.Writers, r)
	}
	if o.flow != nil {
		fan.Pipes = append(fan.Pipes, o.flow)
	}
	large := w.j.s.o.Large.Enlarge(s.W)
	go func() {
		err := fan.Copy(s)
		if mask != nil {
			mask.Flush()
			shown.wrote(nil)
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

// finish returns when all output of the command has arrived, and gives files their names if it
// succeeded; otherwise the attempt leaves nothing. It returns err, or the fault of a stream.
func (w *wiring) finish(err error) error {
	w.j.s.o.Services.unrouted(w.routed)
	w.j.s.o.DirectOutput.remove(w.written)
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
		if t.mode != pipe.AppendAtCommit {
			problems = append(problems, t.Commit())
			continue
		}
		s := w.j.s // receives its data when the attempt has succeeded
		s.mu.Lock()
		s.try.added = append(s.try.added, t.Target)
		s.mu.Unlock()
	}
	return streamError(errors.Join(problems...))
}

func (w *wiring) close() {
	w.kept.Keep(-1)
	w.kept = nil
	for _, f := range w.own {
		f.Close()
	}
	w.own = nil
	for _, r := range w.rotated {
		r.Close()
	}
	w.rotated = nil
}

func (w *wiring) discard() {
	for _, t := range w.targets {
		t.Discard()
	}
	for _, m := range w.marks {
		m.c.Truncate(m.size)
	}
}
