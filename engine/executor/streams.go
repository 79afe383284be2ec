package executor

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/pipe"
	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/internal/fifo"
	"github.com/weftrun/weft/internal/tail"
)

// ends are what a command is connected to from around it: the pipes of a group, or
// a task that reads it. They belong to whoever made them.
type ends struct {
	in  *os.File // its stdin; nil: what its keys say
	out *os.File // what its stdout must reach, too; nil: nothing
	err *os.File // where its stderr goes; nil: what its keys say
	// Nobody else has them: whoever hands them on may close them.
	ownIn, ownOut bool
	producer      *producer // that the command is a part of; nil: nobody reads it
	member        bool      // of a group, which as a whole is captured or is not
	shown         bool      // out only shows: nobody needs what is not written
	// For the report, how it ended: of a tee or merge, each of its members. Nil: it is
	// no member of a pipe.
	report []event.Member
}

// let closes the ends: of a task that was a member of a pipe, as soon as it has ended.
func (e *ends) let() {
	if e.in != nil {
		e.in.Close()
	}
	if e.out != nil {
		e.out.Close()
	}
	if e.err != nil {
		e.err.Close()
	}
}

// wiring is the streams of one attempt at a command, and what is behind them.
type wiring struct {
	r       *run
	command int
	stop    func(error) // ends the command for a fault of a stream

	in, out, err *os.File
	own          []*os.File // closed when the command has ended
	targets      []target
	tried        *tried // the attempt, if others may follow it; else nil
	sources      []*pipe.Source
	relay        *relay
	copied       chan error // one for each of sources
	marks        []mark
	last         *tail.Buffer // for a retry; nil if it does not look at output
	idle         *idle
	group        *idle     // of the group that the command is in; nil if none is watched
	kept         *producer // of which the output goes elsewhere, too; else nil
}

// target is a file that a stream leads to, and how it was opened.
type target struct {
	*pipe.Target
	of   string
	mode pipe.Mode
}

// mark is how much of a capture there was before the attempt.
type mark struct {
	c    *pipe.Capture
	size int64
}

// outs is where one stream leads to.
type outs struct {
	log     bool
	files   []*os.File
	capture *pipe.Capture
	flow    *os.File // a pipe to another command
}

// direct returns the one file that a program may write itself.
func (o *outs) direct() (f *os.File, ok bool) {
	if o.log || o.capture != nil {
		return nil, false
	}
	all := o.files
	if o.flow != nil {
		all = append(all[:len(all):len(all)], o.flow)
	}
	switch len(all) {
	case 0:
		return nil, true
	case 1:
		return all[0], true
	}
	return nil, false
}

// wire connects the streams of command i.
func (r *run) wire(ctx context.Context, i int, p *plan.Process, e ends, relayed bool, stop func(error)) (w *wiring, err error) {
	w = &wiring{r: r, command: i, stop: stop, tried: r.tried(ctx), copied: make(chan error, 2)}
	defer func() {
		if err != nil {
			w.close()
			w.discard()
		}
	}()
	if w.in, err = r.stdin(ctx, w, p, e); err != nil {
		return w, err
	}
	group, _ := ctx.Value(idleKey{}).(*idle)
	watched := group != nil || p.IdleTimeout > 0 || p.Retry.Match != nil
	if p.Retry.Match != nil {
		w.last = &tail.Buffer{Max: 64 << 10}
	}
	out, err := w.outs(ctx, p.Stdout, e.out, r.x.o.Stdout, relayed || watched, r.captured() && !e.member)
	if err != nil {
		return w, err
	}
	if out.log || out.capture != nil || len(out.files) > 0 {
		w.kept = e.producer
		w.kept.keeps(1)
	}
	if p.IdleTimeout > 0 {
		w.idle = newIdle(r.x.o.Clock, r.step.Label, p.IdleTimeout, stop)
		w.idle.outer = group
	}
	w.group = group
	if p.TTY {
		err = w.terminal(out, p)
		return w, err
	}
	if len(p.Stderr) == 1 && p.Stderr[0].Kind == plan.SinkStdout {
		w.out, err = w.connect(out, event.Merged, watched)
		w.err = w.out
		return w, err
	}
	over := e.err
	if p.Stderr != nil {
		over = nil
	}
	errs, err := w.outs(ctx, p.Stderr, over, r.x.o.Stderr, relayed || watched, false)
	if err != nil {
		return w, err
	}
	if onlyLog(out) && onlyLog(errs) && !r.x.o.Apart {
		if watched {
			w.out, err = w.connect(out, event.Merged, true)
		} else if w.relay, err = r.x.openRelay(r.env, i, event.Merged); err == nil {
			w.out = w.relay.W
		}
		w.err = w.out
		return w, err
	}
	if w.out, err = w.connect(out, event.Stdout, watched); err != nil {
		return w, err
	}
	w.err, err = w.connect(errs, event.Stderr, watched)
	return w, err
}

func onlyLog(o *outs) bool {
	return o.log && len(o.files) == 0 && o.capture == nil && o.flow == nil
}

