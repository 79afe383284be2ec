package command

import (
	"context"
	"io"
	"os"
	"sync"

	"github.com/weftrun/weft/engine/pipe"
	"github.com/weftrun/weft/engine/plan"
)

// branch returns the job of the member n of a tee or merge.
func (j *job) branch(n int) *job {
	m := j.of(&j.c.Members[n], *j.ends)
	m.ownIn, m.ownOut, m.inGroup, m.report = false, false, true, j.report[n:n+1]
	return m
}

// branches starts the members of a tee or merge, connected by connect, which returns the file to
// close when a member has ended. wait waits for all of them and returns the error of the last one
// that failed, else fault.
func (j *job) branches(ctx context.Context, connect func(n int, m *job) *os.File) (wait func(fault error) error) {
	errs := make([]error, len(j.c.Members))
	var wg sync.WaitGroup
	for n := range errs {
		m := j.branch(n)
		end := connect(n, m)
		wg.Go(func() {
			errs[n] = m.member(ctx)
			end.Close()
		})
	}
	return func(fault error) error {
		wg.Wait()
		return lastError(j.c.Members, errs, fault)
	}
}

// tee copies its input to all its members, as long as they read.
func (j *job) tee(ctx context.Context) error {
	readers, writers, err := pipe.NewPipes(len(j.c.Members))
	if err != nil {
		return err
	}
	wait := j.branches(ctx, func(n int, m *job) *os.File {
		m.In, m.ownIn = readers[n], true
		return readers[n]
	})
	fan := pipe.Fan{Pipes: writers, PipeDone: func(w *os.File) { w.Close() }}
	err = fan.Copy(j.In)
	if j.ownIn { // a member may wait for the task that writes it
		j.In.Close()
	}
	return wait(err)
}

// merge joins the output of its members.
func (j *job) merge(ctx context.Context) error {
	if j.c.Mode == plan.MergeRaw {
		return j.mergeRaw(ctx)
	}
	readers, writers, err := pipe.NewPipes(len(j.c.Members))
	if err != nil {
		return err
	}
	from := make([]io.Reader, len(readers))
	wait := j.branches(ctx, func(n int, m *job) *os.File {
		from[n] = readers[n]
		m.Out, m.ownOut, m.Shown = writers[n], true, false
		return writers[n]
	})
	join := pipe.Lines
	if j.c.Mode == plan.MergeConcat {
		join = pipe.Concat
	}
	closed := func() { pipe.CloseAll(readers) }
	err = join(j.Out, closed, from...)
	closed()
	if j.ownOut { // a member may wait for the task that reads it
		j.Out.Close()
	}
	return wait(err)
}

// mergeRaw lets all members of a merge write to the same file.
func (j *job) mergeRaw(ctx context.Context) error {
	members := j.c.Members
	errs := make([]error, len(members))
	var commands, tasks sync.WaitGroup // tasks have their own descriptors, and may wait for the task that reads
	for n := range members {
		m, wg := j.branch(n), &commands
		if m.c.Kind == plan.TaskCall {
			wg = &tasks
		}
		wg.Go(func() { errs[n] = m.member(ctx) })
	}
	commands.Wait()
	if j.calls != nil && j.ownOut {
		j.calls.wait()
		j.Out.Close()
	}
	tasks.Wait()
	return lastError(members, errs, nil)
}

// lastError is the error of the last member that failed, else fault.
func lastError(members []plan.Command, errs []error, fault error) error {
	for n := len(errs) - 1; n >= 0; n-- {
		if errs[n] != nil && !members[n].IgnoreError {
			return errs[n]
		}
	}
	return streamError(fault)
}
