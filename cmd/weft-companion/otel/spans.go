package otel

import (
	"context"
	"path/filepath"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/weftrun/weft/cmd/weft/report/model"
	"github.com/weftrun/weft/engine/event"
	ids "github.com/weftrun/weft/engine/trace"
)

// spans creates spans of everything that has ended. A span needs no other open one, because all
// identities are derived from the run's.
type spans struct {
	tracer    trace.Tracer
	inherited trace.SpanContext // parent of all runs; not valid: each begins a trace
	job       string            // address of the CI system's page for the steps; may be ""
	created   int
	startedIn map[event.StepID]string // of running steps: the run in which they began
}

// idGenerator generates identities: it takes those of a span from its context, the only value that
// the SDK passes on.
type idGenerator struct{}

// idsKey is the context key of the identities of the next span, a trace.SpanContext.
type idsKey struct{}

// NewIDs implements sdk.IDGenerator.
func (idGenerator) NewIDs(ctx context.Context) (trace.TraceID, trace.SpanID) {
	c := ctx.Value(idsKey{}).(trace.SpanContext)
	return c.TraceID(), c.SpanID()
}

// NewSpanID implements sdk.IDGenerator.
func (idGenerator) NewSpanID(ctx context.Context, _ trace.TraceID) trace.SpanID {
	return ctx.Value(idsKey{}).(trace.SpanContext).SpanID()
}

var _ sdk.IDGenerator = idGenerator{}

// at returns the context of a span of a run.
func (s *spans) at(run string, span ids.Span) trace.SpanContext {
	c := trace.SpanContextConfig{TraceID: trace.TraceID(ids.Of(run)), SpanID: trace.SpanID(span), TraceFlags: trace.FlagsSampled}
	if s.inherited.IsValid() {
		c.TraceID, c.TraceState = s.inherited.TraceID(), s.inherited.TraceState()
	}
	return trace.NewSpanContext(c)
}

// span describes a span to create.
type span struct {
	self, parent trace.SpanContext
	name         string
	kind         trace.SpanKind
	from, to     time.Time
	attributes   []attribute.KeyValue
	links        []trace.Link
	failure      string // its error.type, or ""
}

func (s *spans) add(p span) {
	s.created++
	ctx := context.WithValue(context.Background(), idsKey{}, p.self)
	if p.parent.IsValid() {
		ctx = trace.ContextWithSpanContext(ctx, p.parent)
	}
	if p.failure != "" {
		p.attributes = append(p.attributes, attribute.String("error.type", p.failure))
	}
	if p.to.Before(p.from) {
		p.to = p.from
	}
	_, made := s.tracer.Start(ctx, p.name, trace.WithTimestamp(p.from), trace.WithSpanKind(p.kind), trace.WithAttributes(p.attributes...), trace.WithLinks(p.links...))
	if p.failure != "" {
		made.SetStatus(codes.Error, "")
	}
	made.End(trace.WithTimestamp(p.to))
}

// run creates the span of a run that has ended, or will receive no more events.
func (s *spans) run(r *model.Run) {
	result, failure := "success", ""
	switch {
	case r.Signal != "":
		result, failure = "cancellation", "cancelled"
	case r.Failed:
		result, failure = failed(r.Err.Kind)
	case r.Finished.IsZero():
		result, failure = "cancellation", "cancelled" // weft was killed
	}
	s.add(span{self: s.at(r.ID, ids.RunSpan(r.ID)), parent: s.inherited, name: "RUN " + r.Name(), kind: trace.SpanKindServer, from: r.Started, to: r.Last, failure: failure,
		attributes: []attribute.KeyValue{
			attribute.String("cicd.pipeline.name", r.Name()), attribute.String("cicd.pipeline.run.id", r.ID),
			attribute.String("cicd.pipeline.action.name", "RUN"), attribute.String("cicd.pipeline.result", result),
		}})
}

