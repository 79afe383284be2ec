package command

import (
	"context"
	"os"

	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/pipe"
	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/internal/fifo"
	"github.com/weftrun/weft/internal/tail"
)

// wiring is the streams of one attempt at a command, and what is behind them.
type wiring struct {
	j    *job
	stop func(error) // ends the command for a fault of a stream
	// Somebody looks at what the command writes, so that it writes to no file itself.
	watched bool

	in, out, err *os.File
	own          []*os.File // closed when the command has ended
	targets      []target
	sources      []*pipe.Source
	relay        *relay
	copied       chan error // one for each of sources
	marks        []mark
	last         *tail.Buffer // for a retry; nil if it does not look at output
	idle         *idle
	kept         *pipe.Producer // of which the output goes elsewhere, too; else nil
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

// wire connects the streams of the command, as p says. stop ends the command for a fault of
// one.
func (j *job) wire(ctx context.Context, p *plan.Process, stop func(error)) (w *wiring, err error) {
	w = &wiring{j: j, stop: stop, watched: j.Activity != nil || p.IdleTimeout > 0 || p.Retry.Match != nil, copied: make(chan error, 2)}
	defer func() {
		if err != nil {
			err = w.finish(err)
		}
	}()
	if w.in, err = w.stdin(ctx, p.Stdin); err != nil {
		return w, err
	}
	o := &j.s.o
	if p.Retry.Match != nil {
		w.last = &tail.Buffer{Max: 64 << 10}
	}
	out, err := w.stdout(ctx, p.Stdout)
	if err != nil {
		return w, err
	}
	if out.log || out.capture != nil || len(out.files) > 0 {
		w.kept = j.Producer
		w.kept.Keep(1)
	}
	if p.IdleTimeout > 0 {
		w.idle = newIdle(o.Clock, j.s.Step.Label, p.IdleTimeout, j.Activity, stop)
	}
	if p.TTY {
		return w, w.terminal(out, p)
	}
	if len(p.Stderr) == 1 && p.Stderr[0].Kind == plan.SinkStdout {
		return w, w.merged(out)
	}
	errs, err := w.stderr(ctx, p.Stderr)
	if err != nil {
		return w, err
	}
	if onlyLog(out) && onlyLog(errs) && !o.Apart {
		return w, w.logged(out)
	}
	if w.out, err = w.connect(out, event.Stdout); err != nil {
		return w, err
	}
	w.err, err = w.connect(errs, event.Stderr)
	return w, err
}

// merged connects both streams to where stdout leads.
func (w *wiring) merged(out *outs) (err error) {
	w.out, err = w.connect(out, event.Merged)
	w.err = w.out
	return err
}

// logged connects both streams to the report.
func (w *wiring) logged(out *outs) (err error) {
	if w.watched {
		return w.merged(out)
	}
	if w.relay, err = w.j.s.openRelay(w.j.index, event.Merged); err == nil {
		w.out, w.err = w.relay.W, w.relay.W
	}
	return err
}

func onlyLog(o *outs) bool {
	return o.log && len(o.files) == 0 && o.capture == nil && o.flow == nil
}

// stdin opens what the command reads.
func (w *wiring) stdin(ctx context.Context, in *plan.Stdin) (f *os.File, err error) {
	s := w.j.s
	if w.j.In != nil {
		return w.j.In, nil
	}
	kind, own := plan.StdinInherit, true
	if in != nil {
		kind = in.Kind
	} else if !s.Stdin && !s.Step.Task.Interactive {
		return nil, nil
	}
	switch kind {
	case plan.StdinInherit:
		return s.o.Stdin, nil
	case plan.StdinText:
		f, err = pipe.FileOf([]byte(in.Text))
	case plan.StdinFile:
		f, err = fifo.Open(ctx, s.Path(in.Text), os.O_RDONLY, 0)
	case plan.StdinFrom, plan.StdinOutput:
		f, own, err = s.OpenInput(in)
	}
	if f != nil && own {
		w.own = append(w.own, f)
	}
	return f, err
}

// stdout opens where the command's stdout leads to: what its key says, and else the report or
// weft's own stream; beside that the pipe to another command, and the capture that other steps
// ask for.
func (w *wiring) stdout(ctx context.Context, sinks []plan.Sink) (*outs, error) {
	o := &outs{flow: w.j.Out}
	err := w.open(ctx, o, sinks, false)
	if err == nil && w.j.captured() && o.capture == nil {
		w.capture(o, false, plan.DefaultMaxCapture, pipe.Fail)
	}
	return o, err
}

// stderr opens where the command's stderr leads to: what its key says, or what is around the
// command, and else the report or weft's own stream.
func (w *wiring) stderr(ctx context.Context, sinks []plan.Sink) (*outs, error) {
	o := &outs{}
	if sinks == nil {
		o.flow = w.j.Err
	}
	return o, w.open(ctx, o, sinks, true)
}

// open opens the sinks of stdout, or of stderr; without any, where it leads if nothing else is
// said.
func (w *wiring) open(ctx context.Context, o *outs, sinks []plan.Sink, stderr bool) error {
	inherited := w.j.s.o.Stdout
	if stderr {
		inherited = w.j.s.o.Stderr
	}
	if sinks == nil && o.flow == nil {
		if w.j.relayed || w.watched {
			o.log = true
		} else {
			o.files = append(o.files, inherited)
		}
	}
	for _, s := range sinks {
		switch s.Kind {
		case plan.SinkLog:
			o.log = true
		case plan.SinkInherit:
			o.files = append(o.files, inherited)
		case plan.SinkCapture:
			w.capture(o, stderr, s.Max, overflows[s.Overflow])
		case plan.SinkFile:
			f, err := w.target(ctx, s)
			if err != nil {
				return err
			}
			o.files = append(o.files, f)
		}
	}
	return nil
}

// capture has a stream captured, that of stderr or else of stdout.
func (w *wiring) capture(o *outs, stderr bool, limit int64, overflow pipe.Overflow) {
	o.capture = w.j.s.capture(stderr, limit, overflow)
	w.marks = append(w.marks, mark{o.capture, o.capture.Size()})
}

// target opens the file of s: once, where several streams lead to it.
func (w *wiring) target(ctx context.Context, s plan.Sink) (*os.File, error) {
	mode := pipe.Atomic
	switch {
	case s.Append && w.j.s.try.repeated():
		mode = pipe.Added
	case s.Append:
		mode = pipe.Append
	case s.InPlace:
		mode = pipe.InPlace
	}
	path := w.j.s.Path(s.File)
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
