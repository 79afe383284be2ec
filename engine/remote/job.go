package remote

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/weftrun/weft/engine/cache"
	"github.com/weftrun/weft/engine/channel"
	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/executor"
	"github.com/weftrun/weft/engine/sched"
	"github.com/weftrun/weft/schema/diag"
)

// job is a step that a server performs:
//
//	lookup ─ hit ──────────────────────────────▶ fetch ─▶ outcome
//	   └ miss ─▶ upload ─▶ execute ─ success ──────┘
//	               ▲          ├ failed command ─────────────▶ outcome
//	               └ inputs or outputs are missing
type job struct {
	*Server
	b         *executor.Bound
	place     *place
	accept    executor.Accept
	anew      bool // what was found is not used
	handed    bool // inputs are where another step has left them
	key       *cache.Key
	inputs    []channel.Input
	executing atomic.Bool // by a worker

	timing sync.Mutex // guards the fields below
	stages event.Stages
	now    event.Stage // that it is in, since began
	began  time.Time
}

// outcome is how the commands of a step have ended there. It does not change.
type outcome struct {
	result *cache.ActionResult // of a success; its blobs are in the local cache
	found  bool                // they had ended before
	worker string              // that has performed them, as the server calls it
	late   bool                // a worker has stopped them
	exit   int                 // of a runner that has failed, which has written log and said
	log    cache.Digest
	said   cache.Digest
}

// maxExecutions is how often an Action is executed whose inputs, or outputs, are missing then.
const maxExecutions = 3

// never is a time that no step waits.
const never = 1000 * time.Hour

// noWorker is the error of a step that was not given to a worker in time.
type noWorker struct{ limit time.Duration }

func (e *noWorker) Error() string { return fmt.Sprintf("no worker has taken it within %s", e.limit) }

// waitsLong is how long a step waits for a worker before that is told.
const waitsLong = 30 * time.Second

// errMissing is the error of inputs, or outputs, that the server has not kept.
var errMissing = errors.New("it has lost files that it was sent, or that were made there")

func (j *job) add(in channel.Input) { j.inputs = append(j.inputs, in) }

// kept returns the result that the local cache has; nil if there is none.
func (j *job) kept() *executor.Performed {
	if j.anew || !j.o.Keep {
		return nil
	}
	r, err := j.o.Disk.Lookup(j.key.Action)
	if r == nil || err != nil {
		return nil // it is damaged
	}
	if _, err := j.accept(r); err != nil {
		return nil
	}
	return &executor.Performed{Result: r, Disk: j.o.Disk, Place: event.Cache, Close: func() {}}
}

