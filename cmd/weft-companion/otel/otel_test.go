package otel

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"

	"github.com/weftrun/weft/engine/companion"
	"github.com/weftrun/weft/engine/event"
	ids "github.com/weftrun/weft/engine/trace"
)

// second returns the moment n seconds after the start of the run of the tests.
func second(n int) time.Time { return time.Date(2026, 1, 2, 3, 4, 5+n, 0, time.UTC) }

// aRun is a run of lib and app, which needs it and fails at its second attempt.
func aRun() []event.Event {
	timeout := &event.Failure{Text: "too long", Kind: event.ByTimeout}
	return []event.Event{
		&event.RunStarted{Time: second(0), Run: "01ab", Tasks: []string{"app"}, Weft: "v9", Commit: "c0ffee", CI: "gitlab"},
		&event.Planned{Time: second(0), Graph: []event.PlannedStep{{Step: 1, Name: "lib", Label: "lib"}, {Step: 2, Name: "app", Label: "the app", Needs: []event.Need{{Step: 1, Until: "succeeded"}}}}},
		&event.Waiting{Time: second(0), Step: 1, For: "slot"},
		&event.StepStarted{Time: second(1), Step: 1, Parent: 2, Name: "lib", Task: "lib"},
		&event.CommandStarted{Time: second(1), Step: 1, Command: 0, Text: "secret words", Argv: []string{"/bin/true", "secret"}, Attempt: 1, Attempts: 1},
		&event.CommandEnded{Time: second(2), Step: 1, Command: 0, Duration: time.Second},
		&event.StepSettled{Time: second(2), Step: 1, Parent: 2, Name: "lib", Task: "lib", Outcome: event.Succeeded, Duration: time.Second},
		&event.StepStarted{Time: second(2), Step: 2, Name: "app", Task: "the app"},
		&event.CommandStarted{Time: second(2), Step: 2, Command: 0, Text: "secret words", Attempt: 2, Attempts: 2},
		&event.CommandEnded{Time: second(4), Step: 2, Command: 0, Code: 201, Err: timeout, Duration: 2 * time.Second},
		&event.StepSettled{Time: second(4), Step: 2, Name: "app", Task: "the app", Outcome: event.Failed, Err: timeout, Duration: 2 * time.Second},
		&event.RunFinished{Time: second(5), Err: timeout},
	}
}

// export exports events and returns what was said about it.
func export(t *testing.T, limit time.Duration, events ...event.Event) string {
	t.Helper()
	var in []byte
	var e event.Encoder
	for _, ev := range events {
		in = e.Encode(in, ev)
	}
	var out bytes.Buffer
	if err := Run(bytes.NewReader(in), &out, limit); err != nil {
		t.Fatal(err)
	}
	var m companion.Message
	if out.Len() > 0 {
		if err := json.Unmarshal(out.Bytes(), &m); err != nil {
			t.Fatalf("%q: %v", out.String(), err)
		}
	}
	return m.Warn
}

// patience is enough for whatever is not to end by time.
const patience = time.Minute

func TestSpans(t *testing.T) {
	for _, protocol := range []struct {
		name  string
		start func(*testing.T) *received
	}{{"http", overHTTP}, {"grpc", overGRPC}} {
		t.Run(protocol.name, func(t *testing.T) {
			got := protocol.start(t)
			t.Setenv("OTEL_RESOURCE_ATTRIBUTES", "team=red")
			t.Setenv("CI_PIPELINE_URL", "https://git.example/pipelines/7")
			t.Setenv("CI_JOB_URL", "https://git.example/jobs/8")
			if said := export(t, patience, aRun()...); said != "" {
				t.Error(said)
			}
			all, resource := got.spans()
			if len(all) != 5 {
				t.Fatalf("spans: %v", all)
			}
			if got.header != "Bearer s3cr3t-t0ken" {
				t.Errorf("header %q", got.header)
			}
			for key, want := range map[string]string{"service.name": "weft", "service.version": "v9", "vcs.ref.head.revision": "c0ffee", "team": "red", "cicd.pipeline.run.url.full": "https://git.example/pipelines/7"} {
				if resource[key] != want {
					t.Errorf("resource %s: %q", key, resource[key])
				}
			}
			trace := ids.Of("01ab")
			run, lib, app := all["RUN app"], all["lib"], all["app"]
			for _, test := range []struct {
				span   *tracepb.Span
				id     ids.Span
				parent []byte
				kind   tracepb.Span_SpanKind
				from   int
				to     int
				fails  bool
			}{
				{run, ids.RunSpan("01ab"), nil, tracepb.Span_SPAN_KIND_SERVER, 0, 5, true},
				{lib, ids.StepSpan("01ab", 1), run.SpanId, tracepb.Span_SPAN_KIND_INTERNAL, 1, 2, false},
				{app, ids.StepSpan("01ab", 2), run.SpanId, tracepb.Span_SPAN_KIND_INTERNAL, 2, 4, true},
				{all["true"], ids.CommandSpan("01ab", 1, 0, 1), lib.SpanId, tracepb.Span_SPAN_KIND_INTERNAL, 1, 2, false},
				{all["command 1"], ids.CommandSpan("01ab", 2, 0, 2), app.SpanId, tracepb.Span_SPAN_KIND_INTERNAL, 2, 4, true},
			} {
				s := test.span
				if string(s.TraceId) != string(trace[:]) || string(s.SpanId) != string(test.id[:]) || string(s.ParentSpanId) != string(test.parent) || s.Kind != test.kind {
					t.Errorf("%s: %v", s.Name, s)
				}
				if s.StartTimeUnixNano != uint64(second(test.from).UnixNano()) || s.EndTimeUnixNano != uint64(second(test.to).UnixNano()) {
					t.Errorf("%s: times %v", s.Name, s)
				}
				if test.fails != (s.Status.GetCode() == tracepb.Status_STATUS_CODE_ERROR) || test.fails != (attributes(s)["error.type"] == "timeout") {
					t.Errorf("%s: status %v, %v", s.Name, s.Status, attributes(s))
				}
			}
			if len(app.Links) != 1 || string(app.Links[0].SpanId) != string(lib.SpanId) {
				t.Errorf("links %v", app.Links)
			}
			for s, want := range map[*tracepb.Span]map[string]string{
				run:              {"cicd.pipeline.name": "app", "cicd.pipeline.run.id": "01ab", "cicd.pipeline.result": "timeout", "cicd.pipeline.action.name": "RUN"},
				lib:              {"cicd.pipeline.task.name": "lib", "cicd.pipeline.task.run.id": "01ab/1", "cicd.pipeline.task.run.result": "success", "cicd.pipeline.task.run.url.full": "https://git.example/jobs/8", "weft.outcome": "succeeded", "weft.queue_ms": "1000"},
				app:              {"cicd.pipeline.task.run.result": "timeout", "weft.label": "the app", "weft.outcome": "failed"},
				all["true"]:      {"process.executable.name": "true", "process.exit.code": "0", "weft.attempt": "1"},
				all["command 1"]: {"weft.attempt": "2"},
			} {
				has := attributes(s)
				for key, value := range want {
					if has[key] != value {
						t.Errorf("%s: %s is %q, want %q", s.Name, key, has[key], value)
					}
				}
				if strings.Contains(s.String(), "secret") {
					t.Errorf("the command line is in %v", s)
				}
			}
		})
	}
}

