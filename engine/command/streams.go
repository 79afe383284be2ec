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

// wiring connects the streams of one attempt at a command.
type wiring struct {
	j    *job
	stop func(error) // ends the command because of a stream fault
	// The output is monitored, so the command does not write to files directly.
	watched bool

	in, out, err *os.File
	own          []*os.File // closed when the command has ended
	targets      []target
	rotated      map[string]*pipe.Rotated // by path
	sources      []*pipe.Source
	relay        *relay
	copied       chan error // one for each of sources
	marks        []mark
	last         *tail.Buffer // for a retry; nil if its condition does not need output
	idle         *idle
	routed       *route         // route for sent lines; may be nil
	written      *written       // the output, if its amount is needed
	kept         *pipe.Producer // producer whose output also goes elsewhere; may be nil
}

// target is an output file, and how it was opened.
type target struct {
	*pipe.Target
	of   string
	mode pipe.Mode
}

// mark is the size of a capture before the attempt.
type mark struct {
	c    *pipe.Capture
	size int64
}

// outs are the destinations of one stream.
type outs struct {
	log     bool
	files   []*os.File
	rotated []*pipe.Rotated
	capture *pipe.Capture
	flow    *os.File // a pipe to another command
}

// direct returns the file that a program may write directly, if there is only one destination.
func (o *outs) direct() (f *os.File, ok bool) {
	if o.log || o.capture != nil || len(o.rotated) > 0 {
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

// wire connects the streams of the command, as p says. stop ends the command because of a stream
// fault.
func (j *job) wire(ctx context.Context, p *plan.Process, stop func(error)) (w *wiring, err error) {
	w = &wiring{j: j, stop: stop, watched: j.Activity != nil || p.IdleTimeout > 0 || p.Retry.Match != nil, copied: make(chan error, 2)}
	var out *outs
	defer func() {
		if err != nil {
			err = w.finish(err)
		} else if !out.log {
			w.written = j.s.o.DirectOutput.add(j.s, w.out)
		}
	}()
	if w.in, err = w.stdin(ctx, p.Stdin); err != nil {
		return w, err
	}
	o := &j.s.o
	if p.Retry.Match != nil {
		w.last = &tail.Buffer{Max: 64 << 10}
	}
	if out, err = w.stdout(ctx, p.Stdout); err != nil {
		return w, err
	}
	if out.log || out.capture != nil || len(out.files)+len(out.rotated) > 0 {
		w.kept = j.Producer
		w.kept.Keep(1)
	}
	if p.IdleTimeout > 0 {
		w.idle = newIdle(o.Clock, j.s.Step.Label, p.IdleTimeout, j.Activity, stop)
	}
	if p.TTY {
		return w, w.terminal(out, p)
	}
	toStdout := len(p.Stderr) == 1 && p.Stderr[0].Kind == plan.SinkStdout
	if toStdout && (p.Stdout == nil || !j.inPipe()) {
		return w, w.merged(out)
	}
	errs, err := w.stderr(ctx, p.Stderr, toStdout)
	if err != nil {
		return w, err
	}
	if onlyLog(out) && onlyLog(errs) && !o.SeparateStderr {
		return w, w.logged(out)
	}
	if w.out, err = w.connect(out, event.Stdout); err != nil {
		return w, err
	}
	w.err, err = w.connect(errs, event.Stderr)
	return w, err
}

// merged connects both streams to the destination of stdout.
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
	if w.relay, err = w.j.openRelay(event.Merged); err == nil {
		w.out, w.err = w.relay.source.W, w.relay.source.W
	}
	return err
}

func onlyLog(o *outs) bool {
	return o.log && len(o.files)+len(o.rotated) == 0 && o.capture == nil && o.flow == nil
}

// stdin opens the input of the command.
func (w *wiring) stdin(ctx context.Context, in *plan.Stdin) (f *os.File, err error) {
	s := w.j.s
	if w.j.In != nil {
		return w.j.In, nil
	}
	kind, own := plan.StdinInherit, true
	if in != nil {
		kind = in.Kind
	} else if !w.j.mayRead() {
		return nil, nil
	}
	switch kind {
	case plan.StdinInherit:
		if w.j.serves() {
			return nil, nil
		}
		return s.o.Stdin, nil
	case plan.StdinText:
		f, err = pipe.FileOf([]byte(in.Text))
	case plan.StdinFile:
		f, err = fifo.Open(ctx, s.Path(in.Text), os.O_RDONLY, 0)
	case plan.StdinRoute:
		f, err = w.route()
	case plan.StdinFrom, plan.StdinOutput:
		f, own, err = s.OpenInput(in)
	}
	if f != nil && own {
		w.own = append(w.own, f)
	}
	return f, err
}

// stdout opens the destinations of the command's stdout: those of its key, or else the report or
// weft's own stream; plus the pipe to another command, and the capture for other steps. Output
// excluded by a group does not reach the capture either.
func (w *wiring) stdout(ctx context.Context, sinks []plan.Sink) (*outs, error) {
	o := &outs{flow: w.j.Out}
	if w.j.inGroup && len(sinks) == 1 && sinks[0].Kind == plan.SinkNull {
		o.flow = nil
	}
	err := w.open(ctx, o, sinks, false)
	if err == nil && w.j.captured() && o.capture == nil {
		w.capture(o, false, plan.DefaultMaxCapture, pipe.Fail)
	}
	return o, err
}

// stderr opens the destinations of the command's stderr: those of its key or its surroundings, or
// else the report or weft's own stream. toStdout is the key of a member of a pipe: then it is the
// default destination of stdout.
func (w *wiring) stderr(ctx context.Context, sinks []plan.Sink, toStdout bool) (*outs, error) {
	o := &outs{}
	switch {
	case toStdout:
		o.flow = w.j.Out
		return o, w.open(ctx, o, nil, false)
	case sinks == nil:
		o.flow = w.j.Err
	}
	return o, w.open(ctx, o, sinks, true)
}

// open opens the sinks of stdout, or of stderr; without any, the default destination.
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
			if s.Rotate != nil {
				r, err := w.rotating(ctx, s)
				if err != nil {
					return err
				}
				o.rotated = append(o.rotated, r)
				continue
			}
			f, err := w.target(ctx, s)
			if err != nil {
				return err
			}
			o.files = append(o.files, f)
		}
	}
	return nil
}

