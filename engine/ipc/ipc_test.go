//go:build unix

package ipc

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/weftrun/weft/internal/limit"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// open returns a channel and the program's end.
func open(t testing.TB) (*Channel, *os.File) {
	t.Helper()
	c, program, err := New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { program.Close(); c.Close() })
	return c, program
}

// received returns all messages until the end, as texts.
func received(c *Channel) (all []string) {
	for {
		m, err := c.Next()
		if err == io.EOF {
			return all
		}
		all = append(all, describe(&m, err))
		if is := (*InvalidError)(nil); err != nil && !errors.As(err, &is) {
			return all
		}
	}
}

func describe(m *Message, err error) string {
	s := string(m.JSON)
	if err != nil {
		s = err.Error()
	}
	if len(s) > 1000 {
		s = fmt.Sprintf("%d bytes", len(s))
	}
	switch {
	case err != nil:
	case m.Kind == Output:
		s = fmt.Sprintf("output %s=%s", m.Name, m.Value)
	case m.Kind == Progress:
		s = fmt.Sprintf("progress %v %q %d", m.Done, m.Text, m.Bytes)
	case m.Kind == Log:
		s = fmt.Sprintf("log %s %q", m.Level, m.Text)
	case m.Handle != "":
		s = m.Handle + " with " + s
	}
	if m.Ready {
		s += " (ready)"
	}
	return s
}

