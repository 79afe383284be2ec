package main

import (
	"errors"
	"strings"
	"time"

	"github.com/weftrun/weft/cmd/weft/report"
	"github.com/weftrun/weft/engine/companion"
	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/trace"
	"github.com/weftrun/weft/internal/version"
	"github.com/weftrun/weft/schema/diag"
)

// exporting returns how runs are exported as traces, according to the variables of OpenTelemetry;
// nil: not at all.
func (a *app) exporting() *trace.Export {
	o := &a.opts
	if a.env("OTEL_EXPORTER_OTLP_ENDPOINT") == "" && a.env("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") == "" || a.dropIn() || o.dry || o.inspects() || o.audited || o.replay != "" {
		return nil
	}
	if exporters := a.env("OTEL_TRACES_EXPORTER"); strings.EqualFold(a.env("OTEL_SDK_DISABLED"), "true") || exporters != "" && !strings.Contains(exporters, "otlp") {
		return nil
	}
	inherited, ok := trace.ParseParent(a.env(trace.ParentVariable))
	if ok && !inherited.Sampled {
		return nil
	}
	return &trace.Export{Inherited: inherited, Keep: trace.Sampler(a.env("OTEL_TRACES_SAMPLER"), a.env("OTEL_TRACES_SAMPLER_ARG"), inherited)}
}

// exportPatience is the time limit for the second program after a run: it sends for 2 s, and
// reports losses.
const exportPatience = 2400 * time.Millisecond

// exporter passes the run to the second program, which exports it. Errors are warnings at the end.
// It implements [report.Reporter].
type exporter struct {
	a        *app
	lines    *report.NDJSON
	room     *companion.Room // nil before the first step
	messages []string        // from the room; guarded by its end
	begun    bool            // a step has begun
	skip     bool            // the run is not sampled
}

// newExporter returns the exporter; nil if exporting is not configured.
func (a *app) newExporter() report.Reporter {
	if a.trace = a.exporting(); a.trace == nil {
		return nil
	}
	e := &exporter{a: a}
	e.lines = report.NewNDJSON(e, nil, a.describe)
	return e
}

func (e *exporter) Wants() event.Wants { return event.Wants{Graph: true, Detail: true} }

func (e *exporter) Handle(ev event.Event) {
	switch ev := ev.(type) {
	case *event.Output:
		if ev.Release != nil {
			ev.Release()
		}
		return
	case *event.RunStarted:
		e.skip = !e.a.trace.Sampled(ev.Run)
	case *event.StepStarted, *event.StepSettled:
		e.begun = true
	}
	if !e.skip {
		e.lines.Handle(ev)
	}
}

// Flush implements [report.Flusher].
func (e *exporter) Flush() {
	if e.begun {
		e.lines.Flush()
	}
}

// Write passes b to the second program, which it starts on demand.
func (e *exporter) Write(b []byte) (int, error) {
	if e.room == nil {
		o := companion.Options{Version: version.Module, Environ: e.a.environ}
		e.room = companion.Open(o, "otlp", nil, func(m companion.Message) { e.messages = append(e.messages, m.Warn) })
	}
	return e.room.Write(b)
}

// Err returns nil: a run does not depend on its trace.
func (e *exporter) Err() error { return nil }

// Close waits briefly for the second program, and reports losses. It returns nil.
func (e *exporter) Close() error {
	e.lines.Close()
	if e.room == nil {
		return nil
	}
	err := e.room.Close(exportPatience)
	e.room = nil
	for _, text := range e.messages {
		e.warn(text)
	}
	switch {
	case err == nil || len(e.messages) > 0: // it has reported the losses
	case errors.Is(err, companion.ErrLate):
		e.warn("OpenTelemetry: weft-companion was still sending 2 s after the run and was stopped: the last spans are lost")
	default:
		e.warn("OpenTelemetry: the run is not exported completely: " + err.Error())
	}
	return nil
}

func (e *exporter) warn(text string) {
	e.a.say(e.a.err, report.Yellow, "warning: "+diag.Printable(text))
}
