package command

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/ipc"
	"github.com/weftrun/weft/engine/proc"
	"github.com/weftrun/weft/engine/shell"
	"github.com/weftrun/weft/schema/diag"
)

// Schemas checks messages against JSON Schemas. It is safe for concurrent use.
type Schemas interface {
	// Conform returns the violations of the schema in a file by a message, "" if there are none.
	// Without a message it reads the file again. An error means that nothing can be checked.
	Conform(ctx context.Context, file string, message []byte) (problem string, err error)
}

// ChannelError is a protocol fault of a program on its channel (ipc), for which it is stopped.
type ChannelError struct{ Err error }

func (e *ChannelError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *ChannelError) Unwrap() error { return e.Err }

// ExitCode returns the exit status of a step that fails with it.
func (e *ChannelError) ExitCode() int { return 1 }

// conversation is the channel of one attempt at a command.
type conversation struct {
	j       *job
	ctx     context.Context // of the attempt
	stop    context.CancelCauseFunc
	channel *ipc.Channel
	ended   chan struct{} // closed when nothing more is received
	leave   func()        // disconnects it from other steps; nil before begin

	// The receiving goroutine owns the fields below until ended is closed.
	count    int   // number of messages
	complete bool  // all expected messages have arrived
	refused  bool  // it was reported that a descriptor passed with a message was closed
	fault    error // the first
	grace    func() bool
}

// errComplete is the cause that ends a program which did not end after it was disconnected.
var errComplete = errors.New("it has sent all expected messages")

// converse runs a script with a channel, and returns the first error, of the script or of its
// messages.
func (j *job) converse(ctx context.Context, sc *shell.Script) error {
	v, program, err := j.connect(ctx)
	if err != nil {
		return err
	}
	defer v.close()
	in := inherited{}
	if j.inherits != nil {
		in = *j.inherits
	}
	in.channel = program
	number := in.give(sc)
	sc.Extra = append(sc.Extra[:len(sc.Extra):len(sc.Extra)], fmt.Sprintf("NODE_CHANNEL_FD=%d", number), "NODE_CHANNEL_SERIALIZATION_MODE=json", fmt.Sprintf("WEFT_IPC_FD=%d", number))
	if began := sc.Began; sc.Argv != nil { // no other program of the script inherits the program's end
		sc.Began = func() {
			program.Close()
			if began != nil {
				began()
			}
		}
	}
	untold := context.AfterFunc(v.ctx, v.cancelled)
	defer untold()
	go v.receive()
	err = j.startScript(v.ctx, sc)
	program.Close()
	v.channel.End()
	<-v.ended
	j.s.letters().progress.drop()
	switch {
	case ctx.Err() != nil && err == nil && !untold():
		return context.Cause(ctx) // the message was sufficient, and preceded the signal
	case ctx.Err() != nil:
		return err
	case errors.Is(err, errComplete):
		return nil // it was stopped for that reason
	case v.fault != nil && (err == nil || errors.Is(err, v.fault)):
		return v.fault
	case accepted(err, j.c.Accept) == nil && j.c.IPC.Expect > v.count:
		return &ChannelError{fmt.Errorf("it ended after %s of the %d expected ones (ipc)", messagesOf(v.count), j.c.IPC.Expect)}
	}
	return err
}

// drain returns a channel that is closed after the grace period of a service that only the senders
// of its messages needed: until then it may handle them and end by itself. It returns nil if the
// service is to be stopped at once.
func (s *step) drain(in *instance) <-chan struct{} {
	if c := in.command.IPC; c == nil || s.o.Services.kept != nil || !isClosed(s.Env.Unsent()) {
		return nil
	}
	passed := make(chan struct{})
	s.o.Clock.AfterFunc(cmp.Or(in.command.Stop.Grace, proc.DefaultGrace), func() { close(passed) })
	return passed
}

func messagesOf(n int) string {
	if n == 1 {
		return "1 message"
	}
	return fmt.Sprintf("%d messages", n)
}

// readySignal returns a channel that receives a value when the program reports that it is ready,
// and is closed when the program can no longer do so. It is called before the script is started.
func (j *job) readySignal() <-chan struct{} {
	says := make(chan struct{}, 1)
	j.readySignals = append(j.readySignals, says)
	return says
}

// connect creates the channel of an attempt, with the initial messages already in it, and returns
// the program's end.
func (j *job) connect(ctx context.Context) (v *conversation, program *os.File, err error) {
	c := j.c.IPC
	if c.Schema != "" {
		if err := j.readSchema(ctx); err != nil {
			return nil, nil, err
		}
	}
	channel, program, err := ipc.New()
	if errors.Is(err, errors.ErrUnsupported) {
		err = errors.New("ipc is not supported on this system")
	}
	if err != nil {
		return nil, nil, err
	}
	v = &conversation{j: j, channel: channel, ended: make(chan struct{})}
	v.ctx, v.stop = context.WithCancelCause(ctx)
	if err := v.begin(c.Send); err != nil {
		program.Close()
		v.close()
		return nil, nil, err
	}
	return v, program, nil
}

// begin sends the initial messages, and then those of other steps.
func (v *conversation) begin(messages []string) (err error) {
	for _, message := range messages {
		if err := v.channel.Send([]byte(message)); err != nil {
			return fmt.Errorf("ipc: send: %w", err)
		}
	}
	v.leave, err = v.j.s.Receive(v.channel)
	return err
}