func TestNext(t *testing.T) {
	const none = "invalid message on the channel (ipc): "
	for _, test := range []struct{ name, sent, want string }{
		{"values", "\"str\"\n42\nnull\ntrue\n[1, 2]\n {\"a\": {}} \r\n", `"str"; 42; null; true; [1, 2]; {"a": {}}`},
		{"nothing", "", ""},
		{"empty lines", "\n\r\n1\n \n", "1"},
		{"half a line", "1\n{\"a\": 1", "1; " + none + "it ends without a newline; a program that exits right after sending loses unwritten data: {\"a\": 1"},
		{"no JSON", "1\nnope\x1b[2J\n2\n", "1; " + none + "it is not JSON: invalid character 'o' in literal null (expecting 'u'): nope\\x1b[2J; 2"},
		{"two values", "1 2\n", none + "it is not JSON: invalid character '2' after top-level value: 1 2"},
		{"no UTF-8", "\"\xff\"\n", none + `it is not UTF-8: "\xff"`},
		{"a long line that is wrong", strings.Repeat("x", 300) + "\n", none + "it is not JSON: invalid character 'x' looking for beginning of value: " + strings.Repeat("x", 200) + " … (300 bytes)"},
		{"nested too deep", strings.Repeat("[", 20000) + strings.Repeat("]", 20000) + "\n", none + "it is not JSON: invalid character '[' exceeded max depth: " + strings.Repeat("[", 200) + " … (40000 bytes)"},
		{"ready", "\"ready\"\n{\"weft\":\"ready\"}\n[\"ready\"]\n", `"ready" (ready); {"weft":"ready"} (ready); ["ready"]`},
		{"output", `{"weft":"output","name":"n","value":{"x": [1]}}` + "\n", `output n={"x": [1]}`},
		{"output without a value", `{"weft":"output","name":"n"}` + "\n", none + `{"weft": "output"} needs "name" and "value": {"weft":"output","name":"n"}`},
		{"output without a name", `{"weft":"output","value":1}` + "\n", none + `{"weft": "output"} needs "name" and "value": {"weft":"output","value":1}`},
		{"output with a wrong name", `{"weft":"output","name":1,"value":1}` + "\n", none + `"name" of {"weft": "output"} has the wrong type: {"weft":"output","name":1,"value":1}`},
		{"progress", `{"weft":"progress","value":0.5,"text":"t","bytes":3}` + "\n" + `{"weft":"progress","value":7,"bytes":-1}` + "\n", `progress 0.5 "t" 3; progress 1 "" 0`},
		{"wrong progress", `{"weft":"progress","value":"half"}` + "\n", none + `"value" of {"weft": "progress"} has the wrong type: {"weft":"progress","value":"half"}`},
		{"log", `{"weft":"log","level":"warn","text":"t"}` + "\n", `log warn "t"`},
		{"unknown for weft", `{"weft":"cancel"}` + "\n", none + `{"weft": "cancel"} is not one of ready, output, progress and log: {"weft":"cancel"}`},
		{"weft is something else", `{"weft":3}` + "\n" + `{"a":{"weft":"ready"}}` + "\n", `{"weft":3}; {"a":{"weft":"ready"}}`},
		{"another case is another name", `{"Weft":"ready"}` + "\n" + `{"CMD":"NODE_X"}` + "\n", `{"Weft":"ready"}; {"CMD":"NODE_X"}`},
		{"the last of two members counts", `{"weft":"log","weft":"ready"}` + "\n", `{"weft":"log","weft":"ready"} (ready)`},
		{"for Node itself", `{"cmd":"NODE_SOCKET_ALL_CLOSED","key":1}` + "\n" + `{"\u0063md":"NODE_X"}` + "\n" + `{"cmd":"run NODE_X"}` + "\n", `{"cmd":"run NODE_X"}`},
		{"handles", `{"cmd":"NODE_HANDLE","type":"net.Socket","msg":{"a":1}}` + "\n" + `{"cmd":"NODE_HANDLE","msg":{"weft":"ready"}}` + "\n" + `{"cmd":"NODE_HANDLE","type":"net.Socket","msg":{"cmd":"NODE_HANDLE","msg":1}}` + "\n" + `{"cmd":"NODE_HANDLE"}` + "\n",
			`net.Socket with {"a":1}; handle with {"weft":"ready"} (ready)`},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, program := open(t)
			go func() {
				program.WriteString(test.sent)
				program.Close()
			}()
			if got := strings.Join(received(c), "; "); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

// TestLongest: a message of the greatest length arrives whole, a longer one ends the channel, and
// the memory of a long one is returned.
func TestLongest(t *testing.T) {
	c, program := open(t)
	longest := []byte(`"` + strings.Repeat("x", MaxLine-2) + "\"\n")
	first := make(chan struct{})
	go func() {
		program.Write(longest)
		<-first
		program.WriteString("1\n")
		program.Close()
	}()
	m, err := c.Next()
	if err != nil || !bytes.Equal(m.JSON, longest[:MaxLine]) {
		t.Fatalf("%d bytes, %v", len(m.JSON), err)
	}
	close(first)
	if m, err = c.Next(); err != nil || string(m.JSON) != "1" || cap(c.in.buf) > maxSpare {
		t.Errorf("%s, %v; %d bytes are kept", m.JSON, err, cap(c.in.buf))
	}
	// All bytes read for a longer one are without a newline.
	var l lines
	for range 2 {
		if _, err = l.next(func(b []byte) (int, error) { return len(b), nil }); !errors.Is(err, errTooLong) || cap(l.buf) > maxSpare || err.Error() != "a message on the channel (ipc) is more than 64 MiB" {
			t.Errorf("a longer one: %v", err)
		}
	}
}

// TestEnd: what a program has sent before its end is received although another process holds the
// channel open, and no more than that.
func TestEnd(t *testing.T) {
	c, program := open(t)
	program.WriteString("1\n2\n")
	if m, err := c.Next(); err != nil || string(m.JSON) != "1" {
		t.Fatal(m, err)
	}
	waits := make(chan []string)
	go func() { waits <- received(c) }()
	program.WriteString("3\n4")
	c.End()
	got := strings.Join(<-waits, "; ")
	if !strings.HasPrefix(got, "2; 3; invalid message") || !strings.HasSuffix(got, ": 4") {
		t.Errorf("got %s", got)
	}
}

// TestUnreadMessages: the end of a program that did not read is not an error.
func TestUnreadMessages(t *testing.T) {
	c, program := open(t)
	if err := c.Send([]byte(`"never read"`)); err != nil {
		t.Fatal(err)
	}
	program.WriteString("1\n")
	program.Close()
	if got := received(c); len(got) != 1 || got[0] != "1" {
		t.Errorf("got %q", got)
	}
	if err := c.Send([]byte("2")); err != nil {
		t.Errorf("sent to nobody: %v", err)
	}
}

func TestSend(t *testing.T) {
	c, program := open(t)
	for _, text := range []string{`{"a": 1}`, "{\n \"b\": [1,\n2]\n}", `"x"`} {
		if err := c.Send([]byte(text)); err != nil {
			t.Error(err)
		}
	}
	for text, want := range map[string]string{
		`{"cmd": "NODE_HANDLE"}`: `objects whose "cmd" begins with NODE_ are reserved for Node`, `{"\u0063md": "NODE_X"}`: `objects whose "cmd" begins with NODE_ are reserved for Node`,
		"nope": "it is not JSON: invalid character 'o' in literal null (expecting 'u')", "": "it is not JSON: unexpected end of JSON input", "\"\xff\"": "it is not UTF-8",
	} {
		if err := c.Send([]byte(text)); err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
	c.Cancel("it took too long", 1500*time.Millisecond)
	c.Cancel("interrupted", 0)
	if err := c.Forward([]byte(`[ 1,2 ]`)); err != nil {
		t.Error(err)
	}
	c.Disconnect()
	c.Disconnect()
	if err := c.Send([]byte("2")); err != nil {
		t.Errorf("sent after the end: %v", err)
	}
	b, err := io.ReadAll(program)
	const want = `{"a": 1}
{"b":[1,2]}
"x"
{"weft":"cancel","reason":"it took too long","grace_ms":1500}
{"weft":"cancel","reason":"interrupted"}
[ 1,2 ]
`
	if err != nil || string(b) != want {
		t.Errorf("got %s %v", b, err)
	}
	// The other direction stays open.
	program.WriteString("1\n")
	if m, err := c.Next(); err != nil || string(m.JSON) != "1" {
		t.Errorf("%s %v", m.JSON, err)
	}
}

// TestQueue: Send does not wait for a program that does not read, keeps the order, has a limit and
// ends the stream after what was sent.
func TestQueue(t *testing.T) {
	c, program := open(t)
	part := []byte(`"` + strings.Repeat("x", 1<<20-3) + `"`)
	sent := 0
	for ; ; sent++ {
		if err := c.Forward(part); err != nil {
			if over := (*limit.Exceeded)(nil); !errors.As(err, &over) || err.Error() != "the size of the messages waiting on the channel (ipc) is more than 64 MiB; the program does not read its messages, or reads them too slowly" {
				t.Errorf("got %v", err)
			}
			break
		}
		if sent > 100 {
			t.Fatal("there is no limit")
		}
	}
	if sent < 63 {
		t.Errorf("only %d MiB may wait", sent)
	}
	c.Disconnect()
	b, err := io.ReadAll(program)
	if err != nil || len(b) != sent<<20 {
		t.Errorf("%d bytes of %d, %v", len(b), sent<<20, err)
	}
}

// TestCloseWhileWriting: no goroutine remains.
func TestCloseWhileWriting(t *testing.T) {
	c, _ := open(t)
	for range 3 {
		c.Send([]byte(`"` + strings.Repeat("x", 1<<20) + `"`))
	}
	c.Close()
}

// TestHandles: passed descriptors are closed, and each is confirmed.
func TestHandles(t *testing.T) {
	c, program := open(t)
	before := descriptors(t)
	for range 3 {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := unix.Sendmsg(int(program.Fd()), []byte(`{"cmd":"NODE_HANDLE","type":"net.Server","msg":"m"}`+"\n"), syscall.UnixRights(int(w.Fd())), nil, 0); err != nil {
			t.Fatal(err)
		}
		w.Close()
		if m, err := c.Next(); err != nil || m.Handle != "net.Server" || string(m.JSON) != `"m"` {
			t.Fatal(m, err)
		}
		r.SetReadDeadline(time.Now().Add(10 * time.Second))
		if _, err := r.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("what was passed is open: %v", err)
		}
		r.Close()
		ack := make([]byte, 100)
		if n, err := program.Read(ack); string(ack[:n]) != "{\"cmd\":\"NODE_HANDLE_ACK\"}\n" {
			t.Errorf("%q %v", ack[:n], err)
		}
	}
	if after := descriptors(t); after != before {
		t.Errorf("%d descriptors, before %d", after, before)
	}
}

// descriptors returns the number of open descriptors, where that can be determined.
func descriptors(t *testing.T) int {
	if runtime.GOOS != "linux" {
		return 0
	}
	all, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}

// TestUnreadFlood: discarded data costs no memory.
func TestUnreadFlood(t *testing.T) {
	c, program := open(t)
	const n = 50_000
	go func() {
		w := &bytes.Buffer{}
		for i := range n {
			fmt.Fprintf(w, "{\"n\":%d,\"pad\":\"%0100d\"}\n", i, i)
			if w.Len() > 32<<10 || i == n-1 {
				program.Write(w.Bytes())
				w.Reset()
			}
		}
		program.Close()
	}()
	for i := range n {
		if m, err := c.Next(); err != nil {
			t.Fatal(i, err)
		} else if i == n-1 && !strings.HasPrefix(string(m.JSON), `{"n":49999,`) {
			t.Errorf("the last is %s", m.JSON)
		}
		if cap(c.in.buf) > maxSpare {
			t.Fatalf("%d bytes are kept", cap(c.in.buf))
		}
	}
}

// FuzzNext: the result is the same however a stream is divided, and Next never panics.
func FuzzNext(f *testing.F) {
	for _, seed := range []string{"1\n2\n", "{\"weft\":\"progress\",\"value\":0.1}\n\"ready\"\nnope\nhalf", `{"cmd":"NODE_HANDLE","type":"t","msg":{"cmd":"NODE_X"}}` + "\n", "\n\r\n \n", "\xff\n", "{\"weft\":\"output\",\"name\":\"\\u0000\",\"value\":null}\n"} {
		f.Add([]byte(seed), uint64(12345))
	}
	f.Fuzz(func(t *testing.T, stream []byte, split uint64) {
		whole := divided(stream, func(int) int { return len(stream) })
		parts := divided(stream, func(n int) int {
			split = split*6364136223846793005 + 1442695040888963407
			return 1 + int(split>>33)%n
		})
		if whole != parts {
			t.Errorf("whole %s\nparts %s", whole, parts)
		}
	})
}

// divided returns the messages of a stream that is read in parts.
func divided(stream []byte, part func(left int) int) string {
	var l lines
	var all []string
	for {
		line, err := l.next(func(b []byte) (int, error) {
			if len(stream) == 0 {
				return 0, io.EOF
			}
			n := copy(b, stream[:min(part(len(stream)), len(stream))])
			stream = stream[n:]
			return n, nil
		})
		if err == io.EOF {
			return strings.Join(all, "\n")
		}
		var m Message
		if err == nil {
			m, err = parse(line)
		}
		all = append(all, fmt.Sprint(m.Kind, " ", describe(&m, err)))
	}
}
