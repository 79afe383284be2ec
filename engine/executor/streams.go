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

// streams connects steps of a gang, of which some read the output of others while they run. A
// writer that ends because its readers stopped reading has not failed.
type streams struct {
	next  Body
	clock *clock.Clock
	large *pipe.Enlarger
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
		b.Streams.Out, b.Streams.Producer = out.w, &out.producer
	}
	r := l.next.Run(ctx, b)
	for _, s := range b.links.in {
		s.readerEnded(l.clock, b.Step, r.Err != nil && b.Step.Failfast)
	}
	if out != nil {
		// Close the step's own ends before waiting for its readers.
		b.Streams.Out = nil
		r = l.end(out, r)
	}
	for _, s := range b.links.in {
		s.readerSettled(r.Err != nil)
	}
	return r
}

// join connects the streams of the step.
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

// end closes the step's output, and returns its result when its readers have ended.
func (l *streams) end(out *stream, r Result) Result {
	out.w.Close()
	out.producer.End()
	out.setCancel(nil)
	<-out.settled
	for range out.large {
		l.large.Release()
	}
	if r.Err != nil && IsNoReaders(r.Err) && !out.failed {
		return Result{Outcome: event.Succeeded, Usage: r.Usage}
	}
	return r
}

// links are the streams of a step: its output, and the outputs of others that it reads.
type links struct {
	out *stream
	in  map[*plan.Step]*stream // by writer
}

// from returns the stream of the writer, or nil. links may be nil.
func (l *links) from(writer *plan.Step) *stream {
	if l == nil {
		return nil
	}
	return l.in[writer]
}

// stream is the output of one step, for the steps that read it while it runs.
type stream struct {
	w        *os.File // the step's end
	large    int      // number of enlarged pipes
	producer pipe.Producer

	mu      sync.Mutex              // guards the fields below
	readers map[*plan.Step]*os.File // open read ends
	reading int                     // number of readers that have not ended
	pending int                     // number of readers that have not settled
	failed  bool                    // one reader failed
	cancel  context.CancelCauseFunc // ends the writing step; nil before and after
	settled chan struct{}           // closed when pending is 0
}

// newStream creates the pipes of a stream: one, or for several readers one each, to which
// everything is copied.
func newStream(large *pipe.Enlarger, readers []*plan.Step) (*stream, error) {
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
	from, to, err := pipe.NewPipes(len(readers))
	if err != nil {
		return nil, err
	}
	in, out, err := pipe.NewPipes(1)
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
	fan := pipe.Fan{Pipes: to, PipeDone: func(w *os.File) { w.Close() }}
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

// close closes a reader's end; s.mu is held.
func (s *stream) close(reader *plan.Step) {
	if f := s.readers[reader]; f != nil {
		f.Close()
		s.readers[reader] = nil
	}
}

// readerEnded records the end of a reader. After the last one, a writer that writes nothing is
// stopped after some time, or at once if atOnce is set.
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
			s.cancel(NoReaders{})
		}
	})
}

// readerSettled records the result of a reader.
func (s *stream) readerSettled(failed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failed = s.failed || failed
	if s.pending--; s.pending == 0 {
		close(s.settled)
	}
}

// gangs are the running gangs.
type gangs struct {
	mu sync.Mutex // guards m
	m  map[*sched.Gang]map[*plan.Step]*stream
}

// streams returns the streams of a gang by writer, created for the first member.
func (g *gangs) streams(large *pipe.Enlarger, of *sched.Gang) (map[*plan.Step]*stream, error) {
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

// OpenInput opens the output of another step that a command reads. If the other step has ended, the
// caller owns the file; a stream is closed by CloseInput, or with the step.
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
		return nil, false, errors.New("the stream was already read by an earlier command; a stream can be read only once")
	}
	return f, false, nil
}

// CloseInput notifies the writer of a stream, if in is one, that this reader has ended.
func (b *Bound) CloseInput(in *plan.Stdin) {
	if in == nil || in.Kind != plan.StdinFrom || !in.PerCommand {
		return
	}
	if s := b.links.from(b.Step.Read(in)); s != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.close(b.Step)
	}
}
