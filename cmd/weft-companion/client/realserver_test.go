package client

import (
	"bytes"
	"net"
	"os/exec"
	"testing"
	"time"
)

// freeAddress returns an address on which nothing listens.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// startReal starts a server that is not ours, and waits until it listens on an address. The test is
// skipped if it ends before. It is killed at the end of the test.
func startReal(t *testing.T, cmd *exec.Cmd, address string) {
	t.Helper()
	output := new(bytes.Buffer)
	cmd.Stdout, cmd.Stderr = output, output
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		cmd.Wait()
		close(ended)
	}()
	t.Cleanup(func() {
		cmd.Process.Kill()
		<-ended
	})
	for end := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		c, err := net.Dial("tcp", address)
		if err == nil {
			c.Close()
			return
		}
		select {
		case <-ended:
			t.Skipf("%s does not work here: %s", cmd.Path, output)
		default:
		}
		if time.Now().After(end) {
			t.Fatal(err)
		}
	}
}
