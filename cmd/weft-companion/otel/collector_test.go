package otel

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"
)

// received is what a collector of a test got.
type received struct {
	collector.UnimplementedTraceServiceServer
	mu       sync.Mutex
	requests []*collector.ExportTraceServiceRequest
	header   string // of the last request
}

// Export implements the service of gRPC.
func (r *received) Export(ctx context.Context, q *collector.ExportTraceServiceRequest) (*collector.ExportTraceServiceResponse, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.requests = append(r.requests, q)
	if md, ok := metadata.FromIncomingContext(ctx); ok && len(md["authorization"]) > 0 {
		r.header = md["authorization"][0]
	}
	return &collector.ExportTraceServiceResponse{}, nil
}

// ServeHTTP is the same over HTTP.
func (r *received) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	body, err := io.ReadAll(q.Body)
	m := new(collector.ExportTraceServiceRequest)
	if err != nil || q.URL.Path != "/v1/traces" || proto.Unmarshal(body, m) != nil {
		http.Error(w, "not a request", http.StatusBadRequest)
		return
	}
	r.Export(metadata.NewIncomingContext(q.Context(), metadata.Pairs("authorization", q.Header.Get("Authorization"))), m)
}

// overHTTP and overGRPC start a collector and set the environment so that it is used.
func overHTTP(t *testing.T) *received {
	r := new(received)
	s := httptest.NewServer(r)
	t.Cleanup(s.Close)
	configure(t, "http/protobuf", s.URL)
	return r
}

func overGRPC(t *testing.T) *received {
	r := new(received)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer()
	collector.RegisterTraceServiceServer(s, r)
	go s.Serve(l)
	t.Cleanup(s.Stop)
	configure(t, "grpc", fmt.Sprintf("http://%s", l.Addr()))
	return r
}

func configure(t *testing.T, protocol, endpoint string) {
	t.Setenv("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
	t.Setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20s3cr3t-t0ken")
	for _, name := range []string{"TRACEPARENT", "TRACESTATE", "OTEL_SERVICE_NAME", "OTEL_RESOURCE_ATTRIBUTES"} {
		t.Setenv(name, "")
	}
}

// spans returns all spans by name, and the attributes of their resource.
func (r *received) spans() (all map[string]*tracepb.Span, resource map[string]string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	all, resource = map[string]*tracepb.Span{}, map[string]string{}
	for _, q := range r.requests {
		for _, rs := range q.ResourceSpans {
			for _, a := range rs.Resource.Attributes {
				resource[a.Key] = a.Value.GetStringValue()
			}
			for _, ss := range rs.ScopeSpans {
				for _, s := range ss.Spans {
					all[s.Name] = s
				}
			}
		}
	}
	return all, resource
}

func attributes(s *tracepb.Span) map[string]string {
	all := map[string]string{}
	for _, a := range s.Attributes {
		all[a.Key] = a.Value.GetStringValue()
		if all[a.Key] == "" {
			all[a.Key] = fmt.Sprint(a.Value.GetIntValue())
		}
	}
	return all
}
