//go:build unix

package control

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience is the time limit of every wait.
const patience = 20 * time.Second

// rig is a run that receives requests.
type rig struct {
	t   *testing.T
	dir string
	*Server
	begun chan struct{} // closed when "wait" was asked for
}

// listen starts a server in its own directory. It performs "echo", waits for its context with
// "wait", and fails with "fail".
func listen(t *testing.T) *rig {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "weft-control-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	r := &rig{t, dir, new(Server), make(chan struct{})}
	if err := r.Listen(r.env, Hello{Run: "abc", Pid: 7}, r.do); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

func (r *rig) env(name string) string { return map[string]string{"XDG_RUNTIME_DIR": r.dir}[name] }

func (r *rig) do(ctx context.Context, q *Request) (any, error) {
	switch q.Request {
	case "echo":
		return q.Text, nil
	case "wait":
		close(r.begun)
		<-ctx.Done()
		return nil, errors.New("it is over")
	case "nothing":
		return nil, nil
	}
	return nil, errors.New("no")
}

func (r *rig) dial() *Client {
	r.t.Helper()
	all := List(r.env)
	if len(all) != 1 || all[0].Run != "abc" {
		r.t.Fatalf("found %v", all)
	}
	c, err := Dial(all[0].Path)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(c.Close)
	return c
}

// raw connects without a Client, and reads the greeting.
func (r *rig) raw() (*net.UnixConn, *bufio.Reader) {
	r.t.Helper()
	c, err := net.Dial("unix", r.Path())
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(patience))
	b := bufio.NewReader(c)
	if line, err := b.ReadString('\n'); err != nil || !strings.HasPrefix(line, `{"control":1,"run":"abc"`) {
		r.t.Fatalf("greeted by %q, %v", line, err)
	}
	return c.(*net.UnixConn), b
}

func eventLine(n int) []byte { return fmt.Appendf(nil, `{"event":"x","n":%d}`+"\n", n) }

// TestEvents: a client receives later events, and earlier ones on request.
func TestEvents(t *testing.T) {
	r := listen(t)
	r.Send(eventLine(0), nil)
	r.Send(eventLine(1), []string{"api"})
	c := r.dial()
	if c.Hello.Next != 2 || c.Hello.Pid != 7 {
		t.Errorf("greeted by %+v", c.Hello)
	}
	if answer, err := c.Do(Request{Request: "echo", Text: "a\nb"}); err != nil || string(answer) != `"a\nb"` {
		t.Errorf("%s, %v", answer, err)
	}
	r.Send(eventLine(2), []string{"db"})
	next := func(want string) {
		t.Helper()
		a, err := c.Next()
		if err != nil || strings.TrimSpace(string(a.Line)) != want {
			t.Fatalf("%q, %v; want %q", a.Line, err, want)
		}
	}
	next(`{"event":"x","n":2}`)
	first := int64(0)
	c.Send(Request{Since: &first})
	next(`{"id":2,"ok":{"lost":0,"events":3}}`)
	for n := range 3 {
		next(fmt.Sprintf(`{"event":"x","n":%d}`, n))
	}
	c.Send(Request{Request: "log", Task: "api", Follow: true})
	next(`{"id":3,"ok":{"lost":0,"events":1}}`)
	next(`{"event":"x","n":1}`)
	r.Send(eventLine(3), nil)
	r.Send(eventLine(4), []string{"db"})
	r.Send(eventLine(5), []string{"x", "api"})
	next(`{"event":"x","n":5}`)
	c.Send(Request{Request: "log"})
	next(`{"id":4,"ok":{"lost":0,"events":4}}`)
	for _, n := range []int{1, 2, 4, 5} {
		next(fmt.Sprintf(`{"event":"x","n":%d}`, n))
	}
	if _, err := c.Do(Request{Request: "fail"}); err == nil || err.Error() != "no" {
		t.Error(err)
	}
	if answer, err := c.Do(Request{Request: "nothing"}); err != nil || string(answer) != "true" {
		t.Errorf("%s, %v", answer, err)
	}
}

// TestHeld: the oldest output is dropped, but no other events.
func TestHeld(t *testing.T) {
	var s Server
	s.Send([]byte("first"), nil)
	big := make([]byte, 1<<20)
	for range 10 {
		s.Send(big, []string{"x"})
	}
	s.Send([]byte("last"), nil)
	all := s.since(0)
	if len(all) < 4 || string(all[0].text) != "first" || string(all[len(all)-1].text) != "last" || s.output.bytes > maxHeld || s.output.lost != int64(12-len(all)) {
		t.Errorf("%d lines, %d bytes, %d lost", len(all), s.output.bytes, s.output.lost)
	}
	if late := s.since(11); len(late) != 1 {
		t.Errorf("%d lines", len(late))
	}
}