// stdin opens what the command reads.
func (r *run) stdin(ctx context.Context, w *wiring, p *plan.Process, e ends) (*os.File, error) {
	in := p.Stdin
	if e.in != nil {
		return e.in, nil
	}
	if in == nil {
		in = &plan.Stdin{}
		if !r.env.Stdin && !r.step.Task.Interactive {
			return nil, nil
		}
	}
	var f *os.File
	var err error
	switch in.Kind {
	case plan.StdinInherit:
		return r.x.o.Stdin, nil
	case plan.StdinText:
		f, err = pipe.FileOf([]byte(in.Text))
	case plan.StdinFile:
		f, err = fifo.Open(ctx, r.path(in.Text), os.O_RDONLY, 0)
	case plan.StdinFrom:
		return r.input(in)
	case plan.StdinOutput:
		f, err = r.x.outputFile(r.step.Read(in))
	}
	if f != nil {
		w.own = append(w.own, f)
	}
	return f, err
}

func (r *run) path(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(r.dir, name)
}

// outs opens where a stream leads to: what its key says, and else the report or
// weft's own stream; beside that the pipe to another command, and the capture that
// other steps ask for.
func (w *wiring) outs(ctx context.Context, sinks []plan.Sink, flow, inherited *os.File, relayed, captured bool) (*outs, error) {
	o := &outs{flow: flow}
	if sinks == nil && flow == nil {
		if relayed {
			o.log = true
		} else {
			o.files = append(o.files, inherited)
		}
	}
	limit, overflow := int64(plan.DefaultMaxCapture), pipe.Fail
	for _, s := range sinks {
		switch s.Kind {
		case plan.SinkLog:
			o.log = true
		case plan.SinkInherit:
			o.files = append(o.files, inherited)
		case plan.SinkCapture:
			captured, limit, overflow = true, s.Max, overflows[s.Overflow]
		case plan.SinkFile:
			f, err := w.target(ctx, s)
			if err != nil {
				return nil, err
			}
			o.files = append(o.files, f)
		}
	}
	if captured {
		c := w.r.having().outputs.capture(inherited == w.r.x.o.Stderr && inherited != w.r.x.o.Stdout, limit, overflow)
		o.capture = c
		w.marks = append(w.marks, mark{c, c.Size()})
	}
	return o, nil
}

// target opens the file of s: once, where several streams lead to it.
func (w *wiring) target(ctx context.Context, s plan.Sink) (*os.File, error) {
	mode := pipe.Atomic
	switch {
	case s.Append && w.tried != nil:
		mode = pipe.Added
	case s.Append:
		mode = pipe.Append
	case s.InPlace:
		mode = pipe.InPlace
	}
	path := w.r.path(s.File)
	for _, t := range w.targets {
		if t.of == path && t.mode == mode {
			return t.File, nil
		}
	}
	t, err := pipe.OpenTarget(ctx, path, mode)
	if err != nil {
		return nil, err
	}
	w.targets = append(w.targets, target{t, path, mode})
	return t.File, nil
}

var overflows = [...]pipe.Overflow{plan.OverflowFail: pipe.Fail, plan.OverflowTruncate: pipe.Head, plan.OverflowTail: pipe.Tail}

// connect returns the file that a program gets to reach all of o.
func (w *wiring) connect(o *outs, stream event.Stream, watched bool) (*os.File, error) {
	if f, ok := o.direct(); ok && !watched {
		return f, nil
	}
	s, err := pipe.NewSource(w.r.x.o.Clock)
	if err != nil {
		return nil, err
	}
	w.copy(s, o, stream)
	return s.W, nil
}

// terminal gives the command a terminal of its own, all that it writes there going
// to where its stdout leads.
func (w *wiring) terminal(o *outs, p *plan.Process) error {
	s, err := pipe.NewTerminal(w.r.x.o.Clock, w.r.x.o.Stdout)
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
	} else if w.group != nil {
		fan.Taps = append(fan.Taps, w.group)
	}
	if w.last != nil {
		fan.Taps = append(fan.Taps, w.last)
	}
	if o.log {
		mask = w.r.x.o.Secrets.Writer(&logTap{w.r, w.command, stream})
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
	large := w.r.x.o.Large.Enlarge(s.W)
	go func() {
		err := fan.Copy(s)
		if mask != nil {
			mask.Flush()
		}
		if large {
			w.r.x.o.Large.Release()
		}
		if err != nil {
			w.stop(&StreamError{err})
		}
		s.Close()
		w.copied <- err
	}()
}

// StreamError is a fault of what a command's output leads to: it is stopped for it.
type StreamError struct{ Err error }

func (e *StreamError) Error() string { return e.Err.Error() }

// Unwrap returns what went wrong.
func (e *StreamError) Unwrap() error { return e.Err }

// logTap is the report, as a writer.
type logTap struct {
	r       *run
	command int
	stream  event.Stream
}

func (l *logTap) Write(p []byte) (int, error) {
	l.r.x.copied(l.r.env, l.command, l.stream, p)
	return len(p), nil
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
		rare := w.r.having()
		w.r.mu.Lock()
		rare.tail = w.last.Bytes()
		w.r.mu.Unlock()
	}
	if err != nil {
		w.discard()
		return err
	}
	var problems []error
	for _, t := range w.targets {
		if t.mode == pipe.Added {
			w.tried.add(t.Target)
			continue
		}
		problems = append(problems, t.Commit())
	}
	if err := errors.Join(problems...); err != nil {
		return &StreamError{err}
	}
	return nil
}

func (w *wiring) close() {
	w.kept.keeps(-1)
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
