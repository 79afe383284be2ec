package main

import (
	"fmt"
	"os"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// TestListenWatched: watching restarts a server while clients send requests: none is refused,
// because the socket stays open. WEFT_RESTARTS_UNDER_LOAD is the number of restarts; 3 by default.
func TestListenWatched(t *testing.T) {
	t.Parallel()
	restarts, rate := 3, 200
	if n, _ := strconv.Atoi(os.Getenv("WEFT_RESTARTS_UNDER_LOAD")); n > 0 {
		restarts, rate = n, 1000
	}
	port := freePort(t)
	address := fmt.Sprintf("127.0.0.1:%d", port)
	w := newWatched(t, map[string]string{
		"motd": "0\n",
		"Taskfile.yml": fmt.Sprintf(`tasks:
  serve:
    service: true
    sources: [motd]
    exec: [fdserver, motd]
    ports: {http: %d}
    listen: {http: '127.0.0.1:{{port "http"}}'}
`, port),
	}, "-w", "serve")
	serves := func(want string) bool {
		got, err := get(address, "/")
		return err == nil && got == want
	}
	if !eventually(func() bool { return serves("0\n") }) {
		t.Fatal("it does not serve")
	}
	l := &load{address: address}
	l.start(rate)
	began := time.Now()
	for i := range restarts {
		text := fmt.Sprintf("%d\n", i+1)
		w.write("motd", text)
		if !eventually(func() bool { return serves(text) }) {
			t.Errorf("after %d changes it does not serve the last one", i+1)
			break
		}
	}
	took := time.Since(began)
	l.stop(t)
	t.Logf("%d restarts in %v, %.0f requests a second", restarts, took, float64(l.asked.Load())/took.Seconds())
	if got := w.stop(syscall.SIGINT); got != "exit status 0" {
		t.Errorf("it ended with %s", got)
	}
	if _, err := get(address, "/"); err == nil {
		t.Error("the socket is open after the end")
	}
}