// TestInherited: a run that is a part of another trace.
func TestInherited(t *testing.T) {
	got := overHTTP(t)
	t.Setenv("TRACEPARENT", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	t.Setenv("TRACESTATE", "vendor=x")
	t.Setenv("OTEL_SERVICE_NAME", "mine")
	if said := export(t, patience, aRun()...); said != "" {
		t.Error(said)
	}
	all, resource := got.spans()
	for name, s := range all {
		if hex.EncodeToString(s.TraceId) != "0af7651916cd43dd8448eb211c80319c" || s.TraceState != "vendor=x" {
			t.Errorf("%s: %v", name, s)
		}
	}
	if run := all["RUN app"]; run == nil || hex.EncodeToString(run.ParentSpanId) != "b7ad6b7169203331" {
		t.Errorf("run %v", run)
	}
	if resource["service.name"] != "mine" {
		t.Errorf("resource %v", resource)
	}
}

// TestKilled: the events end before the run does.
func TestKilled(t *testing.T) {
	got := overHTTP(t)
	if said := export(t, patience, aRun()[:9]...); said != "" {
		t.Error(said)
	}
	all, _ := got.spans()
	for _, name := range []string{"RUN app", "app"} {
		if s := all[name]; s == nil || attributes(s)["error.type"] != "cancelled" {
			t.Errorf("%s: %v", name, s)
		}
	}
}

// TestLost: what a collector does not take is told, without what is secret.
func TestLost(t *testing.T) {
	refusing := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		http.Error(w, "no "+q.Header.Get("Authorization"), http.StatusUnauthorized)
	}))
	defer refusing.Close()
	stuck := make(chan struct{})
	slow := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-stuck }))
	defer slow.Close()
	defer close(stuck)
	dead, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	dead.Close()
	for _, test := range []struct{ name, protocol, endpoint, want string }{
		{"refusing", "http/protobuf", refusing.URL, "401"},
		{"slow", "http/protobuf", slow.URL, ""},
		{"dead", "http/protobuf", "http://" + dead.Addr().String(), "refused"},
		{"dead grpc", "grpc", "http://" + dead.Addr().String(), "refused"},
		{"protocol", "http/json", "http://" + dead.Addr().String(), `"http/json" is not supported`},
	} {
		t.Run(test.name, func(t *testing.T) {
			configure(t, test.protocol, test.endpoint)
			// It is tried again and again until the limit, so a short one will do,
			// unless the machine needs longer for the first attempt.
			said := ""
			for limit := 300 * time.Millisecond; limit < time.Minute; limit *= 4 {
				if said = export(t, limit, aRun()...); strings.Contains(said, test.want) {
					break
				}
			}
			if !strings.HasPrefix(said, "OpenTelemetry: 5 of 5 spans were not exported: ") || !strings.Contains(said, test.want) || strings.Contains(said, "s3cr3t") {
				t.Errorf("said %q", said)
			}
		})
	}
}

// TestMasked: no message has values of headers or users of addresses.
func TestMasked(t *testing.T) {
	t.Setenv("OTEL_EXPORTER_OTLP_HEADERS", "a=one%20two, b = three ,broken-four")
	t.Setenv("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "")
	t.Setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://ann:five@host/x")
	got := withoutSecrets("one%20two one two two three broken-four https://ann:five@host/x " + strings.Repeat("ä", maxErrorText))
	for _, secret := range []string{"one", "two", "three", "four", "five"} {
		if strings.Contains(got, secret) {
			t.Errorf("%q has %s", got, secret)
		}
	}
	if len(got) > maxErrorText+len("…") {
		t.Errorf("%d bytes", len(got))
	}
}

// TestMalformed: what is not an event ends the room.
func TestMalformed(t *testing.T) {
	var out bytes.Buffer
	if err := Run(strings.NewReader("{\n"), &out, 0); err == nil || errors.Is(err, errTimeLimit) {
		t.Errorf("error %v", err)
	}
}