// run performs the job.
func (j *job) run(ctx context.Context) (*outcome, error) {
	select {
	case j.jobs <- struct{}{}:
		defer func() { <-j.jobs }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	if !j.anew {
		if o := j.lookup(ctx); o != nil {
			return o, nil
		}
	}
	if j.o.Jobs == 0 {
		return nil, errors.New("remote.jobs is 0, and there is no result")
	}
	for n := 1; ; n++ {
		if err := j.upload(ctx, n > 1); err != nil {
			return nil, err
		}
		o, err := j.execute(ctx)
		if err != errMissing || n == maxExecutions {
			return o, err
		}
	}
}

// lookup returns the outcome that the server has, or nil.
func (j *job) lookup(ctx context.Context) *outcome {
	j.stage(event.Lookup)
	a, err := j.client.Lookup(ctx, &channel.LookupRequest{Action: channel.Blob(j.key.Action), Task: j.b.Step.Name, Remote: true})
	if err != nil {
		return nil // what follows fails, too
	}
	j.warnings(a.Warnings)
	if a.Lookup != channel.Hit {
		return nil
	}
	o, err := j.fetch(ctx, a.Result, a.Large)
	if err != nil {
		j.anew = true // it cannot be used
		return nil
	}
	o.found = true
	return o
}

// upload has the server have all inputs. again means that it lacks some that it was known to have.
func (j *job) upload(ctx context.Context, again bool) error {
	j.stage(event.Upload)
	for rest := j.inputs; len(rest) > 0; {
		n, size := 0, 0
		for n < min(len(rest), channel.MaxInputs) && size < channel.MaxInputBytes/2 {
			size += len(rest[n].Data) + len(rest[n].Path)
			n++
		}
		a, err := j.client.Upload(ctx, &channel.UploadRequest{Action: channel.Blob(j.key.Action), Task: j.b.Step.Name, Inputs: rest[:n], Again: again && len(rest) == len(j.inputs)})
		if err != nil {
			return err
		}
		j.warnings(a.Warnings)
		switch a.Failure.Class {
		case channel.NoFailure:
		case channel.Changed:
			return errors.New("its sources have changed while they were sent")
		case channel.Lost:
			if j.handed {
				return executor.ErrGone
			}
			fallthrough
		default:
			return errors.New(a.Failure.Text)
		}
		rest = rest[n:]
	}
	return nil
}

// execute has the server execute the Action. The error is errMissing if the server lacks something.
func (j *job) execute(ctx context.Context) (*outcome, error) {
	q := &channel.ExecuteRequest{Action: channel.Blob(j.key.Action), Task: j.b.Step.Name, Profile: j.place.profile, SkipLookup: j.anew, Limit: j.place.limit(j.b.Step)}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	limit := j.o.Workflow.Remote.Wait
	waited := time.AfterFunc(cmp.Or(limit, never), func() { cancel(&noWorker{limit}) })
	defer waited.Stop()
	waiting := time.AfterFunc(waitsLong, func() {
		j.mu.Lock()
		defer j.mu.Unlock()
		j.warn(j.b, "waits for "+j.place.profile, fmt.Sprintf("%q has waited %s for a worker (%s)", j.b.Step.Name, waitsLong, j.place))
	})
	defer waiting.Stop()
	a, err := j.client.Execute(ctx, q, func(stage channel.Stage) {
		if stage == channel.Executing {
			waiting.Stop()
			waited.Stop()
			j.executing.Store(true)
			j.stage(event.Executing)
		} else {
			j.executing.Store(false)
			waiting.Reset(waitsLong)
			waited.Reset(cmp.Or(limit, never))
			j.stage(event.Queued)
		}
	})
	if err != nil {
		return nil, err
	}
	j.warnings(a.Warnings)
	switch {
	case a.Failure.Class == channel.Missing:
		return nil, errMissing
	case a.Failure.Class == channel.OverTime:
		return &outcome{late: true}, nil
	case a.Failure.Class != channel.NoFailure:
		return nil, errors.New(a.Failure.Text)
	case a.Exit != 0:
		return &outcome{worker: diag.Printable(a.Worker), exit: int(a.Exit), log: cache.Digest(a.Stdout), said: cache.Digest(a.Stderr)}, nil
	}
	o, err := j.fetch(ctx, a.Result, a.Large)
	if err != nil {
		j.anew = true
		return nil, err
	}
	o.found, o.worker = a.Found, diag.Printable(a.Worker)
	return o, nil
}

// fetch puts everything that a result names into the local cache. The error is errMissing if the server
// lacks something.
func (j *job) fetch(ctx context.Context, message []byte, large channel.Blob) (*outcome, error) {
	r, err := readResult(ctx, j.o.Disk, message, large)
	if err != nil {
		return nil, err
	}
	blobs, err := j.accept(r)
	if err != nil {
		return nil, err
	}
	j.stage(event.Download)
	if err := j.bring(ctx, blobs); err != nil {
		return nil, err
	}
	return &outcome{result: r}, nil
}

// complete puts what is needed of the outcome of another job into the local cache.
func (j *job) complete(ctx context.Context, o *outcome) error {
	if o.result == nil {
		return nil
	}
	blobs, err := j.accept(o.result)
	if err != nil {
		return err
	}
	return j.bring(ctx, blobs)
}

// bring puts blobs into the local cache. The error is errMissing if the server lacks one.
func (j *job) bring(ctx context.Context, blobs []cache.Digest) error {
	for len(blobs) > 0 {
		n := min(len(blobs), channel.MaxBlobs)
		q := &channel.FetchRequest{Task: j.b.Step.Name, Remote: true, Blobs: make([]channel.Blob, n)}
		for i := range q.Blobs {
			q.Blobs[i] = channel.Blob(blobs[i])
		}
		a, err := j.client.Fetch(ctx, q)
		if err != nil {
			return err
		}
		j.warnings(a.Warnings)
		switch {
		case len(a.Missing) > 0:
			return errMissing
		case a.Problem != "":
			return fmt.Errorf("what it has made cannot be fetched: %s", a.Problem)
		}
		blobs = blobs[n:]
	}
	return nil
}

// performed returns the outcome as the executor wants it. The error is why it is none of the commands.
func (j *job) performed(ctx context.Context, o *outcome) (*executor.Performed, error) {
	j.enter("")
	p := &executor.Performed{Place: event.Remote, Worker: o.worker, Stages: j.stages, Close: func() {}}
	switch {
	case o.late:
		p.Err = &sched.TimedOut{Name: j.b.Step.Label, After: j.place.limit(j.b.Step), Limit: sched.TaskLimit}
		return p, nil
	case o.result != nil:
		p.Disk, p.Result, p.Rest = j.o.Disk, o.result, j.bring
		if o.found {
			p.Place, p.Worker = event.Cache, ""
		}
		if j.o.Keep {
			p.Keep = func() error { return j.o.Disk.Keep(j.key, o.result) }
		}
		return p, nil
	}
	f, err := j.o.Disk.OpenBlob(ctx, o.said)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxSaid))
	if err != nil {
		return nil, err
	}
	said, err := parseSaid(text)
	if err != nil {
		return nil, err
	}
	how := fmt.Sprintf("exit status %d", o.exit)
	if o.exit == 137 || o.exit == 139 {
		how += "; it was killed there: out of memory?"
	}
	if p.Err, err = said.failure(o.exit, how, j.b.Step.Label); err != nil {
		return nil, err
	}
	log, err := j.o.Disk.OpenBlob(ctx, o.log)
	if err != nil {
		return nil, err
	}
	p.Log, p.Size, p.Marks, p.Close = log, o.log.Size, said.marks, func() { log.Close() }
	return p, nil
}

// stage reports what is done for the step.
func (j *job) stage(s event.Stage) {
	j.b.Emit(&event.Progress{Time: j.enter(s), Step: j.b.ID, Stage: s})
}

// enter ends the present stage, and begins another one.
func (j *job) enter(s event.Stage) (now time.Time) {
	j.timing.Lock()
	defer j.timing.Unlock()
	now = time.Now()
	if d := j.stages.Of(j.now); d != nil {
		*d += now.Sub(j.began)
	}
	j.now, j.began = s, now
	return now
}

// warnings shows warnings about the server.
func (j *job) warnings(texts []string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, t := range texts {
		j.warn(j.b, t, t)
	}
}