// TestHostile: invalid requests.
func TestHostile(t *testing.T) {
	r := listen(t)
	for _, tt := range []struct{ sent, want string }{
		{"hello\n", `{"error":"not a request, `},
		{"[1]\n", `{"error":"not a request, `},
		{"{}\n", `{"error":"a request must have the member request`},
		{`{"id":{},"request":"echo"}` + "\n", `{"error":"id must be a number or a string"}`},
		{strings.Repeat("x", MaxRequest+1), `{"error":"a request has more than 65536 bytes"}`},
		{`{"id":"ä","request":"echo"`, `{"error":"not a request, `},
		{`{"id":"\u0000ä","request":"echo","text":"t"}`, `{"id":"\u0000ä","ok":"t"}`},
		{"\xff\x00\n", `{"error":"not a request, `},
	} {
		c, b := r.raw()
		go func() {
			io.WriteString(c, tt.sent)
			c.CloseWrite()
		}()
		line, err := b.ReadString('\n')
		if err != nil || !strings.HasPrefix(line, tt.want) {
			t.Errorf("%.40q: answered %q, %v", tt.sent, line, err)
		}
		if rest, err := io.ReadAll(b); len(rest) > 0 {
			t.Errorf("%.40q: then %q, %v", tt.sent, rest, err)
		}
	}
}

// TestLongest answers the longest request there may be.
func TestLongest(t *testing.T) {
	r := listen(t)
	c, b := r.raw()
	head, tail := `{"id":1,"request":"echo","text":"`, "\"}\n"
	text := strings.Repeat("x", MaxRequest-len(head)-len(tail))
	go io.WriteString(c, head+text+tail)
	if line, err := b.ReadString('\n'); line != `{"id":1,"ok":"`+text+tail || err != nil {
		t.Errorf("answered %.60q, %v", line, err)
	}
}

// TestFlood sends requests, and reads no answers: others are answered meanwhile, and it loses its
// connection before its answers take much memory.
func TestFlood(t *testing.T) {
	r := listen(t)
	c, _ := r.raw()
	quick := r.dial()
	request := []byte(`{"id":1,"request":"echo","text":"` + strings.Repeat("x", 60_000) + "\"}\n")
	flooded := make(chan int64, 1)
	go func() {
		sent := int64(0)
		for {
			n, err := c.Write(request)
			if sent += int64(n); err != nil {
				flooded <- sent
				return
			}
		}
	}()
	for {
		if answer, err := quick.Do(Request{Request: "echo", Text: "y"}); err != nil || string(answer) != `"y"` {
			t.Fatalf("meanwhile: %s, %v", answer, err)
		}
		select {
		case sent := <-flooded:
			if sent > 2*maxQueue {
				t.Errorf("it could send %d bytes", sent)
			}
			return
		default:
		}
	}
}

// TestHalfClosed answers who sends nothing more, all that was asked.
func TestHalfClosed(t *testing.T) {
	r := listen(t)
	c, b := r.raw()
	const requests = 500
	go func() {
		for i := range requests {
			fmt.Fprintf(c, `{"id":%d,"request":"echo","text":"%d"}`+"\n", i, i)
		}
		c.CloseWrite()
	}()
	all, err := io.ReadAll(b)
	if n := strings.Count(string(all), `"ok"`); err != nil || n != requests {
		t.Errorf("%d answers, %v", n, err)
	}
}

