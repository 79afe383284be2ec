package ready

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// TestCheck: invalid targets are refused with advice.
func TestCheck(t *testing.T) {
	for _, test := range []struct {
		kind         Kind
		target, want string // want is "" for a valid one
	}{
		{HTTP, "http://localhost:3000/health", ""},
		{HTTP, "http://[::1]:3000", ""},
		{HTTP, "unix:/run/a.sock:/health?x=:/y", ""},
		{HTTP, "unix:a.sock", ""},
		{HTTP, "unix:@name:/", ""},
		{HTTP, "", "is not a URL; write http://HOST[:PORT]/PATH or unix:/SOCKET:/PATH"},
		{HTTP, "localhost:3000/health", "is not a URL; write http://HOST[:PORT]/PATH or unix:/SOCKET:/PATH"},
		{HTTP, "http:///health", "is not a URL; write http://HOST[:PORT]/PATH or unix:/SOCKET:/PATH"},
		{HTTP, "http://a b/", "is not a URL; write http://HOST[:PORT]/PATH or unix:/SOCKET:/PATH"},
		{HTTP, "http://a/\r\nX: y", "is not a URL; write http://HOST[:PORT]/PATH or unix:/SOCKET:/PATH"},
		{HTTP, "https://a/health", "needs TLS, which weft does not support; write exec: curl -fsS https://a/health"},
		{HTTP, "http://me:secret@a/", "has a user name; write exec: curl -fsS URL"},
		{HTTP, "http://a:0/", "has no port from 1 to 65535"},
		{HTTP, "http://a:65536/", "has no port from 1 to 65535"},
		{HTTP, "unix::/health", "has no socket; write unix:/SOCKET:/PATH"},
		{HTTP, "unix:/a:/b\nc", "has no path for the request; write unix:/SOCKET:/PATH"},
		{TCP, "localhost:5432", ""},
		{TCP, ":5432", ""},
		{TCP, "[::1]:5432", ""},
		{TCP, "unix:/run/a.sock", ""},
		{TCP, "unix:", "has no socket; write unix:/PATH"},
		{TCP, "localhost", "is not an address; write HOST:PORT, [IPV6]:PORT or unix:/SOCKET"},
		{TCP, "::1:5432", "is not an address; write HOST:PORT, [IPV6]:PORT or unix:/SOCKET"},
		{TCP, "localhost:postgres", "has no port from 1 to 65535"},
		{TCP, "localhost:", "has no port from 1 to 65535"},
		{TCP, "localhost:-1", "has no port from 1 to 65535"},
		{File, "a\x00b", "is not a path"},
		{Exec, "", ""},
	} {
		p := Probe{Kind: test.kind, Target: test.target}
		got := ""
		if err := p.Check(); err != nil {
			got = err.(*TargetError).Why
			if waited := p.Wait(t.Context(), nil); waited == nil || waited.Error() != err.Error() {
				t.Errorf("Wait: %v", waited)
			}
			if watched := p.Watch(t.Context()); watched == nil || watched.Error() != err.Error() {
				t.Errorf("Watch: %v", watched)
			}
		}
		if got != test.want {
			t.Errorf("%q: %q, want %q", test.target, got, test.want)
		}
	}
}

// listen opens a socket whose connections serve gets.
func listen(t *testing.T, network, address string, serve func(net.Conn)) net.Listener {
	t.Helper()
	l, err := net.Listen(network, address)
	if err != nil {
		t.Skip(err)
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			serve(c)
			c.Close()
		}
	}()
	t.Cleanup(func() {
		l.Close()
		<-served
	})
	return l
}

func port(l net.Listener) string { return fmt.Sprint(l.Addr().(*net.TCPAddr).Port) }

// TestTCP: a connection suffices; a localhost has two addresses.
func TestTCP(t *testing.T) {
	for _, at := range []string{"127.0.0.1:0", "[::1]:0"} {
		l := listen(t, "tcp", at, func(net.Conn) {})
		for _, target := range []string{"localhost:" + port(l), ":" + port(l), l.Addr().String()} {
			if err := (&Probe{Kind: TCP, Target: target}).Wait(t.Context(), nil); err != nil {
				t.Error(err)
			}
		}
	}
	dir := t.TempDir()
	if runtime.GOOS != "windows" {
		listen(t, "unix", filepath.Join(dir, "s"), func(net.Conn) {})
		for _, target := range []string{"unix:s", "unix:" + filepath.Join(dir, "s")} {
			if err := (&Probe{Kind: TCP, Target: target, Dir: dir}).Wait(t.Context(), nil); err != nil {
				t.Error(err)
			}
		}
	}
	for target, want := range map[string]string{
		"localhost:1":            "localhost:1: connection refused after ",
		"unix:none":              "unix:none: no such file or directory after ",
		"no-such-host.invalid:1": `no-such-host.invalid:1: host "no-such-host.invalid": `,
	} {
		p := Probe{Kind: TCP, Target: target, Dir: dir, Timeout: time.Second / 2}
		if target[0] == 'n' {
			p.Timeout = 10 * time.Second // to resolve the name
		}
		err := p.attempt(t.Context(), p.Timeout)
		if err == nil {
			t.Fatal("connected")
		}
		if target[0] != 'n' {
			err = p.Wait(t.Context(), nil)
		} else {
			err = &NotReady{Target: target, Seen: err.Error(), After: 1}
		}
		if runtime.GOOS != "windows" && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", target, err)
		}
	}
}

