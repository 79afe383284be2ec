package command

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/weftrun/weft/engine/cache"
	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/executor"
	"github.com/weftrun/weft/engine/plan"
)

// Replay implements [executor.Replayer]: it reports the commands of a step, with their recorded
// output, as if they ran now. If they did, elsewhere, nothing says that they are replayed.
func (x *Local) Replay(ctx context.Context, b *executor.Bound, log io.Reader, marks []cache.Mark, size int64) error {
	r := &replay{step: step{Bound: b, Local: x}, log: log}
	for _, c := range b.Step.Commands() {
		r.commands = append(r.commands, c)
	}
	for i, m := range marks {
		end := size
		if i+1 < len(marks) {
			end = marks[i+1].Offset
		}
		if m.Command > 0 {
			r.end()
			if err := r.begin(ctx, int(m.Command)-1); err != nil {
				return err
			}
		} else {
			r.stream = event.Stream(m.Stream)
		}
		if err := r.write(ctx, end-m.Offset); err != nil {
			return err
		}
	}
	r.end()
	return nil
}

// replay is the state of a log being shown.
type replay struct {
	step
	commands []*plan.Command
	log      io.Reader
	stream   event.Stream
	started  *event.CommandStarted // current command of the log; may be nil
}

// begin announces the command i.
func (r *replay) begin(ctx context.Context, i int) error {
	if i >= len(r.commands) {
		return fmt.Errorf("its log is from command %d, and there are only %d", i+1, len(r.commands))
	}
	c := r.commands[i]
	if c.Defer {
		var err error
		if c, err = r.Step.BindDeferred(ctx, c, ""); err != nil {
			return err
		}
	}
	r.try = attempt{number: r.try.number + 1, of: c.Retry.Max + 1}
	if r.job.index != i || r.job.c == nil {
		r.try.number = 1
	}
	r.job = r.newJob(i, c)
	lines, err := r.job.groupLines(ctx)
	if err != nil {
		return err
	}
	r.started = r.job.announcement()
	r.started.Replayed = !r.Elsewhere()
	r.Emit(r.started)
	if lines != nil {
		r.Emit(lines)
	}
	return nil
}

// write reports the next n bytes of the log.
func (r *replay) write(ctx context.Context, n int64) error {
	for n > 0 {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		buf := r.copies.get()
		got, err := io.ReadFull(r.log, buf[:min(n, chunk)])
		if err != nil {
			r.copies.free <- buf
			return fmt.Errorf("its log cannot be read: %w", err)
		}
		report{&r.step, r.job.index, r.stream}.emit(buf[:got], func() { r.copies.free <- buf })
		n -= int64(got)
	}
	return nil
}

// end reports the end of the current command.
func (r *replay) end() {
	if r.started != nil {
		r.Emit(&event.CommandEnded{Time: time.Now(), Step: r.ID, Command: r.job.index, Duration: time.Since(r.started.Time)})
		r.started = nil
	}
}
