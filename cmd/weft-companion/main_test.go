package main

import (
	"bufio"
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/weftrun/weft/engine/channel"
	"github.com/weftrun/weft/engine/companion"
	"github.com/weftrun/weft/internal/version"
)

// asProgram in the environment makes the test program the second program.
const asProgram = "COMPANION_MAIN_TEST"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		os.Exit(run(os.Args[1:]))
	}
	os.Exit(m.Run())
}

// program returns the second program as a command.
func program(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, args...)
	cmd.Env = append(os.Environ(), asProgram+"=1")
	return cmd
}

func TestVersion(t *testing.T) {
	out, err := program(t, "--version").Output()
	if err != nil || string(out) != version.Module()+"\n" {
		t.Errorf("got %q, %v", out, err)
	}
}

func TestUsage(t *testing.T) {
	for _, args := range [][]string{{"nope"}, {"--help"}, {"--version", "x"}} {
		out, err := program(t, args...).CombinedOutput()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != 2 || string(out) != usage {
			t.Errorf("%q: got %q, %v", args, out, err)
		}
	}
}

// asked returns the second program as weft has it.
func asked(t *testing.T) *companion.Companion {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := companion.New(companion.Options{Version: version.Module, Environ: append(os.Environ(), asProgram+"=1", companion.Variable+"="+self)})
	t.Cleanup(c.Close)
	return c
}

// website serves with TLS and returns the path of its authority.
func website(t *testing.T, h http.HandlerFunc) (s *httptest.Server, ca string) {
	t.Helper()
	s = httptest.NewTLSServer(h)
	t.Cleanup(s.Close)
	ca = filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	return s, ca
}

// TestFetch fetches twenty files side by side through both ends of the channel.
func TestFetch(t *testing.T) {
	s, ca := website(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		io.WriteString(w, "# "+r.URL.Path)
	})
	c := asked(t)
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			f, err := c.Taskfile(context.Background(), &channel.TaskfileRequest{URL: fmt.Sprintf("%s/%d", s.URL, i), CACert: ca})
			if err != nil || string(f.Body) != fmt.Sprintf("# /%d", i) {
				t.Errorf("%d: %v, %v", i, f, err)
			}
		})
	}
	wg.Wait()
}

// TestConform checks a message through both ends of the channel.
func TestConform(t *testing.T) {
	file := filepath.Join(t.TempDir(), "s.json")
	if err := os.WriteFile(file, []byte(`{"type": "string"}`), 0o644); err != nil {
		t.Fatal(err)
	}
	c := asked(t)
	for message, want := range map[string]string{`"a"`: "", "1": "/: got number, want string"} {
		if v, err := c.Conform(t.Context(), &channel.ConformRequest{Schema: file, Message: []byte(message)}); err != nil || v.Problem != want {
			t.Errorf("%s: %v, %v", message, v, err)
		}
	}
}

// TestSharedCache asks a server, which is this program too, through both ends of the channel.
func TestSharedCache(t *testing.T) {
	server := program(t, "serve", "--dir", filepath.Join(t.TempDir(), "store"), "--listen", "127.0.0.1:0")
	stderr, err := server.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		server.Process.Kill()
		server.Wait()
	}()
	line, err := bufio.NewReader(stderr).ReadString('\n')
	_, address, ok := strings.Cut(strings.TrimSpace(line), "http://")
	if err != nil || !ok {
		t.Fatalf("%q, %v", line, err)
	}
	cmd := program(t)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	c := channel.NewClient(out, in)
	if err := c.Hello(t.Context(), channel.Hello{Version: version.Module()}); err != nil {
		t.Fatal(err)
	}
	if a, err := c.Connect(t.Context(), &channel.ConnectRequest{URL: "grpc://" + address, Push: true, Local: t.TempDir()}); err != nil || a.Off != "" || !a.Writes || a.API != "2.0-2.3" {
		t.Errorf("got %+v, %v", a, err)
	}
	if a, err := c.Lookup(t.Context(), &channel.LookupRequest{Action: channel.Blob{Hash: [32]byte{1}, Size: 1}}); err != nil || a.Lookup != channel.Miss {
		t.Errorf("got %+v, %v", a, err)
	}
	c.Close()
	c.Wait()
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}

// TestEndOfInput: what is under way is dropped, and the program ends within a
// second.
func TestEndOfInput(t *testing.T) {
	arrived, over := make(chan struct{}), make(chan struct{})
	s, ca := website(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/quick" {
			w.Header().Set("Content-Type", "text/plain")
			return
		}
		close(arrived)
		<-over
	})
	defer close(over)
	cmd := program(t)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	client := channel.NewClient(out, in)
	if err := client.Hello(t.Context(), channel.Hello{Version: version.Module()}); err != nil {
		t.Fatal(err)
	}
	failed := make(chan error, 1)
	go func() {
		_, err := client.Taskfile(context.Background(), &channel.TaskfileRequest{URL: s.URL, CACert: ca})
		failed <- err
	}()
	<-arrived
	if runtime.GOOS != "windows" {
		cmd.Process.Signal(syscall.SIGINT) // which is weft's to handle
	}
	if _, err := client.Taskfile(t.Context(), &channel.TaskfileRequest{URL: s.URL + "/quick", CACert: ca}); err != nil {
		t.Error(err)
	}
	begin := time.Now()
	client.Close()
	if err := <-failed; !errors.Is(err, channel.ErrClosed) {
		t.Errorf("got %v", err)
	}
	client.Wait()
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	if took := time.Since(begin); took > 20*time.Second {
		t.Errorf("it took %s", took)
	}
}

// TestBadInput: the program ends with an error, and says nothing that is no
// frame.
func TestBadInput(t *testing.T) {
	for name, input := range map[string]string{
		"text": "GET / HTTP/1.1\r\n\r\n", "long": "\xff\xff\xff\xff", "cut off": "\x05\x00\x00\x00a", "no greeting": "\x05\x00\x00\x00\x08\x01\x82\x01\x00",
	} {
		cmd := program(t)
		cmd.Stdin = strings.NewReader(input)
		out, err := cmd.Output()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != 1 || len(out) > 0 || len(exit.Stderr) > 0 {
			t.Errorf("%s: got %q, %v", name, out, err)
		}
	}
	cmd := program(t)
	cmd.Stdin = strings.NewReader("")
	if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("nothing at all: got %q, %v", out, err)
	}
}