// TestHTTP: the request, and the responses that mean that the service is ready.
func TestHTTP(t *testing.T) {
	for _, test := range []struct{ name, answer, want string }{
		{"ok", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", ""},
		{"bare", "HTTP/1.0 204\n\n", ""},
		{"redirect", "HTTP/1.1 302 Found\r\nLocation: http://localhost:1/\r\n\r\n", ""},
		{"interim answers", "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 100 \r\n\r\nHTTP/1.1 200 OK\r\n\r\n", ""},
		{"body", "HTTP/1.1 200 OK\r\n\r\n" + strings.Repeat("x", 3*mostHeader), ""},
		{"long field", "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 5*mostStatus) + "\r\n\r\n", ""},
		{"not yet", "HTTP/1.1 503 Service Unavailable\r\n\r\n", "status 503"},
		{"not found", "HTTP/1.1 404 Not Found\r\n\r\n", "status 404"},
		{"switching", "HTTP/1.1 101 Switching\r\n\r\n", "status 101"},
		{"beyond", "HTTP/1.1 999 No\r\n\r\n", "status 999"},
		{"nothing", "", "the connection was closed without a response"},
		{"TLS", "\x15\x03\x01\x00\x02\x02\x16", `a response that is not HTTP: "\x15\x03\x01\x00\x02\x02\x16"`},
		{"another protocol", "SSH-2.0-OpenSSH_9.6\r\n", `a response that is not HTTP: "SSH-2.0-OpenSSH_9.6\r\n"`},
		{"no number", "HTTP/1.1 2x0 OK\r\n\r\n", `a response that is not HTTP: "HTTP/1.1 2x0 OK\r\n"`},
		{"number too long", "HTTP/1.1 2000 OK\r\n\r\n", `a response that is not HTTP: "HTTP/1.1 2000 OK\r\n"`},
		{"number too small", "HTTP/1.1 099 OK\r\n\r\n", `a response that is not HTTP: "HTTP/1.1 099 OK\r\n"`},
		{"another version", "HTTP/2 200\r\n\r\n", `a response that is not HTTP: "HTTP/2 200\r\n"`},
		{"no newline", strings.Repeat("y", 2*mostStatus), `a response that is not HTTP: "` + strings.Repeat("y", mostQuoted) + `"`},
		{"status without end", "HTTP/1.1 200 " + strings.Repeat("y", mostHeader), `a response that is not HTTP: `},
		{"cut in the status", "HTTP/1.1 200", "status 200, and the connection was closed within the headers"},
		{"cut in the headers", "HTTP/1.1 200 OK\r\nContent-", "status 200, and the connection was closed within the headers"},
		{"endless headers", "HTTP/1.1 200 OK\r\n" + strings.Repeat("X: y\r\n", mostHeader), "status 200 with headers of more than 64 KiB"},
		{"endless field", "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("y", 2*mostHeader), "status 200 with headers of more than 64 KiB"},
		{"endless interim answers", strings.Repeat("HTTP/1.1 100 Go on\r\n\r\n", mostHeader), "status 100 with headers of more than 64 KiB"},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := listen(t, "tcp", "127.0.0.1:0", func(c net.Conn) {
				request(c)
				io.WriteString(c, test.answer)
			})
			p := Probe{Kind: HTTP, Target: "http://localhost:" + port(l) + "/health"}
			got := ""
			if err := p.attempt(t.Context(), time.Minute); err != nil {
				got = err.Error()
			}
			if got != test.want && (test.name != "status without end" || !strings.HasPrefix(got, test.want)) {
				t.Errorf("got  %q\nwant %q", got, test.want)
			}
		})
	}
}

// request reads the head of a request.
func request(c net.Conn) string {
	var head strings.Builder
	for in := bufio.NewReader(c); ; {
		line, err := in.ReadString('\n')
		head.WriteString(line)
		if err != nil || line == "\r\n" {
			return head.String()
		}
	}
}

// TestRequest: the request names the host as the URL does, and contains path and query.
func TestRequest(t *testing.T) {
	requests := make(chan string, 1)
	serve := func(c net.Conn) {
		requests <- request(c)
		io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\n")
	}
	dir := t.TempDir()
	four, six := listen(t, "tcp", "127.0.0.1:0", serve), listen(t, "tcp", "[::1]:0", serve)
	for target, want := range map[string]string{
		"http://localhost:" + port(four):                    "GET / HTTP/1.1\r\nHost: localhost:" + port(four) + "\r\n",
		"http://127.0.0.1:" + port(four) + "/a%20b/ü?c=d#e": "GET /a%20b/%C3%BC?c=d HTTP/1.1\r\nHost: 127.0.0.1:" + port(four) + "\r\n",
		"http://[::1]:" + port(six) + "/x":                  "GET /x HTTP/1.1\r\nHost: [::1]:" + port(six) + "\r\n",
		"http://localhost:" + port(six) + "//x":             "GET //x HTTP/1.1\r\nHost: localhost:" + port(six) + "\r\n",
		"unix:s:/a?b=:/c":                                   "GET /a?b=:/c HTTP/1.1\r\nHost: localhost\r\n",
	} {
		if strings.HasPrefix(target, unixPrefix) {
			if runtime.GOOS == "windows" {
				continue
			}
			listen(t, "unix", filepath.Join(dir, "s"), serve)
		}
		p := Probe{Kind: HTTP, Target: target, Dir: dir}
		if err := p.attempt(t.Context(), time.Minute); err != nil {
			t.Errorf("%s: %v", target, err)
			continue
		}
		if got := <-requests; !strings.HasPrefix(got, want) || !strings.HasSuffix(got, "\r\nConnection: close\r\n\r\n") {
			t.Errorf("%s:\n%s", target, got)
		}
	}
	r, err := parseURL("http://[fe80::1%25eth0]:80/")
	if err != nil || r.name != "[fe80::1]:80" || r.host != "fe80::1%eth0" {
		t.Errorf("%+v, %v", r, err)
	}
}

// TestHTTPHangs: a server that does not answer, or byte by byte, is given up at the limit.
func TestHTTPHangs(t *testing.T) {
	for name, serve := range map[string]func(net.Conn) error{
		"silent": func(c net.Conn) error { _, err := io.Copy(io.Discard, c); return err },
		"slow": func(c net.Conn) error {
			for {
				if _, err := io.WriteString(c, "HTTP/1.1 200 OK"); err != nil {
					return err
				}
				time.Sleep(time.Millisecond)
			}
		},
		"slow headers": func(c net.Conn) error {
			_, err := io.WriteString(c, "HTTP/1.1 200 OK\r\n")
			for err == nil {
				_, err = io.WriteString(c, "X")
				time.Sleep(time.Millisecond)
			}
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := listen(t, "tcp", "127.0.0.1:0", func(c net.Conn) { serve(c) })
			p := Probe{Kind: HTTP, Target: "http://" + l.Addr().String() + "/"}
			start := time.Now()
			err := p.attempt(t.Context(), 50*time.Millisecond)
			if err == nil || err.Error() != "no response within 50ms" || time.Since(start) > 10*time.Second {
				t.Errorf("%v after %s", err, time.Since(start))
			}
		})
	}
}

