//go:build unix

package main

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// collectorPatience is longer than a run may wait for any collector, also on a busy machine, and
// much shorter than what the SDK waits for an answer in these tests.
const collectorPatience = 30 * time.Second

// deadAddress is an address on which nothing listens.
func deadAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return "http://" + l.Addr().String()
}

// silentAddress is an address that takes connections, and never sends a byte.
func silentAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return "http://" + l.Addr().String()
}

// brokenCollectors are collectors that do not take a trace. Each returns its address.
func brokenCollectors(t *testing.T) map[string]string {
	t.Helper()
	serve := func(handle http.HandlerFunc) string {
		s := httptest.NewServer(handle)
		t.Cleanup(s.Close)
		return s.URL
	}
	answer := func(code int, pause, body string) string {
		return serve(func(w http.ResponseWriter, _ *http.Request) {
			if pause != "" {
				w.Header().Set("Retry-After", pause)
			}
			w.Header().Set("Content-Type", "text/plain")
			w.WriteHeader(code)
			io.WriteString(w, body)
		})
	}
	return map[string]string{
		"refuses connections":        deadAddress(t),
		"never answers":              silentAddress(t),
		"asks for a long pause, 429": answer(http.StatusTooManyRequests, "3600", ""),
		"asks for a long pause, 503": answer(http.StatusServiceUnavailable, "3600", ""),
		"asks for a short pause":     answer(http.StatusServiceUnavailable, "1", ""),
		"is not available":           answer(http.StatusServiceUnavailable, "", ""),
		"is hostile":                 answer(http.StatusBadRequest, "", "\x1b[2J\r\nweft: warning: \u202e"+strings.Repeat("x", 1<<20)),
		"never ends": serve(func(w http.ResponseWriter, _ *http.Request) {
			for b := make([]byte, 64<<10); ; {
				if _, err := w.Write(b); err != nil {
					return
				}
			}
		}),
		"dies within its answer": serve(func(w http.ResponseWriter, _ *http.Request) {
			c, _, err := w.(http.Hijacker).Hijack()
			if err == nil {
				io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nabc")
				c.Close()
			}
		}),
	}
}

// An exported run is a weft that exports, with both programs as they are installed.
type exportedRun struct {
	bin, dir string
	env      []string
}

// newExportedRun builds the programs, and makes a directory with a Taskfile.
func newExportedRun(t *testing.T, taskfile string) *exportedRun {
	t.Helper()
	if testing.Short() {
		t.Skip("builds the programs; skipped with -short")
	}
	bin, err := buildBoth()
	if err != nil {
		t.Fatal(err)
	}
	r := &exportedRun{bin: bin, dir: t.TempDir()}
	if err := os.WriteFile(filepath.Join(r.dir, "Taskfile.yml"), []byte(taskfile), 0o644); err != nil {
		t.Fatal(err)
	}
	// The SDK alone would wait for an answer for ten minutes.
	r.env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "OTEL_EXPORTER_OTLP_TIMEOUT=600000")
	return r
}

// exportResult is how a run has ended.
type exportResult struct {
	stdout, stderr string // without the warning
	code           int
	warnings       []string
}

func (r *exportedRun) run(t *testing.T, env []string, args ...string) exportResult {
	t.Helper()
	cmd := exec.Command(filepath.Join(r.bin, "weft"), args...)
	cmd.Dir, cmd.Env = r.dir, append(r.env[:len(r.env):len(r.env)], env...)
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		if _, failed := errors.AsType[*exec.ExitError](err); !failed {
			t.Error(err)
		}
	}
	got := exportResult{stdout: stdout.String(), code: cmd.ProcessState.ExitCode()}
	for line := range strings.Lines(stderr.String()) {
		if strings.HasPrefix(line, "weft: warning: OpenTelemetry: ") {
			got.warnings = append(got.warnings, strings.TrimSuffix(line, "\n"))
		} else {
			got.stderr += timeless(line)
		}
	}
	return got
}

// TestBrokenCollectors: with any collector a run has the same exit code and output as without, one
// additional warning, and ends soon.
func TestBrokenCollectors(t *testing.T) {
	r := newExportedRun(t, "version: '3'\nsilent: true\ntasks:\n  good: {deps: [one], cmds: [echo two]}\n  one: echo one\n  bad: {deps: [one], cmds: [exit 7]}\n")
	plain := map[string]exportResult{"good": r.run(t, nil, "-x", "good"), "bad": r.run(t, nil, "-x", "bad")}
	if plain["good"].code != 0 || plain["bad"].code != 7 || plain["bad"].warnings != nil {
		t.Fatalf("without a collector: %+v", plain)
	}
	var wait sync.WaitGroup
	try := func(name, task string, env ...string) {
		wait.Go(func() {
			start := time.Now()
			got, want := r.run(t, env, "-x", task), plain[task]
			if took := time.Since(start); took > collectorPatience {
				t.Errorf("%s: it took %s", name, took)
			}
			if got.stdout != want.stdout || got.stderr != want.stderr || got.code != want.code {
				t.Errorf("%s: got %+v, want %+v", name, got, want)
			}
			if len(got.warnings) != 1 || len(got.warnings[0]) > 1<<10 || strings.ContainsAny(got.warnings[0], "\x1b\u202e\r") {
				t.Errorf("%s: warnings %q", name, got.warnings)
			}
		})
	}
	for name, endpoint := range brokenCollectors(t) {
		try(name, "bad", "OTEL_EXPORTER_OTLP_ENDPOINT="+endpoint)
	}
	for _, task := range []string{"good", "bad"} {
		try("never answers over gRPC", task, "OTEL_EXPORTER_OTLP_PROTOCOL=grpc", "OTEL_EXPORTER_OTLP_ENDPOINT="+silentAddress(t))
	}
	wait.Wait()
}

// TestCollectorDies: a collector accepts the first spans of a run and then ends. The run continues
// until then.
func TestCollectorDies(t *testing.T) {
	r := newExportedRun(t, "version: '3'\nsilent: true\ntasks:\n  all: [{task: one}, read x < gate, exit 7]\n  one: echo one\n")
	path := filepath.Join(r.dir, "gate")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	gate, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer gate.Close()
	taken := make(chan struct{})
	var once sync.Once
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { once.Do(func() { close(taken) }) }))
	var gone sync.WaitGroup
	gone.Go(func() {
		<-taken
		server.CloseClientConnections()
		server.Close()
		gate.WriteString("go\n")
	})
	got := r.run(t, []string{"OTEL_BSP_SCHEDULE_DELAY=1", "OTEL_EXPORTER_OTLP_ENDPOINT=" + server.URL}, "-x", "all")
	once.Do(func() { close(taken) })
	gone.Wait()
	if got.code != 7 || got.stdout != "one\n" || len(got.warnings) != 1 || !strings.Contains(got.warnings[0], " spans were not exported: ") {
		t.Errorf("got %+v", got)
	}
}
