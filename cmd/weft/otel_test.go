//go:build unix

package main

import (
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// TestExport: both programs as they are installed; a weft that is a command of another one joins
// its trace. Each ends only when the first of its spans has arrived, so that nothing that starts
// slowly is part of what happens in the last two seconds.
func TestExport(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the programs; skipped with -short")
	}
	bin, err := buildBoth()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	gates := map[string]*os.File{}
	for _, name := range []string{"outer-first", "inner-first"} {
		path := filepath.Join(dir, name)
		if err := syscall.Mkfifo(path, 0o600); err != nil {
			t.Fatal(err)
		}
		if gates[name], err = os.OpenFile(path, os.O_RDWR, 0); err != nil {
			t.Fatal(err)
		}
		defer gates[name].Close()
	}
	var mu sync.Mutex
	spans := map[string]*tracepb.Span{}
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, q *http.Request) {
		body, _ := io.ReadAll(q.Body)
		m := new(collector.ExportTraceServiceRequest)
		if err := proto.Unmarshal(body, m); err != nil {
			t.Error(err)
		}
		mu.Lock()
		defer mu.Unlock()
		for _, s := range m.ResourceSpans[0].ScopeSpans[0].Spans {
			if spans[s.Name] == nil && gates[s.Name] != nil {
				gates[s.Name].WriteString("go\n")
			}
			spans[s.Name] = s
		}
	}))
	defer server.Close()
	taskfile := `version: '3'
silent: true
tasks:
  outer: [{task: outer-first}, {exec: [weft, inner]}, read x < outer-first]
  inner: [{task: inner-first}, read x < inner-first]
  outer-first: 'true'
  inner-first: 'true'
`
	if err := os.WriteFile(filepath.Join(dir, "Taskfile.yml"), []byte(taskfile), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(filepath.Join(bin, "weft"), "outer")
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "OTEL_EXPORTER_OTLP_ENDPOINT="+server.URL, "OTEL_BSP_SCHEDULE_DELAY=1", "OTEL_TRACES_SAMPLER=always_on")
	if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
		t.Fatalf("%v\n%s", err, out)
	}
	mu.Lock()
	defer mu.Unlock()
	for child, parent := range map[string]string{"outer": "RUN outer", "outer-first": "outer", "weft": "outer", "RUN inner": "weft", "inner": "RUN inner", "inner-first": "inner"} {
		c, p := spans[child], spans[parent]
		if c == nil || p == nil {
			t.Fatalf("no span %s or %s in %v", child, parent, spans)
		}
		if string(c.ParentSpanId) != string(p.SpanId) || string(c.TraceId) != string(p.TraceId) {
			t.Errorf("%s is part of %s in %s, not of %s", child, hex.EncodeToString(c.ParentSpanId), hex.EncodeToString(c.TraceId), parent)
		}
	}
}
