package executor

import (
	"context"
	"errors"
	"os"
	"sync"

	"github.com/weftrun/weft/engine/clock"
	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/pipe"
	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/engine/sched"
)

// streams connects steps that were started together because some read what others write
// while they run. A writer that ends because its readers read no more has not failed.
type streams struct {
	next  Body
	clock *clock.Clock
	large *pipe.Large
}

// Run implements Body.
func (l *streams) Run(ctx context.Context, b *Bound) Result {
	if b.gang == nil {
		return l.next.Run(ctx, b)
	}
	if err := l.join(b); err != nil {
		return failed(err)
	}
	out := b.links.out
	if out != nil {
		own, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		ctx = own
		out.setCancel(cancel)
		b.Ends.Out, b.Ends.Producer = out.w, &out.producer
	}
	r := l.next.Run(ctx, b)
	for _, s := range b.links.in {
		s.readerEnded(l.clock, b.Step, r.Err != nil && b.Step.Failfast)
	}
	if out != nil {
		// What the step was connected to is closed here; its readers are waited for.
		b.Ends.Out = nil
		r = l.end(out, r)
	}
	for _, s := range b.links.in {
		s.readerSettled(r.Err != nil)
	}
	return r
}

// join finds the streams of the step.
func (l *streams) join(b *Bound) error {
	all, err := b.steps.gangs.streams(l.large, b.gang)
	if err != nil {
		return err
	}
	b.links = &links{out: all[b.Step]}
	for writer, s := range all {
		s.mu.Lock()
		if s.readers[b.Step] != nil {
			if b.links.in == nil {
				b.links.in = map[*plan.Step]*stream{}
			}
			b.links.in[writer] = s
		}
		s.mu.Unlock()
	}
	return nil
}

// end ends what the step writes, and returns how it ended when its readers have.
func (l *streams) end(out *stream, r Result) Result {
	out.w.Close()
	out.producer.End()
	out.setCancel(nil)
	<-out.settled
	for range out.large {
		l.large.Release()
	}
	if r.Err != nil && CutOff(r.Err) && !out.failed {
		return Result{Outcome: event.Succeeded, Usage: r.Usage}
	}
	return r
}

// links are the streams of a step: what it writes, and what others write that it reads.
type links struct {
	out *stream
	in  map[*plan.Step]*stream // by who writes them
}

// from returns the stream that the writer writes, or nil; it may be called of nil links.
func (l *links) from(writer *plan.Step) *stream {
	if l == nil {
		return nil
	}
	return l.in[writer]
}

// stream is what one step writes, for the steps that read it while it runs.
type stream struct {
	w        *os.File // what the step writes to
	large    int      // pipes that count as large ones
	producer pipe.Producer

	mu      sync.Mutex              // guards the fields below
	readers map[*plan.Step]*os.File // ends that are open
	reading int                     // readers that have not ended
	pending int                     // readers of which it is not known yet how they ended
	failed  bool                    // one of them did
	cancel  context.CancelCauseFunc // ends the step that writes; nil before and after
	settled chan struct{}           // closed when none is pending
}

// newStream makes the pipes of a stream: one, or for several readers one for each, into which
// all is copied.
func newStream(large *pipe.Large, readers []*plan.Step) (*stream, error) {
	s := &stream{readers: map[*plan.Step]*os.File{}, reading: len(readers), pending: len(readers), settled: make(chan struct{})}
	enlarge := func(w *os.File) {
		if large.Enlarge(w) {
			s.large++
		}
	}
	if len(readers) == 1 {
		r, w, err := pipe.ForPrograms()
		if err != nil {
			return nil, err
		}
		s.readers[readers[0]], s.w = r, w
		enlarge(w)
		return s, nil
	}
	from, to, err := pipe.Many(len(readers))
	if err != nil {
		return nil, err
	}
	in, out, err := pipe.Many(1)
	if err != nil {
		pipe.CloseAll(from, to)
		return nil, err
	}
	for i, r := range readers {
		s.readers[r] = from[i]
		enlarge(to[i])
	}
	s.w = out[0]
	enlarge(s.w)
	fan := pipe.Fan{Flows: to, Flowed: func(w *os.File) { w.Close() }}
	go func() {
		fan.Copy(in[0])
		in[0].Close()
	}()
	return s, nil
}

func (s *stream) setCancel(cancel context.CancelCauseFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cancel = cancel
}

// close closes the end of a reader; s.mu is held.
func (s *stream) close(reader *plan.Step) {
	if f := s.readers[reader]; f != nil {
		f.Close()
		s.readers[reader] = nil
	}
}

// readerEnded notes that a reader has ended. When all have, a writer that writes nothing is
// given some time, then it is stopped; at once if that is asked for.
func (s *stream) readerEnded(c *clock.Clock, reader *plan.Step, atOnce bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.close(reader)
	if s.reading--; s.reading > 0 {
		return
	}
	s.producer.Drain(c, atOnce, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.cancel != nil {
			s.cancel(Unread{})
		}
	})
}

// readerSettled notes how a reader has ended.
func (s *stream) readerSettled(failed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failed = s.failed || failed
	if s.pending--; s.pending == 0 {
		close(s.settled)
	}
}

// gangs are those that run.
type gangs struct {
	mu sync.Mutex // guards m
	m  map[*sched.Gang]map[*plan.Step]*stream
}

// streams returns the streams of a gang by who writes them, made when the first member asks
// for them.
func (g *gangs) streams(large *pipe.Large, of *sched.Gang) (map[*plan.Step]*stream, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if known, ok := g.m[of]; ok {
		return known, nil
	}
	all := map[*plan.Step]*stream{}
	for writer, readers := range of.Readers {
		if len(readers) == 0 {
			continue
		}
		s, err := newStream(large, readers)
		if err != nil {
			return nil, err
		}
		all[writer] = s
	}
	if g.m == nil {
		g.m = map[*sched.Gang]map[*plan.Step]*stream{}
	}
	g.m[of] = all
	return all, nil
}

// OpenInput opens what another step writes, or has written, that a command reads. The file
// belongs to the caller where the other step has ended; a stream is closed by CloseInput, or
// with the step.
func (b *Bound) OpenInput(in *plan.Stdin) (f *os.File, owned bool, err error) {
	need := b.Step.Read(in)
	if in.Kind == plan.StdinOutput {
		f, err = b.steps.file(need)
		return f, true, err
	}
	s := b.links.from(need)
	if s == nil {
		return nil, false, errors.New("its stream was not opened")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if f = s.readers[b.Step]; f == nil {
		return nil, false, errors.New("the stream was read to its end by a command before; a stream can be read once")
	}
	return f, false, nil
}

// CloseInput tells the writer of a stream, if in is one, that nobody here reads it any more.
func (b *Bound) CloseInput(in *plan.Stdin) {
	if in == nil || in.Kind != plan.StdinFrom || !in.Own {
		return
	}
	if s := b.links.from(b.Step.Read(in)); s != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.close(b.Step)
	}
}
