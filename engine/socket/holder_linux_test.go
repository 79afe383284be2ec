package socket

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestMain is another process if the environment says at which address that listens.
func TestMain(m *testing.M) {
	address := os.Getenv("WEFT_TEST_LISTEN")
	if address == "" {
		os.Exit(m.Run())
	}
	network, where, _ := strings.Cut(address, " ")
	if _, err := net.Listen(network, where); err != nil {
		fmt.Println(err)
	} else {
		fmt.Println("listening")
	}
	io.Copy(io.Discard, os.Stdin)
}

// TestHolder wants addresses at which another process listens: it is named.
func TestHolder(t *testing.T) {
	port, path := freePort(t), filepath.Join(t.TempDir(), "socket")
	for _, tc := range []struct{ theirs, ours string }{
		{fmt.Sprintf("tcp 127.0.0.1:%d", port), fmt.Sprintf("localhost:%d", port)},
		{fmt.Sprintf("tcp :%d", port), fmt.Sprintf("127.0.0.1:%d", port)},
		{"unix " + path, path},
	} {
		other := exec.Command(os.Args[0])
		other.Env = append(os.Environ(), "WEFT_TEST_LISTEN="+tc.theirs)
		in, err := other.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		out, err := other.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := other.Start(); err != nil {
			t.Fatal(err)
		}
		if line, _ := bufio.NewReader(out).ReadString('\n'); line != "listening\n" {
			t.Fatalf("%s: %s", tc.theirs, line)
		}
		l, err := Listen(t.Context(), tc.ours, "")
		want := fmt.Sprintf("%s is used by %s (pid %d)", tc.ours, filepath.Base(os.Args[0]), other.Process.Pid)
		if err == nil {
			l.Close()
			t.Errorf("%s is listened at, though another process has it", tc.ours)
		} else if err.Error() != want {
			t.Errorf("%v; want %s", err, want)
		}
		in.Close()
		other.Wait()
		os.Remove(path)
	}
}

// TestInUse checks whether an address is in use, as is done where weft may not listen.
func TestInUse(t *testing.T) {
	port := freePort(t)
	for _, host := range []string{"127.0.0.1", "[::1]"} {
		a := address{network: "tcp", text: fmt.Sprintf("%s:%d", host, port), port: port}
		if len(a.inodes()) > 0 {
			t.Errorf("%s is in use", a.text)
		}
		l := listen(t, a.text, "")
		if len(a.inodes()) == 0 {
			t.Errorf("%s is not in use", a.text)
		}
		l.Close()
	}
}

// TestParseRow reads addresses as /proc/net/tcp and tcp6 have them.
func TestParseRow(t *testing.T) {
	for text, want := range map[string]string{
		"0100007F:1F90":                         "127.0.0.1:8080",
		"00000000000000000000000001000000:0050": "[::1]:80",
		"0000000000000000FFFF00000100007F:0050": "127.0.0.1:80",
		"B80D01200000000000000000010000AB:FFFF": "[2001:db8::ab00:1]:65535",
	} {
		if got, ok := parseRow(text); !ok || got != netip.MustParseAddrPort(want) {
			t.Errorf("%s is %v, want %s", text, got, want)
		}
	}
	for _, text := range []string{"", ":", "0100007F", "0100007F:", "0100007F:10000", "01007F:0050", "0100007F0000:0050", "x100007F:0050", "0100007F:0050:1"} {
		if got, ok := parseRow(text); ok {
			t.Errorf("%q is %v", text, got)
		}
	}
}