// TestReadyAtOnce: a server that begins to listen is found soon.
func TestReadyAtOnce(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no Unix sockets")
	}
	dir, up := t.TempDir(), make(chan time.Time, 1)
	time.AfterFunc(60*time.Millisecond, func() {
		l, err := net.Listen("unix", filepath.Join(dir, "s"))
		if err == nil {
			t.Cleanup(func() { l.Close() })
		}
		up <- time.Now()
	})
	if err := (&Probe{Kind: TCP, Target: "unix:s", Dir: dir}).Wait(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if late := time.Since(<-up); late > 5*time.Second {
		t.Errorf("found %s later", late)
	}
}

// FuzzStatus: no response makes the reader panic, or read forever.
func FuzzStatus(f *testing.F) {
	f.Add([]byte("HTTP/1.1 200 OK\r\n\r\n"))
	f.Add([]byte("HTTP/1.1 100\n\nHTTP/1.0 503 x\nA: b\r\n\r\n"))
	f.Fuzz(func(t *testing.T, answer []byte) {
		status, err := readStatus(strings.NewReader(string(answer)))
		if (err == nil) != (status != 0) || err == nil && (status < 101 || status > 999) {
			t.Errorf("%q: %d, %v", answer, status, err)
		}
	})
}

// FuzzURL: an accepted URL gives a request of exactly three well-formed lines.
func FuzzURL(f *testing.F) {
	for _, s := range []string{"http://localhost:1/a?b#c", "unix:/s:/p", "http://[::1%25e]:1", "http://%zz", "unix:@a", "http://00? ", "unix:/s:/p?a b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r, err := parseURL(s)
		if err == nil && (strings.ContainsAny(r.path+r.name, " \r\n\x00") || !strings.HasPrefix(r.path, "/") || (r.socket == "") != (r.port != "")) {
			t.Errorf("%q: %+v", s, r)
		}
	})
}
