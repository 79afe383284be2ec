package executor

import (
	"context"
	"errors"
	"os"
	"sync"

	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/pipe"
	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/engine/sched"
)

// stream is what one step writes, for the steps that read it while it runs.
type stream struct {
	x     *Executor
	w     *os.File // what the step writes to
	large int      // pipes that count as large ones

	producer producer // the step

	mu      sync.Mutex              // guards the fields below
	readers map[*plan.Step]*os.File // ends that are open
	reading int                     // readers that have not ended
	left    int                     // readers of which it is not known yet how they ended
	failed  bool                    // one of them did
	cancel  context.CancelCauseFunc // ends the step that writes; nil before it runs
	over    chan struct{}           // closed when left is 0
}

// gang are the streams of steps that were started together, by who writes them.
type gang map[*plan.Step]*stream

// gangOf returns the streams of a gang, made when the first member asks for them.
func (x *Executor) gangOf(g *sched.Gang) (gang, error) {
	x.gangs.mu.Lock()
	defer x.gangs.mu.Unlock()
	if known, ok := x.gangs.m[g]; ok {
		return known, nil
	}
	all := gang{}
	for writer, readers := range g.Readers {
		if len(readers) == 0 {
			continue
		}
		s, err := x.newStream(readers)
		if err != nil {
			return nil, err
		}
		all[writer] = s
	}
	if x.gangs.m == nil {
		x.gangs.m = map[*sched.Gang]gang{}
	}
	x.gangs.m[g] = all
	return all, nil
}

// gangs are those that run.
type gangs struct {
	mu sync.Mutex // guards m
	m  map[*sched.Gang]gang
}

func (x *Executor) newStream(readers []*plan.Step) (*stream, error) {
	s := &stream{x: x, readers: map[*plan.Step]*os.File{}, reading: len(readers), left: len(readers), over: make(chan struct{})}
	if len(readers) == 1 {
		r, w, err := pipe.ForPrograms()
		if err != nil {
			return nil, err
		}
		s.readers[readers[0]], s.w = r, w
		s.enlarge(w)
		return s, nil
	}
	var writers []*os.File
	ends, err := pipes(len(readers), func(w *os.File) { writers = append(writers, w) })
	if err != nil {
		return nil, err
	}
	for i, r := range readers {
		s.readers[r] = ends[i]
		s.enlarge(writers[i])
	}
	in, err := pipes(1, func(w *os.File) { s.w = w })
	if err != nil {
		for i := range ends {
			ends[i].Close()
			writers[i].Close()
		}
		return nil, err
	}
	s.enlarge(s.w)
	fan := pipe.Fan{Flows: writers, Flowed: func(w *os.File) { w.Close() }}
	go func() {
		fan.Copy(in[0])
		in[0].Close()
	}()
	return s, nil
}

func (s *stream) enlarge(w *os.File) {
	if s.x.o.Large.Enlarge(w) {
		s.large++
	}
}

// connected is a step's part in its gang.
type connected struct {
	out *stream
	in  map[*plan.Step]*stream // by who writes them
}

// join finds the streams of the step.
func (r *run) join(with *sched.Gang) error {
	all, err := r.x.gangOf(with)
	if err != nil {
		return err
	}
	g := &r.having().gang
	g.out = all[r.step]
	for writer, s := range all {
		s.mu.Lock()
		if s.readers[r.step] != nil {
			if g.in == nil {
				g.in = map[*plan.Step]*stream{}
			}
			g.in[writer] = s
		}
		s.mu.Unlock()
	}
	return nil
}

// input is the reading end of what another step writes.
func (r *run) input(in *plan.Stdin) (*os.File, error) {
	s := r.having().gang.in[r.step.Read(in)]
	if s == nil {
		return nil, errors.New("its stream was not opened")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.readers[r.step]
	if f == nil {
		return nil, errors.New("the stream was read to its end by a command before; a stream can be read once")
	}
	return f, nil
}

// closeInput tells the writer of a stream, if in is one, that nobody here reads it any
// more.
func (r *run) closeInput(in *plan.Stdin) {
	if in == nil || in.Kind != plan.StdinFrom || !in.Own {
		return
	}
	if s := r.having().gang.in[r.step.Read(in)]; s != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.closeReader(r.step)
	}
}

func (s *stream) closeReader(step *plan.Step) {
	if f := s.readers[step]; f != nil {
		f.Close()
		s.readers[step] = nil
	}
}

// readerEnded notes that a reader has ended. When all have, a writer that writes
// nothing is given some time, then it is stopped.
func (s *stream) readerEnded(step *plan.Step, failed, failfast bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closeReader(step)
	if s.reading--; s.reading > 0 {
		return
	}
	s.x.drain(&s.producer, failed && failfast, func(cause error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.cancel != nil {
			s.cancel(cause)
		}
	})
}

// readerSettled notes how a reader has ended.
func (s *stream) readerSettled(failed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failed = s.failed || failed
	if s.left--; s.left == 0 {
		close(s.over)
	}
}

// executeConnected executes a member of a gang.
func (r *run) executeConnected(ctx context.Context) sched.Outcome {
	if err := r.join(r.env.Gang); err != nil {
		return failed(err)
	}
	out := r.rare.gang.out
	if out != nil {
		own, cancel := context.WithCancelCause(context.WithValue(ctx, pipedKey{}, true))
		defer cancel(nil)
		ctx = own
		out.mu.Lock()
		out.cancel = cancel
		out.mu.Unlock()
		r.ends.out, r.ends.producer = out.w, &out.producer
	}
	result := r.execute(ctx)
	for _, s := range r.rare.gang.in {
		s.readerEnded(r.step, result.Err != nil, r.step.Failfast)
	}
	if out != nil {
		result = r.endStream(out, result)
	}
	for _, s := range r.rare.gang.in {
		s.readerSettled(result.Err != nil)
	}
	return result
}

// endStream ends what the step writes, and returns how it ended: who was cut off by
// readers that had enough has not failed.
func (r *run) endStream(out *stream, result sched.Outcome) sched.Outcome {
	out.w.Close()
	out.producer.ended()
	out.mu.Lock()
	out.cancel = nil
	out.mu.Unlock()
	<-out.over
	for range out.large {
		r.x.o.Large.Release()
	}
	if result.Err != nil && cutOff(result.Err) && !out.failed {
		return sched.Outcome{Result: event.Succeeded}
	}
	return result
}
