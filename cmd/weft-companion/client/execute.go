package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"

	repb "github.com/bazelbuild/remote-apis/build/bazel/remote/execution/v2"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/weftrun/weft/engine/cache"
	"github.com/weftrun/weft/engine/channel"
)

const (
	executeTries = 2 // calls of Execute that fail in ways that may pass
	waitTries    = 5 // calls of WaitExecution that fail so, without progress in between
	fullDelay    = 5 * time.Second
	// executionSlack is how long after its time limit a worker may take to tell that it has stopped an
	// action.
	executionSlack = time.Minute
	// steady is how long a stream lasts that is progress although nothing new is heard.
	steady = 10 * time.Second
	// abandonLimit is how long it may take to tell the server that an operation is not needed.
	abandonLimit = 2 * time.Second
)

// failed is why an action was not executed.
type failed struct {
	class channel.FailureClass
	text  string // of the server, or of the system
}

func (e *failed) Error() string { return e.text }

// errSilent is the cause of ending an execution of which nothing is heard after its time limit.
var errSilent = errors.New("nothing was heard of it after its time limit")

// execution is an action that is being executed.
type execution struct {
	*Cache
	call   Call
	action cache.Digest
	skip   bool
	limit  time.Duration // once a worker has it; 0: none
	told   func(channel.Stage)

	name    string // of the operation; "": none is known
	stage   repb.ExecutionStage_Value
	news    bool // something new was heard in this stream
	late    *time.Timer
	silence context.CancelCauseFunc
}

// execute executes an action, and returns the response of one whose command has ended. The error is a
// [*failed] or the cause of ctx.
func (c *Cache) execute(ctx context.Context, e *execution) (*response, error) {
	server, a, err := c.executor(ctx)
	if err != nil {
		return nil, err
	}
	if !a.Executes {
		return nil, &failed{channel.Refused, "it executes nothing"}
	}
	e.Cache = c
	running, cancel := context.WithCancelCause(ctx)
	e.silence = cancel
	defer cancel(nil)
	defer func() {
		if e.late != nil {
			e.late.Stop()
		}
	}()
	r, err := e.run(running, server)
	if running.Err() == nil {
		return r, err
	}
	if e.name != "" {
		leaving, done := context.WithTimeout(context.WithoutCancel(ctx), abandonLimit)
		server.Abandon(leaving, e.call, e.name) // many servers cannot
		done()
	}
	if cause := context.Cause(running); cause == errSilent {
		return nil, &failed{channel.Infrastructure, cause.Error()}
	}
	return nil, context.Cause(ctx)
}

// executor returns what executes, when it is known what it can do.
func (c *Cache) executor(ctx context.Context) (executor, Abilities, error) {
	if err := c.ready(ctx); err != nil {
		return nil, Abilities{}, c.infrastructure(ctx, err)
	}
	a, off := c.status()
	server, ok := c.server.(executor)
	switch {
	case off != "":
		return nil, a, &failed{channel.Infrastructure, off}
	case !ok:
		return nil, a, &failed{channel.Refused, "it executes nothing"}
	}
	return server, a, nil
}

// run calls the server until it answers, or that is hopeless.
func (e *execution) run(ctx context.Context, server executor) (*response, error) {
	executes, waits, renewed := 0, 0, false
	for {
		waiting := e.name != ""
		if !waiting {
			executes++
		}
		e.news = false
		generation, began := e.auth.prepare(ctx), time.Now()
		r, err := server.Execute(ctx, e.call, e.action, e.skip, e.name, e.heard)
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if err == nil && r.failure == nil {
			return r, nil
		}
		if waits++; e.news || time.Since(began) > steady {
			waits = 0
		}
		var f *Failure
		code := codes.OK
		if err == nil {
			f, code = r.failure, r.code
			e.name = "" // it has ended
		} else if !errors.As(err, &f) {
			return nil, err
		} else if f.Class != unreachable {
			code = status.Code(f.Err)
		}
		last := &failed{channel.Infrastructure, e.say.describe(f)}
		pause := delay(max(executes, waits, 1), f.After)
		switch {
		case f.Class == denied && !renewed && e.auth.renew(ctx, generation):
			renewed = true
			executes--
			continue
		case f.Class == denied, f.Class == unsupported:
			last.class = channel.Refused
			return nil, last
		case f.Class == late && err == nil:
			last.class = channel.OverTime
			return nil, last
		case f.Class == absent && waiting && err != nil:
			e.name = "" // it knows nothing of it any more
		case f.Class == absent, code == codes.FailedPrecondition, code == codes.Unknown:
			last.class = channel.Missing
			return nil, last
		case f.Class == refused:
			last.class = channel.Refused
			return nil, last
		case f.Class == full:
			pause = max(fullDelay, f.After)
		}
		if e.name == "" && executes >= executeTries || e.name != "" && waits >= waitTries || !sleep(ctx, pause) {
			if ctx.Err() != nil {
				return nil, context.Cause(ctx)
			}
			return nil, last
		}
	}
}

