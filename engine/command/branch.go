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

// tee copies what it reads to all its members, as long as they read.
func (j *job) tee(ctx context.Context) error {
	members := j.c.Members
	errs := make([]error, len(members))
	readers, writers, err := pipe.Many(len(members))
	if err != nil {
		return err
	}
	fan := pipe.Fan{Flows: writers, Flowed: func(w *os.File) { w.Close() }}
	var wg sync.WaitGroup
	for n := range members {
		m := j.branch(n)
		m.In, m.ownIn = readers[n], true
		wg.Go(func() {
			errs[n] = m.member(ctx)
			readers[n].Close()
		})
	}
	err = fan.Copy(j.In)
	if j.ownIn { // a member may wait for the task that writes it
		j.In.Close()
	}
	wg.Wait()
	return lastError(members, errs, err)
}

// merge joins what its members write.
func (j *job) merge(ctx context.Context) error {
	if j.c.Mode == plan.MergeRaw {
		return j.mergeRaw(ctx)
	}
	members := j.c.Members
	errs := make([]error, len(members))
	readers, writers, err := pipe.Many(len(members))
	if err != nil {
		return err
	}
	var wg sync.WaitGroup
	from := make([]io.Reader, len(readers))
	for n, f := range readers {
		from[n] = f
		m := j.branch(n)
		m.Out, m.ownOut, m.Shown = writers[n], true, false
		wg.Go(func() {
			errs[n] = m.member(ctx)
			writers[n].Close()
		})
	}
	closed := func() { pipe.CloseAll(readers) }
	if j.c.Mode == plan.MergeConcat {
		err = pipe.Concat(j.Out, closed, from...)
	} else {
		err = pipe.Lines(j.Out, closed, from...)
	}
	closed()
	if j.ownOut { // a member may wait for the task that reads it
		j.Out.Close()
	}
	wg.Wait()
	return lastError(members, errs, err)
}

// mergeRaw lets all members of a merge write to the same file.
func (j *job) mergeRaw(ctx context.Context) error {
	members := j.c.Members
	errs := make([]error, len(members))
	var commands, tasks sync.WaitGroup // tasks have descriptors of their own, and may wait for the task that reads
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
