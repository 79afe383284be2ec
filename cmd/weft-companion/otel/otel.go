// Package otel is the room of weft-companion that exports runs as traces, by the official SDK of
// OpenTelemetry and its exporters: the run, its steps and the attempts of their commands are spans.
// It reads the events of the run as they happen, and reports losses at the end.
package otel

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	api "go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/weftrun/weft/cmd/weft/report/model"
	"github.com/weftrun/weft/engine/companion"
	"github.com/weftrun/weft/engine/event"
	ids "github.com/weftrun/weft/engine/trace"
)

const (
	maxQueue = 20_000 // further spans are dropped while the collector is busy
	// Limit is the time limit for sending after the end of a run.
	Limit = 2 * time.Second
	// gracePeriod is additional time for the exporter to notice the limit.
	gracePeriod = 200 * time.Millisecond
	maxLine     = 64 << 20 // of an event, in bytes
)

// errTimeLimit is the cause of the end of sending.
var errTimeLimit = errors.New("it was not finished 2 s after the end of the run")

// Run exports the runs in the events that it reads from in, until its end, and for up to limit
// longer. It writes losses and their reasons to out, as a [companion.Message]. It returns read
// errors.
func Run(in io.Reader, out io.Writer, limit time.Duration) error {
	r := &room{}
	var handled atomic.Pointer[error]
	api.SetLogger(logr.Discard()) // it would log malformed values of headers
	api.SetErrorHandler(api.ErrorHandlerFunc(func(err error) { handled.Store(&err) }))
	over, stop := context.WithCancelCause(context.Background())
	defer stop(nil)
	err := r.read(over, in)
	defer time.AfterFunc(limit, func() { stop(errTimeLimit) }).Stop()
	r.finish()
	problem := r.problem
	if r.provider != nil {
		ctx, cancel := context.WithTimeout(context.Background(), limit+gracePeriod)
		defer cancel()
		r.provider.Shutdown(ctx)
		if last := cmp.Or(r.exporter.last.Load(), handled.Load()); last != nil {
			problem = *last
		} else if context.Cause(over) != nil {
			problem = fmt.Errorf("the collector has not accepted them within %s after the end of the run", limit)
		}
	}
	if text := r.lost(problem); text != "" {
		json.NewEncoder(out).Encode(companion.Message{Warn: text})
	}
	return err
}

// room exports the runs of one weft.
type room struct {
	folder      model.Folder
	provider    *sdk.TracerProvider // nil before the first run, or on an error
	exporter    *countingExporter
	problem     error // why there is no provider
	spans       spans
	runExported bool // the run of folder has its span
}

// lost describes the spans that were not exported, because of err, or returns "".
func (r *room) lost(err error) string {
	made, sent := r.spans.created, 0
	if r.exporter != nil {
		sent = int(r.exporter.sent.Load())
	}
	switch {
	case made == sent && err == nil:
		return ""
	case err == nil:
		err = errors.New("the queue was full")
	}
	return fmt.Sprintf("OpenTelemetry: %d of %d spans were not exported: %s", made-sent, made, withoutSecrets(err.Error()))
}

// read handles all events.
func (r *room) read(over context.Context, in io.Reader) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		ev, err := event.Decode(lines.Bytes())
		if err != nil {
			return err
		}
		if ev != nil {
			r.handle(over, ev)
		}
	}
	return lines.Err()
}

func (r *room) handle(over context.Context, ev event.Event) {
	if ev, ok := ev.(*event.RunStarted); ok {
		if r.provider == nil && r.problem == nil {
			r.problem = r.start(over, ev)
		}
		r.runExported = false
	}
	r.folder.Handle(ev)
	run := r.folder.Run()
	if run == nil {
		return
	}
	switch ev := ev.(type) {
	case *event.StepStarted:
		r.spans.startedIn[ev.Step] = run.ID
	case *event.CommandEnded:
		if step := run.Step(ev.Step); step != nil {
			r.commandEnded(run, step, ev.Command)
		}
	case *event.StepSettled:
		if step := run.Step(ev.Step); step != nil {
			r.spans.step(run, step)
		}
	case *event.RunFinished:
		if r.folder.Ended() {
			r.runExported = true
			r.spans.run(run)
		}
	}
}

// commandEnded creates the span of the last command with this index.
func (r *room) commandEnded(run *model.Run, step *model.Step, index int) {
	for i := len(step.Commands) - 1; i >= 0; i-- {
		if c := step.Commands[i]; c.Index == index {
			if !c.Replayed && !c.Ended.IsZero() {
				r.spans.command(run, step, c)
			}
			return
		}
	}
}

// finish creates the spans of everything that has not ended, because weft was killed.
func (r *room) finish() {
	run := r.folder.Run()
	if run == nil || r.runExported {
		return
	}
	for _, step := range run.Steps {
		if !step.Started.IsZero() && step.Settled.IsZero() {
			r.spans.step(run, step)
		}
	}
	r.spans.run(run)
}

// start begins to export.
func (r *room) start(over context.Context, ev *event.RunStarted) error {
	run, job := pages(ev.CI, os.Getenv)
	r.spans = spans{tracer: sdk.NewTracerProvider().Tracer(""), inherited: inherited(), startedIn: map[event.StepID]string{}, job: job}
	exporter, err := newExporter(over)
	if err != nil {
		return err
	}
	r.exporter = &countingExporter{SpanExporter: exporter, stop: over}
	attributes := []attribute.KeyValue{attribute.String("service.name", "weft"), attribute.String("service.version", ev.Weft)}
	if ev.Commit != "" {
		attributes = append(attributes, attribute.String("vcs.ref.head.revision", ev.Commit))
	}
	if run != "" {
		attributes = append(attributes, attribute.String("cicd.pipeline.run.url.full", run))
	}
	about, err := resource.New(over, resource.WithAttributes(attributes...), resource.WithTelemetrySDK(), resource.WithFromEnv())
	if about == nil {
		return err
	}
	var queue []sdk.BatchSpanProcessorOption
	if os.Getenv("OTEL_BSP_MAX_QUEUE_SIZE") == "" {
		queue = append(queue, sdk.WithMaxQueueSize(maxQueue))
	}
	// weft decides whether a run is sampled, and passes that to the commands.
	r.provider = sdk.NewTracerProvider(sdk.WithSampler(sdk.AlwaysSample()), sdk.WithIDGenerator(idGenerator{}), sdk.WithResource(about), sdk.WithBatcher(r.exporter, queue...))
	r.spans.tracer = r.provider.Tracer("github.com/weftrun/weft", trace.WithInstrumentationVersion(ev.Weft))
	return nil
}

// inherited returns the context of the parent span of the runs; it is invalid if there is none.
func inherited() trace.SpanContext {
	p, ok := ids.ParseParent(os.Getenv(ids.ParentVariable))
	if !ok {
		return trace.SpanContext{}
	}
	c := trace.SpanContextConfig{TraceID: trace.TraceID(p.Trace), SpanID: trace.SpanID(p.Span), TraceFlags: trace.FlagsSampled, Remote: true}
	c.TraceState, _ = trace.ParseTraceState(os.Getenv(ids.StateVariable)) // a malformed value counts as none, as the standard requires
	return trace.NewSpanContext(c)
}
