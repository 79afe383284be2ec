package command

import (
	"cmp"
	"context"
	"io"
	"os"
	"strconv"

	"github.com/weftrun/weft/engine/pipe"
	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/engine/ready"
	"github.com/weftrun/weft/engine/sched"
	"github.com/weftrun/weft/engine/shell"
	"github.com/weftrun/weft/internal/tail"
)

// begin implements supervisor.begin: it prepares one start of the service.
func (in *instance) begin() *life {
	s, service := in.step, in.step.Step.Service()
	s.try = attempt{number: 1, of: 1}
	j := s.newJob(in.index, in.command)
	j.launch = &launch{again: in.count > 0}
	l, m := new(life), make(taps, 0, 2)
	if j.Activity != nil {
		m = append(m, j.Activity)
	}
	release := func() {}
	var fault error
	j.inherits, fault = in.sockets.inherit()
	if p := service.Ready; p != nil {
		probe := s.probe(p)
		l.ready = probe.Wait
		switch p.Kind {
		case plan.ProbeLog:
			probe.Output = ready.NewOutput(p.Pattern, s.o.Clock)
			probe.Output.Mask = s.o.Secrets.MaskCut
			m = append(m, probe.Output.Stream())
			release = probe.Output.Close
		case plan.ProbeFD:
			var err error
			release, err = j.listen(probe, p.FD)
			fault = cmp.Or(fault, err)
		case plan.ProbeIPC:
			probe.Messages = j.readySignal()
		}
	}
	if p := service.Alive; p != nil {
		probe := s.probe(p)
		l.alive = probe.Watch
		if p.Kind == plan.ProbeIPC {
			probe.Messages = j.readySignal()
		}
	}
	if in.command.Timeout > 0 {
		l.limit = &sched.TimedOut{Name: s.Step.Label, After: in.command.Timeout}
	}
	e := *j.ends
	switch {
	case len(m) > 0:
		e.Activity = m
	case j.relayed || service.Restart.Policy != plan.RestartNo:
		// Its output has a separate buffer, since there may be many services, all silent. If it ends
		// repeatedly the report shows the end of its output.
		e.Activity = io.Discard
	}
	j.ends = &e
	l.run = func(ctx context.Context, began func()) error {
		defer release()
		if fault != nil {
			return fault
		}
		own, launch := j, *j.launch
		own.launch, launch.began = &launch, began
		isProgram := len(j.c.Argv) > 0 || len(j.c.Process.Interpreter.Argv) > 0
		if in := own.inherits; in != nil && in.ready != nil && isProgram {
			own.began = func() {
				began()
				in.ready.Close() // the program must have the only copy, so that its end is noticed
			}
		}
		s.job = own
		return s.job.announce(ctx)
	}
	return l
}

// kinds are those of probes.
var kinds = [...]ready.Kind{
	plan.ProbeLog: ready.Log, plan.ProbeHTTP: ready.HTTP, plan.ProbeTCP: ready.TCP, plan.ProbeExec: ready.Exec, plan.ProbeIPC: ready.IPC, plan.ProbeFD: ready.FD, plan.ProbeFile: ready.File,
}

// probe returns a probe as configured by p.
func (s *step) probe(p *plan.Probe) *ready.Probe {
	r := &ready.Probe{Kind: kinds[p.Kind], Target: p.Target, Dir: s.Dir, Interval: p.Interval, Timeout: p.Timeout, Failures: p.Failures, Clock: s.o.Clock}
	switch p.Kind {
	case plan.ProbeExec:
		r.Run = func(ctx context.Context) error { return s.look(ctx, p.Target) }
	case plan.ProbeFD:
		r.Target = strconv.Itoa(p.FD)
	}
	return r
}

// look runs a probe command. Its error contains the last line of output.
func (s *step) look(ctx context.Context, text string) error {
	source, err := pipe.NewSource(s.o.Clock)
	if err != nil {
		return err
	}
	last, read := tail.Buffer{Max: 4 << 10}, make(chan struct{})
	go func() {
		io.Copy(&last, source)
		source.Close()
		close(read)
	}()
	err = s.start(ctx, &shell.Script{Text: text, Dir: s.Dir, Env: s.Environ, Stdout: source.W, Stderr: source.W}, &noProcess, entry{ctx: ctx, service: s.service, probe: true})
	source.Finish()
	<-read
	return ready.WithLastLine(err, last.Bytes(), s.o.Secrets.MaskCut)
}

// listen makes the program of j inherit the descriptor that p reads a newline from.
func (j *job) listen(p *ready.Probe, fd int) (release func(), err error) {
	r, w, err := os.Pipe()
	if err != nil {
		return func() {}, err
	}
	p.Descriptor = r
	if j.inherits == nil {
		j.inherits = new(inherited)
	}
	j.inherits.ready, j.inherits.readyFD = w, fd
	return func() { pipe.CloseAll([]*os.File{r, w}) }, nil
}

// taps is a writer that duplicates its writes.
type taps []io.Writer

// Write implements io.Writer. It never fails.
func (t taps) Write(p []byte) (int, error) {
	for _, w := range t {
		w.Write(p)
	}
	return len(p), nil
}