// step creates the span of a step that has settled, or never will.
func (s *spans) step(r *model.Run, step *model.Step) {
	run := s.runOf(r, step.ID)
	p := span{self: s.stepAt(r, step.ID), parent: s.at(r.ID, ids.RunSpan(r.ID)), name: step.Name, kind: trace.SpanKindInternal, from: step.Started, to: r.End(step)}
	if run != r.ID { // it outlives the run in which it began
		p.parent = s.at(run, ids.RunSpan(run))
	}
	if step.Caller != 0 {
		p.parent = s.stepAt(r, step.Caller)
	}
	if step.Started.IsZero() {
		p.from = p.to
	}
	var result string
	result, p.failure = settled(step)
	p.attributes = []attribute.KeyValue{
		attribute.String("cicd.pipeline.task.name", step.Name),
		attribute.String("cicd.pipeline.task.run.id", run+"/"+strconv.Itoa(int(step.ID))),
		attribute.String("cicd.pipeline.task.run.result", result),
		attribute.Int64("weft.queue_ms", queued(step, p.to).Milliseconds()),
	}
	if s.job != "" {
		p.attributes = append(p.attributes, attribute.String("cicd.pipeline.task.run.url.full", s.job))
	}
	if step.Outcome != 0 {
		p.attributes = append(p.attributes, attribute.String("weft.outcome", step.Outcome.String()))
	}
	if step.Outcome == event.Restored {
		p.attributes = append(p.attributes, attribute.String("weft.cache", "hit"))
	}
	if step.Label != "" && step.Label != step.Name {
		p.attributes = append(p.attributes, attribute.String("weft.label", step.Label))
	}
	for _, n := range step.Needs {
		p.links = append(p.links, trace.Link{SpanContext: s.stepAt(r, n.Step)})
	}
	s.add(p)
	delete(s.startedIn, step.ID)
}

// command creates the span of an ended attempt of a command.
func (s *spans) command(r *model.Run, step *model.Step, c *model.Command) {
	run := s.runOf(r, step.ID)
	p := span{self: s.at(run, ids.CommandSpan(run, int(step.ID), c.Index, c.Attempt)), parent: s.stepAt(r, step.ID), name: "command " + strconv.Itoa(c.Index+1), kind: trace.SpanKindInternal, from: c.Started, to: c.Ended}
	p.attributes = append(p.attributes, attribute.Int("weft.attempt", c.Attempt))
	if len(c.Argv) > 0 {
		p.name = filepath.Base(c.Argv[0])
		p.attributes = append(p.attributes, attribute.String("process.executable.name", p.name))
	}
	if c.Err.Kind == "" || c.Err.Kind == exit {
		p.attributes = append(p.attributes, attribute.Int("process.exit.code", c.Code))
	}
	if c.Err.Kind != "" {
		_, p.failure = failed(c.Err.Kind)
	}
	s.add(p)
}

// runOf returns the run in which a step began: services outlive runs.
func (s *spans) runOf(r *model.Run, step event.StepID) string {
	if run := s.startedIn[step]; run != "" {
		return run
	}
	return r.ID
}

func (s *spans) stepAt(r *model.Run, step event.StepID) trace.SpanContext {
	run := s.runOf(r, step)
	return s.at(run, ids.StepSpan(run, int(step)))
}

// exit is the kind of failures by exit status in package model.
const exit = event.Kind("exit")

// failed returns the result and the error.type of a failure.
func failed(kind event.Kind) (result, failure string) {
	switch kind {
	case exit, event.ByPrecondition:
		return "failure", "exit"
	case event.BySignal:
		return "failure", "signal"
	case event.ByTimeout, event.ByIdle:
		return "timeout", string(kind)
	}
	return "error", "weft"
}

// settled returns the result and the error.type of a step.
func settled(s *model.Step) (result, failure string) {
	switch s.Outcome {
	case event.Succeeded, event.Fresh, event.Restored:
		return "success", ""
	case event.Skipped:
		return "skip", ""
	case event.Failed:
		return failed(s.Err.Kind)
	}
	return "cancellation", "cancelled"
}

// queued returns how long a step waited for slots, pools and other resources until a time.
func queued(s *model.Step, until time.Time) (sum time.Duration) {
	for _, w := range s.Waits {
		to := w.To
		if to.IsZero() {
			to = until
		}
		sum += max(0, to.Sub(w.From))
	}
	return sum
}
