package otel

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/trace"
)

// Retry intervals for a batch. The SDK's default would exceed the time limit at the end of a run.
const (
	firstDelay = 250 * time.Millisecond
	maxDelay   = 5 * time.Second
	maxElapsed = time.Minute
)

// newExporter returns the exporter configured by the environment. It chooses the protocol; the
// exporter reads all other variables itself.
func newExporter(ctx context.Context) (trace.SpanExporter, error) {
	protocol := cmp.Or(os.Getenv("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"), os.Getenv("OTEL_EXPORTER_OTLP_PROTOCOL"), "http/protobuf")
	switch protocol {
	case "grpc":
		return otlptrace.New(ctx, otlptracegrpc.NewClient(otlptracegrpc.WithRetry(otlptracegrpc.RetryConfig{Enabled: true, InitialInterval: firstDelay, MaxInterval: maxDelay, MaxElapsedTime: maxElapsed})))
	case "http/protobuf":
		return otlptrace.New(ctx, otlptracehttp.NewClient(otlptracehttp.WithRetry(otlptracehttp.RetryConfig{Enabled: true, InitialInterval: firstDelay, MaxInterval: maxDelay, MaxElapsedTime: maxElapsed})))
	}
	return nil, fmt.Errorf("the protocol %q is not supported; set OTEL_EXPORTER_OTLP_PROTOCOL to grpc or http/protobuf", protocol)
}

// countingExporter counts the spans sent by an exporter, and cancels it when stop is done.
type countingExporter struct {
	trace.SpanExporter
	stop context.Context
	sent atomic.Int64
	last atomic.Pointer[error] // last error of sending
}

// ExportSpans implements trace.SpanExporter.
func (c *countingExporter) ExportSpans(ctx context.Context, spans []trace.ReadOnlySpan) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(c.stop, func() { cancel(context.Cause(c.stop)) })()
	err := c.SpanExporter.ExportSpans(ctx, spans)
	if err == nil {
		c.sent.Add(int64(len(spans)))
	} else {
		c.last.Store(&err)
	}
	return nil // the processor would report it where no user sees it
}

// maxErrorText is the maximum number of bytes reported of an error: a server may answer with a
// page.
const maxErrorText = 400

// withoutSecrets removes from the text of an error the secrets in the environment that configures
// exporters: values of headers, and users in addresses.
func withoutSecrets(text string) string {
	for _, name := range [...]string{"OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_TRACES_HEADERS"} {
		for pair := range strings.SplitSeq(os.Getenv(name), ",") {
			_, value, _ := strings.Cut(pair, "=")
			value = strings.TrimSpace(value)
			decoded, _ := url.PathUnescape(value)
			for _, secret := range [...]string{pair, value, decoded, decoded[strings.LastIndexByte(decoded, ' ')+1:]} {
				text = mask(text, secret)
			}
		}
	}
	for _, name := range [...]string{"OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"} {
		if _, rest, ok := strings.Cut(os.Getenv(name), "://"); ok {
			authority, _, _ := strings.Cut(rest, "/")
			if i := strings.LastIndexByte(authority, '@'); i >= 0 {
				text = mask(text, authority[:i])
			}
		}
	}
	if len(text) > maxErrorText {
		text = strings.ToValidUTF8(text[:maxErrorText], "") + "…"
	}
	return text
}

func mask(text, secret string) string {
	if secret == "" {
		return text
	}
	return strings.ReplaceAll(text, secret, "***")
}