// capture captures a stream, stderr or stdout.
func (w *wiring) capture(o *outs, stderr bool, limit int64, overflow pipe.Overflow) {
	o.capture = w.j.s.capture(stderr, limit, overflow)
	w.marks = append(w.marks, mark{o.capture, o.capture.Size()})
}

// target opens the file of s, once for all streams.
func (w *wiring) target(ctx context.Context, s plan.Sink) (*os.File, error) {
	mode := pipe.Atomic
	switch {
	case w.j.again || s.Append && w.j.serves():
		mode = pipe.Append // after the earlier output of the service
	case w.j.serves():
		mode = pipe.InPlace // it may be read while the service runs
	case s.Append && w.j.s.try.repeated():
		mode = pipe.AppendAtCommit
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

// rotating opens the rotated file of s, once for all streams.
func (w *wiring) rotating(ctx context.Context, s plan.Sink) (*pipe.Rotated, error) {
	path := w.j.s.Path(s.File)
	if r := w.rotated[path]; r != nil {
		return r, nil
	}
	r, err := pipe.OpenRotated(ctx, path, s.Rotate.Size, s.Rotate.Keep)
	if err != nil {
		return nil, err
	}
	if w.rotated == nil {
		w.rotated = map[string]*pipe.Rotated{}
	}
	w.rotated[path] = r
	return r, nil
}

var overflows = [...]pipe.Overflow{plan.OverflowFail: pipe.Fail, plan.OverflowTruncate: pipe.Head, plan.OverflowTail: pipe.Tail}