// heard takes note of what the server says about the operation.
func (e *execution) heard(name string, stage repb.ExecutionStage_Value) {
	e.name = name
	if stage == e.stage || stage == repb.ExecutionStage_UNKNOWN {
		return
	}
	e.news = e.news || stage > e.stage
	e.stage = stage
	if stage != repb.ExecutionStage_EXECUTING && e.late != nil {
		e.late.Stop()
		e.late = nil
	}
	switch stage {
	case repb.ExecutionStage_QUEUED:
		e.told(channel.Queued)
	case repb.ExecutionStage_EXECUTING:
		if e.late == nil && e.limit > 0 {
			e.late = time.AfterFunc(e.limit+executionSlack, func() { e.silence(errSilent) })
		}
		e.told(channel.Executing)
	}
}

// infrastructure returns the failure of a call about an action, or the cause of ctx.
func (c *Cache) infrastructure(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	f := &failed{channel.Infrastructure, c.say.describe(err)}
	switch class, ok := classOf(err); {
	case errors.Is(err, errUnused):
		f.text = c.say.trouble()
	case errors.Is(err, errChanged):
		f.class = channel.Changed
	case class == denied, ok && class == refused:
		f.class = channel.Refused
	}
	return f
}

// provide has the server have inputs of an action. The error is a [*failed] or the cause of ctx.
func (c *Cache) provide(ctx context.Context, call Call, inputs []channel.Input, again bool) error {
	if _, _, err := c.executor(ctx); err != nil {
		return err
	}
	if again {
		c.known.forget()
	}
	a, _ := c.status()
	by := make(map[cache.Digest]*channel.Input, len(inputs))
	blobs := make([]cache.Digest, len(inputs))
	for i := range inputs {
		blobs[i] = cache.Digest(inputs[i].Blob)
		by[blobs[i]] = &inputs[i]
		if a.MaxBlob > 0 && blobs[i].Size > a.MaxBlob {
			return &failed{channel.Refused, fmt.Sprintf("it keeps no blob above %s", formatSize(a.MaxBlob))}
		}
	}
	missing, err := c.missing(ctx, call, blobs)
	for _, b := range missing {
		if in := by[b]; in.Data == nil && in.Path == "" && !c.local.Has(b) {
			return &failed{channel.Lost, "it has lost what another task has made"}
		}
	}
	if err == nil {
		err = c.upload(ctx, call, missing, func(b cache.Digest) (blobFile, error) { return c.openInput(by[b]) })
	}
	if err != nil {
		return c.infrastructure(ctx, err)
	}
	return nil
}

// openInput opens the content of an input, which is not verified.
func (c *Cache) openInput(in *channel.Input) (blobFile, error) {
	switch {
	case in.Data != nil:
		return memory(in.Data), nil
	case in.Path == "":
		return c.local.OpenUnverified(cache.Digest(in.Blob))
	}
	f, err := os.OpenFile(in.Path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // it may have become a pipe
	if err != nil {
		return nil, fmt.Errorf("%s: %w", reason(err), errChanged)
	}
	if st, err := f.Stat(); err != nil || !st.Mode().IsRegular() || st.Size() != in.Blob.Size {
		f.Close()
		return nil, errChanged
	}
	return f, nil
}

// memory is a blob in memory.
type memory []byte

// ReadAt implements [io.ReaderAt].
func (m memory) ReadAt(b []byte, off int64) (int, error) {
	if off >= int64(len(m)) {
		return 0, io.EOF
	}
	n := copy(b, m[off:])
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

// Close does nothing.
func (m memory) Close() error { return nil }

// take puts what weft needs of a response into the local cache, and fills in its answer.
func (c *Cache) take(ctx context.Context, call Call, r *response, a *channel.Executed) error {
	a.Exit, a.Found = int64(r.result.ExitCode), r.cached
	if a.Exit != 0 {
		err := c.keepOutput(ctx, call, &a.Stdout, r.result.StdoutRaw, r.result.StdoutDigest)
		if err == nil {
			err = c.keepOutput(ctx, call, &a.Stderr, r.result.StderrRaw, r.result.StderrDigest)
		}
		return err
	}
	for _, f := range r.result.OutputFiles {
		if f.Path != wrappedResult {
			continue
		}
		blob, ok := received(f.Digest)
		if !ok || blob.Size > cache.MaxResult {
			return wrong("the file with its result has a wrong digest, or is too large")
		}
		if len(f.Contents) == 0 || cache.DigestOf(f.Contents) != blob {
			found, err := c.inner(ctx, call, blob)
			a.Result, a.Large = found.message, channel.Blob(found.large)
			return err
		}
		found, err := c.place(f.Contents)
		a.Result, a.Large = found.message, channel.Blob(found.large)
		return err
	}
	return wrong("the command has left no result")
}

// keepOutput puts what a command has written into the local cache.
func (c *Cache) keepOutput(ctx context.Context, call Call, to *channel.Blob, raw []byte, digest *repb.Digest) error {
	if len(raw) > 0 || digest == nil {
		d, err := c.local.Put(raw)
		*to = channel.Blob(d)
		return err
	}
	blob, ok := received(digest)
	if !ok {
		return wrong("the digest of its output is wrong")
	}
	*to = channel.Blob(blob)
	missing, err := c.fetch(ctx, call, []cache.Digest{blob})
	if err == nil && len(missing) > 0 {
		err = &Failure{Class: absent, Text: "its output is missing"}
	}
	return err
}
