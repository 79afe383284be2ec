package history

import (
	"fmt"
	"os"

	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/internal/statefile"
	"github.com/weftrun/weft/internal/tail"
)

const (
	maxLog    = 16 << 20 // bytes of recorded output of a run, and of the events for it
	maxTail   = 64 << 10 // further bytes of a failed command
	maxTails  = 16 << 20 // bytes of all of those
	maxJoined = 64 << 10 // bytes of output in one event
)

// output records the output of a run's commands. Beyond the limit only the end of a failed
// command's output is recorded.
type output struct {
	file       *os.File // nil before the first output
	size       int64    // recorded bytes
	pending    []byte   // end of these, not yet written
	eventBytes int      // bytes of the events for them
	tailed     int64    // recorded bytes of tails
	last       event.Output
	tails      map[command]*unrecorded // of running commands beyond the limit; nil before
}

// command is a command of a step.
type command struct {
	step  event.StepID
	index int
}

// unrecorded is output of a command that is not recorded.
type unrecorded struct {
	end   tail.Buffer
	bytes int64
}

// write appends the pending output to the log of a run.
func (o *output) write(d *statefile.Dir, number int) (err error) {
	if len(o.pending) == 0 {
		return nil
	}
	if o.file == nil {
		if o.file, err = d.OpenFile(fileName(number, log), os.O_WRONLY|os.O_CREATE|os.O_EXCL); err != nil {
			return err
		}
	}
	_, err = o.file.Write(o.pending)
	if o.pending = o.pending[:0]; cap(o.pending) > 4*batch {
		o.pending = nil
	}
	return err
}

// output handles output of a command.
func (r *recording) output(ev *event.Output) {
	switch {
	case r.failed:
	case len(ev.Data) == 0:
		if ev.Partial {
			r.add(&event.Output{Time: ev.Time, Step: ev.Step, Command: ev.Command, Stream: ev.Stream, Partial: true})
		}
	case r.out.size+int64(len(ev.Data)) > maxLog || r.out.eventBytes > maxLog:
		r.out.keepTail(ev)
	default:
		r.record(ev)
	}
}

// record records output. Consecutive output of one command is described by one event.
func (r *recording) record(ev *event.Output) {
	o, n := &r.out, int64(len(ev.Data))
	last := &o.last
	if last.Length == 0 || last.Step != ev.Step || last.Command != ev.Command || last.Stream != ev.Stream || last.Length+n > maxJoined {
		r.join()
		*last = event.Output{Time: ev.Time, Step: ev.Step, Command: ev.Command, Stream: ev.Stream, Offset: o.size}
	}
	last.Length += n
	o.size += n
	o.pending = append(o.pending, ev.Data...)
	if len(o.pending) >= maxHeldBack || len(o.pending) >= batch && r.file != nil {
		r.join()
		r.write()
	}
}

// join ends the event for the last output.
//
//go:noinline
func (r *recording) join() {
	if o := &r.out; o.last.Length > 0 {
		last := o.last
		r.append(&last)
		o.last = event.Output{}
	}
}

// keepTail keeps the end of a command's output.
func (o *output) keepTail(ev *event.Output) {
	if o.tails == nil {
		o.tails = map[command]*unrecorded{}
	}
	c := command{ev.Step, ev.Command}
	t := o.tails[c]
	if t == nil {
		t = &unrecorded{end: tail.Buffer{Max: maxTail}}
		o.tails[c] = t
	}
	t.bytes += int64(len(ev.Data))
	t.end.Write(ev.Data)
}

// commandEnded records the end of a failed command's output, and the number of omitted bytes.
func (r *recording) commandEnded(ev *event.CommandEnded) {
	c := command{ev.Step, ev.Command}
	t := r.out.tails[c]
	if t == nil {
		return
	}
	delete(r.out.tails, c)
	var end []byte
	if ev.Err != nil && r.out.tailed < maxTails {
		end = t.end.Bytes()
		r.out.tailed += int64(len(end))
	}
	text := end
	if lost := t.bytes - int64(len(end)); lost > 0 {
		text = append(fmt.Appendf(nil, "\n… %d bytes were not recorded …\n", lost), end...)
	}
	for len(text) > 0 {
		n := min(len(text), maxJoined)
		r.record(&event.Output{Time: ev.Time, Step: ev.Step, Command: ev.Command, Stream: event.Merged, Data: text[:n]})
		text = text[n:]
	}
}