// TestSlowReader: a client that does not read loses its connection, and delays nothing.
func TestSlowReader(t *testing.T) {
	r := listen(t)
	_, slow := r.raw()
	quick := r.dial()
	big := append(append([]byte(`{"event":"x","n":"`), make([]byte, 1<<20)...), "\"}\n"...)
	for i := range big[18 : len(big)-3] {
		big[18+i] = 'x'
	}
	sent := 0
	for r.isSlow() {
		if sent++; sent > 100 {
			t.Fatal("it keeps its connection")
		}
		r.Send(big, nil)
		if _, err := quick.Next(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := io.Copy(io.Discard, slow); err != nil && !strings.Contains(err.Error(), "reset") {
		t.Error(err)
	}
	if _, err := quick.Do(Request{Request: "nothing"}); err != nil {
		t.Error(err)
	}
}

// isSlow reports whether both connections are there.
func (r *rig) isSlow() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := 0
	for c := range r.conns {
		if !c.gone {
			n++
		}
	}
	return n == 2
}

// TestMany: more connections than allowed, with events meanwhile.
func TestMany(t *testing.T) {
	r := listen(t)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for n := 0; ; n++ {
			select {
			case <-stop:
				return
			default:
				r.Send(eventLine(n), nil)
				time.Sleep(time.Millisecond)
			}
		}
	})
	var clients sync.WaitGroup
	for range 20 {
		clients.Go(func() {
			c, err := Dial(r.Path())
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			for range 20 {
				if _, err := c.Do(Request{Request: "echo"}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	clients.Wait()
	close(stop)
	wg.Wait()
	var open []*Client
	for range maxConns + 5 {
		c, err := Dial(r.Path())
		switch {
		case err == nil:
			open = append(open, c)
		case err.Error() != "it already has 32 connections":
			t.Error(err)
		}
	}
	if len(open) > maxConns || len(open) == 0 {
		t.Errorf("%d connections", len(open))
	}
	for _, c := range open {
		c.Close()
	}
}

// TestClose: waiting clients are answered, and the socket is removed.
func TestClose(t *testing.T) {
	r := listen(t)
	c := r.dial()
	answered := make(chan error, 1)
	go func() {
		_, err := c.Do(Request{Request: "wait"})
		answered <- err
	}()
	idle := r.dial()
	<-r.begun
	r.Close()
	select {
	case err := <-answered:
		if err == nil || err.Error() != "it is over" && err != io.EOF {
			t.Error(err)
		}
	case <-time.After(patience):
		t.Fatal("no answer")
	}
	if _, err := idle.Next(); err != io.EOF {
		t.Error(err)
	}
	if _, err := os.Lstat(r.Path()); !os.IsNotExist(err) {
		t.Error(err)
	}
}

// TestStale: the socket of a killed run is removed, and nothing else.
func TestStale(t *testing.T) {
	r := listen(t)
	dir := filepath.Dir(r.Path())
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(dir, "dead.sock"), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
	os.WriteFile(filepath.Join(dir, "file.sock"), nil, 0o600)
	os.Symlink(r.Path(), filepath.Join(dir, "link.sock"))
	os.Mkdir(filepath.Join(dir, "dir.sock"), 0o700)
	for _, name := range []string{"fifo.sock", "fifo.new"} { // to open one would wait
		if err := syscall.Mkfifo(filepath.Join(dir, name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if all := List(r.env); len(all) != 1 || all[0].Run != "abc" {
		t.Errorf("found %v", all)
	}
	names, _ := filepath.Glob(filepath.Join(dir, "*"))
	if len(names) != 6 {
		t.Errorf("left: %q", names)
	}
}

// TestOccupied: what has the place of a socket is no run that can be talked to; another socket of
// the same name is replaced, since identities are never used twice.
func TestOccupied(t *testing.T) {
	for name, occupy := range map[string]func(path string) error{
		"fifo":      func(path string) error { return syscall.Mkfifo(path, 0o600) },
		"directory": func(path string) error { return os.MkdirAll(path+"/full", 0o700) },
		"link":      func(path string) error { return os.Symlink("/dev/null", path) },
		"file":      func(path string) error { return os.WriteFile(path, nil, 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			r := listen(t)
			dir := filepath.Dir(r.Path())
			if err := occupy(filepath.Join(dir, "x"+suffix)); err != nil {
				t.Fatal(err)
			}
			var s Server
			err := s.Listen(r.env, Hello{Run: "x"}, r.do)
			defer s.Close()
			if name == "directory" {
				if err == nil {
					t.Error("it listens")
				}
				if left, _ := filepath.Glob(dir + "/*" + unready); len(left) > 0 {
					t.Errorf("left: %q", left)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			c, err := Dial(s.Path())
			if err != nil {
				t.Fatal(err)
			}
			c.Close()
		})
	}
}

// TestPlaces refuses directories that others may change, and keeps paths short.
func TestPlaces(t *testing.T) {
	base := t.TempDir()
	at := func(dir string) error {
		var s Server
		defer s.Close()
		return s.Listen(func(name string) string { return map[string]string{"XDG_RUNTIME_DIR": dir}[name] }, Hello{Run: "x"}, nil)
	}
	if len(base) > 60 {
		t.Skip("the temporary directory has a long path")
	}
	for _, tt := range []struct {
		name string
		make func(dir string) error
		want string
	}{
		{"a", func(dir string) error { return os.Mkdir(dir, 0o700) }, ""},
		{"b", func(dir string) error { return os.Mkdir(dir, 0o777) }, "is open to other users"},
		{"c", func(dir string) error { return os.Symlink(base, dir) }, "is not a directory"},
		{"d", func(dir string) error { return os.WriteFile(dir, nil, 0o600) }, "is not a directory"},
		{"e", func(dir string) error { return syscall.Mkfifo(dir, 0o600) }, "is not a directory"},
		{"f", func(dir string) error { return errors.Join(os.Mkdir(dir, 0o700), os.Chown(dir, 12345, -1)) }, "belongs to another user"},
	} {
		if tt.name == "f" && os.Geteuid() != 0 {
			continue // only root can give a directory away
		}
		dir := filepath.Join(base, tt.name)
		os.Mkdir(dir, 0o700)
		if err := tt.make(filepath.Join(dir, "weft")); err != nil {
			t.Fatal(err)
		}
		os.Chmod(filepath.Join(dir, "weft"), map[bool]os.FileMode{true: 0o755, false: 0o700}[tt.name == "b"])
		err := at(dir)
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	long := strings.Repeat("x", 120)
	got := place(func(string) string { return "/" + long })
	if got != fmt.Sprintf("/tmp/weft-%d", os.Geteuid()) {
		t.Errorf("a long path: %s", got)
	}
}

// FuzzRequest reads any bytes as a request.
func FuzzRequest(f *testing.F) {
	f.Add([]byte(`{"id":1,"request":"log","task":"a","follow":true}`))
	f.Add([]byte(`{"since":0}`))
	f.Add([]byte(`{"id":[1]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		q := new(Request)
		if parse(text, q) != nil {
			return
		}
		if q.Request == "" && q.Since == nil || len(q.ID) > 0 && !json.Valid(q.ID) {
			t.Errorf("%q is %+v", text, q)
		}
	})
}