// readSchema loads the schema of the command.
func (j *job) readSchema(ctx context.Context) error {
	if j.s.o.Schemas == nil {
		return errors.New("ipc: schema: messages cannot be checked here")
	}
	_, err := j.s.o.Schemas.Conform(ctx, j.s.Path(j.c.IPC.Schema), nil)
	if err != nil {
		return fmt.Errorf("ipc: schema %s: %w", diag.Printable(j.c.IPC.Schema), err)
	}
	return nil
}

func (v *conversation) close() {
	if v.leave != nil {
		v.leave()
	}
	if v.grace != nil {
		v.grace()
	}
	v.stop(nil)
	v.channel.Close()
}

// cancelled sends the program the reason for the stop, together with the signal.
func (v *conversation) cancelled() {
	cause := context.Cause(v.ctx)
	l := proc.LadderOf(cause)
	if cause == errComplete || l.Signal == syscall.SIGKILL || errors.Is(cause, context.Canceled) {
		return
	}
	v.channel.Cancel(cause.Error(), cmp.Or(v.j.c.Stop.Grace, l.Grace))
}

// receive receives messages until the program has ended.
func (v *conversation) receive() {
	defer close(v.ended)
	for _, says := range v.j.readySignals {
		defer close(says)
	}
	for {
		m, err := v.channel.Next()
		if err == io.EOF {
			v.closed()
			return
		}
		_, goesOn := err.(*ipc.InvalidError)
		if err == nil && v.fault == nil {
			err, goesOn = v.handle(&m), true
		}
		if err != nil && v.fault == nil && !v.complete {
			v.fault = &ChannelError{err}
			v.stop(v.fault)
		}
		if err != nil && !goesOn {
			return
		}
	}
}

// closed stops a program that has closed its channel before all expected messages were sent, unless
// it ends soon.
func (v *conversation) closed() {
	expected := v.j.c.IPC.Expect
	if v.count >= expected || v.fault != nil {
		return
	}
	err := &ChannelError{fmt.Errorf("it closed its channel (ipc) after %s of the %d expected ones, and is still running", messagesOf(v.count), expected)}
	v.grace = v.j.s.o.Clock.AfterFunc(closedGrace, func() { v.stop(err) }).Stop
}

// closedGrace is the time a program has to end after it has closed its channel too early.
const closedGrace = 250 * time.Millisecond

// handle dispatches a message by its type.
func (v *conversation) handle(m *ipc.Message) error {
	s := v.j.s
	if m.Ready {
		for _, says := range v.j.readySignals {
			select {
			case says <- struct{}{}:
			default:
			}
		}
	}
	switch m.Kind {
	case ipc.Ready:
		return nil
	case ipc.Output:
		return s.letters().name(m.Name, m.Value)
	case ipc.Progress:
		s.letters().progress.report(&event.Progress{Step: s.ID, Value: m.Done, Text: s.o.Secrets.MaskHead([]byte(m.Text), maxProgressText), Bytes: m.Bytes})
		return nil
	case ipc.Log:
		v.log(m)
		return nil
	}
	return v.message(m)
}

// maxProgressText is the maximum number of reported bytes of a progress text.
const maxProgressText = 1 << 10

// log reports a line as output of the command.
func (v *conversation) log(m *ipc.Message) {
	s, text := v.j.s, m.Text
	if !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	out := report{s, v.j.index, event.Stdout}
	if m.Level == "warn" || m.Level == "error" {
		out.stream = event.Stderr
	}
	io.WriteString(out, s.o.Secrets.Mask(text))
}

// message handles a message that is not for weft.
func (v *conversation) message(m *ipc.Message) error {
	s, c := v.j.s, v.j.c.IPC
	v.report(m)
	if v.complete {
		return nil
	}
	if c.Schema != "" {
		problem, err := s.o.Schemas.Conform(v.ctx, s.Path(c.Schema), m.JSON)
		switch {
		case v.ctx.Err() != nil:
			return nil
		case err != nil:
			return fmt.Errorf("ipc: schema %s: %w", diag.Printable(c.Schema), err)
		case problem != "":
			return fmt.Errorf("a message does not conform to %s: %s: %s", diag.Printable(c.Schema), diag.Printable(problem), ipc.Show(m.JSON))
		}
	}
	if c.To != nil {
		if err := s.SendMessage(c.To, m.JSON); err != nil {
			return err
		}
	}
	if read := s.announced == nil && s.ReadsMessages(); read || c.Expect > 0 {
		if err := s.letters().keep(m.JSON, read); err != nil {
			return err
		}
	}
	if v.count++; v.count == c.Expect {
		v.complete = true
		v.channel.Disconnect()
		v.grace = s.o.Clock.AfterFunc(cmp.Or(v.j.c.Stop.Grace, proc.DefaultGrace), func() { v.stop(errComplete) }).Stop
	}
	return nil
}

// report reports a message, and that its descriptor was closed.
func (v *conversation) report(m *ipc.Message) {
	s := v.j.s
	ev := &event.Message{Time: time.Now(), Step: s.ID, Command: v.j.index, Data: s.o.Secrets.MaskHead(m.JSON, event.MaxMessage)}
	if len(m.JSON) > event.MaxMessage {
		ev.Size = len(m.JSON)
	}
	s.Emit(ev)
	if m.Handle != "" && !v.refused {
		v.refused = true
		s.Emit(&event.DiagnosticFound{Time: time.Now(), Diagnostic: &diag.Diagnostic{Pos: v.j.c.Pos, Severity: diag.Warning, Kind: diag.Other,
			What: fmt.Sprintf("task %q: a %s that was passed with a message was closed", s.Step.Label, m.Handle), Why: "weft accepts messages, but not sockets or servers", Fix: "send an address instead"}})
	}
}
