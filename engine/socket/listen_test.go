//go:build unix

package socket

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// listen opens a socket for the time of the test.
func listen(t *testing.T, address, dir string) *Listener {
	t.Helper()
	l, err := Listen(t.Context(), address, dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// freePort returns an unused port on loopback.
func freePort(t *testing.T) int {
	t.Helper()
	l, err := new(Ports).Take(Owner{Task: "the test"}, []PortRequest{{Name: "p"}})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Release()
	return l.Number("p")
}

// TestListen connects before a program accepts, and checks what programs inherit.
func TestListen(t *testing.T) {
	dir := t.TempDir()
	port := freePort(t)
	for _, tc := range []struct{ text, network, address string }{
		{fmt.Sprintf("localhost:%d", port), "tcp", fmt.Sprintf("127.0.0.1:%d", port)},
		{fmt.Sprintf(":%d", port), "tcp", fmt.Sprintf("127.0.0.1:%d", port)},
		{filepath.Join(dir, "absolute"), "unix", filepath.Join(dir, "absolute")},
		{"unix:" + filepath.Join(dir, "prefixed"), "unix", filepath.Join(dir, "prefixed")},
		{"unix:relative", "unix", filepath.Join(dir, "relative")},
	} {
		l, err := Listen(t.Context(), tc.text, dir)
		if err != nil {
			t.Errorf("%s: %v", tc.text, err)
			continue
		}
		c, err := net.Dial(tc.network, tc.address)
		if err != nil {
			t.Errorf("%s: %v", tc.text, err)
		} else {
			c.Close()
		}
		fd := int(l.File.Fd())
		if blocks(t, fd) {
			// As a server does that runs an event loop.
			syscall.SetNonblock(fd, true)
		} else {
			t.Errorf("%s: does not block", tc.text)
		}
		if l.File.Fd(); blocks(t, fd) {
			t.Errorf("%s: looking at the descriptor changes its mode", tc.text)
		}
		if err := l.Renew(); err != nil || !blocks(t, fd) {
			t.Errorf("%s: does not block after the program; %v", tc.text, err)
		}
		if err := l.Close(); err != nil {
			t.Errorf("%s: %v", tc.text, err)
		}
		if c, err := net.Dial(tc.network, tc.address); err == nil {
			c.Close()
			t.Errorf("%s: connected to what is closed", tc.text)
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func blocks(t *testing.T, fd int) bool {
	flags, _, errno := syscall.Syscall(syscall.SYS_FCNTL, uintptr(fd), syscall.F_GETFL, 0)
	if errno != 0 {
		t.Fatal(errno)
	}
	return flags&syscall.O_NONBLOCK == 0
}

func TestListenBadAddress(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("x", 200)
	for text, want := range map[string]string{
		"":                          `"" is not an address`,
		"8080":                      `"8080" is not an address`,
		"localhost":                 `"localhost" is not an address`,
		"localhost:":                `"" is not a port: write a number from 1 to 65535`,
		"localhost:http":            `"http" is not a port`,
		"localhost:0":               `"0" is not a port`,
		"localhost:65536":           `"65536" is not a port`,
		"localhost:-1":              `"-1" is not a port`,
		"::1:80":                    `"::1:80" is not an address`,
		"192.0.2.1:8080":            "192.0.2.1:8080 is not an address of this machine",
		"nothing.invalid:8080":      "the name in nothing.invalid:8080 is not known",
		"unix:":                     `"unix:" has no path`,
		"unix:file":                 "file exists and is not a socket",
		"unix:missing/s":            "missing/s: bind: no such file or directory",
		"unix:" + long:              "is longer than the 103 bytes",
		"unix:file/s":               "not a directory",
		"/" + long:                  "is longer than the 103 bytes",
		"unix:" + dir + "/a\x00b/c": "invalid argument",
	} {
		l, err := Listen(t.Context(), text, dir)
		if err == nil {
			l.Close()
			t.Errorf("%q is listened at", text)
		} else if !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v; want %s", text, err, want)
		}
	}
}

// TestListenTaken wants an address that somebody has: on Linux, who that is is said.
func TestListenTaken(t *testing.T) {
	dir := t.TempDir()
	port := freePort(t)
	here := "this run of weft"
	if runtime.GOOS != "linux" {
		here = "another process"
	}
	for _, tc := range []struct{ first, second string }{
		{fmt.Sprintf("127.0.0.1:%d", port), fmt.Sprintf("localhost:%d", port)},
		{fmt.Sprintf(":%d", port), fmt.Sprintf("localhost:%d", port)},
		{fmt.Sprintf("localhost:%d", port), fmt.Sprintf(":%d", port)},
		{"unix:socket", filepath.Join(dir, "socket")},
	} {
		first := listen(t, tc.first, dir)
		second, err := Listen(t.Context(), tc.second, dir)
		var taken *TakenError
		if err == nil {
			second.Close()
			t.Errorf("%s is listened at though %s is", tc.second, tc.first)
		} else if !errors.As(err, &taken) || taken.Ours != (runtime.GOOS == "linux") || !strings.HasSuffix(err.Error(), " is used by "+here) {
			t.Errorf("%s while %s is listened at: %v", tc.second, tc.first, err)
		}
		first.Close()
	}
}

// TestListenStale finds the file of a socket whose program is gone.
func TestListenStale(t *testing.T) {
	path := filepath.Join(t.TempDir(), "socket")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
	if st, err := os.Lstat(path); err != nil || st.Mode().Type() != fs.ModeSocket {
		t.Fatalf("%v, %v", st, err)
	}
	listen(t, path, "")
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
}

// TestListenPrivileged wants a port that only root may have.
func TestListenPrivileged(t *testing.T) {
	a := address{network: "tcp", text: "localhost:80", port: 80}
	err := a.explain(&net.OpError{Op: "listen", Err: os.NewSyscallError("bind", syscall.EACCES)})
	if err.Error() != "port 80 needs privileges that weft does not have: use a port of 1024 or above, or a proxy" {
		t.Error(err)
	}
	first := 1024
	if text, err := os.ReadFile("/proc/sys/net/ipv4/ip_unprivileged_port_start"); err == nil {
		first, _ = strconv.Atoi(strings.TrimSpace(string(text)))
	}
	if os.Geteuid() == 0 || first <= 1 {
		return
	}
	if l, err := Listen(t.Context(), "localhost:1", ""); err == nil {
		l.Close()
		t.Error("listened at port 1")
	} else if !strings.HasPrefix(err.Error(), "port 1 needs privileges") {
		t.Error(err)
	}
}
